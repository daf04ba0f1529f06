//! Finding the bytes of a log again by what they are: a copy that `copytruncate` made, a file that was renamed while
//! nobody looked, the logs of rotations that went by between two looks.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::head::{FileKey, Head, holds};
use super::siblings::{Named, Names, may_be_copy, of};
use super::tail::open;
use crate::terms::Fingerprint;

/// So often siblings are looked up while names change.
const LOOK_UPS: usize = 16;

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
    let mut found: Vec<Found> = opened(log, may_be_copy);
    found.retain(|found| found.head.matches(fingerprint));
    found.sort_by_key(|found| std::cmp::Reverse((found.stat.len(), found.stat.modified().ok())));
    found
}

/// The siblings of `log` by such names that were made and written after `since`, oldest first: what was live in between.
pub(super) fn rotated_since(log: &Path, since: &Metadata, names: Names) -> Vec<Found> {
    let (made, written) = (since.created().ok(), since.modified().ok());
    let later = |found: &Found| found.times().0 >= made && found.times().1 >= written;
    let mut found = opened(log, names);
    found.retain(|found| found.stat.len() > 0 && later(found));
    found.sort_by_key(|found| found.times().1);
    found
}

/// The siblings of `log` by such names, each once. While they are renamed a name may lead to another file by the time it
/// is opened: then all of them are looked up again.
fn opened(log: &Path, names: Names) -> Vec<Found> {
    let mut found = Vec::new();
    for _ in 0..LOOK_UPS {
        let (opened, moved) = open_all(&of(log, names));
        found = opened;
        if !moved {
            break;
        }
    }
    found
}

/// Those that are regular files and can be opened; whether a name led elsewhere than it was said to.
fn open_all(named: &[Named]) -> (Vec<Found>, bool) {
    let (mut all, mut taken, mut moved) = (Vec::new(), HashSet::new(), false);
    for Named { path, inode } in named {
        match Found::open(path) {
            Ok(found) => {
                moved |= inode.is_some_and(|inode| inode != found.key.inode);
                if found.stat.is_file() && taken.insert(found.key) {
                    all.push(found);
                }
            }
            Err(error) => moved |= inode.is_some() && error.kind() == io::ErrorKind::NotFound,
        }
    }
    (all, moved)
}
