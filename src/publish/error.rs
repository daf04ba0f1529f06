//! Why an output could not be published; the last good file is in force then.

use std::path::PathBuf;

use crate::os::files::FileError;
use crate::os::owner::OwnerError;

/// A publish that failed before anything changed for the server.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file could not be written or put in place.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configured owner does not exist.
    #[error("{path}: {source}", path = path.display())]
    Owner {
        /// The output's file.
        path: PathBuf,
        /// Which name.
        source: OwnerError,
    },
    /// What was read back from the disk is not what was written.
    #[error("{path}: read again before use, the new file is damaged ({what}): check the disk", path = path.display())]
    Damaged {
        /// The output's file.
        path: PathBuf,
        /// How it differs.
        what: String,
    },
    /// The server's own check of the new file refuses it.
    #[error("{path}: nginx would refuse the new file: {message}", path = path.display())]
    Refused {
        /// The output's file.
        path: PathBuf,
        /// What the check said.
        message: String,
    },
}
