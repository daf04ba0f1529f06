//! Where a reader stands in a file, and how it knows the file again.

use std::path::PathBuf;

use super::SourceName;

/// What tells one file from another: where it lives, and the bytes it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
    /// How many leading bytes `head` covers; it grows with the file up to a limit.
    pub head_len: u32,
    /// A hash of the leading bytes; stable over restarts and versions.
    pub head: u64,
}

impl Fingerprint {
    /// What has no file: a journal.
    pub const NONE: Self = Self { device: 0, inode: 0, head_len: 0, head: 0 };
}

/// How far a source has read in one file, or in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The source that reads it.
    pub source: SourceName,
    /// The path under which it was last seen.
    pub path: PathBuf,
    /// Which file it is.
    pub fingerprint: Fingerprint,
    /// The offset of the first byte not yet read; always the start of a line.
    pub offset: u64,
    /// The place in a journal, instead of `fingerprint` and `offset`, which are none and 0 then: of the last entry that
    /// was read, in the journal's own words.
    pub cursor: Option<String>,
    /// The file was read to its end and let go: the store forgets it.
    pub finished: bool,
}
