//! What kinds of things happen.

use serde::{Deserialize, Serialize};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryKind {
    /// A ban began.
    Banned,
    /// A ban lasts longer.
    Prolonged,
    /// A verdict that banned nobody, since the jail was paused.
    Withheld,
    /// A verdict that waited, and banned nobody yet.
    Held,
    /// A ban that was already over when its offences were read.
    Past,
    /// A ban's time was over.
    Expired,
    /// A person ended a ban.
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
    /// Banning was resumed.
    Resumed,
    /// The daemon started.
    Started,
    /// The daemon stopped.
    Stopped,
    /// Something that this version does not know, told by a newer daemon.
    #[serde(other)]
    Other,
}

impl HistoryKind {
    /// Every kind that is known.
    pub const ALL: [Self; 15] = [
        Self::Banned,
        Self::Prolonged,
        Self::Withheld,
        Self::Held,
        Self::Past,
        Self::Expired,
        Self::Unbanned,
        Self::Allowed,
        Self::Simulation,
        Self::Command,
        Self::Reloaded,
        Self::Paused,
        Self::Resumed,
        Self::Started,
        Self::Stopped,
    ];

    /// The word that stands in the store, in JSON and on the screen.
    pub const fn word(self) -> &'static str {
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

    /// The known kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::HistoryKind;

    #[test]
    fn words_are_those_of_json_and_new_ones_are_read() {
        for kind in HistoryKind::ALL.into_iter().chain([HistoryKind::Other]) {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert_eq!(HistoryKind::named(kind.word()), (kind != HistoryKind::Other).then_some(kind));
        }
        let new: HistoryKind = serde_json::from_str("\"transmogrified\"").unwrap();
        assert_eq!(new, HistoryKind::Other);
    }
}
