//! What cannot be followed now: told once, until it is gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Consumer, Event};

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Missing,
    Unreadable,
    NotAFile,
    Compressed,
    NotStored,
    ReadElsewhere,
}

/// The troubles of the last scan and of the one that is going on.
#[derive(Default)]
pub(super) struct Troubles {
    known: BTreeSet<(PathBuf, Trouble)>,
    now: BTreeSet<(PathBuf, Trouble)>,
}

impl Troubles {
    /// Meets a trouble; tells it unless the last scan met it too.
    pub(super) fn meet(&mut self, path: &Path, trouble: Trouble, consumer: &mut dyn Consumer, event: Event) {
        let entry = (path.to_owned(), trouble);
        if !self.known.contains(&entry) && !self.now.contains(&entry) {
            consumer.event(event);
        }
        self.now.insert(entry);
    }

    /// The scan is over: what it did not meet is gone.
    pub(super) fn settle(&mut self) {
        self.known = std::mem::take(&mut self.now);
    }

    pub(super) fn known(&self) -> impl Iterator<Item = (&Path, Trouble)> {
        self.known.iter().map(|(path, trouble)| (path.as_path(), *trouble))
    }
}
