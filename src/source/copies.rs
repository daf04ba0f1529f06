//! Finding the bytes of a log again by what they are: a copy that `copytruncate` made, a file that was renamed while
//! nobody looked, the logs of rotations that went by between two looks.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::head::{FileKey, Head, holds};
use super::siblings::{Names, may_be_copy, of};
use super::tail::open;
use crate::terms::Fingerprint;

/// A file that was found, opened, and recognised by its leading bytes.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) key: FileKey,
    pub(super) head: Head,
    pub(super) stat: Metadata,
}

impl Found {
    /// Opens a regular file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let (stat, head) = (file.metadata()?, Head::read(&file)?);
        let key = FileKey::of(&stat);
        Ok(Self { path: path.to_owned(), file, key, head, stat })
    }

    /// Whether it begins as the fingerprint says and has a line starting at `offset`: what was read up to there was this.
    pub(super) fn continues(&self, fingerprint: &Fingerprint, offset: u64) -> bool {
        self.head.matches(fingerprint) && holds(&self.file, offset).unwrap_or(false)
    }

    /// Whether it begins as `original` does, and was made and written after it.
    pub(super) fn is_copy_of(&self, original: &Self) -> bool {
        let same = original.head.identifies() && self.head.matches(&original.head.fingerprint(original.key));
        same && self.times().0 >= original.times().0 && self.times().1 > original.times().1
    }

    /// When it was made, where the file system knows, and last written.
    fn times(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        (self.stat.created().ok(), self.stat.modified().ok())
    }
}

/// The siblings of `log` that begin as it did, the best first: those that hold what was not read, the longest, the newest.
pub(super) fn copies_of(log: &Path, fingerprint: &Fingerprint) -> Vec<Found> {
    let mut found: Vec<Found> = opened(&of(log, may_be_copy));
    found.retain(|found| found.head.matches(fingerprint));
    found.sort_by_key(|found| std::cmp::Reverse((found.stat.len(), found.stat.modified().ok())));
    found
}

/// The siblings of `log` by such names that were made and written after `since`, oldest first: what was live in between.
pub(super) fn rotated_since(log: &Path, since: &Metadata, names: Names) -> Vec<Found> {
    let (made, written) = (since.created().ok(), since.modified().ok());
    let later = |found: &Found| found.times().0 >= made && found.times().1 >= written;
    let mut found = opened(&of(log, names));
    found.retain(|found| found.stat.len() > 0 && later(found));
    found.sort_by_key(|found| found.times().1);
    found
}

fn opened(paths: &[PathBuf]) -> Vec<Found> {
    paths.iter().filter_map(|path| Found::open(path).ok()).filter(|found| found.stat.is_file()).collect()
}
