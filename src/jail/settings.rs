//! When a jail bans, and for how long.

use jiff::{SignedDuration, Timestamp};

use crate::address::{Allowlist, Group};
use crate::terms::{JailName, OutputName};

/// One jail, resolved: every value is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: JailName,
    /// So many offences within `findtime` ban; at least 1.
    pub maxretry: u32,
    /// The length of the sliding window.
    pub findtime: SignedDuration,
    /// How long a ban lasts; `None` is forever.
    pub bantime: Option<SignedDuration>,
    /// What is counted and banned.
    pub group: Group,
    /// Count different values (the reader hashes them) instead of offences.
    pub distinct: bool,
    /// Judge and show, but publish nothing.
    pub simulate: bool,
    /// Never banned by this jail: the union of all `ignoreip` and this jail's own.
    pub allow: Allowlist,
    /// The outputs that carry its bans.
    pub outputs: Vec<OutputName>,
    /// At most so many prefixes are tracked at once; the least useful gives way.
    pub max_tracked: usize,
}

impl Settings {
    /// When a ban ends that began at `since`; `None` is never.
    pub fn until(&self, since: Timestamp) -> Option<Timestamp> {
        self.bantime.map(|bantime| since.checked_add(bantime).unwrap_or(Timestamp::MAX))
    }
}
