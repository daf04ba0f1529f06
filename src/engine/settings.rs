//! What the engine needs to know: the jails, the outputs, who is protected, and what the store kept.

use crate::address::{Address, Allowlist, Prefix};
use crate::ban::{Ban, HeldBan};
use crate::jail;
use crate::terms::{Allowance, OutputName, Pause, PriorEntry, SourceName, TrackerEntry};

/// The engine's part of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The enabled jails.
    pub jails: Vec<jail::Settings>,
    /// The built-in jail of bans by hand: its bantime, and the allow list that holds for every jail. It is in all
    /// outputs, whatever its own say.
    pub manual: jail::Settings,
    /// All outputs; none in `replay`, where a ban that is over makes no hits.
    pub outputs: Vec<OutputName>,
    /// Those of them that cannot hold every prefix, and what they can.
    pub picky: Vec<(OutputName, Holds)>,
    /// Who is never banned by any jail.
    pub protected: Protection,
    /// Whether somebody answers the questions of [`Effects::verify`](super::Effects::verify).
    pub verifies: bool,
    /// What chance is drawn from: the jitter of bans. Not to be guessed from outside; the same in each `replay`.
    pub seed: u64,
}

/// Whether an output can hold a prefix without these holes.
pub type Holds = fn(Prefix, &[Prefix]) -> bool;

/// Who is never banned by any jail, besides loopback and unspecified addresses.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// The trusted proxies.
    pub trusted: Allowlist,
    /// This host's own addresses.
    pub host: Vec<Address>,
    /// What the wrong-client guard holds: addresses that most lines of a source come from, and that can be no client.
    pub crowds: Vec<(SourceName, Address)>,
}

/// What the store kept.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// The last generation; the engine's are greater.
    pub generation: u64,
    /// Active when they were stored.
    pub bans: Vec<Ban>,
    /// Windows.
    pub trackers: Vec<TrackerEntry>,
    /// Earlier bans.
    pub priors: Vec<PriorEntry>,
    /// Verdicts that wait.
    pub held: Vec<HeldBan>,
    /// Pauses that had not ended.
    pub pauses: Vec<Pause>,
    /// Who is allowed by hand; entries that ended meanwhile included.
    pub allowed: Vec<Allowance>,
}
