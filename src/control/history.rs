//! What `history` answers: one row for each thing that happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire;
use crate::address::Prefix;
use crate::ban::Origin;
use crate::terms::{HistoryKind, JailName, Measure};

/// One thing that happened. Fields that do not belong to it are `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When.
    #[serde(with = "wire::time")]
    pub at: Timestamp,
    /// What.
    pub event: HistoryKind,
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
