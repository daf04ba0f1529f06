//! A verdict that waits: it bans nobody until it is known whether it should.

use jiff::Timestamp;

use super::Ban;
use crate::address::Prefix;
use crate::terms::JailName;

/// A verdict that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBan {
    /// The ban that it would be.
    pub ban: Ban,
    /// When its jail came to the verdict last: it may come to the same again while it waits.
    pub judged: Timestamp,
    /// When it waits no longer.
    pub until: Timestamp,
}

/// A held verdict as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// Whom it is about.
    pub prefix: Prefix,
    /// Whose verdict it is.
    pub jail: JailName,
    /// The verdict; `None`: it is held no longer.
    pub held: Option<HeldBan>,
}
