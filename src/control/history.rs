//! What `history` answers: one row for each thing that happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire;
use crate::address::Prefix;
use crate::ban::Origin;
use crate::terms::{JailName, Measure};

/// One thing that happened. Fields that do not belong to it are `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When.
    #[serde(with = "wire::time")]
    pub at: Timestamp,
    /// What.
    pub event: HistoryEvent,
    /// To whom.
    pub address: Option<Prefix>,
    /// In which jail.
    pub jail: Option<JailName>,
    /// When the ban began.
    #[serde(default, with = "wire::optional_time")]
    pub since: Option<Timestamp>,
    /// Until when the ban was to last; `null` also for never.
    #[serde(with = "wire::optional_time")]
    pub until: Option<Timestamp>,
    /// How many offences decided it.
    pub offences: Option<u32>,
    /// Who decided it.
    pub origin: Option<Origin>,
    /// The operator's words.
    pub reason: Option<String>,
    /// Of a command by hand: whose.
    pub uid: Option<u32>,
    /// The command, or what else happened, in words.
    pub text: Option<String>,
    /// The ban was judged and shown, but in no output.
    #[serde(default)]
    pub simulated: bool,
    /// Whether the ban refused the client, or only marked it for a challenge.
    #[serde(default)]
    pub value: Measure,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryEvent {
    /// Somebody was banned.
    Banned,
    /// A ban became longer.
    Prolonged,
    /// A verdict banned nobody, since the jail was paused.
    Withheld,
    /// A verdict waited, and banned nobody yet.
    Held,
    /// A ban was found when it was already over.
    Past,
    /// A ban's time was over.
    Expired,
    /// A ban was ended by hand.
    Unbanned,
    /// A ban ended because its address became allowed or trusted.
    Allowed,
    /// A ban ended because its jail began to simulate, or ceased to.
    Simulation,
    /// A command by hand.
    Command,
    /// The configuration or a server was reloaded.
    Reloaded,
    /// Banning was paused.
    Paused,
    /// A pause ended.
    Resumed,
    /// The daemon started.
    Started,
    /// The daemon stopped.
    Stopped,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

impl HistoryEvent {
    /// The word that its JSON has too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Prolonged => "prolonged",
            Self::Withheld => "withheld",
            Self::Held => "held",
            Self::Past => "past",
            Self::Expired => "expired",
            Self::Unbanned => "unbanned",
            Self::Allowed => "allowed",
            Self::Simulation => "simulation",
            Self::Command => "command",
            Self::Reloaded => "reloaded",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HistoryEvent::{self, *};

    #[test]
    fn words_are_those_of_json_and_new_ones_are_read() {
        let all = [
            Banned, Prolonged, Withheld, Held, Past, Expired, Unbanned, Allowed, Simulation, Command,
            Reloaded, Paused, Resumed, Started, Stopped, Other,
        ];
        for event in all {
            assert_eq!(serde_json::to_value(event).unwrap(), event.word());
        }
        assert_eq!(serde_json::from_str::<HistoryEvent>("\"transmogrified\"").unwrap(), Other);
    }
}
