//! What an output writes, where, and how its server is made to read it.

use std::path::PathBuf;

use jiff::SignedDuration;

use crate::terms::OutputName;

/// The form of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An nginx `geo` include.
    NginxGeo {
        /// The variable of a whole block, without `$`.
        variable: String,
        /// A whole `geo $variable { … }` block, or its lines only.
        style: Style,
    },
    /// An Apache `RewriteMap` text file: `<key> -` lines.
    ApacheRewritemap,
    /// One address or prefix a line.
    List,
}

/// How much of the nginx configuration a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// The whole block: include it in `http {}`.
    #[default]
    Block,
    /// The lines only: include it inside the operator's own block.
    Include,
}

/// How the server is made to read the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// A signal to the master whose pid a file holds.
    PidFile {
        /// The pid file.
        path: PathBuf,
        /// The signal's name without `SIG`: `HUP`.
        signal: String,
    },
    /// A signal to the master process of that name.
    Process {
        /// The executable's name: `nginx`.
        name: String,
        /// The signal's name without `SIG`.
        signal: String,
    },
    /// A command; exit 0 is success.
    Command(Vec<String>),
    /// Somebody else reloads: `published` is the best that can be said.
    External,
    /// Nothing to do: the server notices by itself, or nobody has to.
    None,
}

/// One output, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: OutputName,
    /// What is written.
    pub kind: Kind,
    /// Where: an absolute path.
    pub path: PathBuf,
    /// The least time between two commits, where it was set; else the kind's default, which adapts.
    pub min_interval: Option<SignedDuration>,
    /// The operator's whole-configuration check, run after the commit; `None` where it is `"none"` or unset.
    pub validate: Option<Vec<String>>,
    /// How the server is made to read it.
    pub reload: Reload,
    /// Where the server says why it refused a reload.
    pub error_log: Option<PathBuf>,
    /// `user`, `user:group` or `:group`, names or numbers; unset: kept as the old file has it.
    pub owner: Option<String>,
    /// Permission bits; unset: kept as the old file has them, 0644 for a new file.
    pub mode: Option<u32>,
}
