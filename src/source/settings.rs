//! What a source reads.

use std::fmt;

use super::{Endpoint, JournalInput};
use crate::terms::SourceName;

/// Where reading of a file or a journal begins that has no checkpoint.
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

/// What lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Files: absolute glob patterns, re-scanned while running.
    Files(Vec<String>),
    /// Standard input.
    Stdin,
    /// A socket that servers send to.
    Listen(Listen),
    /// The systemd journal: these entries.
    Journal(JournalInput),
}

/// A socket that servers send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub at: Endpoint,
    /// Permission bits of a unix socket: who may write there may send.
    pub mode: u32,
    /// Owner and group of a unix socket, as `user`, `user:group` or `:group`; `None`: those of this process.
    pub owner: Option<String>,
}

impl Listen {
    /// Who is in the socket's group may send.
    pub const DEFAULT_MODE: u32 = 0o660;

    /// With the default mode and owner.
    pub fn new(at: Endpoint) -> Self {
        Self { at, mode: Self::DEFAULT_MODE, owner: None }
    }
}

/// As `status` and events name it.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(patterns) => f.write_str(&patterns.join(", ")),
            Self::Stdin => f.write_str("stdin"),
            Self::Listen(listen) => listen.at.fmt(f),
            Self::Journal(journal) => write!(f, "journal:{journal}"),
        }
    }
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: SourceName,
    /// What it reads.
    pub input: Input,
    /// Where a file or journal without a checkpoint is begun.
    pub read: FirstRead,
}

impl Settings {
    /// The patterns of its files; none where it reads something else.
    pub fn patterns(&self) -> &[String] {
        match &self.input {
            Input::Files(patterns) => patterns,
            Input::Stdin | Input::Listen(_) | Input::Journal(_) => &[],
        }
    }
}
