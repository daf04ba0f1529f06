//! Sleeping until something may have changed: the system's change events are hints, a time-out is always set.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;
use super::feed::Bell;
use super::head::FileKey;

/// Ends a source's [`wait`](super::Intake::wait) from another thread: at once, or the next one.
#[derive(Clone)]
pub struct Waker(Wakes);

#[derive(Clone)]
enum Wakes {
    Follower(Arc<Signal>),
    Feed(Bell),
}

impl Waker {
    pub(super) fn of_feed(bell: Bell) -> Self {
        Self(Wakes::Feed(bell))
    }

    /// Ends the wait.
    pub fn wake(&self) {
        match &self.0 {
            Wakes::Follower(signal) => signal.change(|inbox| inbox.woken = true),
            Wakes::Feed(bell) => bell.ring(),
        }
    }
}

/// What arrived since it was last looked at.
#[derive(Default)]
pub(super) struct Inbox {
    /// A waker was used.
    woken: bool,
    /// Names came, went, or changed; or it is not known what did.
    pub(super) names: bool,
    /// These followed files were written to.
    pub(super) written: HashSet<PathBuf>,
    /// Events were dropped.
    pub(super) dropped: bool,
    /// What the watcher said went wrong.
    pub(super) errors: Vec<String>,
}

impl Inbox {
    fn is_empty(&self) -> bool {
        !self.woken && !self.names && !self.dropped && self.written.is_empty() && self.errors.is_empty()
    }
}

#[derive(Default)]
struct Signal {
    inbox: Mutex<Inbox>,
    /// The real paths of the files that are followed: only their events are of interest, however busy a directory is.
    followed: Mutex<HashSet<PathBuf>>,
    changed: Condvar,
}

/// A poisoned lock only means that a thread panicked between two assignments of hints.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Signal {
    fn change(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut lock(&self.inbox));
        self.changed.notify_all();
    }

    /// Called on the watcher's thread.
    fn hear(&self, event: notify::Result<notify::Event>) {
        match event {
            Ok(event) if event.need_rescan() => self.change(|inbox| inbox.dropped = true),
            Ok(event) => self.hear_of(event),
            Err(error) => self.change(|inbox| inbox.errors.push(error.to_string())),
        }
    }

    fn hear_of(&self, event: notify::Event) {
        match event.kind {
            EventKind::Access(_) => {}
            EventKind::Modify(ModifyKind::Data(_)) => {
                let followed = lock(&self.followed);
                let written: Vec<PathBuf> =
                    event.paths.into_iter().filter(|path| followed.contains(path)).collect();
                drop(followed);
                if !written.is_empty() {
                    self.change(|inbox| inbox.written.extend(written));
                }
            }
            // Permissions may have been mended; everything else is a name that came, went or changed.
            _ => self.change(|inbox| inbox.names = true),
        }
    }
}

/// Watches directories and sleeps.
pub(super) struct Watch {
    signal: Arc<Signal>,
    watcher: Option<RecommendedWatcher>,
    /// Each watched directory by its real path, with its identity: one that was replaced is watched anew.
    directories: HashMap<PathBuf, Option<FileKey>>,
}

impl Watch {
    /// Without events where the system has none to give; says so.
    pub(super) fn new(with_events: bool) -> (Self, Option<Event>) {
        let signal = Arc::new(Signal::default());
        let hearer = Arc::clone(&signal);
        let watcher = with_events.then(|| notify::recommended_watcher(move |event| hearer.hear(event)));
        let (watcher, told) = match watcher.transpose() {
            Ok(watcher) => (watcher, None),
            Err(error) => (None, Some(no_notifications(None, &error))),
        };
        (Self { signal, watcher, directories: HashMap::new() }, told)
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(Wakes::Follower(Arc::clone(&self.signal)))
    }

    /// Takes what arrived.
    pub(super) fn heard(&self) -> Inbox {
        std::mem::take(&mut *lock(&self.signal.inbox))
    }

    /// Sleeps until something arrives, at most so long.
    pub(super) fn sleep(&self, at_most: Duration) {
        let inbox = lock(&self.signal.inbox);
        let waited = self.signal.changed.wait_timeout_while(inbox, at_most, |inbox| inbox.is_empty());
        let (mut inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inbox.woken = false;
    }

    /// Watches exactly these directories, and hears of writes to exactly these files.
    pub(super) fn set(&mut self, directories: &HashSet<PathBuf>, files: HashSet<PathBuf>) -> Vec<Event> {
        *lock(&self.signal.followed) = files;
        let Some(watcher) = &mut self.watcher else { return Vec::new() };
        let now: HashMap<&Path, Option<FileKey>> =
            directories.iter().map(|path| (path.as_path(), key(path))).collect();
        self.directories.retain(|path, key| {
            let stays = now.get(path.as_path()) == Some(key);
            if !stays {
                // A directory that is gone took its watch with it.
                drop(watcher.unwatch(path));
            }
            stays
        });
        let mut told = Vec::new();
        for (path, key) in now {
            if key.is_none() || self.directories.contains_key(path) {
                continue;
            }
            if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive) {
                told.push(no_notifications(Some(path), &error));
            }
            // Also where it failed: it is told once, and the tick looks.
            self.directories.insert(path.to_owned(), key);
        }
        told
    }
}

fn key(directory: &Path) -> Option<FileKey> {
    directory.metadata().ok().filter(std::fs::Metadata::is_dir).map(|stat| FileKey::of(&stat))
}

fn no_notifications(directory: Option<&Path>, error: &notify::Error) -> Event {
    Event::NoNotifications { directory: directory.map(Path::to_owned), error: error.to_string() }
}
