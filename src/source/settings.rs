//! What a source reads.

use crate::terms::SourceName;

/// Where reading of a file begins that has no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FirstRead {
    /// At the largest findtime of its jails before now, found by bisection; at the end where lines have no time.
    #[default]
    Recent,
    /// At the first byte.
    Beginning,
    /// Behind the last byte.
    End,
}

/// One source of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: SourceName,
    /// Absolute glob patterns; re-scanned while running.
    pub patterns: Vec<String>,
    /// Where a file without a checkpoint is begun.
    pub read: FirstRead,
}
