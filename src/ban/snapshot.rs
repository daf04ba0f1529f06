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
    /// Who is only challenged, as `prefixes`. Where both hold an address, it is banned.
    pub challenged: Vec<Prefix>,
    /// Who inside one of these must not be challenged, as `holes`.
    pub spared: Vec<Prefix>,
}

impl Snapshot {
    /// The one without any ban.
    pub fn empty(output: OutputName, generation: u64) -> Self {
        let (prefixes, holes, challenged, spared) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { generation, output, prefixes, holes, challenged, spared }
    }

    /// Whether both say the same, of whatever generation they are.
    pub fn says_as(&self, other: &Self) -> bool {
        (&self.prefixes, &self.holes, &self.challenged, &self.spared)
            == (&other.prefixes, &other.holes, &other.challenged, &other.spared)
    }
}
