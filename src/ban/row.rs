//! One ban, and what can happen to it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::Prefix;
use crate::terms::{Evidence, JailName, Measure};

/// Who decided a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A jail, from offences in a log.
    Log,
    /// A person, with `banmap ban`.
    Hand,
}

/// One row of the ban table: an address (or prefix) banned by one jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who is banned.
    pub prefix: Prefix,
    /// By which jail.
    pub jail: JailName,
    /// What it does.
    pub value: Measure,
    /// The time of the deciding offence, or of the command.
    pub since: Timestamp,
    /// When it ends; `None` is never.
    pub until: Option<Timestamp>,
    /// How many offences decided it; 0 by hand.
    pub offences: u32,
    /// Who decided it.
    pub origin: Origin,
    /// What the person said who made it by hand; or why a jail's ban is longer or wider than others.
    pub reason: Option<String>,
    /// Judged and shown, but in no output.
    pub simulated: bool,
    /// The lines that decided it, oldest first.
    pub evidence: Vec<Evidence>,
}

/// Why a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Its time was over.
    Expired,
    /// A person ended it.
    Unbanned,
    /// Its address became allowed or trusted.
    Allowed,
    /// Its jail began to simulate, or ceased to.
    Simulation,
}

/// What happened to a ban.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new row. It takes the place of a weaker one of the same prefix and jail: simulated, or a challenge.
    Banned(Arc<Ban>),
    /// The row existed and now lasts longer.
    Prolonged(Arc<Ban>),
    /// Hits have made the row last longer: no event of its own, since there may be many.
    Extended(Arc<Ban>),
    /// A jail's verdict that bans nobody, since the jail is paused.
    Withheld(Arc<Ban>),
    /// A verdict that waits, and bans nobody yet.
    Held(Arc<Ban>),
    /// Found when it was already over (catching up): kept as history, never published or announced.
    Past(Arc<Ban>),
    /// The row is gone.
    Ended(Arc<Ban>, Ended),
}

impl Change {
    /// The ban it happened to.
    pub fn ban(&self) -> &Arc<Ban> {
        match self {
            Self::Banned(ban)
            | Self::Prolonged(ban)
            | Self::Extended(ban)
            | Self::Withheld(ban)
            | Self::Held(ban)
            | Self::Past(ban)
            | Self::Ended(ban, _) => ban,
        }
    }
}

impl Ban {
    /// Whether it is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}
