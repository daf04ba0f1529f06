//! What an output's state is, as `status` shows it and the engine judges hits by it.

use jiff::Timestamp;
use serde::Serialize;

use crate::terms::{OutputName, PublishedFile};

/// How far an output has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing of ours is in place yet.
    Pending,
    /// The file is in place.
    Published,
    /// The server has read it.
    Verified,
    /// The newest list is not in place; an older one may be.
    Failed,
}

/// The state of one output after it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which output.
    pub output: OutputName,
    /// How far it has come.
    pub state: State,
    /// Which bans are in place.
    pub generation: u64,
    /// The entry lines in place.
    pub entries: usize,
    /// Banned prefixes that the output cannot hold.
    pub left_out: usize,
    /// When the file was put in place.
    pub published: Option<Timestamp>,
    /// When the server is known to have read it.
    pub reloaded: Option<Timestamp>,
    /// What an operator has to do something about.
    pub error: Option<String>,
    /// It is in the best state it can reach with this generation: `published` for a list, without a reload of ours, and
    /// while no server runs; else `verified`.
    pub settled: bool,
    /// For the store: the file as it is, and who has read it. `None` where nothing changed in that.
    pub file: Option<PublishedFile>,
}
