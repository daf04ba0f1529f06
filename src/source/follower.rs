//! The follower of one source: when to look at the directories, when at which file, and for how long to sleep.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::Metadata;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::chunker::MAX_LINE;
use super::consumer::{Consumer, FileId};
use super::discover::{Patterns, Scan};
use super::head::FileKey;
use super::registry::{Claims, Registry};
use super::rotate::Vacated;
use super::start::Pending;
use super::tail::{Hands, Look, Tail};
use super::troubles::{Trouble, Troubles};
use super::watch::{Inbox, Watch};
use super::{Access, Event, FileState, FileStatus, Positions, Settings, SourceError, Waker};
use crate::terms::{Checkpoint, Fingerprint};

/// Between two looks at a file that grew within the last 2 s.
const TICK: Duration = Duration::from_millis(10);
/// Between two looks at anything.
const IDLE_TICK: Duration = Duration::from_secs(1);
const IDLE: SignedDuration = SignedDuration::from_secs(1);
/// Between two scans of the directories, however many names change.
const SCAN_PAUSE: SignedDuration = SignedDuration::from_millis(50);
/// Descriptors that are kept open; of more files the others are closed when they are read, and found again by their path.
const OPEN_FILES: usize = 256;

/// What a turn leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// There is more to read: take the next turn without waiting.
    pub more: bool,
    /// The consumer stopped it.
    pub stopped: bool,
}

/// Follows the files of one source. Owned and used by one thread; blocks only in [`Follower::wait`] and in reading.
///
/// Memory is bounded: one buffer, and about 1 KiB for each followed file.
pub struct Follower {
    pub(super) settings: Settings,
    pub(super) patterns: Patterns,
    /// A file that must be finished before another stands before it, except for the copy of a truncated one.
    pub(super) tails: Vec<Tail>,
    /// Checkpoints whose file was not found yet.
    pub(super) pending: Vec<Pending>,
    /// Paths that lost their file: what appears there is a successor.
    pub(super) vacated: BTreeMap<PathBuf, Vacated>,
    /// Files that are copies of followed ones and are not read.
    pub(super) copies: BTreeMap<FileKey, FileId>,
    /// The files let go last, and how far they were read: one that comes back is not read twice.
    pub(super) let_go: VecDeque<(Fingerprint, u64)>,
    /// Files of which no line was read, as they were before they changed: a copy may hold what came and went.
    pub(super) filled: Vec<(FileId, Metadata)>,
    pub(super) positions: Positions,
    pub(super) troubles: Troubles,
    /// The files that are this source's and no other's.
    pub(super) claims: Claims,
    /// When it was made: a file born later had no line before.
    pub(super) started: Timestamp,
    buffer: Vec<u8>,
    watch: Watch,
    /// An event of [`Follower::new`] that is still to be told.
    untold: Option<Event>,
    scanned_at: Option<Timestamp>,
    looked_at: Option<Timestamp>,
    /// What was scanned is out of date.
    pub(super) names_changed: bool,
    backlog_read: bool,
    sleep: Duration,
    next_id: u64,
}

/// What a scan works with.
pub(super) struct Pass<'a> {
    pub(super) now: Timestamp,
    pub(super) scan: Scan,
    pub(super) consumer: &'a mut dyn Consumer,
}

impl Follower {
    /// A follower that goes on at `checkpoints`: all unfinished ones of this source.
    ///
    /// # Errors
    /// Only for a pattern that is none. Whatever is missing or cannot be read is told as an event, and tried again.
    pub fn new(settings: Settings, checkpoints: Vec<Checkpoint>) -> Result<Self, SourceError> {
        Self::with_watch(settings, checkpoints, true)
    }

    pub(super) fn with_watch(
        settings: Settings,
        checkpoints: Vec<Checkpoint>,
        events: bool,
    ) -> Result<Self, SourceError> {
        let patterns = Patterns::new(settings.patterns())?;
        let (watch, untold) = Watch::new(events);
        Ok(Self {
            positions: Positions::new(settings.name.clone()),
            claims: Registry::default().claims(&settings.name),
            patterns,
            settings,
            tails: Vec::new(),
            pending: checkpoints.into_iter().filter(is_of_a_file).map(Pending::new).collect(),
            vacated: BTreeMap::new(),
            copies: BTreeMap::new(),
            let_go: VecDeque::new(),
            filled: Vec::new(),
            troubles: Troubles::default(),
            started: crate::os::clock::now(),
            buffer: vec![0; MAX_LINE],
            watch,
            untold,
            scanned_at: None,
            looked_at: None,
            names_changed: false,
            backlog_read: false,
            sleep: Duration::ZERO,
            next_id: 0,
        })
    }

    /// Leaves the files alone that another source of this registry reads.
    #[must_use]
    pub fn sharing(mut self, registry: &Registry) -> Self {
        self.claims = registry.claims(&self.settings.name);
        self
    }

    /// Ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        self.watch.waker()
    }

    /// One turn: scans the directories when that is due, looks at the files that may have grown, and hands out at
    /// most 1 MiB of whole lines of each. All times are measured by `now`.
    pub fn turn(&mut self, now: Timestamp, consumer: &mut dyn Consumer) -> Turn {
        let inbox = self.watch.heard();
        self.tell(&inbox, consumer);
        if self.scan_is_due(now) {
            self.scan(now, consumer);
        }
        let turn = self.look_at_all(now, &inbox, consumer);
        self.let_go_of_silent(now, consumer);
        self.backlog_read |= self.tails.iter().all(|tail| tail.finished_once || tail.failed);
        let lively = self.tails.iter().any(|tail| tail.is_lively(now));
        self.sleep = if lively || self.names_changed { TICK } else { IDLE_TICK };
        turn
    }

    /// Sleeps until something may have changed: an event, the tick, or a [`Waker`].
    pub fn wait(&mut self) {
        self.watch.sleep(self.sleep);
    }

    /// What changed since it was last taken: after each turn, and within a chunk.
    pub fn positions(&mut self) -> &mut Positions {
        &mut self.positions
    }

    /// Whether every file that was there at the start was read to its end once, or cannot be read.
    pub fn backlog_read(&self) -> bool {
        self.backlog_read
    }

    /// Each file, and what cannot be followed.
    pub fn status(&self) -> Vec<FileStatus> {
        let troubled = self.troubles.known().filter_map(|(path, trouble, told)| {
            let (state, problem) = match trouble {
                Trouble::Missing => (FileState::Missing, None),
                Trouble::Unreadable | Trouble::NotAFile | Trouble::NotStored | Trouble::ReadElsewhere => {
                    (FileState::Unreadable, Some(told.to_owned()))
                }
                Trouble::Compressed => return None,
            };
            Some(FileStatus {
                id: None,
                path: path.to_owned(),
                offset: 0,
                size: 0,
                state,
                dropped: 0,
                problem,
            })
        });
        self.tails.iter().map(Tail::status).chain(troubled).collect()
    }

    pub(super) fn next_id(&mut self) -> FileId {
        self.next_id += 1;
        FileId(self.next_id)
    }

    pub(super) fn tail(&self, id: FileId) -> Option<&Tail> {
        self.tails.iter().find(|tail| tail.info.id == id)
    }

    pub(super) fn follows(&self, key: FileKey) -> bool {
        self.tails.iter().any(|tail| tail.key == key)
    }

    fn tell(&mut self, inbox: &Inbox, consumer: &mut dyn Consumer) {
        self.names_changed |= inbox.names || inbox.dropped || !inbox.errors.is_empty();
        self.untold.take().into_iter().for_each(|event| consumer.event(event));
        if inbox.dropped {
            consumer.event(Event::NotificationsDropped);
        }
        for error in &inbox.errors {
            consumer.event(Event::NoNotifications { directory: None, error: error.clone() });
        }
    }

    fn scan_is_due(&self, now: Timestamp) -> bool {
        let Some(last) = self.scanned_at.filter(|_| self.filled.is_empty()) else { return true };
        // The absolute value: a clock that was set back must not stop the scans.
        let passed = now.duration_since(last).abs();
        passed >= IDLE || (self.names_changed && passed >= SCAN_PAUSE)
    }

    fn scan(&mut self, now: Timestamp, consumer: &mut dyn Consumer) {
        self.scanned_at = Some(now);
        self.names_changed = false;
        let mut pass = Pass { now, scan: self.patterns.scan(), consumer };
        self.meet_troubles(&mut pass);
        self.tails.iter_mut().for_each(Tail::grow_head);
        self.settle_names(&mut pass);
        self.resume_pending(&mut pass);
        self.fill_vacated(&mut pass);
        self.open_new(&mut pass);
        self.open_copies_of_filled(&mut pass);
        self.troubles.settle();
        self.claims.keep(&self.tails.iter().map(|tail| tail.key).collect());
        self.watch_all(pass.consumer);
    }

    fn meet_troubles(&mut self, pass: &mut Pass<'_>) {
        let Pass { scan, consumer, .. } = pass;
        for (pattern, absent) in std::mem::take(&mut scan.unmatched) {
            let path = PathBuf::from(&pattern);
            self.troubles.meet(&path, Trouble::Missing, *consumer, Event::Missing { pattern, absent });
        }
        for (path, error) in std::mem::take(&mut scan.unreadable) {
            self.meet_unreadable(path, error, *consumer);
        }
        for (path, is_directory) in std::mem::take(&mut scan.irregular) {
            let event = Event::NotAFile { path: path.clone(), is_directory };
            self.troubles.meet(&path, Trouble::NotAFile, *consumer, event);
        }
        for path in std::mem::take(&mut scan.compressed) {
            self.troubles.meet(&path.clone(), Trouble::Compressed, *consumer, Event::Compressed { path });
        }
    }

    /// Whether another source reads this file; then that is told. Else it is this source's from now on.
    pub(super) fn is_elsewhere(
        &mut self,
        path: &std::path::Path,
        key: FileKey,
        consumer: &mut dyn Consumer,
    ) -> bool {
        let Err(by) = self.claims.take(key) else { return false };
        let event = Event::ReadElsewhere { path: path.to_owned(), by };
        self.troubles.meet(path, Trouble::ReadElsewhere, consumer, event);
        true
    }

    pub(super) fn meet_unreadable(
        &mut self,
        path: PathBuf,
        error: std::io::Error,
        consumer: &mut dyn Consumer,
    ) {
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let access = if denied { Access::of(&path) } else { None };
        self.troubles.meet(
            &path.clone(),
            Trouble::Unreadable,
            consumer,
            Event::Unreadable { path, error, access },
        );
    }

    /// Looks at the files in order; one that waits for another is looked at once that reached its end.
    fn look_at_all(&mut self, now: Timestamp, inbox: &Inbox, consumer: &mut dyn Consumer) -> Turn {
        let idle = self.looked_at.is_none_or(|last| now.duration_since(last).abs() >= IDLE);
        if idle {
            self.looked_at = Some(now);
        }
        let mut turn = Turn { more: false, stopped: false };
        let mut index = 0;
        while index < self.tails.len() && !turn.stopped {
            if self.must_wait(index) {
                turn.more = true;
            } else if self.is_due(index, now, idle || inbox.dropped, &inbox.written) {
                let look = self.look_at(index, now, consumer);
                self.close_if_surplus(index);
                turn.more |= matches!(look, Look::More | Look::Changed | Look::Stopped);
                turn.stopped = look == Look::Stopped;
            }
            index += 1;
        }
        turn
    }

    /// A file that waits for one that failed would wait for ever.
    fn must_wait(&mut self, index: usize) -> bool {
        let Some(first) = self.tails.get(index).and_then(|tail| tail.after) else { return false };
        let waits = self.tail(first).is_some_and(|first| !first.is_at_end() && !first.failed);
        if let Some(tail) = self.tails.get_mut(index).filter(|_| !waits) {
            tail.after = None;
        }
        waits
    }

    fn is_due(&self, index: usize, now: Timestamp, all: bool, written: &HashSet<PathBuf>) -> bool {
        let Some(tail) = self.tails.get(index) else { return false };
        let unfinished = !tail.is_at_end() && !tail.failed;
        all || unfinished || tail.is_lively(now) && !tail.failed || written.contains(&tail.real)
    }

    fn look_at(&mut self, index: usize, now: Timestamp, consumer: &mut dyn Consumer) -> Look {
        let Some(tail) = self.tails.get_mut(index) else { return Look::End };
        if let Some(before) = tail.changed_before_first_line(now) {
            // Read after the scan that looks for a copy: once a line was read, the position alone would tell nothing.
            self.filled.push((tail.info.id, before));
            return Look::More;
        }
        let Self { buffer, positions, .. } = self;
        let looked = tail.look(&mut Hands { now, buffer, positions, consumer });
        match looked {
            Ok(look) => {
                tail.failed = false;
                if look == Look::Changed {
                    self.truncated(index, now, consumer);
                }
                look
            }
            Err(error) => {
                tail.fail(error, consumer);
                Look::End
            }
        }
    }

    /// Whether no more descriptors are to be kept open.
    pub(super) fn is_full(&self) -> bool {
        self.tails.len() > OPEN_FILES && self.tails.iter().filter(|tail| tail.is_open()).count() > OPEN_FILES
    }

    fn close_if_surplus(&mut self, index: usize) {
        let full = self.is_full();
        if let Some(tail) = self.tails.get_mut(index).filter(|tail| full && tail.may_be_closed()) {
            tail.close();
        }
    }

    fn watch_all(&mut self, consumer: &mut dyn Consumer) {
        let named = self.tails.iter().flat_map(|tail| [&tail.real, &tail.info.path]);
        let mut parents: HashSet<PathBuf> =
            named.filter_map(|path| path.parent()).map(PathBuf::from).collect();
        parents.extend(self.patterns.directories());
        let directories = parents.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let files = self.tails.iter().map(|tail| tail.real.clone()).collect();
        self.watch.set(&directories, files).into_iter().for_each(|event| consumer.event(event));
    }
}

/// Of this source when it still read files, and not done with.
fn is_of_a_file(known: &Checkpoint) -> bool {
    !known.finished && known.cursor.is_none()
}
