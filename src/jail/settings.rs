//! When a jail bans, and for how long.

use jiff::{SignedDuration, Timestamp};

use super::{Escalation, Jitter, Rate, StormMode, Widen};
use crate::address::{Allowlist, Group};
use crate::terms::{Crawler, JailName, Measure, OutputName, SourceName};

/// One jail, resolved: every value is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name.
    pub name: JailName,
    /// Its offences are the bans of other jails, not records of a log.
    pub of_bans: bool,
    /// What a verdict does.
    pub value: Measure,
    /// So many offences within `findtime` ban; at least 1.
    pub maxretry: u32,
    /// The length of the sliding window.
    pub findtime: SignedDuration,
    /// Bans who asks more often than this, in place of `maxretry` and `findtime`.
    pub rate: Option<Rate>,
    /// How long a first ban lasts; `None` is forever.
    pub bantime: Option<SignedDuration>,
    /// How bans grow with earlier ones; `None`: they do not.
    pub escalation: Option<Escalation>,
    /// What is added to a ban, so that nobody can foresee its end.
    pub jitter: Option<Jitter>,
    /// Hits prolong a ban.
    pub extend: bool,
    /// When prefixes are banned for what is inside them.
    pub widen: Vec<Widen>,
    /// What is counted and banned.
    pub group: Group,
    /// Count different values (the reader hashes them) instead of offences.
    pub distinct: bool,
    /// Judge and show, but publish nothing.
    pub simulate: bool,
    /// Never banned by this jail: the union of all `ignoreip` and this jail's own.
    pub allow: Allowlist,
    /// Crawlers that it does not ban, once they are verified.
    pub crawlers: Vec<Crawler>,
    /// What its filter matches is an offence only where the client is not the crawler that it says to be.
    pub fakes: bool,
    /// The outputs that carry its bans.
    pub outputs: Vec<OutputName>,
    /// At most so many prefixes are tracked at once; the least useful gives way.
    pub max_tracked: usize,
    /// At most so many bans; of more, nobody new is banned.
    pub max_bans: usize,
    /// What happens when it bans suspiciously many at once.
    pub storm: StormMode,
    /// Where its records come from: whose clients it is that it bans.
    pub sources: Vec<SourceName>,
}

impl Settings {
    /// At most so many prefixes are tracked where nobody says otherwise.
    pub const MAX_TRACKED: usize = 200_000;

    /// At most so many bans where nobody says otherwise: some 100 MB, and lists that servers still read in no time.
    pub const MAX_BANS: usize = 100_000;

    /// A jail of which nothing is configured but the name.
    pub fn new(name: JailName) -> Self {
        Self {
            name,
            of_bans: false,
            value: Measure::Ban,
            maxretry: 5,
            findtime: SignedDuration::from_mins(10),
            rate: None,
            bantime: Some(SignedDuration::from_hours(1)),
            escalation: Some(Escalation::default()),
            jitter: None,
            extend: false,
            widen: Widen::usual(),
            group: Group::default(),
            distinct: false,
            simulate: false,
            allow: Allowlist::default(),
            crawlers: Vec::new(),
            fakes: false,
            outputs: Vec::new(),
            max_tracked: Self::MAX_TRACKED,
            max_bans: Self::MAX_BANS,
            storm: StormMode::default(),
            sources: Vec::new(),
        }
    }

    /// At most so many prefixes are watched by each rule of `widen`.
    pub fn max_widening(&self) -> usize {
        (self.max_tracked / 4).max(1)
    }

    /// When a ban by hand ends that began at `since`; `None` is never.
    pub fn until(&self, since: Timestamp) -> Option<Timestamp> {
        self.bantime.map(|bantime| since.checked_add(bantime).unwrap_or(Timestamp::MAX))
    }
}
