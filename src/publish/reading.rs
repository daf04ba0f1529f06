//! The second half of a publish: the server is made to read the files in place, or they are rolled back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::What;
use super::feed::Wanted;
use super::group::{Group, blocking};
use super::output::{Output, ReadBy};
use super::place;
use super::readable::{self, Readers};
use super::server::Outcome;
use super::settings::{Kind, Settings};
use crate::os::clock;
use crate::os::owner::Owner;
use crate::terms::Master;

/// How often a server that does not run is looked for.
const NOT_RUNNING: Duration = Duration::from_secs(1);

/// How long the identity of Apache's workers is believed; and how long that none run.
const READERS_KEPT: Duration = Duration::from_mins(1);
const NO_READERS_KEPT: Duration = Duration::from_secs(1);

impl Group {
    /// Takes over the files in place: who has read them is known, or found out at once.
    pub(super) async fn judge_adopted(&mut self) {
        if !self.server.is_told() {
            self.settle_untold().await;
            return;
        }
        let master = self.server.master();
        for output in &mut self.outputs {
            if output.read_by != ReadBy::Nobody
                && (master.is_none() || output.read_by != ReadBy::Server(master))
            {
                output.read_by = ReadBy::Nobody;
            }
        }
        self.settle_unchanged().await;
    }

    /// Nothing new is in place: outputs that the server has read are verified, others are looked at again.
    pub(super) async fn settle_unchanged(&mut self) {
        if !self.server.is_told() {
            self.settle_untold().await;
            return;
        }
        self.outputs
            .iter_mut()
            .filter(|output| output.read_by != ReadBy::Nobody)
            .for_each(Output::still_read);
        if self.outputs.iter().any(Output::needs_reading) && !self.reread_is_planned() {
            self.reread_now();
        }
    }

    /// New files are in place.
    pub(super) async fn after_commit(&mut self, wanted: Wanted) {
        if !self.server.is_told() {
            self.settle_untold().await;
            return;
        }
        self.reread_now();
        self.make_read_of(wanted.generation).await;
        if !self.server.drains() {
            self.schedule.relax();
        }
    }

    /// Makes the server read what is in place and unread.
    pub(super) async fn make_read(&mut self) {
        if self.server.is_told() {
            let generation = self.feed.wanted.borrow().generation;
            self.make_read_of(generation).await;
        } else {
            self.settle_untold().await;
        }
    }

    async fn make_read_of(&mut self, generation: u64) {
        let unread: Vec<&Output> = self.outputs.iter().filter(|output| output.needs_reading()).collect();
        let placed = unread.iter().filter_map(|output| output.placed.as_ref());
        let bytes = placed.clone().map(|placed| placed.bytes).sum();
        let Some(committed) = placed.map(|placed| placed.ticks).max() else {
            self.reread_done();
            return;
        };
        if let Some(master) = self.server.has_read(committed, bytes) {
            self.read(Some(master));
            return;
        }
        let stop = self.stop.clone();
        let attempt = self.server.make_read(bytes, &stop).await;
        for what in attempt.notices {
            self.tell_unread(|_| what.clone());
        }
        self.conclude(attempt.outcome, generation).await;
        if let Some(trouble) = attempt.trouble {
            self.outputs.iter_mut().for_each(|output| output.error = Some(trouble.clone()));
        }
    }

    async fn conclude(&mut self, outcome: Outcome, generation: u64) {
        match outcome {
            Outcome::Read(master) => self.read(master),
            Outcome::Stopped => {}
            Outcome::NotRunning(why) => {
                self.tell_unread(|_| What::NotRunning { why: why.clone() });
                self.unread_outputs().for_each(Output::settle);
                self.reread_in(NOT_RUNNING);
            }
            Outcome::Refused { message, ours: true } => self.roll_back(message, generation).await,
            Outcome::Refused { message, ours: false } => self.leave_unread(&message.unwrap_or_default()),
            Outcome::Hindered(why) => self.leave_unread(&why),
        }
    }

    /// The files stay; what keeps the server from reading them is not in them.
    fn leave_unread(&mut self, why: &str) {
        self.tell_unread(|_| What::Unread { why: why.to_owned() });
        self.unread_outputs().for_each(|output| output.unread(why.to_owned()));
        self.reread_later();
    }

    fn unread_outputs(&mut self) -> impl Iterator<Item = &mut Output> {
        self.outputs.iter_mut().filter(|output| output.needs_reading())
    }

    /// The server has read all that is in place.
    fn read(&mut self, by: Option<Master>) {
        let now = clock::now();
        self.tell_unread(|output| What::Verified { generation: output.generation() });
        self.unread_outputs().for_each(|output| output.read(by, now));
        self.reread_done();
    }

    /// Puts the last good files back in place of those that the server refused.
    async fn roll_back(&mut self, message: Option<String>, generation: u64) {
        let jobs: Vec<_> = self
            .outputs
            .iter()
            .enumerate()
            .filter(|(_, output)| output.needs_reading())
            .filter_map(|(index, output)| Some((index, Arc::clone(&output.settings), output.last_good()?)))
            .collect();
        let why = message
            .clone()
            .unwrap_or_else(|| "the server did not read the new list, and gave no reason".to_owned());
        if jobs.is_empty() {
            // Nothing is known to be better than what is there.
            self.leave_unread(&why);
            return;
        }
        let done = blocking(move || {
            let back = |(index, settings, bytes): (usize, Arc<Settings>, Arc<[u8]>)| {
                (index, place::put_back(&settings, &bytes))
            };
            jobs.into_iter().map(back).collect::<Vec<_>>()
        })
        .await;
        for (index, result) in done {
            match result {
                Ok(committed) => {
                    self.outputs[index].rolled_back(committed);
                    self.outputs[index].failed(why.clone());
                    self.tell_all(index, vec![What::RolledBack { message: message.clone() }]);
                }
                Err(error) => {
                    self.fail(index, &error);
                }
            }
        }
        self.server.files_changed();
        self.reread_done();
        self.retry_later(generation);
    }

    /// Outputs that nobody is told about: they are as good as they get, but Apache must be able to read its map.
    async fn settle_untold(&mut self) {
        if self.outputs.iter().any(is_map) {
            self.look_up_readers().await;
        }
        let mut all_readable = true;
        for index in 0..self.outputs.len() {
            if self.outputs[index].placed.is_none() {
                continue;
            }
            if is_map(&self.outputs[index]) {
                all_readable &= self.settle_map(index);
            } else {
                self.outputs[index].settle();
            }
        }
        if all_readable {
            self.reread_done();
        } else {
            self.reread_later();
        }
    }

    /// Whether its readers can read it.
    fn settle_map(&mut self, index: usize) -> bool {
        let readers = self.readers.as_ref().and_then(|(readers, _)| readers.clone());
        let output = &mut self.outputs[index];
        let hindered = readers.as_ref().and_then(|readers| readers.hindered(&output.settings.path));
        let is_certain = readers.is_some_and(|readers| readers.certain);
        if let Some(why) = hindered.clone().filter(|_| is_certain) {
            output.unread(why.clone());
            self.tell_all(index, vec![What::Unread { why }]);
            return false;
        }
        let mut events: Vec<What> = hindered.map(|why| What::Unreadable { why }).into_iter().collect();
        if output.read_by == ReadBy::Nobody {
            output.read(None, clock::now());
            events.push(What::Verified { generation: output.generation() });
        } else {
            output.still_read();
        }
        self.tell_all(index, events);
        true
    }

    /// Looks who reads maps, but not each time: a look at all processes takes milliseconds.
    async fn look_up_readers(&mut self) {
        let now = clock::monotonic();
        let is_fresh = |(readers, at): &(Option<Readers>, Instant)| {
            let run = readers.as_ref().is_some_and(|readers| readers.certain);
            now.duration_since(*at) < if run { READERS_KEPT } else { NO_READERS_KEPT }
        };
        if self.readers.as_ref().is_some_and(is_fresh) {
            return;
        }
        let owner = self.outputs.iter().find_map(|output| output.settings.owner.clone());
        let readers = blocking(move || {
            let owner = owner.and_then(|owner| Owner::resolve(&owner).ok());
            readable::readers(owner)
        })
        .await;
        self.readers = Some((readers, now));
    }

    fn tell_unread(&mut self, what: impl Fn(&Output) -> What) {
        for output in self.outputs.iter().filter(|output| output.needs_reading()) {
            self.teller.tell(&output.settings.name, what(output));
        }
    }
}

fn is_map(output: &Output) -> bool {
    output.settings.kind == Kind::ApacheRewritemap
}
