//! What the store tells: damage, failed saves, and their end.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StoreError;

/// Something that an operator should hear about.
#[derive(Clone, Debug)]
pub enum Event {
    /// The file was damaged: it was kept under another name and a new one begun with what could be read.
    SetAside {
        /// The store's file.
        path: PathBuf,
        /// The name that the damaged one has now.
        aside: PathBuf,
        /// What was wrong with it.
        problem: String,
        /// How many bans could be taken over.
        bans: usize,
        /// Whether read positions and windows could be taken over; else logs are read as at a first start.
        positions: bool,
    },
    /// Rows that make no sense (edited by hand, or by a newer version) were passed over; they stay in the file.
    RowsSkipped {
        /// The store's file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// How many.
        rows: usize,
        /// What is wrong with the first of them.
        example: String,
    },
    /// A save failed. What waits is kept in memory and tried again.
    SaveFailed {
        /// Why.
        error: Arc<StoreError>,
        /// How many changes of bans wait.
        waiting: usize,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// Saving works again; everything that waited is stored.
    SavedAgain {
        /// How many attempts had failed.
        failures: u32,
    },
    /// So much waited to be saved, since saving failed for long or there was a flood, that history or the lines of
    /// bans (not bans) were dropped to keep memory bounded.
    HistoryDropped {
        /// How many entries lost themselves or their lines.
        entries: usize,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { path, aside, problem, bans, positions } => {
                write!(f, "{}: {problem}; ", path.display())?;
                write!(f, "kept as {}, begun anew with {bans} bans read from it", aside.display())?;
                let lost = "; the read positions were lost: logs are read as at a first start";
                f.write_str(if *positions { "" } else { lost })
            }
            Self::RowsSkipped { path, table, rows, example } => {
                write!(f, "{}: passed over {rows} rows of {table}: {example}; ", path.display())?;
                f.write_str("correct or delete them with sqlite3 while banmap is stopped")
            }
            Self::SaveFailed { error, waiting, retry_in } => {
                write!(
                    f,
                    "{error}; {waiting} changes wait in memory, next attempt in {} s",
                    retry_in.as_secs()
                )
            }
            Self::SavedAgain { failures } => {
                write!(f, "saving works again after {failures} failed attempts; nothing was lost")
            }
            Self::HistoryDropped { entries } => {
                write!(
                    f,
                    "more waits to be saved than may wait: {entries} entries of the history, or their lines, were dropped; \
                     bans are kept"
                )
            }
        }
    }
}
