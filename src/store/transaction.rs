//! What is saved together, and what a start gets back.

use std::path::PathBuf;

use super::HistoryEvent;
use crate::ban::{Ban, Change, HeldBan, HeldEntry};
use crate::terms::{
    Allowance, Checkpoint, JailName, OutputName, Pause, PriorEntry, PublishedFile, ResolvedName, TrackerEntry,
};

/// The counters of a jail that go on over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JailTotals {
    /// Whose they are.
    pub jail: JailName,
    /// Offences counted, ever.
    pub offences: u64,
    /// Hits of addresses that this jail had banned, ever.
    pub hits: u64,
    /// Bans, ever.
    pub bans: u64,
}

/// What the last run left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last generation of the ban table; 0 in a new store.
    pub generation: u64,
    /// The bans, those that ended meanwhile included, in the order of address and jail. Their evidence stays on disk,
    /// since nothing but `why` needs it: ask for it with `evidence`.
    pub bans: Vec<Ban>,
    /// The windows of counted prefixes.
    pub trackers: Vec<TrackerEntry>,
    /// How often who was banned.
    pub priors: Vec<PriorEntry>,
    /// Verdicts that wait, without their lines.
    pub held: Vec<HeldBan>,
    /// Where reading goes on.
    pub checkpoints: Vec<Checkpoint>,
    /// Jails that are paused.
    pub pauses: Vec<Pause>,
    /// Who is allowed by hand, by address.
    pub allowed: Vec<Allowance>,
    /// The last good answer for each name that lists hold, by name.
    pub names: Vec<ResolvedName>,
    /// Output files as they were committed.
    pub files: Vec<PublishedFile>,
    /// Counters of the jails.
    pub totals: Vec<JailTotals>,
    /// What values in stored windows are hashed with: drawn once for each store, and secret. `None` where it was lost.
    pub seed: Option<u64>,
}

/// What is stored at once: all of it, or nothing.
///
/// Everything but `changes` and `notes` is the state as of now and replaces what was stored under the same key.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The generation of the ban table, where it grew.
    pub generation: Option<u64>,
    /// What happened to bans, in that order. A ban's evidence is stored with `Banned`, `Withheld`, `Held` and `Past`; lines that
    /// are new in `Prolonged` are added.
    pub changes: Vec<Change>,
    /// Windows that changed; one without marks is forgotten.
    pub trackers: Vec<TrackerEntry>,
    /// Earlier bans that changed; an entry without bans is forgotten.
    pub priors: Vec<PriorEntry>,
    /// Held verdicts that changed.
    pub held: Vec<HeldEntry>,
    /// Read positions that changed; a finished one is forgotten.
    pub checkpoints: Vec<Checkpoint>,
    /// All pauses, where one began or ended.
    pub pauses: Option<Vec<Pause>>,
    /// Everybody who is allowed by hand, where an entry came or went.
    pub allowed: Option<Vec<Allowance>>,
    /// All names and their addresses, where one has others.
    pub names: Option<Vec<ResolvedName>>,
    /// Output files that are forgotten: done before `files` is stored.
    pub forgotten: Vec<(OutputName, PathBuf)>,
    /// Output files that were committed or verified.
    pub files: Vec<PublishedFile>,
    /// Counters that changed, as they are now.
    pub totals: Vec<JailTotals>,
    /// What else belongs into the history: reloads, commands by hand.
    pub notes: Vec<HistoryEvent>,
}

impl Transaction {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.generation.is_none()
            && self.pauses.is_none()
            && self.allowed.is_none()
            && self.names.is_none()
            && self.changes.is_empty()
            && self.trackers.is_empty()
            && self.priors.is_empty()
            && self.held.is_empty()
            && self.checkpoints.is_empty()
            && self.forgotten.is_empty()
            && self.files.is_empty()
            && self.totals.is_empty()
            && self.notes.is_empty()
    }
}
