//! The other side of a follower: who takes the lines, and what the follower must ask it.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Event, Positions};
use crate::terms::Checkpoint;

/// Names one followed file within a follower, for as long as it is followed; survives renames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(super) u64);

/// Which file lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its identity within this follower.
    pub id: FileId,
    /// Under which path it was last seen; changes when it is renamed.
    pub path: PathBuf,
    /// The path under which it is, or was, live: `access.log` also while it is finished as `access.log.1`.
    pub home: PathBuf,
}

/// Whole lines of one file.
pub struct Chunk<'a> {
    /// Where they come from.
    pub file: &'a FileInfo,
    /// One or more whole lines; the last byte is `\n`.
    pub bytes: &'a [u8],
    /// Where they begin in the file.
    pub offset: u64,
    /// Whether the last look before this one reached the file's end, at most 2 s ago: arrival is event time.
    pub caught_up: bool,
    /// When these lines arrived, where somebody noted it: a journal. Otherwise they arrive now.
    pub arrived: Option<Timestamp>,
    /// What changed and is not yet stored, this chunk included. Take it into the batch that holds the chunk's
    /// observations, or leave it for the next.
    pub positions: &'a mut Positions,
}

/// Takes lines, and answers what only the reader knows.
pub trait Consumer {
    /// Takes one chunk. After `Break` the turn ends; the chunk itself counts as taken.
    fn lines(&mut self, chunk: Chunk<'_>) -> ControlFlow<()>;

    /// The time of one line (without its newline), where it has one. Asked at the first look only.
    fn time_of(&mut self, file: &FileInfo, line: &[u8]) -> Option<Timestamp>;

    /// The time from which a file without a checkpoint is read (`read = "recent"`).
    fn since(&mut self, now: Timestamp) -> Timestamp;

    /// Makes the position durable at which a file without a checkpoint begins. No line of it is handed out before
    /// this succeeded; after an error it is asked again in a later turn.
    fn begin(&mut self, first: &Checkpoint) -> io::Result<()>;

    /// Hears what happened.
    fn event(&mut self, event: Event);
}
