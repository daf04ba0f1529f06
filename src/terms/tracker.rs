//! A tracked address as it survives a restart.

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
}

/// The window of one counted prefix in one jail, as of now. Without marks the prefix is no longer tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerEntry {
    /// The jail that counts.
    pub jail: JailName,
    /// What is counted: the group of the clients.
    pub prefix: Prefix,
    /// Offences, oldest first.
    pub marks: Vec<Mark>,
}
