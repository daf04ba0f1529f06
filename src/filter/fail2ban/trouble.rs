//! What is wrong with a filter in fail2ban's language, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A mistake in one of a filter's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; of a value the line of its key.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Trouble {
    pub(super) fn new(file: &Path, line: usize, message: &str) -> Self {
        Self { file: file.to_owned(), line, message: message.to_owned() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

impl std::error::Error for Trouble {}
