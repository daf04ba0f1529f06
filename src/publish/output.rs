//! One output: what is in place, what the server knows of it, and what is told about that.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::PublishError;
use super::event::{NAMED, What};
use super::place::{self, Facts, Put};
use super::render::{self, LeftOut};
use super::report::{Report, State};
use super::settings::{Kind, Reload, Settings};
use crate::ban::Snapshot;
use crate::os::files::{Committed, FileId};
use crate::os::{clock, process};
use crate::terms::{Master, PublishedFile};

/// Above so many lines a text map makes unknown clients slow (0.03 microseconds a line).
pub const SLOW_MAP: usize = 5_000;

/// A file in place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) generation: u64,
    entries: usize,
    pub(super) digest: u64,
    /// Its length.
    pub(super) bytes: usize,
    /// When it was put there.
    at: Timestamp,
    /// The same in ticks after boot.
    pub(super) ticks: u64,
    /// How it is known again.
    id: Option<FileId>,
}

/// Who has read the file in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// Nobody, as far as we know.
    Nobody,
    /// The server; its master where it is known.
    Server(Option<Master>),
}

/// What goes back when the server refuses what came later.
#[derive(Clone, Debug)]
struct LastGood {
    bytes: Arc<[u8]>,
    placed: Placed,
    read_by: ReadBy,
    content: Option<Arc<Snapshot>>,
}

/// One output and its file.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) settings: Arc<Settings>,
    pub(super) placed: Option<Placed>,
    /// The bans in place; `None` where a former run wrote them.
    pub(super) content: Option<Arc<Snapshot>>,
    pub(super) read_by: ReadBy,
    last_good: Option<LastGood>,
    state: State,
    settled: bool,
    pub(super) error: Option<String>,
    reloaded: Option<Timestamp>,
    /// Sorted.
    left_out: Vec<LeftOut>,
}

impl Output {
    pub(super) fn of(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            placed: None,
            content: None,
            read_by: ReadBy::Nobody,
            last_good: None,
            state: State::Pending,
            settled: false,
            error: None,
            reloaded: None,
            left_out: Vec::new(),
        }
    }

    /// Takes over the file that a former run left; `kept` is what the store knows of it. Reads the file.
    pub(super) fn adopt(&mut self, kept: Option<&PublishedFile>) -> Result<(), PublishError> {
        let Some(bytes) = place::usable(&self.settings)? else { return Ok(()) };
        let digest = render::digest_of(&bytes);
        let known = kept.filter(|kept| {
            kept.digest == digest && kept.path == self.settings.path && kept.kind == self.settings.kind.name()
        });
        let id = FileId::of(&self.settings.path);
        let at =
            id.map_or(Timestamp::UNIX_EPOCH, |id| Timestamp::from_second(id.modified()).unwrap_or_default());
        self.placed = Some(Placed {
            generation: known.map_or(0, |known| known.generation),
            entries: place::count_entries(&self.settings.kind, &bytes),
            digest,
            bytes: bytes.len(),
            at,
            ticks: ticks_at(at),
            id,
        });
        self.read_by =
            known.and_then(|known| known.verified_by).map_or(ReadBy::Nobody, |m| ReadBy::Server(Some(m)));
        self.state = State::Published;
        Ok(())
    }

    /// The generation in place; 0 where that is not known or nothing is there.
    pub(super) fn generation(&self) -> u64 {
        self.placed.as_ref().map_or(0, |placed| placed.generation)
    }

    /// The entry lines in place.
    pub(super) fn entries(&self) -> usize {
        self.placed.as_ref().map_or(0, |placed| placed.entries)
    }

    /// Whether a server has to read it, and `verified` can be reached by that.
    pub(super) fn needs_reading(&self) -> bool {
        let is_told = !matches!(self.settings.reload, Reload::None | Reload::External);
        is_told && self.placed.is_some() && self.read_by == ReadBy::Nobody
    }

    /// Whether the file is still the one that we put there.
    pub(super) fn is_untouched(&self) -> bool {
        let id = self.placed.as_ref().map(|placed| placed.id);
        id.is_none_or(|id| id == FileId::of(&self.settings.path))
    }

    /// A snapshot whose bytes are in place already.
    pub(super) fn same(&mut self, facts: Facts) -> Vec<What> {
        if let Some(placed) = &mut self.placed {
            placed.generation = facts.snapshot.generation;
        }
        if self.state == State::Failed {
            self.state = State::Published;
            self.error = None;
        }
        self.content = Some(facts.snapshot);
        self.note_left_out(facts.left_out)
    }

    /// A new file is in place. Its old content is kept until the server has read the new one.
    pub(super) fn put(&mut self, put: Put) -> Vec<What> {
        let Put { facts, committed, old, foreign } = put;
        let from = self.placed.as_ref().map(|placed| placed.entries);
        self.keep_last_good(old);
        let generation = facts.snapshot.generation;
        let mut events = vec![What::Published { generation, entries: facts.entries }];
        events.extend(foreign.map(|copy| What::ForeignKept { copy }));
        events.extend(from.and_then(|from| big_change(from, facts.entries)));
        let is_slow = |entries| self.settings.kind == Kind::ApacheRewritemap && entries > SLOW_MAP;
        if is_slow(facts.entries) && !is_slow(from.unwrap_or(0)) {
            events.push(What::SlowMap { entries: facts.entries });
        }
        events.extend(self.note_committed(committed, generation, facts.entries, facts.digest, facts.bytes));
        self.content = Some(facts.snapshot);
        events.extend(self.note_left_out(facts.left_out));
        events
    }

    fn note_committed(
        &mut self,
        committed: Committed,
        generation: u64,
        entries: usize,
        digest: u64,
        bytes: usize,
    ) -> Vec<What> {
        let (at, ticks) = (clock::now(), process::ticks_since_boot());
        self.placed = Some(Placed { generation, entries, digest, bytes, at, ticks, id: Some(committed.id) });
        self.read_by = ReadBy::Nobody;
        self.error = None;
        self.state = State::Published;
        self.settled = false;
        let mut events = Vec::new();
        if committed.in_place {
            events.push(What::WrittenInPlace { path: self.settings.path.clone() });
        }
        events.extend(committed.unsynced.map(|error| What::Unsynced { why: error.to_string() }));
        events
    }

    /// What the server has read last stays the last good one, however many files came after it.
    fn keep_last_good(&mut self, old: Option<Vec<u8>>) {
        if self.last_good.is_none()
            && let (Some(bytes), Some(placed)) = (old, self.placed.clone())
            && placed.digest == render::digest_of(&bytes)
        {
            let (read_by, content) = (self.read_by, self.content.clone());
            self.last_good = Some(LastGood { bytes: bytes.into(), placed, read_by, content });
        }
    }

    /// Whether there is something to go back to.
    pub(super) fn last_good(&self) -> Option<Arc<[u8]>> {
        self.last_good.as_ref().map(|good| Arc::clone(&good.bytes))
    }

    /// The last good file is back in place.
    pub(super) fn rolled_back(&mut self, committed: Committed) {
        let Some(good) = self.last_good.take() else { return };
        let placed = good.placed;
        let _ =
            self.note_committed(committed, placed.generation, placed.entries, placed.digest, placed.bytes);
        self.read_by = good.read_by;
        self.content = good.content;
    }

    /// The server has read the file in place.
    pub(super) fn read(&mut self, by: Option<Master>, at: Timestamp) {
        self.read_by = ReadBy::Server(by);
        self.reloaded = Some(at);
        self.last_good = None;
        self.still_read();
    }

    /// The server is known to have read the file in place some time ago.
    pub(super) fn still_read(&mut self) {
        self.error = None;
        self.settled = true;
        self.state = if self.settings.kind == Kind::List { State::Published } else { State::Verified };
    }

    /// The file is in place, and nothing more can be said: nobody is told, or no server runs.
    pub(super) fn settle(&mut self) {
        self.state = State::Published;
        self.settled = true;
        self.error = None;
    }

    /// The file is in place, but something of the operator's keeps the server from reading it.
    pub(super) fn unread(&mut self, why: String) {
        self.state = State::Published;
        self.settled = false;
        self.error = Some(why);
    }

    /// The newest list is not in place.
    pub(super) fn failed(&mut self, why: String) {
        self.state = State::Failed;
        self.settled = false;
        self.error = Some(why);
    }

    /// The state as it is now.
    pub(super) fn report(&self) -> Report {
        Report {
            output: self.settings.name.clone(),
            state: self.state,
            generation: self.generation(),
            entries: self.entries(),
            left_out: self.left_out.len(),
            published: self.placed.as_ref().map(|placed| placed.at),
            reloaded: self.reloaded,
            error: self.error.clone(),
            settled: self.settled,
            file: self.file(),
        }
    }

    fn file(&self) -> Option<PublishedFile> {
        let verified_by = match self.read_by {
            ReadBy::Server(master) => master,
            ReadBy::Nobody => None,
        };
        self.placed.as_ref().map(|placed| PublishedFile {
            output: self.settings.name.clone(),
            path: self.settings.path.clone(),
            kind: self.settings.kind.name().to_owned(),
            generation: placed.generation,
            digest: placed.digest,
            verified_by,
        })
    }

    /// Tells what is left out, when it is other than the last time.
    fn note_left_out(&mut self, left_out: Vec<LeftOut>) -> Vec<What> {
        let is_news = left_out.iter().any(|left| self.left_out.binary_search(left).is_err());
        self.left_out = left_out;
        if !is_news {
            return Vec::new();
        }
        let first = self.left_out.iter().take(NAMED).copied().collect();
        vec![What::LeftOut { first, total: self.left_out.len() }]
    }
}

/// A wall-clock time in ticks after boot; 0 for what was before.
fn ticks_at(at: Timestamp) -> u64 {
    let age = clock::now().duration_since(at);
    // A file from the future tells nothing: nobody started after it.
    let Ok(age) = u64::try_from(age.as_secs()) else { return u64::MAX / 2 };
    // The file's time was cut to whole seconds: it may be a second younger.
    process::ticks_since_boot().saturating_sub(age.saturating_sub(1) * process::ticks_per_second())
}

/// A list that loses more than half, or all, or grows tenfold, is worth a word.
fn big_change(from: usize, to: usize) -> Option<What> {
    let shrinks = (from > 100 && to * 2 < from) || (from > 10 && to == 0);
    let swells = to > 1_000 && to / 10 > from;
    (shrinks || swells).then_some(What::BigChange { from, to })
}

#[cfg(test)]
mod tests {
    use super::big_change;

    #[test]
    fn only_big_changes_are_worth_a_word() {
        for (from, to, told) in [
            (0, 0, false),
            (0, 1000, false),
            (0, 2000, true),
            (300, 2000, false),
            (100, 10_000, true),
            (101, 50, true),
            (101, 51, false),
            (90, 10, false),
            (11, 0, true),
            (10, 0, false),
        ] {
            assert_eq!(big_change(from, to).is_some(), told, "{from} to {to}");
        }
    }
}
