//! What a follower can say of each file when asked.

use std::path::PathBuf;

use super::FileId;

/// How it stands with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileState {
    /// Read to its end, waiting for more.
    #[error("live")]
    Live,
    /// There is more to read.
    #[error("catching up")]
    CatchingUp,
    /// Renamed, or a copy of what was truncated; let go when it is silent.
    #[error("rotated")]
    Rotated,
    /// It has no name any more; let go when it is silent.
    #[error("deleted")]
    Deleted,
    /// It cannot be opened or read.
    #[error("unreadable")]
    Unreadable,
    /// No file matches this pattern, or the file of a checkpoint is not there.
    #[error("missing")]
    Missing,
    /// It was read to its end, and nothing more can come: standard input.
    #[error("ended")]
    Ended,
}

/// One file, one pattern without a file, or whatever else lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Its identity within the follower; `None` for what is not followed.
    pub id: Option<FileId>,
    /// Its path, or the pattern.
    pub path: PathBuf,
    /// The first byte not handed out.
    pub offset: u64,
    /// How long it was at the last look.
    pub size: u64,
    /// How it stands.
    pub state: FileState,
    /// Datagrams that the system dropped before they were read.
    pub dropped: u64,
    /// Why it cannot be read, and the fix, where that is so.
    pub problem: Option<String>,
}
