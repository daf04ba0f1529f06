//! What the daemon answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HistoryRow, Status, Why, wire};
use crate::address::Prefix;
use crate::ban::{Ban, Origin};
use crate::terms::{Allowance, JailName, Measure};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Status`.
    Status(Status),
    /// To `List`.
    Bans(Vec<BanRow>),
    /// To `Allowed`, by address.
    Allowed(Vec<AllowedRow>),
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
    /// Who stays free inside it; told to the one who bans it, and by `Why`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spared: Vec<Spared>,
}

/// Who stays free inside a banned prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// The protected part of it.
    pub address: Prefix,
    /// The allow entry, trusted proxy or other rule that protects it, and where that is written.
    pub rule: String,
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
            spared: Vec::new(),
        }
    }
}

/// One entry of the allow list by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedRow {
    /// Who is allowed.
    pub address: Prefix,
    /// Since when.
    #[serde(with = "wire::time")]
    pub since: Timestamp,
    /// When it ends; `null` is not before it is removed.
    #[serde(with = "wire::optional_time")]
    pub until: Option<Timestamp>,
    /// Who gave the command.
    pub uid: Option<u32>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

impl From<&Allowance> for AllowedRow {
    fn from(entry: &Allowance) -> Self {
        let Allowance { prefix, since, until, uid, reason } = entry.clone();
        Self { address: prefix, since, until, uid, reason }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::control::{
        EvidenceRow, FileState, FileStatus, JailStatus, OutputState, OutputStatus, SourceStatus,
    };

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
        let evidence = crate::terms::Evidence {
            at: "2026-05-01T10:00:00Z".parse().unwrap(),
            jail: "wordpress".parse().unwrap(),
            text: "a\u{1b}[31mline".into(),
        };
        let why = Why {
            banned: true,
            challenged: false,
            bans: vec![BanRow::from(&ban())],
            evidence: vec![EvidenceRow::from(&evidence)],
            ..Why::of("2001:db8::1".parse().unwrap())
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
