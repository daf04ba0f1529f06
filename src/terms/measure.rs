//! What a ban does to a client.

use serde::{Deserialize, Serialize};

/// What a ban does to a client; `value` of a jail. Ordered: the stronger one is the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Marked, for the server to send elsewhere: it is not refused.
    Challenge,
    /// Refused.
    #[default]
    Ban,
}

impl Measure {
    /// Both, by the words that configuration and store use.
    pub const NAMED: [(&'static str, Self); 2] = [("ban", Self::Ban), ("challenge", Self::Challenge)];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Ban => "ban",
        }
    }

    /// Whether it only marks.
    pub fn is_challenge(self) -> bool {
        self == Self::Challenge
    }
}
