//! Emptying a list without a daemon.

use std::path::{Path, PathBuf};

use super::start::{DATABASE, DaemonError, lock};
use crate::ban::Snapshot;
use crate::os::clock;
use crate::publish;
use crate::store::{Store, Transaction};

/// Writes an empty list into `output`, or into the file `what` (an output's name, or a path) of an earlier configuration.
/// Holds the lock of the state directory meanwhile. Returns the file.
pub fn empty(state: &Path, output: Option<&publish::Settings>, what: &str) -> Result<PathBuf, DaemonError> {
    let _lock = lock(state)?;
    if let Some(output) = output {
        publish::write(output, nobody(output), clock::now())?;
        return Ok(output.path.clone());
    }
    let (mut store, kept, _events) = Store::open(&state.join(DATABASE), clock::now())?;
    let named =
        |file: &&crate::terms::PublishedFile| file.output.as_str() == what || file.path == Path::new(what);
    let file = kept.files.iter().find(named).ok_or_else(|| DaemonError::NoOutput(what.to_owned()))?;
    publish::empty(file)?;
    let forgotten = vec![(file.output.clone(), file.path.clone())];
    store.save(&Transaction { forgotten, ..Transaction::default() }, clock::now())?;
    Ok(file.path.clone())
}

fn nobody(output: &publish::Settings) -> Snapshot {
    Snapshot::empty(output.name.clone(), 0)
}
