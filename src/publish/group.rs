//! One reload group: the outputs that the same server reads, published together by one task.
//!
//! The task looks what is due, does it, and sleeps. What is due is decided here; how a publish goes, in `cycle`.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout_at};

use super::event::{EventSink, What};
use super::feed::{Feed, Wanted};
use super::output::Output;
use super::readable::Readers;
use super::report::Report;
use super::schedule::{Pending, Schedule};
use super::server::Server;
use super::settings::Settings;
use super::teller::Teller;
use crate::os::child::Runner;
use crate::os::clock;
use crate::terms::PublishedFile;

/// The first wait after a failure; it doubles up to `LONGEST_RETRY`.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// How often files are looked after that somebody else may have changed or removed.
const INSPECT: Duration = Duration::from_mins(1);

/// How much earlier than the commit staging begins at most.
const LONGEST_LEAD: Duration = Duration::from_secs(2);

/// The least time between two looks at snapshots, and how many times the last look's length it is.
const LOOK_APART: Duration = Duration::from_millis(10);
const LOOK_SHARE: u32 = 10;

/// A failed publish, to be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    at: Instant,
    delay: Duration,
    /// A newer generation than this one does not wait for `at`.
    generation: u64,
}

/// A publish that only removes and waits for something that adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Postponed {
    pub(super) since: Instant,
    /// The newest generation known to only remove.
    pub(super) generation: u64,
}

/// What a group is connected with.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) feed: Feed,
    pub(super) reports: mpsc::UnboundedSender<Report>,
    pub(super) events: EventSink,
    pub(super) runner: Runner,
    /// Becomes true when the task has to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// The task of one reload group.
pub(super) struct Group {
    pub(super) outputs: Vec<Output>,
    pub(super) server: Server,
    pub(super) schedule: Schedule,
    pub(super) feed: Feed,
    pub(super) teller: Teller,
    pub(super) runner: Runner,
    /// Becomes true when we have to end.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) postponed: Option<Postponed>,
    /// Who reads the Apache maps of this group, and when that was looked up.
    pub(super) readers: Option<(Option<Readers>, Instant)>,
    /// What the store knows of the files, until they are taken over.
    kept: Vec<PublishedFile>,
    reports: mpsc::UnboundedSender<Report>,
    last_reports: Vec<Option<Report>>,
    retry: Option<Retry>,
    /// When the server is to be made to read what is in place, and how long to wait after that.
    reread: Option<(Instant, Duration)>,
    last_look: Option<(Instant, Duration)>,
    /// How long the last staging took: the next one begins so much before it is due.
    lead: Duration,
    inspect_at: Instant,
}

/// What to do next.
enum Next {
    /// With the time from which on a commit may happen.
    Publish(Instant),
    MakeRead,
    Inspect,
    Sleep(Instant),
}

impl Group {
    pub(super) fn new(settings: Vec<Settings>, kept: Vec<PublishedFile>, ends: Ends) -> Self {
        let Ends { feed, reports, events, runner, stop } = ends;
        Self {
            server: Server::of(&settings, runner.clone()),
            schedule: Schedule::of(&settings),
            last_reports: vec![None; settings.len()],
            inspect_at: clock::monotonic() + INSPECT,
            lead: Duration::ZERO,
            postponed: None,
            readers: None,
            retry: None,
            reread: None,
            last_look: None,
            outputs: settings.into_iter().map(Output::of).collect(),
            teller: Teller::new(events),
            feed,
            runner,
            stop,
            kept,
            reports,
        }
    }

    /// Publishes until it is stopped, or until nobody wants anything any more.
    pub(super) async fn run(mut self) {
        self.adopt().await;
        self.report();
        loop {
            let wanted = *self.feed.wanted.borrow_and_update();
            if *self.stop.borrow() {
                return;
            }
            match self.next(wanted, clock::monotonic()) {
                Next::Publish(due) => self.publish(wanted, due).await,
                Next::MakeRead => self.make_read().await,
                Next::Inspect => self.inspect().await,
                Next::Sleep(until) => {
                    if !self.sleep(until).await {
                        return;
                    }
                }
            }
            self.report();
        }
    }

    /// Sleeps until then, or until something changes; `false` to end.
    async fn sleep(&mut self, until: Instant) -> bool {
        tokio::select! {
            changed = self.feed.wanted.changed() => changed.is_ok(),
            _ = self.stop.changed() => false,
            () = sleep_until(until.into()) => true,
        }
    }

    /// Waits until then without looking at what is wanted; `false` where we have to end meanwhile.
    pub(super) async fn wait_until(&mut self, due: Instant) -> bool {
        timeout_at(due.into(), self.stop.changed()).await.is_err()
    }

    fn next(&self, wanted: Wanted, now: Instant) -> Next {
        let due = self.publish_due(wanted, now);
        let publish = due.map(|due| self.schedule.begin(due, self.lead));
        let reread = self.reread.map(|(at, _)| at);
        if let Some(due) = due.filter(|_| publish.is_some_and(|begin| begin <= now)) {
            Next::Publish(due)
        } else if reread.is_some_and(|at| at <= now) {
            Next::MakeRead
        } else if self.inspect_at <= now {
            Next::Inspect
        } else {
            let times = [publish, reread, Some(self.inspect_at)];
            Next::Sleep(times.into_iter().flatten().min().unwrap_or(self.inspect_at))
        }
    }

    /// When the next commit is due; `None` where everything wanted is in place.
    fn publish_due(&self, wanted: Wanted, now: Instant) -> Option<Instant> {
        let missing = self.is_missing();
        let by_hand = self.is_by_hand(wanted);
        let behind = self.outputs.iter().any(|output| output.generation() < wanted.generation);
        if !(missing || by_hand || (behind && !wanted.hold)) {
            return None;
        }
        if let Some(retry) = self.retry {
            // A newer generation looks at once, but a flood of them is no flood of failures.
            let soonest = retry.at.checked_sub(retry.delay.saturating_sub(RETRY)).unwrap_or(now);
            return Some(if wanted.generation > retry.generation { soonest } else { retry.at });
        }
        if missing {
            return Some(now);
        }
        let postponed = self.postponed.filter(|postponed| postponed.generation >= wanted.generation);
        let pending = Pending { by_hand, removals_since: postponed.map(|postponed| postponed.since) };
        let due = self.schedule.due(pending).unwrap_or(now);
        let looked =
            self.last_look.filter(|_| !by_hand).map(|(at, took)| at + (took * LOOK_SHARE).max(LOOK_APART));
        Some(looked.map_or(due, |looked| due.max(looked)))
    }

    /// Whether a file is missing or unusable.
    pub(super) fn is_missing(&self) -> bool {
        self.outputs.iter().any(|output| output.placed.is_none())
    }

    /// Whether somebody waits for what is not in place.
    pub(super) fn is_by_hand(&self, wanted: Wanted) -> bool {
        self.outputs.iter().any(|output| output.generation() < wanted.by_hand)
    }

    /// Takes over the files that a former run left, and finds out who has read them.
    async fn adopt(&mut self) {
        let (outputs, kept) = (std::mem::take(&mut self.outputs), std::mem::take(&mut self.kept));
        self.outputs = blocking(move || {
            let mut outputs = outputs;
            for output in &mut outputs {
                let known = kept.iter().find(|kept| kept.output == output.settings.name);
                if let Err(error) = output.adopt(known) {
                    output.failed(error.to_string());
                }
            }
            outputs
        })
        .await;
        self.judge_adopted().await;
    }

    /// Plans the next attempt to make the server read.
    pub(super) fn reread_in(&mut self, delay: Duration) {
        self.reread = Some((clock::monotonic() + delay, (delay * 2).min(LONGEST_RETRY)));
    }

    /// Plans it after a failure: one second, then twice as long each time.
    pub(super) fn reread_later(&mut self) {
        let delay = self.reread.map_or(RETRY, |(_, next)| next);
        self.reread_in(delay);
    }

    /// Plans a look at once, forgetting earlier failures.
    pub(super) fn reread_now(&mut self) {
        self.reread = Some((clock::monotonic(), RETRY));
    }

    pub(super) fn reread_done(&mut self) {
        self.reread = None;
    }

    pub(super) fn reread_is_planned(&self) -> bool {
        self.reread.is_some()
    }

    /// A publish of that generation failed: plans the next.
    pub(super) fn retry_later(&mut self, generation: u64) {
        let delay = self.retry.map_or(RETRY, |retry| (retry.delay * 2).min(LONGEST_RETRY));
        self.retry = Some(Retry { at: clock::monotonic() + delay, delay, generation });
    }

    pub(super) fn retry_done(&mut self) {
        self.retry = None;
    }

    /// Notes when snapshots were looked at, and how long that took.
    pub(super) fn looked(&mut self, begin: Instant) {
        self.last_look = Some((clock::monotonic(), begin.elapsed()));
    }

    /// Notes how long staging took.
    pub(super) fn staged(&mut self, begin: Instant) {
        self.lead = begin.elapsed().min(LONGEST_LEAD);
    }

    /// Finds files that somebody else changed or removed, which are published again at once, and maps that cannot be
    /// read any more.
    async fn inspect(&mut self) {
        self.inspect_at = clock::monotonic() + INSPECT;
        for output in self.outputs.iter_mut().filter(|output| !output.is_untouched()) {
            self.teller.tell(&output.settings.name, What::Touched { path: output.settings.path.clone() });
            output.placed = None;
        }
        // Apache may have started meanwhile, under another user.
        if !self.server.is_told() {
            self.settle_unchanged().await;
        }
    }

    /// Sends the reports that differ from the last ones.
    pub(super) fn report(&mut self) {
        for (output, last) in self.outputs.iter().zip(&mut self.last_reports) {
            let report = output.report();
            if last.as_ref() != Some(&report) {
                *last = Some(report.clone());
                // Nobody listens: there is nobody to tell that either.
                let _ = self.reports.send(report);
            }
        }
    }
}

/// Runs file work on a thread of its own; a panic there goes on here.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
