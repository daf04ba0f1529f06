//! Facts that one room knows and the store keeps for the next start.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{JailName, OutputName};
use crate::address::{Address, Prefix};

/// Judging goes on, but nobody new is banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// One jail, or (`None`) all of them.
    pub jail: Option<JailName>,
    /// When it ends by itself; `None` is not before `resume`.
    pub until: Option<Timestamp>,
}

/// An entry of the allow list that is kept by hand: never banned by any jail while it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Who is allowed.
    pub prefix: Prefix,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself; `None` is not before it is removed.
    pub until: Option<Timestamp>,
    /// Who gave the command.
    pub uid: Option<u32>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// A name, and the addresses that it had when it was last looked up with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedName {
    /// The name, in lower case.
    pub name: String,
    /// Its addresses; never none.
    pub addresses: Vec<Address>,
}

/// A server's master process: the pid alone may be used again by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Master {
    /// Its process id.
    pub pid: i32,
    /// Its start time in clock ticks after boot (field 22 of /proc/PID/stat).
    pub started: u64,
}

/// An output file as it was last committed, and the server that is known to have read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// The output that wrote it.
    pub output: OutputName,
    /// Where it was written.
    pub path: PathBuf,
    /// The output's kind as the configuration names it: `nginx-geo` …; with `style = "include"` `nginx-geo include`.
    pub kind: String,
    /// The generation it holds.
    pub generation: u64,
    /// A digest of its content without the header; stable over restarts and versions.
    pub digest: u64,
    /// The master that is known to have read this content; `None` while that is not known.
    pub verified_by: Option<Master>,
}
