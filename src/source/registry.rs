//! What the sources of one daemon share: which source reads a file, and the sockets that stay open while the
//! configuration is read again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SourceError;
use super::feed::Inlet;
use super::head::FileKey;
use crate::terms::SourceName;

/// Cheap to clone; one for the process.
#[derive(Clone, Default)]
pub struct Registry(Arc<Shared>);

#[derive(Default)]
struct Shared {
    files: Mutex<HashMap<FileKey, SourceName>>,
    /// By what the configuration calls them.
    inlets: Mutex<HashMap<String, Arc<Mutex<Inlet>>>>,
}

/// A poisoned lock only means that a thread panicked between two whole changes.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// The files that `source` reads: none yet.
    pub(super) fn claims(&self, source: &SourceName) -> Claims {
        Claims { registry: self.clone(), source: source.clone() }
    }

    /// The inlet of that name, which is opened where it is not open yet.
    pub(super) fn inlet(
        &self,
        name: &str,
        open: impl FnOnce() -> Result<Inlet, SourceError>,
    ) -> Result<Arc<Mutex<Inlet>>, SourceError> {
        let mut inlets = lock(&self.0.inlets);
        if let Some(inlet) = inlets.get(name) {
            return Ok(Arc::clone(inlet));
        }
        let inlet = Arc::new(Mutex::new(open()?));
        inlets.insert(name.to_owned(), Arc::clone(&inlet));
        Ok(inlet)
    }

    /// Closes what no source reads any more: after a new configuration took the place of the old one.
    pub fn sweep(&self) {
        lock(&self.0.inlets).retain(|_, inlet| Arc::strong_count(inlet) > 1);
    }
}

/// The files of one source; given back when it is dropped.
pub(super) struct Claims {
    registry: Registry,
    source: SourceName,
}

impl Claims {
    /// Makes a file this source's, or names the one whose it is.
    pub(super) fn take(&self, key: FileKey) -> Result<(), SourceName> {
        let mut files = lock(&self.registry.0.files);
        match files.get(&key) {
            Some(other) if *other != self.source => Err(other.clone()),
            Some(_) => Ok(()),
            None => {
                files.insert(key, self.source.clone());
                Ok(())
            }
        }
    }

    /// Gives back all others.
    pub(super) fn keep(&self, keys: &HashSet<FileKey>) {
        lock(&self.registry.0.files).retain(|key, source| *source != self.source || keys.contains(key));
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.keep(&HashSet::new());
    }
}
