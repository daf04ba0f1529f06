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
    /// Why it waits.
    pub why: HeldFor,
    /// When its jail came to the verdict last: it may come to the same again while it waits.
    pub judged: Timestamp,
    /// When it waits no longer.
    pub until: Timestamp,
    /// What becomes of it then.
    pub then: AtEnd,
}

/// Why a verdict waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldFor {
    /// Its jail bans suspiciously many at once.
    Storm,
    /// Its client says that it is a crawler, and is being asked about.
    Crawler,
}

/// What becomes of a verdict that has waited long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtEnd {
    /// It is dropped.
    Drop,
    /// It bans.
    Enforce,
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
