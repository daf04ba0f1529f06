//! One followed file: which it is, how far it was read, and whether it grew.

mod read;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use super::consumer::{Consumer, FileId, FileInfo};
use super::head::{FileKey, Head};
use super::recent::lines_end;
use super::{Event, FileState, FileStatus, Positions};
use crate::terms::Fingerprint;
use read::Overlong;

/// How long a file counts as growing, and as caught up, after it was last seen so.
pub(super) const RECENT: SignedDuration = SignedDuration::from_secs(2);

/// What a look works with.
pub(super) struct Hands<'a> {
    pub(super) now: Timestamp,
    /// Room for the longest line; what is beyond one read is only touched for a long one.
    pub(super) buffer: &'a mut [u8],
    pub(super) positions: &'a mut Positions,
    pub(super) consumer: &'a mut dyn Consumer,
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All whole lines are handed out.
    End,
    /// The budget is spent; there may be more.
    More,
    /// The file shrank or its leading bytes changed: it no longer holds what was read from it.
    Changed,
    /// The consumer wants no more.
    Stopped,
}

/// What `fstat` said when the end was last reached.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: (i64, i64),
}

impl Seen {
    fn of(stat: &Metadata) -> Self {
        Self { size: stat.len(), modified: (stat.mtime(), stat.mtime_nsec()) }
    }
}

/// One followed file.
pub(super) struct Tail {
    pub(super) info: FileInfo,
    /// Its path without symbolic links, when last looked up: the path that events name.
    pub(super) real: PathBuf,
    pub(super) key: FileKey,
    head: Head,
    /// The first byte not handed out; always the start of a line.
    pub(super) offset: u64,
    /// `None` while it is closed to save descriptors; then found again by its path.
    file: Option<File>,
    overlong: Option<Overlong>,
    /// At the last look that reached the end.
    seen: Option<Seen>,
    /// As of the last look.
    pub(super) size: u64,
    pub(super) grown_at: Timestamp,
    /// When it was last written before the last look.
    pub(super) written: Option<SystemTime>,
    /// As it was while no line of it was read: lines that came and went until the next look left no trace.
    lineless: Option<Metadata>,
    ended_at: Option<Timestamp>,
    /// A file to be finished first.
    pub(super) after: Option<FileId>,
    /// Its name was taken from it, and no pattern matches the new one: it is let go once it is silent.
    pub(super) rotated: bool,
    /// Whether another file has its former path.
    pub(super) succeeded: bool,
    pub(super) deleted: bool,
    /// Whether the end was ever reached.
    pub(super) finished_once: bool,
    /// The last error, so that it is told once.
    pub(super) failed: bool,
    /// What was told when a look last failed.
    failure: Option<String>,
}

/// Opens a log. Never blocks, also where a pipe has the name.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

impl Tail {
    /// A file that is followed from `offset` on, known by the leading bytes `head`.
    pub(super) fn new(
        info: FileInfo,
        file: File,
        head: Head,
        offset: u64,
        now: Timestamp,
    ) -> io::Result<Self> {
        let stat = file.metadata()?;
        let real = info.path.canonicalize().unwrap_or_else(|_| info.path.clone());
        Ok(Self {
            info,
            real,
            key: FileKey::of(&stat),
            head,
            offset,
            file: Some(file),
            overlong: None,
            seen: None,
            size: stat.len(),
            grown_at: now,
            written: stat.modified().ok(),
            lineless: (offset == 0).then_some(stat),
            ended_at: None,
            after: None,
            rotated: false,
            succeeded: false,
            deleted: false,
            finished_once: false,
            failed: false,
            failure: None,
        })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.head.fingerprint(self.key)
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Closes it to save a descriptor. The next look that needs it opens it again.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Only at its end, and where its path leads back to it.
    pub(super) fn may_be_closed(&self) -> bool {
        self.is_open() && self.is_at_end() && !self.rotated && !self.deleted
    }

    /// A look failed; told once. A closed file that another took the name of is gone.
    pub(super) fn fail(&mut self, error: io::Error, consumer: &mut dyn Consumer) {
        self.deleted |= error.kind() == io::ErrorKind::NotFound;
        if error.raw_os_error() == Some(nix::libc::ESTALE) {
            // A network file system forgot the descriptor: the next look opens the path anew.
            self.file = None;
        }
        if !std::mem::replace(&mut self.failed, true) && !self.deleted {
            let (path, offset) = (self.info.path.clone(), self.offset);
            let event = Event::ReadFailed { path, offset, error };
            self.failure = Some(event.to_string());
            consumer.event(event);
        }
    }

    pub(super) fn status(&self) -> FileStatus {
        let state = match () {
            () if self.deleted => FileState::Deleted,
            () if self.failed => FileState::Unreadable,
            () if self.rotated => FileState::Rotated,
            () if self.is_at_end() => FileState::Live,
            () => FileState::CatchingUp,
        };
        FileStatus {
            id: Some(self.info.id),
            path: self.info.path.clone(),
            offset: self.offset,
            size: self.size,
            state,
            dropped: 0,
            problem: self.failure.clone().filter(|_| state == FileState::Unreadable),
        }
    }

    /// Whether the last look reached the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether it grew lately and is looked at each tick.
    pub(super) fn is_lively(&self, now: Timestamp) -> bool {
        now.duration_since(self.grown_at).abs() <= RECENT
    }

    pub(super) fn record(&self, positions: &mut Positions) {
        positions.set(&self.info.path, self.fingerprint(), self.offset);
    }

    /// Brings the leading bytes of a file up to date of which no line was read: its copies are known by them.
    pub(super) fn grow_head(&mut self) {
        let now = self.file.as_ref().filter(|_| self.offset == 0).and_then(|file| Head::read(file).ok());
        if let Some(now) = now {
            self.head.follows(&now);
        }
    }

    /// The end of its last whole line, read or not.
    pub(super) fn lines_end(&self) -> u64 {
        self.file.as_ref().and_then(|file| lines_end(file).ok()).unwrap_or(self.offset)
    }

    /// It is known under another path now.
    pub(super) fn moved(&mut self, path: &Path, positions: &mut Positions) {
        path.clone_into(&mut self.info.path);
        self.real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.record(positions);
    }

    /// It was truncated, or written anew: it begins again at its first byte.
    pub(super) fn begin_again(&mut self, now: Timestamp, positions: &mut Positions) -> io::Result<()> {
        let file = self.opened()?;
        let (head, stat) = (Head::read(file)?, file.metadata()?);
        (self.head, self.lineless) = (head, Some(stat));
        (self.offset, self.overlong, self.seen, self.ended_at) = (0, None, None, None);
        self.grown_at = now;
        self.record(positions);
        Ok(())
    }

    /// Looks whether the file grew, and hands out its whole lines up to the budget.
    pub(super) fn look(&mut self, hands: &mut Hands<'_>) -> io::Result<Look> {
        let stat = self.stat()?;
        self.deleted = stat.nlink() == 0;
        if self.is_unchanged(&stat, hands.now) {
            self.ended_at = Some(hands.now);
            return Ok(Look::End);
        }
        if stat.len() != self.size {
            (self.size, self.grown_at) = (stat.len(), hands.now);
        }
        if stat.len() < self.offset {
            return Ok(Look::Changed);
        }
        let look = self.read(hands)?;
        self.written = stat.modified().ok();
        self.seen = (look == Look::End).then(|| Seen::of(&stat));
        if look == Look::End {
            self.ended_at = Some(hands.now);
            self.finished_once = true;
        }
        Ok(look)
    }

    /// Of a file of which no line was read yet: how it was before, when it changed since this was last asked.
    pub(super) fn changed_before_first_line(&mut self, at: Timestamp) -> Option<Metadata> {
        if self.offset > 0 {
            self.lineless = None;
            return None;
        }
        let now = self.stat().ok()?;
        let before = self.lineless.replace(now.clone());
        let before = before.filter(|before| Seen::of(before) != Seen::of(&now))?;
        (self.seen, self.grown_at) = (None, at);
        Some(before)
    }

    /// While it is lively the content is looked at all the same: a timestamp is only as fine as the kernel's tick.
    fn is_unchanged(&self, stat: &Metadata, now: Timestamp) -> bool {
        self.seen == Some(Seen::of(stat)) && !(self.is_open() && self.is_lively(now))
    }

    pub(super) fn stat(&self) -> io::Result<Metadata> {
        match &self.file {
            Some(file) => file.metadata(),
            None => self.expect_same(self.info.path.metadata()?),
        }
    }

    fn expect_same(&self, stat: Metadata) -> io::Result<Metadata> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "another file has its name now");
        if FileKey::of(&stat) == self.key { Ok(stat) } else { Err(gone()) }
    }

    fn opened(&mut self) -> io::Result<&File> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = open(&self.info.path)?;
            self.expect_same(file.metadata()?)?;
            file
        };
        Ok(self.file.insert(file))
    }
}
