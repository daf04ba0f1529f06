//! The running daemon: one loop that receives, asks the engine, and carries the effects on. It decides nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::commands::Reports;
use super::owner::Owner;
use super::plan;
use super::sources::{Readers, Reading};
use super::start::{self, DaemonError, Loaded, Outputs};
use crate::config::Config;
use crate::control::{Call, FailCode, Peer, Reply};
use crate::observe::Log;
use crate::os::clock;
use crate::os::lock::Lock;
use crate::publish::{Report, Wanted};
use crate::reader::Told;
use crate::resolve::Lists;
use crate::source::Registry;
use crate::store::{HistoryEvent, HistoryKind};

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
    pub(super) _state_lock: Lock,
}

/// What the loop received.
enum Received {
    Reading(Reading),
    ReadersEnded,
    Report(Report),
    Snapshot(crate::publish::SnapshotRequest),
    Call(Call),
    Expiry,
    Second,
    Released,
    Reload,
    Stop,
}

/// Runs the daemon on the configuration at `path` (`None`: the default one) until it is told to stop.
pub fn run(path: Option<PathBuf>) -> Result<(), DaemonError> {
    let loaded = start::load(path.as_deref())?;
    let log = Log::start(loaded.config.daemon.log);
    log.warnings(&loaded.config.warnings);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let mut circuit = start::start(path, loaded, log).await?;
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

impl Circuit {
    async fn run(&mut self, signals: &mut Signals) {
        let mut second = interval(EACH);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let release = Instant::now() + HOLD_AT_MOST;
        let (mut released, mut reading) = (self.nothing_to_catch_up(), true);
        loop {
            let expiry = self.next_expiry();
            let received = tokio::select! {
                biased;
                _ = signals.terminate.recv() => Received::Stop,
                _ = signals.interrupt.recv() => Received::Stop,
                _ = signals.hangup.recv() => Received::Reload,
                Some(request) = self.outputs.snapshots.recv() => Received::Snapshot(request),
                Some(report) = self.outputs.reports.recv() => Received::Report(report),
                Some(call) = self.calls.recv() => Received::Call(call),
                message = self.readings.recv(), if reading => message.map_or(Received::ReadersEnded, Received::Reading),
                () = sleep_until(expiry.unwrap_or(release)), if expiry.is_some() => Received::Expiry,
                () = sleep_until(release), if !released => Received::Released,
                _ = second.tick() => Received::Second,
            };
            match received {
                Received::Stop => return,
                Received::ReadersEnded => reading = false,
                Received::Released => {
                    released = true;
                    self.owner.release_outputs();
                }
                other => self.take(other),
            }
            if !released && self.caught_up >= self.readers.count() {
                released = true;
                self.owner.release_outputs();
            }
            if !self.reloads.is_empty() {
                self.reload().await;
                reading = true;
            }
            self.answer_pings();
        }
    }

    fn nothing_to_catch_up(&self) -> bool {
        let nothing = self.readers.count() == 0;
        if nothing {
            self.owner.release_outputs();
        }
        nothing
    }

    fn take(&mut self, received: Received) {
        match received {
            Received::Reading(reading) => self.read(reading),
            Received::Report(report) => self.report(report),
            Received::Snapshot(request) => {
                let _ = request.reply.send(self.owner.engine.snapshot(&request.output));
            }
            Received::Call(call) => self.command(call.request, call.peer, call.reply),
            Received::Expiry => self.owner.tick(clock::now()),
            Received::Second => self.each_second(),
            Received::Reload => self.reloads.push((None, None)),
            Received::Stop | Received::ReadersEnded | Received::Released => {}
        }
    }

    fn read(&mut self, reading: Reading) {
        match reading {
            Reading::Batch(batch) => self.owner.judge(batch, clock::now()),
            Reading::FirstLook(checkpoint, stored) => self.owner.first_look(checkpoint, stored),
            Reading::Told(_, Told::Opened) => self.opened += 1,
            Reading::Told(_, Told::CaughtUp) => self.caught_up += 1,
            Reading::Told(source, told) => self.owner.log.reader(&source, &told),
        }
    }

    fn report(&mut self, report: Report) {
        if report.settled {
            self.owner.engine.settled(&report.output, report.generation, clock::now());
        }
        if let Some(file) = report.file.clone() {
            self.owner.published(file);
        }
        self.reports.send_modify(|reports| {
            reports.insert(report.output.clone(), report);
        });
    }

    fn each_second(&mut self) {
        self.owner.tick(clock::now());
        self.owner.save();
        let refreshed = self.lists.refresh();
        self.owner.log.lists(&refreshed.problems);
        if refreshed.changed {
            self.reconfigure_engine();
        }
        self.owner.log.quiet_second();
    }

    fn reconfigure_engine(&mut self) {
        let settings = plan::engine_settings(&self.config, &self.lists);
        let effects = self.owner.engine.reconfigure(settings, clock::now());
        self.owner.carry(effects, true);
    }

    /// When the next ban ends, on the runtime's clock.
    fn next_expiry(&self) -> Option<Instant> {
        let until = self.owner.engine.next_expiry()?.duration_since(clock::now());
        Some(Instant::now() + Duration::try_from(until).unwrap_or_default())
    }

    /// Outputs exist from the start; sources are open once each has looked at its files.
    fn answer_pings(&mut self) {
        if self.opened >= self.readers.count() {
            for ping in self.pings.drain(..) {
                let _ =
                    ping.send(Reply::Done { messages: Vec::new(), bans: Vec::new(), refused: Vec::new() });
            }
        }
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
    async fn exchange(&mut self, loaded: Loaded) -> Result<String, DaemonError> {
        if loaded.config.daemon.state != self.config.daemon.state
            || loaded.config.daemon.socket != self.config.daemon.socket
        {
            self.owner.log.needs_restart();
        }
        self.end_readers().await;
        let started =
            Readers::start(plan::followings(&loaded.config, &self.owner.positions(), &self.registry));
        if started.is_err() {
            self.start_readers_again()?;
        }
        let (readers, readings) = started?;
        self.registry.sweep();
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        let changed = loaded.config.outputs != self.config.outputs;
        (self.config, self.lists) = (Arc::new(loaded.config), loaded.lists);
        self.owner.log.warnings(&self.config.warnings);
        self.reconfigure_engine();
        if changed {
            self.exchange_outputs().await;
        }
        Ok(format!(
            "the configuration was read again: {} jails, {} outputs",
            self.config.jails.len(),
            self.config.outputs.len()
        ))
    }

    /// The new sources cannot be followed: the old ones go on.
    fn start_readers_again(&mut self) -> Result<(), DaemonError> {
        let sources = plan::followings(&self.config, &self.owner.positions(), &self.registry);
        let (readers, readings) = Readers::start(sources)?;
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        Ok(())
    }

    async fn exchange_outputs(&mut self) {
        let known: Vec<_> = self.owner.files().cloned().collect();
        let events = start::event_sink(&self.owner.log);
        let files = start::make_outputs(&self.config, &self.owner.engine, known, &events, &self.owner.log);
        self.owner.log.left_behind(&self.config.outputs, &files);
        let new = Outputs::start(&self.config, files, &self.wanted, &self.owner.log);
        let old = std::mem::replace(&mut self.outputs, new);
        let names: Vec<_> = self.config.outputs.iter().map(|output| output.name.clone()).collect();
        self.reports.send_modify(|reports| reports.retain(|name, _| names.contains(name)));
        old.publisher.stop().await;
    }

    /// Ends the reader threads; what they had read is judged first.
    async fn end_readers(&mut self) {
        self.readers.stop();
        while let Some(reading) = self.readings.recv().await {
            self.read(reading);
            self.owner.save();
        }
    }

    /// Stops in order: no new lines, everything stored, outputs left as they are.
    async fn stop(mut self) {
        self.end_readers().await;
        self.note(HistoryKind::Stopped, "asked to stop".to_owned(), None);
        self.owner.save();
        self.calls.close();
        let Self { outputs, owner, .. } = self;
        let Outputs { publisher, mut snapshots, mut reports } = outputs;
        let mut owner = owner;
        let stopping = publisher.stop();
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                () = &mut stopping => break,
                Some(request) = snapshots.recv() => {
                    let _ = request.reply.send(owner.engine.snapshot(&request.output));
                }
            }
        }
        while let Ok(report) = reports.try_recv() {
            if let Some(file) = report.file {
                owner.published(file);
            }
        }
        owner.save();
        owner.stop();
    }
}
