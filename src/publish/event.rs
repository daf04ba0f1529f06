//! What publishing has to tell the log.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::render::LeftOut;
use crate::terms::OutputName;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Each publish; for those who look for something.
    Debug,
    /// Rare and expected.
    Info,
    /// An operator should know.
    Warning,
    /// An operator has to do something.
    Error,
}

/// Something that happened to an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which output.
    pub output: OutputName,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its file was missing or unusable and was made anew.
    Created {
        /// Where.
        path: PathBuf,
        /// How many entries it holds.
        entries: usize,
    },
    /// A new file is in place.
    Published {
        /// The bans it holds.
        generation: u64,
        /// How many entries it holds.
        entries: usize,
    },
    /// The server has read the file.
    Verified {
        /// The bans it holds.
        generation: u64,
    },
    /// The list became much shorter or longer than the last one.
    BigChange {
        /// Entries before.
        from: usize,
        /// Entries now.
        to: usize,
    },
    /// Banned prefixes that the output cannot hold; at most the first `NAMED` are named.
    LeftOut {
        /// The first of them.
        first: Vec<LeftOut>,
        /// How many there are.
        total: usize,
    },
    /// An Apache text map of so many lines makes unknown clients slow.
    SlowMap {
        /// Its lines.
        entries: usize,
    },
    /// The target is a mount point: it cannot be replaced at once.
    WrittenInPlace {
        /// Where.
        path: PathBuf,
    },
    /// The file is in place, but was not synced.
    Unsynced {
        /// Why.
        why: String,
    },
    /// The file there was not ours: a copy was kept.
    ForeignKept {
        /// The copy.
        copy: PathBuf,
    },
    /// Somebody else changed or removed our file: it is written again.
    Touched {
        /// Our file.
        path: PathBuf,
    },
    /// A check that could not be made; the publish goes on without it.
    Unchecked {
        /// Why, and what to do.
        why: String,
    },
    /// No server runs that could read the file.
    NotRunning {
        /// How that was seen.
        why: String,
    },
    /// Others than root may be unable to read the map.
    Unreadable {
        /// What and what to do.
        why: String,
    },
    /// Publishing failed; the last good file is in force.
    Failed {
        /// Why, and what to do.
        why: String,
    },
    /// The server refused our file: the last good one is back.
    RolledBack {
        /// What the server said, where it said something.
        message: Option<String>,
    },
    /// The server was not made to read the file, for a reason that is not in our file: it stays.
    Unread {
        /// What the server said, or what hindered us.
        why: String,
    },
}

/// How many left-out prefixes an event names.
pub const NAMED: usize = 5;

impl Event {
    /// How loud it is.
    pub fn severity(&self) -> Severity {
        match self.what {
            What::Published { .. } | What::Verified { .. } => Severity::Debug,
            What::Created { .. } | What::NotRunning { .. } => Severity::Info,
            What::BigChange { .. }
            | What::SlowMap { .. }
            | What::WrittenInPlace { .. }
            | What::Unsynced { .. }
            | What::ForeignKept { .. }
            | What::Touched { .. }
            | What::Unchecked { .. }
            | What::Unreadable { .. } => Severity::Warning,
            What::LeftOut { .. } | What::Failed { .. } | What::RolledBack { .. } | What::Unread { .. } => {
                Severity::Error
            }
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output {}: {}", self.output, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { path, entries } => write!(f, "created {} with {entries} entries", path.display()),
            Self::Published { generation, entries } => {
                write!(f, "generation {generation} is in place, {entries} entries")
            }
            Self::Verified { generation } => write!(f, "the server has read generation {generation}"),
            Self::BigChange { from, to } => write!(f, "the list goes from {from} to {to} entries at once"),
            Self::LeftOut { first, total } => left_out(f, first, *total),
            Self::SlowMap { entries } => write!(
                f,
                "a text map of {entries} entries costs Apache about {} microseconds for each unknown client: \
                 shorten the bans, or ban prefixes",
                entries * 3 / 100
            ),
            Self::WrittenInPlace { path } => write!(
                f,
                "{} is a mount point, so it was written in place and a reader may see a part of it: mount its directory instead",
                path.display()
            ),
            Self::Unsynced { why } => {
                write!(f, "the new file is in place, but a power cut may undo that: {why}")
            }
            Self::ForeignKept { copy } => {
                write!(f, "the file there was not made by banmap; a copy is kept in {}", copy.display())
            }
            Self::Touched { path } => {
                write!(f, "{} was changed or removed by somebody else: it is written again", path.display())
            }
            Self::Unchecked { why } | Self::Unreadable { why } => f.write_str(why),
            Self::NotRunning { why } => {
                write!(f, "the server is not running ({why}): it reads the list when it starts")
            }
            Self::Failed { why } => write!(f, "not published, the last good file stays in force: {why}"),
            Self::RolledBack { message } => {
                let said = message.as_deref().unwrap_or("it gave no reason that can be read");
                write!(f, "the server refused the new file, the last good one is back: {said}")
            }
            Self::Unread { why } => write!(f, "the file is in place, but the server has not read it: {why}"),
        }
    }
}

fn left_out(f: &mut fmt::Formatter<'_>, first: &[LeftOut], total: usize) -> fmt::Result {
    f.write_str("banned, but not in this output: ")?;
    for (i, left) in first.iter().enumerate() {
        let separator = if i > 0 { "; " } else { "" };
        write!(f, "{separator}{} ({})", left.prefix, left.why)?;
    }
    if total > first.len() { write!(f, "; and {} more", total - first.len()) } else { Ok(()) }
}

/// Where events go.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;
