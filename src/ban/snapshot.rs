//! What one output has to publish, at one generation.

use crate::address::Prefix;
use crate::terms::OutputName;

/// The bans of one output at one moment: immutable, numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Grows with every change of the ban table, over restarts too.
    pub generation: u64,
    /// Whose bans these are.
    pub output: OutputName,
    /// The union over its jails: sorted, unique, not aggregated, simulated bans left out.
    pub prefixes: Vec<Prefix>,
    /// Allowed and trusted entries inside one of the prefixes: sorted. They must not be banned.
    pub holes: Vec<Prefix>,
}
