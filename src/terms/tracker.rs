//! What is counted of a prefix, as it survives a restart.

use jiff::Timestamp;

use super::JailName;
use crate::address::Prefix;

/// One offence inside a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The event time.
    pub at: Timestamp,
    /// The hash of the distinct value; 0 where the jail counts every offence.
    pub distinct: u64,
    /// How many times it counts; at least 1.
    pub weight: u8,
}

/// What the marks of a window are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tracked {
    /// Offences of a group, or different values of them.
    Offences,
    /// Bans of a prefix by other jails.
    Bans,
    /// Groups inside a wider prefix, each at its newest offence; the distinct value tells which.
    Groups,
    /// The level of a bucket: the last request, and when the bucket is empty again.
    Rate,
}

/// The window of one counted prefix in one jail, as of now. Without marks the prefix is no longer tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerEntry {
    /// The jail that counts.
    pub jail: JailName,
    /// What is counted: the group of the clients, or a wider prefix.
    pub prefix: Prefix,
    /// What the marks are.
    pub what: Tracked,
    /// Oldest first.
    pub marks: Vec<Mark>,
    /// The store was never told of this window: where it is gone again before that was written, nothing need be.
    pub fresh: bool,
}
