//! The thread that owns the store: saves what it is given, in order, and keeps it in memory while saving fails.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::pending::Batch;
use super::{Event, HistoryQuery, HistoryRow, Store, StoreError, Transaction};
use crate::address::Prefix;
use crate::os::clock;
use crate::terms::{Evidence, JailName};

/// Told once everything up to this save is on disk, or that its first attempt failed: it is then kept in memory and
/// tried again, and the ack is not called a second time.
pub type Ack = Box<dyn FnOnce(Result<(), Arc<StoreError>>) + Send>;
/// Told what a question found.
pub type Answer<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;
type Question = Box<dyn FnOnce(Result<&Store, StoreError>) + Send>;

/// So many questions may wait.
const MAX_QUESTIONS: usize = 64;

/// How often is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Transactions without an ack are gathered so long after the last write: one sync for all of them.
    pub(super) gather: Duration,
    /// The pause after the first failure; doubled with each further one.
    pub(super) first_retry: Duration,
    /// The longest pause.
    pub(super) last_retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(250),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_mins(1),
        }
    }
}

/// The door to the thread that owns a `Store`. Never blocks its callers but for a short lock; bounded in memory, since
/// what waits is merged. Dropping it stops the thread as `stop` does.
#[derive(Debug)]
pub struct Keeper {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<Result<(), Arc<StoreError>>>>,
}

impl Keeper {
    /// Starts the thread; `sink` is called from it.
    pub fn start(store: Store, sink: impl Fn(Event) + Send + 'static) -> io::Result<Self> {
        Self::with_pace(store, sink, Pace::default())
    }

    pub(super) fn with_pace(
        store: Store,
        sink: impl Fn(Event) + Send + 'static,
        pace: Pace,
    ) -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let path = store.path().to_owned();
        let shared = Arc::clone(&mailbox);
        let mut worker =
            Worker { mailbox: shared, store: Some(store), path, sink, pace, failures: 0, not_before: None };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || worker.run())?;
        Ok(Self { mailbox, thread: Some(thread) })
    }

    /// Gives a transaction of the time `now`. With an ack it is written at once, also while earlier attempts wait for
    /// their next; without one within the quarter of a second that gathers transactions.
    pub fn save(&self, transaction: Transaction, now: Timestamp, ack: Option<Ack>) {
        let mut waiting = self.mailbox.lock();
        waiting.dropped += waiting.batch.add(transaction, now);
        waiting.acks.extend(ack);
        self.mailbox.wake.notify_one();
    }

    /// Writes what waits now.
    pub fn flush(&self, ack: Ack) {
        let mut waiting = self.mailbox.lock();
        waiting.acks.push(ack);
        self.mailbox.wake.notify_one();
    }

    /// Asks for a part of the history, newest first, what was given before included.
    pub fn history(&self, query: HistoryQuery, answer: Answer<Vec<HistoryRow>>) {
        self.ask(Box::new(move |store| answer(store.and_then(|store| store.history(&query)))));
    }

    /// Asks for the lines that decided an active ban, oldest first.
    pub fn evidence(&self, prefix: Prefix, jail: JailName, answer: Answer<Vec<Evidence>>) {
        self.ask(Box::new(move |store| answer(store.and_then(|store| store.evidence(prefix, &jail)))));
    }

    fn ask(&self, question: Question) {
        let mut waiting = self.mailbox.lock();
        if waiting.questions.len() >= MAX_QUESTIONS {
            drop(waiting);
            return question(Err(StoreError::Busy));
        }
        waiting.questions.push(question);
        self.mailbox.wake.notify_one();
    }

    /// Makes a last attempt to write what waits, and ends the thread. An error means that this failed, and is lost.
    pub fn stop(mut self) -> Result<(), Arc<StoreError>> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Arc<StoreError>> {
        self.mailbox.lock().stopping = true;
        self.mailbox.wake.notify_one();
        let ended = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        ended.unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Who wants to know whether the last attempt worked calls `stop`.
        let _ = self.end();
    }
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    acks: Vec<Ack>,
    questions: Vec<Question>,
    /// Entries of history dropped since it was last told.
    dropped: usize,
    stopping: bool,
}

#[derive(Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

/// What the thread found to do.
struct Work {
    /// A batch that is due, with its acks.
    save: Option<(Batch, Vec<Ack>)>,
    questions: Vec<Question>,
    dropped: usize,
    stopping: bool,
}

impl Mailbox {
    // Nothing that can panic runs under the lock but allocation.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until there is something to do. `not_before` holds back what nobody waits for; `failing` also holds back
    /// what a question would want to see written first.
    fn wait(&self, not_before: Option<Instant>, failing: bool) -> Work {
        let mut waiting = self.lock();
        loop {
            let pause =
                not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(clock::monotonic()));
            let work = !waiting.batch.is_empty() || !waiting.acks.is_empty();
            let asked = !waiting.questions.is_empty();
            let urgent = waiting.stopping || !waiting.acks.is_empty() || (asked && !failing);
            let due = work && (urgent || pause.is_zero());
            if due || asked || waiting.stopping {
                return waiting.take(due);
            }
            waiting = if work {
                self.wake.wait_timeout(waiting, pause).map_or_else(|e| e.into_inner().0, |(guard, _)| guard)
            } else {
                self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Puts a batch back that could not be written, before what came meanwhile.
    fn put_back(&self, mut batch: Batch) {
        let mut waiting = self.lock();
        let later = std::mem::take(&mut waiting.batch);
        waiting.dropped += batch.append(later);
        waiting.batch = batch;
    }
}

impl Waiting {
    fn take(&mut self, due: bool) -> Work {
        Work {
            save: due.then(|| (std::mem::take(&mut self.batch), std::mem::take(&mut self.acks))),
            questions: std::mem::take(&mut self.questions),
            dropped: std::mem::take(&mut self.dropped),
            stopping: self.stopping,
        }
    }
}

struct Worker<S> {
    mailbox: Arc<Mailbox>,
    /// `None` after a damaged file could not be replaced: tried again with the next save.
    store: Option<Store>,
    path: PathBuf,
    sink: S,
    pace: Pace,
    /// Attempts that failed since the last good one.
    failures: u32,
    /// When a save that nobody waits for is written.
    not_before: Option<Instant>,
}

impl<S: Fn(Event)> Worker<S> {
    fn run(&mut self) -> Result<(), Arc<StoreError>> {
        loop {
            let work = self.mailbox.wait(self.not_before, self.failures > 0);
            if work.dropped > 0 {
                (self.sink)(Event::HistoryDropped { entries: work.dropped });
            }
            let saved = work.save.map_or(Ok(()), |(batch, acks)| self.save(batch, acks));
            for question in work.questions {
                question(self.store.as_ref().ok_or(StoreError::Closed));
            }
            if work.stopping {
                return saved;
            }
        }
    }

    fn save(&mut self, batch: Batch, acks: Vec<Ack>) -> Result<(), Arc<StoreError>> {
        let saved = if batch.is_empty() { Ok(()) } else { self.write(&batch).map_err(Arc::new) };
        match &saved {
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(error, batch),
        }
        for ack in acks {
            ack(saved.clone());
        }
        saved
    }

    fn succeeded(&mut self) {
        let failures = std::mem::take(&mut self.failures);
        if failures > 0 {
            (self.sink)(Event::SavedAgain { failures });
        }
        self.not_before = Some(clock::monotonic() + self.pace.gather);
    }

    fn failed(&mut self, error: &Arc<StoreError>, batch: Batch) {
        let doubled = self.pace.first_retry * 2_u32.pow(self.failures.min(16));
        let retry_in = doubled.min(self.pace.last_retry);
        self.failures += 1;
        self.not_before = Some(clock::monotonic() + retry_in);
        (self.sink)(Event::SaveFailed { error: Arc::clone(error), waiting: batch.changes.len(), retry_in });
        self.mailbox.put_back(batch);
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match self.try_write(batch) {
            Err(problem) if problem.is_damage() => {
                self.store = None;
                let (store, _, events) = Store::replace_damaged(&self.path, &problem, clock::now())?;
                self.store = Some(store);
                events.into_iter().for_each(&self.sink);
                self.try_write(batch)
            }
            other => other,
        }
    }

    fn try_write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.store.is_none() {
            let (store, _, events) = Store::open(&self.path, clock::now())?;
            events.into_iter().for_each(&self.sink);
            self.store = Some(store);
        }
        let store = self.store.as_mut().ok_or(StoreError::Closed)?;
        store.write(&batch.rest, batch.changes.iter().map(|(at, change)| (*at, change)))
    }
}
