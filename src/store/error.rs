//! Why the store could not be opened, read or written, and what the operator can do about it.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// An operation on the store failed. The text names the file, the step and the fix.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused a file operation.
    #[error("{}: cannot {step}: {source}; {}", path.display(), io_fix(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Something that is no plain file stands where the store should.
    #[error("{} is no regular file; move it away, or set `state` of [daemon] to another directory", .0.display())]
    NotAFile(PathBuf),
    /// `SQLite` could not do it.
    #[error("{}: cannot {step}: {source}; {}", path.display(), sqlite_fix(source))]
    Sqlite {
        /// The store's file.
        path: PathBuf,
        /// What was tried.
        step: &'static str,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A newer banmap wrote it: this one could lose what it does not know.
    #[error(
        "{} has version {found}, this banmap knows versions up to {known}; \
         run the newer banmap again, or move the file away to begin without its bans",
        path.display()
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A database, but not one of ours.
    #[error(
        "{} is another program's SQLite database; set `state` of [daemon] to a directory of banmap's own",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The keeper has stopped, or cannot open its file at the moment.
    #[error("the store is closed")]
    Closed,
    /// More questions wait for an answer than the keeper takes.
    #[error("too many questions about the history at once; ask again")]
    Busy,
}

impl StoreError {
    /// Whether the file itself is broken, so that trying again cannot help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }
}

fn io_fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "the directory and the file must belong to the user banmap runs as (chown), or set `state` of [daemon]"
        }
        io::ErrorKind::NotADirectory => {
            "a part of the path is a file; set `state` of [daemon] to a directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only; remount it, or set `state` of [daemon] to one that can be written"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space on that file system",
        _ => "look at the directory that `state` of [daemon] names",
    }
}

fn sqlite_fix(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free some space on that file system",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the directory, the file and its -wal and -shm must be writable for the user banmap runs as (chown)"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing to it: close it (an open transaction in a sqlite3 shell?)"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "the disk or its file system failed or is full: see df and the kernel's log"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged",
        _ => "see the message",
    }
}
