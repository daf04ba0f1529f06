//! One daemon for each state directory: an advisory lock that ends with the process.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{0} is locked by another banmap (only one may use a state directory)")]
    Held(PathBuf),
    /// The lock file cannot be made or locked.
    #[error(
        "cannot lock {0}: {1}; its directory must belong to the user banmap runs as (chown), or set `state` under [daemon]"
    )]
    Io(PathBuf, std::io::Error),
}

/// A lock that is held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its drop")] Flock<File>);

impl Lock {
    /// Takes the lock on the file `path` (created when missing), or says at once that another process has it.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = open.map_err(|error| LockError::Io(path.to_owned(), error))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map(Self).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => LockError::Held(path.to_owned()),
            other => LockError::Io(path.to_owned(), other.into()),
        })
    }
}
