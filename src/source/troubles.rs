//! What cannot be followed now: told once, until it is gone.

use std::collections::BTreeMap;
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

/// What is wrong, and how it was told.
type Known = BTreeMap<(PathBuf, Trouble), String>;

/// The troubles of the last scan and of the one that is going on.
#[derive(Default)]
pub(super) struct Troubles {
    known: Known,
    now: Known,
}

impl Troubles {
    /// Meets a trouble; tells it unless the last scan met it too.
    pub(super) fn meet(&mut self, path: &Path, trouble: Trouble, consumer: &mut dyn Consumer, event: Event) {
        let entry = (path.to_owned(), trouble);
        let told = event.to_string();
        if !self.known.contains_key(&entry) && !self.now.contains_key(&entry) {
            consumer.event(event);
        }
        self.now.insert(entry, told);
    }

    /// The scan is over: what it did not meet is gone.
    pub(super) fn settle(&mut self) {
        self.known = std::mem::take(&mut self.now);
    }

    /// Each path, what is wrong with it, and the words for it.
    pub(super) fn known(&self) -> impl Iterator<Item = (&Path, Trouble, &str)> {
        self.known.iter().map(|((path, trouble), told)| (path.as_path(), *trouble, told.as_str()))
    }
}
