//! The running daemon: one loop that receives, asks the engine, and carries the effects on. It decides nothing.

use std::collections::BTreeMap;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::commands::Reports;
use super::host::Host;
use super::owner::Owner;
use super::plan;
use super::sources::{Readers, Reading};
use super::start::{self, DaemonError, Loaded, Outputs};
use super::verify::Answered;
use crate::address::Address;
use crate::config::Config;
use crate::control::{Call, FailCode, Peer, Reply};
use crate::observe::Log;
use crate::os::clock;
use crate::os::lock::Lock;
use crate::publish::{self, Report, Wanted};
use crate::reader::{Surroundings, Told};
use crate::resolve::{Following, Lists, News, system_lookup};
use crate::source::Registry;
use crate::store::HistoryEvent;
use crate::terms::{HistoryKind, SourceName};

/// Existing outputs are held back until every file's backlog is read, but no longer than this.
const HOLD_AT_MOST: Duration = Duration::from_secs(30);
/// How often is saved what is unsaved, and looked whether lists have changed.
const EACH: Duration = Duration::from_secs(1);

/// Everything that runs, and the ends of all wires.
pub(super) struct Circuit {
    pub(super) started: Timestamp,
    pub(super) path: Option<PathBuf>,
    pub(super) config: Arc<Config>,
    pub(super) lists: Lists,
    /// The threads that follow the lists, until they are followed anew.
    pub(super) following: Following,
    pub(super) news: mpsc::Receiver<News>,
    /// What is true of those who say to be crawlers.
    pub(super) answers: mpsc::UnboundedReceiver<Answered>,
    pub(super) host: Host,
    /// What the readers know of the machines around; the same as the engine does.
    pub(super) around: Surroundings,
    /// What the wrong-client guard holds, as the readers last told.
    pub(super) crowds: BTreeMap<SourceName, Vec<Address>>,
    pub(super) owner: Owner,
    pub(super) outputs: Outputs,
    pub(super) reports: watch::Sender<Reports>,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) calls: mpsc::Receiver<Call>,
    /// What outlives the readers of one configuration.
    pub(super) registry: Registry,
    pub(super) readers: Readers,
    pub(super) readings: mpsc::Receiver<Reading>,
    /// How many sources have looked at their files once.
    pub(super) opened: usize,
    /// How many sources have read their backlog.
    pub(super) caught_up: usize,
    /// Pings that wait until outputs exist.
    pub(super) pings: Vec<oneshot::Sender<Reply>>,
    /// Requests to read the configuration again: by whom, and where the answer goes.
    pub(super) reloads: Vec<(Option<oneshot::Sender<Reply>>, Option<Peer>)>,
    /// The control socket's task; ends once `calls` is closed and the last replies are out.
    pub(super) serving: tokio::task::JoinHandle<()>,
    /// What readers hash different values with, the same over restarts.
    pub(super) seed: u64,
    pub(super) state_lock: Lock,
}

/// What the loop waits for beside messages.
pub(super) struct Waits {
    second: Interval,
    /// When existing outputs may be rewritten at the latest; `None` once they may.
    release: Option<Instant>,
    /// Some reader is still at work.
    reading: bool,
    /// Bans were ended last: of many that end at once a part, and now it is the others' turn.
    others_turn: bool,
}

/// What the loop received.
pub(super) enum Received {
    Reading(Reading),
    ReadersEnded,
    Report(Report),
    Snapshot(crate::publish::SnapshotRequest),
    Call(Call),
    List(News),
    Verified(Answered),
    Expiry,
    Second,
    Released,
    Reload,
}

/// Runs the daemon on the configuration at `path` (`None`: the default one) until it is told to stop.
pub fn run(path: Option<PathBuf>) -> Result<(), DaemonError> {
    let loaded = start::load(path.as_deref())?;
    let log = Log::start(loaded.config.daemon.log);
    log.warnings(&loaded.config.warnings);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let mut circuit = start::start(path, loaded, &log)?;
        circuit.note(HistoryKind::Started, format!("banmap {}", env!("CARGO_PKG_VERSION")), None);
        circuit.run(&mut signals).await;
        circuit.stop().await;
        Ok(())
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

impl Waits {
    pub(super) fn new() -> Self {
        let mut second = interval(EACH);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { second, release: Some(Instant::now() + HOLD_AT_MOST), reading: true, others_turn: false }
    }
}

impl Circuit {
    async fn run(&mut self, signals: &mut Signals) {
        let mut waits = Waits::new();
        loop {
            if waits.release.is_some() && self.caught_up >= self.readers.count() {
                self.release(&mut waits);
            }
            let received = tokio::select! {
                biased;
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.hangup.recv() => Received::Reload,
                received = self.receive(&mut waits) => received,
            };
            self.take(received, &mut waits);
            if !self.reloads.is_empty() {
                self.reload().await;
                waits.reading = true;
            }
        }
    }

    /// What comes next. Times go before messages, and readings come last: under a flood of lines bans still end, and
    /// what is unsaved is still saved each second; but between two parts of many bans that end everybody has a turn. Dropped
    /// before it is ready, nothing is lost.
    pub(super) async fn receive(&mut self, waits: &mut Waits) -> Received {
        let expiry = self.next_expiry();
        // A timer that is over is not ready at once, and what is always ready would never let it be.
        let due = expiry.is_some_and(|expiry| expiry <= Instant::now());
        let soonest = |time: Option<Instant>| sleep_until(time.unwrap_or_else(Instant::now));
        tokio::select! {
            biased;
            () = ready(()), if due && !waits.others_turn => Received::Expiry,
            _ = waits.second.tick() => Received::Second,
            () = soonest(waits.release), if waits.release.is_some() => Received::Released,
            Some(request) = self.outputs.snapshots.recv() => Received::Snapshot(request),
            Some(report) = self.outputs.reports.recv() => Received::Report(report),
            Some(call) = self.calls.recv() => Received::Call(call),
            Some(answered) = self.answers.recv() => Received::Verified(answered),
            Some(news) = self.news.recv() => Received::List(news),
            message = self.readings.recv(), if waits.reading => message.map_or(Received::ReadersEnded, Received::Reading),
            () = ready(()), if due => Received::Expiry,
            () = soonest(expiry), if expiry.is_some() => Received::Expiry,
        }
    }

    /// Existing outputs may be rewritten from now on.
    fn release(&mut self, waits: &mut Waits) {
        waits.release = None;
        self.owner.release_outputs();
    }

    pub(super) fn take(&mut self, received: Received, waits: &mut Waits) {
        waits.others_turn = matches!(received, Received::Expiry);
        match received {
            Received::Reading(reading) => self.read(reading),
            Received::Report(report) => self.report(report),
            Received::Snapshot(request) => self.owner.answer(request),
            Received::Call(call) => self.command(call.request, call.peer, call.reply),
            Received::Verified((claim, answer)) => {
                let effects = self.owner.engine.verified(claim, &answer, clock::now());
                self.owner.carry(effects, false);
            }
            Received::List(news) => self.take_list(news),
            Received::Expiry => self.owner.tick(clock::now()),
            Received::Second => self.each_second(),
            Received::Reload => self.reloads.push((None, None)),
            Received::ReadersEnded => waits.reading = false,
            Received::Released => self.release(waits),
        }
        self.answer_pings();
    }

    fn read(&mut self, reading: Reading) {
        match reading {
            Reading::Batch(batch) => self.owner.judge(batch, clock::now()),
            Reading::FirstLook(checkpoint, stored) => self.owner.first_look(checkpoint, stored),
            Reading::Told(_, Told::Opened) => self.opened += 1,
            Reading::Told(_, Told::CaughtUp) => self.caught_up += 1,
            Reading::Told(source, Told::Crowds(crowds)) => {
                self.crowds.insert(source, crowds);
                self.reconfigure_engine();
            }
            Reading::Told(source, told) => self.owner.log.reader(&source, &told),
        }
    }

    fn report(&mut self, report: Report) {
        self.owner.report(&report);
        self.reports.send_modify(|reports| {
            reports.insert(report.output.clone(), Some(report));
        });
    }

    fn each_second(&mut self) {
        self.owner.tick(clock::now());
        self.owner.save();
        if self.host.has_changed(clock::monotonic()) {
            self.reconfigure_engine();
        }
        for source in self.readers.newly_lost() {
            self.owner.log.reader_lost(&source);
        }
        self.owner.log.quiet_second();
    }

    /// A list from elsewhere is another one, or cannot be read.
    fn take_list(&mut self, news: News) {
        match self.lists.take(news) {
            Ok(true) => {
                self.owner.names_changed(&self.lists);
                self.reconfigure_engine();
            }
            Ok(false) => {}
            Err(problem) => self.owner.log.lists(&problem),
        }
    }

    fn reconfigure_engine(&mut self) {
        let crowds = self.crowds.iter().flat_map(|(name, all)| all.iter().map(|one| (name.clone(), *one)));
        let settings = plan::settings(&self.config, &self.lists, self.host.addresses(), crowds.collect());
        self.owner.verifier.reconfigure(&self.config, &self.lists);
        self.around.replace(settings.protected.trusted.clone(), settings.protected.host.clone());
        let effects = self.owner.engine.reconfigure(settings, clock::now());
        // Before the backlog is read bans may be missing that are in the files: these are left alone unless somebody is let in.
        let at_once = !effects.changes.is_empty() || !self.owner.holds_outputs();
        self.owner.carry(effects, at_once);
    }

    /// When the next ban ends, on the runtime's clock.
    fn next_expiry(&self) -> Option<Instant> {
        let until = self.owner.engine.next_expiry()?.duration_since(clock::now());
        Some(Instant::now() + Duration::try_from(until).unwrap_or_default())
    }

    /// Answers once every source has looked at its files, and every output's file is in place or cannot be.
    fn answer_pings(&mut self) {
        if self.pings.is_empty() || self.opened < self.readers.count() {
            return;
        }
        let Some(reply) = self.readiness() else { return };
        for ping in self.pings.drain(..) {
            let _ = ping.send(reply.clone());
        }
    }

    /// `None` while there is an output of which nothing is known yet.
    fn readiness(&self) -> Option<Reply> {
        let mut missing = Vec::new();
        for (name, report) in self.reports.borrow().iter() {
            match (report.as_ref()?.published, report.as_ref()?.error.as_ref()) {
                (Some(_), _) => {}
                (None, Some(error)) => missing.push(format!("output {name}: {error}")),
                (None, None) => return None,
            }
        }
        Some(if missing.is_empty() {
            Reply::Done { messages: Vec::new(), bans: Vec::new(), refused: Vec::new() }
        } else {
            Reply::failed(FailCode::Failed, missing.join("\n"))
        })
    }

    fn note(&mut self, kind: HistoryKind, text: String, peer: Option<Peer>) {
        let uid = peer.map(|peer| peer.uid);
        self.owner.note(HistoryEvent {
            at: clock::now(),
            kind,
            address: None,
            jail: None,
            uid,
            reason: None,
            text,
        });
    }

    /// Reads the configuration again: whole, or not at all.
    async fn reload(&mut self) {
        let asked = std::mem::take(&mut self.reloads);
        let reply = match start::load(self.path.as_deref()) {
            Ok(loaded) => self.exchange(loaded).await,
            Err(error) => Err(error),
        };
        let uid = asked.iter().find_map(|(_, peer)| *peer);
        let text =
            reply.as_ref().map_or_else(|_| "refused: the old configuration stays".to_owned(), Clone::clone);
        self.note(HistoryKind::Reloaded, text, uid);
        self.owner.log.reloaded(&reply);
        for answer in asked.into_iter().filter_map(|(answer, _)| answer) {
            let _ = answer.send(match &reply {
                Ok(text) => {
                    Reply::Done { messages: vec![text.clone()], bans: Vec::new(), refused: Vec::new() }
                }
                Err(error) => Reply::Failed { message: error.to_string(), code: FailCode::Usage },
            });
        }
    }

    /// Puts a new configuration in the place of the old one. Bans and read positions stay.
    pub(super) async fn exchange(&mut self, mut loaded: Loaded) -> Result<String, DaemonError> {
        let (new, old) = (&loaded.config.daemon, &self.config.daemon);
        if (&new.state, &new.socket, new.log) != (&old.state, &old.socket, old.log) {
            self.owner.log.needs_restart();
        }
        self.end_readers().await;
        for (name, addresses) in self.lists.answers() {
            loaded.lists.resolved(name, addresses.to_vec());
        }
        let (tell, news) = mpsc::channel(start::NEWS);
        let following = loaded.lists.follow(system_lookup(), tell)?;
        let around = plan::around(&loaded.config, &loaded.lists, self.host.addresses());
        let positions = self.owner.positions();
        let started =
            Readers::start(plan::followings(&loaded.config, &around, &positions, &self.registry, self.seed));
        if started.is_err() {
            self.start_readers_again()?;
        }
        let (readers, readings) = started?;
        self.registry.sweep();
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        let changed = loaded.config.outputs != self.config.outputs;
        if changed {
            // A file has one writer: the old tasks end before new ones begin.
            self.outputs.stop(&mut self.owner).await;
        }
        (self.config, self.lists, self.around) = (Arc::new(loaded.config), loaded.lists, around);
        (self.following, self.news) = (following, news);
        self.owner.names_changed(&self.lists);
        let is_guarded = |name: &SourceName| {
            self.config.sources.iter().any(|source| source.settings.name == *name && source.guard)
        };
        self.crowds.retain(|name, _| is_guarded(name));
        self.owner.log.warnings(&self.config.warnings);
        self.reconfigure_engine();
        if changed {
            self.start_outputs();
        }
        Ok(format!(
            "the configuration was read again: {} jails, {} outputs",
            self.config.jails.len(),
            self.config.outputs.len()
        ))
    }

    /// The new sources cannot be followed: the old ones go on.
    fn start_readers_again(&mut self) -> Result<(), DaemonError> {
        let positions = self.owner.positions();
        let sources = plan::followings(&self.config, &self.around, &positions, &self.registry, self.seed);
        let (readers, readings) = Readers::start(sources)?;
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        Ok(())
    }

    fn start_outputs(&mut self) {
        let known: Vec<_> = self.owner.files().cloned().collect();
        let events = start::event_sink(&self.owner.log);
        let files = start::make_outputs(&self.config, &self.owner.engine, known, &events, &self.owner.log);
        self.owner.log.left_behind(&self.config.outputs, &files);
        self.outputs = Outputs::start(&self.config, &files, &self.wanted, &self.owner.log);
        let outputs = &self.config.outputs;
        self.reports.send_modify(|reports| {
            let mut old = std::mem::take(reports);
            let last = |output: &publish::Settings| (output.name.clone(), old.remove(&output.name).flatten());
            *reports = outputs.iter().map(last).collect();
        });
    }

    /// Ends the reader threads; what they had read is judged first.
    async fn end_readers(&mut self) {
        self.readers.stop();
        while let Some(reading) = self.readings.recv().await {
            self.read(reading);
            self.owner.save();
        }
    }

    /// Stops in order: no new lines, everything stored, outputs left as they are, the last answers given.
    async fn stop(mut self) {
        self.end_readers().await;
        self.note(HistoryKind::Stopped, "asked to stop".to_owned(), None);
        self.owner.save();
        self.calls.close();
        self.outputs.stop(&mut self.owner).await;
        self.owner.save();
        let Self { owner, serving, reports, pings, reloads, state_lock, .. } = self;
        owner.stop();
        // Whoever waits for outputs or for being ready waits in vain from now on, and is told so.
        drop((reports, pings, reloads));
        // It panics only with the process.
        let _ = serving.await;
        drop(state_lock);
    }
}
