//! What the daemon answers to `why`: all that is known about one address or prefix.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BanRow, HistoryRow, Spared, wire};
use crate::address::Prefix;
use crate::ban::HeldBan;
use crate::terms::{Evidence, JailName, SourceName, Tracked};

/// All that is known about one address or prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Who was asked for.
    pub address: Prefix,
    /// Whether some output bans it: a row covers it that is not simulated, and nothing protects it.
    pub banned: bool,
    /// Whether it is not banned, but some output challenges it.
    #[serde(default)]
    pub challenged: bool,
    /// The rows that cover it, simulated ones included, the narrowest first.
    pub bans: Vec<BanRow>,
    /// Rows inside a prefix that was asked for; the first hundred, by address.
    #[serde(default)]
    pub inside: Vec<BanRow>,
    /// How many rows there are inside.
    #[serde(default)]
    pub inside_count: usize,
    /// Who is protected inside a prefix that was asked for; the first hundred, by address.
    #[serde(default)]
    pub spared: Vec<Spared>,
    /// How many entries protect somebody inside.
    #[serde(default)]
    pub spared_count: usize,
    /// The allow entry or trusted proxy that protects it, and where that is written.
    pub protected_by: Option<String>,
    /// The lines that decided those bans, and those that count now, oldest first.
    pub evidence: Vec<EvidenceRow>,
    /// What happened to it before, oldest first.
    pub history: Vec<HistoryRow>,
    /// How near it is to a threshold.
    #[serde(default)]
    pub near: Vec<Near>,
    /// The jails whose next ban of it would be longer, since it was banned before.
    #[serde(default)]
    pub earlier: Vec<Earlier>,
    /// How the client of those lines was found, as the sources find it now; the way of the newest line first.
    #[serde(default)]
    pub clients: Vec<ClientWay>,
    /// Verdicts that wait, and ban nobody yet.
    #[serde(default)]
    pub held: Vec<HeldRow>,
}

impl Why {
    /// Nothing is known.
    pub fn of(address: Prefix) -> Self {
        Self {
            address,
            banned: false,
            challenged: false,
            bans: Vec::new(),
            inside: Vec::new(),
            inside_count: 0,
            spared: Vec::new(),
            spared_count: 0,
            protected_by: None,
            evidence: Vec::new(),
            history: Vec::new(),
            near: Vec::new(),
            earlier: Vec::new(),
            clients: Vec::new(),
            held: Vec::new(),
        }
    }
}

/// How the client of a line was found, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientWay {
    /// The source that reads such lines.
    pub source: SourceName,
    /// Where its clients stand: its setting `client`.
    pub client: String,
    /// Who connected, then each whom the one before named; the last is the client.
    pub hops: Vec<Hop>,
    /// Why it is the last.
    pub end: WayEnd,
    /// What stands in the header before the client: anybody may have written it.
    pub unread: Option<String>,
    /// How many of the lines go the same way.
    pub lines: usize,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The address.
    pub address: Prefix,
    /// The entry of `trusted_proxies` that holds it, and where that is written; `null`: none does.
    pub trusted_by: Option<String>,
}

/// Why a way goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayEnd {
    /// The server itself says who its client is.
    Logged,
    /// The line has no such header.
    NoHeader,
    /// The last is no trusted proxy: it is the client, and nobody is believed whom it names.
    NotTrusted,
    /// The header names nobody before it.
    First,
    /// What stands before it in the header is no address.
    Garbage,
}

/// A verdict that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    /// The ban that it would be.
    pub verdict: BanRow,
    /// Why it waits.
    pub why: Holding,
    /// When it waits no longer.
    #[serde(with = "wire::time")]
    pub held_until: Timestamp,
    /// Whether it bans then; else it is dropped.
    pub enforced_then: bool,
}

/// Why a verdict waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// Its jail bans suspiciously many at once.
    Storm,
    /// It is being asked whether its client is the crawler that it says it is.
    Crawler,
}

impl HeldRow {
    /// A verdict that waits for this reason.
    pub fn new(held: &HeldBan, why: Holding) -> Self {
        // A storm is an operator's to judge; a question that nobody answers keeps nobody unbanned.
        let enforced_then = why == Holding::Crawler;
        Self { verdict: BanRow::from(&held.ban), why, held_until: held.until, enforced_then }
    }
}

/// A line that speaks for a ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The event time of the offence.
    #[serde(with = "wire::time")]
    pub at: Timestamp,
    /// The jail it counted for.
    pub jail: JailName,
    /// The line, as it was read; who prints it escapes it.
    pub text: String,
}

impl From<&Evidence> for EvidenceRow {
    fn from(evidence: &Evidence) -> Self {
        Self { at: evidence.at, jail: evidence.jail.clone(), text: evidence.text.to_string() }
    }
}

/// A window that counts now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// The jail that counts.
    pub jail: JailName,
    /// What is counted: the group of the client.
    pub address: Prefix,
    /// How many offences, groups or requests count now.
    pub offences: u32,
    /// What they weigh together; as many, where no rule has a weight.
    #[serde(default)]
    pub weight: u32,
    /// How much weight bans.
    pub maxretry: u32,
    /// The length of the window, in seconds.
    #[serde(with = "wire::seconds")]
    pub findtime: SignedDuration,
    /// What is counted.
    #[serde(default)]
    pub what: Counting,
    /// The jail would only show the ban.
    #[serde(default)]
    pub simulated: bool,
}

/// What a window counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counting {
    /// Offences of a client.
    #[default]
    Offences,
    /// Different clients with an offence inside a prefix.
    Groups,
    /// Bans by other jails.
    Bans,
    /// Requests that are ahead of a rate.
    Requests,
}

impl From<Tracked> for Counting {
    fn from(what: Tracked) -> Self {
        match what {
            Tracked::Offences => Self::Offences,
            Tracked::Bans => Self::Bans,
            Tracked::Groups => Self::Groups,
            Tracked::Rate => Self::Requests,
        }
    }
}

/// Earlier bans that make the next one longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The jail.
    pub jail: JailName,
    /// Who was banned: the group of the client.
    pub address: Prefix,
    /// How many ended bans count now.
    pub bans: u32,
    /// How long the next one would be, in seconds; `null` is forever.
    #[serde(with = "wire::optional_seconds")]
    pub next: Option<SignedDuration>,
}
