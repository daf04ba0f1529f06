//! The running daemon: one loop that receives, asks the engine, and carries the effects on. It decides nothing.

use std::future::ready;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::circuit::Circuit;
use super::plan;
use super::sources::Reading;
use super::start::{self, DaemonError};
use super::verify::Answered;
use crate::control::{Call, FailCode, Peer, Reply};
use crate::observe::Log;
use crate::os::clock;
use crate::publish::Report;
use crate::reader::Told;
use crate::resolve::News;
use crate::store::HistoryEvent;
use crate::terms::HistoryKind;

/// Existing outputs are held back until every file's backlog is read, but no longer than this.
const HOLD_AT_MOST: Duration = Duration::from_secs(30);
/// How often is saved what is unsaved, and looked whether lists have changed.
const EACH: Duration = Duration::from_secs(1);

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

    pub(super) fn reconfigure_engine(&mut self) {
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

    pub(super) fn note(&mut self, kind: HistoryKind, text: String, peer: Option<Peer>) {
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

    /// Ends the reader threads; what they had read is judged first.
    pub(super) async fn end_readers(&mut self) {
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
