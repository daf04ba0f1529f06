//! Earlier bans as they survive a restart.

use jiff::Timestamp;

use super::JailName;
use crate::address::Prefix;

/// How often a prefix was banned, as of now. Without bans it is no longer remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorEntry {
    /// Who was banned.
    pub prefix: Prefix,
    /// By which jail; `None`: by all together.
    pub jail: Option<JailName>,
    /// How many ended bans count.
    pub bans: u32,
    /// When the last of them ended.
    pub ended: Timestamp,
}
