//! How far reading has come since it was last asked: the checkpoints that changed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::terms::{Checkpoint, Fingerprint, SourceName};

/// The checkpoints that changed, one a file (device and inode), to be stored together with what was read.
#[derive(Debug)]
pub struct Positions {
    /// Whose checkpoints.
    source: SourceName,
    /// The newest of each file; the store keeps one row for each of these keys.
    changed: BTreeMap<(u64, u64), Checkpoint>,
}

impl Positions {
    pub(super) fn new(source: SourceName) -> Self {
        Self { source, changed: BTreeMap::new() }
    }

    /// Whether anything changed since the last [`Positions::take`].
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// What changed since it was last taken. Must be stored in one transaction: together they are consistent.
    pub fn take(&mut self) -> Vec<Checkpoint> {
        std::mem::take(&mut self.changed).into_values().collect()
    }

    /// Of what changed, the file at `path` is to be read on so many bytes earlier, at the start of a line, as what follows was
    /// handed out and not yet used.
    pub fn hold_back(&mut self, path: &Path, bytes: u64) {
        for known in self.changed.values_mut().filter(|known| known.path == path && known.cursor.is_none()) {
            known.offset = known.offset.saturating_sub(bytes);
        }
    }

    pub(super) fn set(&mut self, path: &Path, fingerprint: Fingerprint, offset: u64) {
        let key = (fingerprint.device, fingerprint.inode);
        match self.changed.get_mut(&key) {
            Some(known) if known.path == path => {
                (known.fingerprint, known.offset, known.finished) = (fingerprint, offset, false);
            }
            _ => self.put(self.checkpoint(path, fingerprint, offset)),
        }
    }

    /// The file is let go: its row goes.
    pub(super) fn finish(&mut self, path: &Path, fingerprint: Fingerprint, offset: u64) {
        self.put(Checkpoint { finished: true, ..self.checkpoint(path, fingerprint, offset) });
    }

    pub(super) fn checkpoint(&self, path: &Path, fingerprint: Fingerprint, offset: u64) -> Checkpoint {
        Checkpoint {
            source: self.source.clone(),
            path: path.to_owned(),
            fingerprint,
            offset,
            cursor: None,
            finished: false,
        }
    }

    /// The place in a journal.
    pub(super) fn set_cursor(&mut self, path: &Path, cursor: String) {
        let checkpoint = self.cursor(path, cursor);
        self.put(checkpoint);
    }

    pub(super) fn cursor(&self, path: &Path, cursor: String) -> Checkpoint {
        Checkpoint { cursor: Some(cursor), ..self.checkpoint(path, Fingerprint::NONE, 0) }
    }

    fn put(&mut self, checkpoint: Checkpoint) {
        let key = (checkpoint.fingerprint.device, checkpoint.fingerprint.inode);
        self.changed.insert(key, checkpoint);
    }
}
