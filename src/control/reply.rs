//! What the daemon answers.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{HistoryRow, Status, wire};
use crate::address::Prefix;
use crate::ban::{Ban, Origin};
use crate::terms::{Evidence, JailName, Measure, Tracked};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Status`.
    Status(Status),
    /// To `List`.
    Bans(Vec<BanRow>),
    /// To `Why`.
    Why(Why),
    /// To `History`, oldest first.
    History(Vec<HistoryRow>),
    /// To everything that is done and not asked.
    Done {
        /// What an operator should know about it: how far outputs came, what a pause means.
        #[serde(default)]
        messages: Vec<String>,
        /// The bans that were made or ended; after a dry run those that would be.
        #[serde(default)]
        bans: Vec<BanRow>,
        /// What was not done of it; the rest was.
        #[serde(default)]
        refused: Vec<Refusal>,
    },
    /// Nothing was done.
    Failed {
        /// Why, and the fix; may have several lines.
        message: String,
        /// What kind of failure it is.
        code: FailCode,
    },
}

impl Reply {
    /// Done, and this is worth knowing.
    pub fn done(message: impl Into<String>) -> Self {
        Self::Done { messages: vec![message.into()], bans: Vec::new(), refused: Vec::new() }
    }

    /// Not done.
    pub fn failed(code: FailCode, message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), code }
    }
}

/// What kind of failure an answer tells; the command's exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailCode {
    /// It was tried and did not work, or is not permitted.
    Failed,
    /// The request names something that is not there, or the configuration is wrong.
    Usage,
    /// The daemon is not there for it: it is starting, stopping, or has too many clients.
    Unavailable,
}

/// One target that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// As it was given.
    pub target: String,
    /// Why: which entry protects it, or what is wrong with it.
    pub reason: String,
}

/// One row of the ban table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRow {
    /// Who is banned.
    pub address: Prefix,
    /// By which jail.
    pub jail: JailName,
    /// Whether it refuses the client, or only marks it for a challenge.
    #[serde(default)]
    pub value: Measure,
    /// The time of the deciding offence, or of the command.
    #[serde(with = "wire::time")]
    pub since: Timestamp,
    /// When it ends; `null` is never.
    #[serde(with = "wire::optional_time")]
    pub until: Option<Timestamp>,
    /// How many offences decided it; 0 by hand.
    pub offences: u32,
    /// Who decided it.
    pub origin: Origin,
    /// What the person said who made it by hand; or why a jail's ban is longer or wider than others.
    pub reason: Option<String>,
    /// Judged and shown, but in no output.
    #[serde(default)]
    pub simulated: bool,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        Self {
            address: ban.prefix,
            jail: ban.jail.clone(),
            value: ban.value,
            since: ban.since,
            until: ban.until,
            offences: ban.offences,
            origin: ban.origin,
            reason: ban.reason.clone(),
            simulated: ban.simulated,
        }
    }
}

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
    /// The rows that cover it, simulated ones included.
    pub bans: Vec<BanRow>,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::control::{FileState, FileStatus, JailStatus, OutputState, OutputStatus, SourceStatus};

    fn ban() -> Ban {
        Ban {
            prefix: "2001:db8::/64".parse().unwrap(),
            jail: "wordpress".parse().unwrap(),
            value: Measure::Ban,
            since: "2026-05-01T10:00:00.987654321Z".parse().unwrap(),
            until: None,
            offences: 5,
            origin: Origin::Log,
            reason: None,
            simulated: false,
            evidence: Vec::new(),
        }
    }

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[track_caller]
    fn assert_has(value: &Value, fields: &[&str]) {
        let missing: Vec<_> = fields.iter().filter(|field| !keys(value).contains(**field)).collect();
        assert!(missing.is_empty(), "{missing:?} missing in {value}");
    }

    #[test]
    fn a_ban_has_the_fields_that_others_rely_on() {
        let row = serde_json::to_value(BanRow::from(&ban())).unwrap();
        assert_has(&row, &["address", "jail", "since", "until", "offences", "origin", "reason"]);
        assert_eq!(row["address"], "2001:db8::/64");
        assert_eq!(row["since"], "2026-05-01T10:00:00Z");
        assert_eq!(row["until"], Value::Null);
        assert_eq!(row["origin"], "log");
    }

    #[test]
    fn why_has_the_fields_that_others_rely_on() {
        let evidence = Evidence {
            at: "2026-05-01T10:00:00Z".parse().unwrap(),
            jail: "wordpress".parse().unwrap(),
            text: "a\u{1b}[31mline".into(),
        };
        let why = Why {
            address: "2001:db8::1".parse().unwrap(),
            banned: true,
            challenged: false,
            bans: vec![BanRow::from(&ban())],
            protected_by: None,
            evidence: vec![EvidenceRow::from(&evidence)],
            history: Vec::new(),
            near: Vec::new(),
            earlier: Vec::new(),
        };
        let why = serde_json::to_value(why).unwrap();
        assert_has(&why, &["address", "banned", "bans", "protected_by", "evidence", "history"]);
        assert_has(&why["evidence"][0], &["at", "jail", "text"]);
        assert_eq!(why["address"], "2001:db8::1");
    }

    #[test]
    fn status_has_the_fields_that_others_rely_on() {
        let status = serde_json::to_value(status()).unwrap();
        assert_has(&status, &["version", "started", "jails", "sources", "outputs"]);
        let jail = &status["jails"]["wordpress"];
        let counts =
            ["offences_current", "offences_total", "hits_total", "bans_current", "bans_total", "paused"];
        assert_has(jail, &counts);
        assert_eq!(jail["paused"], json!(false));
        let file = &status["sources"]["site"]["files"][0];
        assert_has(file, &["path", "lines", "unparsed", "last_line", "state"]);
        assert_eq!(file["state"], "catching_up");
        let output = &status["outputs"]["nginx"];
        assert_has(output, &["kind", "entries", "generation", "published", "reloaded", "state", "error"]);
        assert_eq!(output["state"], "verified");
    }

    #[test]
    fn every_reply_survives_the_wire() {
        let done = Reply::Done {
            messages: vec!["verified".to_owned()],
            bans: vec![BanRow { since: "2026-05-01T10:00:00Z".parse().unwrap(), ..BanRow::from(&ban()) }],
            refused: vec![Refusal { target: "127.0.0.1".to_owned(), reason: "loopback".to_owned() }],
        };
        let failed = Reply::Failed { message: "no such jail".to_owned(), code: FailCode::Usage };
        for reply in [Reply::Status(status()), Reply::History(Vec::new()), done, failed] {
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
        }
    }

    fn status() -> Status {
        let file = FileStatus {
            path: "/var/log/nginx/access.log".to_owned(),
            lines: 7,
            unparsed: 0,
            last_line: None,
            mostly_from: None,
            dropped: 0,
            format: Some("combined".to_owned()),
            state: FileState::CatchingUp,
            error: None,
        };
        let output = OutputStatus {
            kind: "nginx-geo".to_owned(),
            entries: 1,
            generation: 3,
            published: Some("2026-05-01T10:00:00Z".parse().unwrap()),
            reloaded: None,
            state: OutputState::Verified,
            error: None,
            path: None,
            left_out: 0,
        };
        Status {
            version: "0.1.0".to_owned(),
            started: "2026-05-01T10:00:00Z".parse().unwrap(),
            jails: [("wordpress".parse().unwrap(), JailStatus::default())].into(),
            sources: [("site".parse().unwrap(), SourceStatus { files: vec![file] })].into(),
            outputs: [("nginx".parse().unwrap(), output)].into(),
            caps: [("evidence".to_owned(), crate::control::Cap::default())].into(),
            problems: Vec::new(),
        }
    }
}
