//! What a client may ask of the daemon.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::length::BanLength;
use super::wire;
use crate::address::Prefix;
use crate::terms::JailName;

/// At most so many targets in one request; a client with more sends `Targets` before it.
pub(super) const MAX_TARGETS: usize = 10_000;

/// At most so many targets of one command: what the daemon keeps of commands that are still being sent is bounded by it.
pub(super) const MOST_TARGETS: usize = 1_000_000;

/// At most so many bans to take over in one request; as with targets, a client with more sends them before it.
pub(super) const MAX_FORMER: usize = 2_000;

/// The longest reason, in bytes: it is kept with each ban and shown in tables.
const MAX_REASON: usize = 1_000;

/// One request. A field that the daemon does not know is an error: a newer client's `dry_run` must never be overlooked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Answered once outputs exist and sources are open.
    Ping,
    /// Jails, sources and outputs, with counts and health.
    Status {
        /// This jail only.
        #[serde(default)]
        jail: Option<JailName>,
    },
    /// Active bans.
    List {
        /// Of this jail only.
        #[serde(default)]
        jail: Option<JailName>,
        /// The simulated ones instead.
        #[serde(default)]
        simulated: bool,
    },
    /// All that is known about one address or prefix.
    Why {
        /// Who.
        address: Prefix,
    },
    /// What happened: bans, unbans, reloads, commands by hand.
    History {
        /// To this address or prefix only.
        #[serde(default)]
        address: Option<Prefix>,
        /// From this time on.
        #[serde(default, with = "wire::optional_time")]
        since: Option<Timestamp>,
        /// In this jail only.
        #[serde(default)]
        jail: Option<JailName>,
    },
    /// Ban by hand. Those that may not be banned are refused one by one; the others are banned.
    Ban {
        /// Who; at most 10,000, beside those of `Targets` before it.
        targets: Vec<Prefix>,
        /// In this jail; else in the built-in jail of bans by hand.
        #[serde(default)]
        jail: Option<JailName>,
        /// How long; else the jail's bantime.
        #[serde(default)]
        duration: Option<BanLength>,
        /// Why, in the operator's words.
        #[serde(default)]
        reason: Option<String>,
        /// The address that the operator is logged in from; not banned but with `force`.
        #[serde(default)]
        own_address: Option<IpAddr>,
        /// Ban that address, too, and prefixes wider than an IPv4 /16 or an IPv6 /32.
        #[serde(default)]
        force: bool,
        /// Tell whom it would be, change nothing.
        #[serde(default)]
        dry_run: bool,
        /// Answer when it is stored, not when outputs are verified.
        #[serde(default)]
        no_wait: bool,
    },
    /// Take over bans that another program made: each in its jail, until it ends there. Those that may not be banned are
    /// refused one by one, those of jails that are not here are counted; the others are banned, and it is known how often
    /// they were.
    Inherit {
        /// Which; at most 2,000, beside those of `Targets` before it.
        bans: Vec<FormerBan>,
        /// Said of each of them in lists.
        #[serde(default)]
        reason: Option<String>,
        /// The address that the operator is logged in from; not banned but with `force`.
        #[serde(default)]
        own_address: Option<IpAddr>,
        /// Ban that address, too, and prefixes wider than an IPv4 /16 or an IPv6 /32.
        #[serde(default)]
        force: bool,
        /// Tell whom it would be, change nothing.
        #[serde(default)]
        dry_run: bool,
        /// Answer when it is stored, not when outputs are verified.
        #[serde(default)]
        no_wait: bool,
    },
    /// More targets for the command that comes next on this connection, or more bans for the `Inherit`; all of them are one
    /// command.
    Targets {
        /// Who; at most 10,000.
        #[serde(default)]
        targets: Vec<Prefix>,
        /// Which bans; at most 2,000.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bans: Vec<FormerBan>,
    },
    /// End bans by hand.
    Unban {
        /// Who; at most 10,000, beside those of `Targets` before it. Empty with `all`, or with `jail` for all of that jail.
        #[serde(default)]
        targets: Vec<Prefix>,
        /// Everybody.
        #[serde(default)]
        all: bool,
        /// In this jail only.
        #[serde(default)]
        jail: Option<JailName>,
        /// Only bans made at or after this time; not together with `targets`.
        #[serde(default, with = "wire::optional_time")]
        since: Option<Timestamp>,
        /// Forget their earlier bans, too: the next one is a first one.
        #[serde(default)]
        forget: bool,
        /// Tell whom it would be, change nothing.
        #[serde(default)]
        dry_run: bool,
        /// Answer when it is stored, not when outputs are verified.
        #[serde(default)]
        no_wait: bool,
    },
    /// Allow by hand, in all jails, and unban. An entry takes the place of an earlier one of the same prefix.
    Allow {
        /// Who; at most `MAX_TARGETS`.
        targets: Vec<Prefix>,
        /// How long; else until it is removed.
        #[serde(default)]
        duration: Option<BanLength>,
        /// Why, in the operator's words.
        #[serde(default)]
        reason: Option<String>,
        /// Answer when it is stored, not when outputs are verified.
        #[serde(default)]
        no_wait: bool,
    },
    /// Take entries off the allow list by hand.
    Disallow {
        /// Which; at most `MAX_TARGETS`.
        targets: Vec<Prefix>,
        /// Answer when it is stored, not when outputs are verified.
        #[serde(default)]
        no_wait: bool,
    },
    /// Who is allowed by hand.
    Allowed,
    /// Judge and log, but ban nobody new.
    Pause {
        /// This jail only.
        #[serde(default)]
        jail: Option<JailName>,
        /// For so long; else until `Resume`.
        #[serde(default, with = "wire::optional_length")]
        duration: Option<SignedDuration>,
    },
    /// End a pause.
    Resume {
        /// This jail only.
        #[serde(default)]
        jail: Option<JailName>,
    },
    /// Let the verdicts of a jail go that the storm breaker holds, or drop them.
    Release {
        /// Whose.
        jail: JailName,
        /// Forget them instead.
        #[serde(default)]
        drop: bool,
    },
    /// Read the configuration again: whole, or not at all.
    Reload,
    /// Write an empty list.
    Empty {
        /// An output's name, or the path of a file that an output of an earlier configuration wrote.
        what: String,
    },
}

impl Request {
    /// A plain ban.
    #[cfg(test)]
    pub(crate) fn ban(targets: Vec<Prefix>) -> Self {
        Self::Ban {
            targets,
            jail: None,
            duration: None,
            reason: None,
            own_address: None,
            force: false,
            dry_run: false,
            no_wait: false,
        }
    }

    /// Takes out what one request may not hold of a command with many targets or bans: the requests to send before it.
    pub(super) fn split_off(&mut self) -> Vec<Self> {
        match self {
            Self::Ban { targets, .. }
            | Self::Unban { targets, .. }
            | Self::Allow { targets, .. }
            | Self::Disallow { targets, .. } => {
                let rest = targets.split_off(targets.len().min(MAX_TARGETS));
                let parts = rest.chunks(MAX_TARGETS);
                parts.map(|part| Self::Targets { targets: part.to_vec(), bans: Vec::new() }).collect()
            }
            Self::Inherit { bans, .. } => {
                let rest = bans.split_off(bans.len().min(MAX_FORMER));
                let parts = rest.chunks(MAX_FORMER);
                parts.map(|part| Self::Targets { targets: Vec::new(), bans: part.to_vec() }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Adds the targets, or the bans, that were sent before it.
    pub(super) fn join(&mut self, (more, former): (Vec<Prefix>, Vec<FormerBan>)) {
        match self {
            Self::Ban { targets, .. }
            | Self::Unban { targets, .. }
            | Self::Allow { targets, .. }
            | Self::Disallow { targets, .. } => targets.extend(more),
            Self::Inherit { bans, .. } => bans.extend(former),
            _ => {}
        }
    }

    /// Whether it names more targets than one request may, in words for the one who sent it.
    pub(super) fn excess(&self) -> Option<String> {
        let (targets, bans) = match self {
            Self::Ban { targets, .. }
            | Self::Unban { targets, .. }
            | Self::Allow { targets, .. }
            | Self::Disallow { targets, .. } => (targets.len(), 0),
            Self::Inherit { bans, .. } => (0, bans.len()),
            Self::Targets { targets, bans } => (targets.len(), bans.len()),
            _ => (0, 0),
        };
        let told = |number, what, most| format!("{number} {what} in one request: send at most {most}");
        if targets > MAX_TARGETS {
            Some(told(targets, "addresses", MAX_TARGETS))
        } else {
            (bans > MAX_FORMER).then(|| told(bans, "bans", MAX_FORMER))
        }
    }

    /// What makes a whole command unacceptable, in words for the one who sent it.
    pub(super) fn flaw(&self) -> Option<String> {
        match self {
            Self::Ban { targets, .. } if targets.is_empty() => Some("nobody to ban is named".to_owned()),
            Self::Allow { targets, .. } if targets.is_empty() => Some("nobody to allow is named".to_owned()),
            Self::Disallow { targets, .. } if targets.is_empty() => {
                Some("no entry to remove is named".to_owned())
            }
            Self::Inherit { bans, .. } if bans.is_empty() => Some("no ban to take over is named".to_owned()),
            Self::Ban { reason: Some(reason), .. }
            | Self::Allow { reason: Some(reason), .. }
            | Self::Inherit { reason: Some(reason), .. }
                if reason.len() > MAX_REASON =>
            {
                Some(format!("the reason has {} bytes: write at most {MAX_REASON}", reason.len()))
            }
            Self::Unban { targets, all: false, jail: None, .. } if targets.is_empty() => {
                Some("nobody to unban is named: give addresses, a jail, or `all`".to_owned())
            }
            Self::Unban { targets, all: true, .. } if !targets.is_empty() => {
                Some("`all` and single addresses exclude each other".to_owned())
            }
            Self::Unban { targets, since: Some(_), .. } if !targets.is_empty() => {
                Some("`since` and single addresses exclude each other".to_owned())
            }
            _ => None,
        }
    }

    /// Whether it only asks, and changes nothing.
    pub fn is_question(&self) -> bool {
        match self {
            Self::Ping
            | Self::Status { .. }
            | Self::List { .. }
            | Self::Why { .. }
            | Self::Allowed
            | Self::History { .. }
            | Self::Targets { .. } => true,
            Self::Ban { dry_run, .. } | Self::Unban { dry_run, .. } | Self::Inherit { dry_run, .. } => {
                *dry_run
            }
            Self::Allow { .. }
            | Self::Disallow { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Release { .. }
            | Self::Reload
            | Self::Empty { .. } => false,
        }
    }
}

/// A ban that another program made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerBan {
    /// Who.
    pub address: Prefix,
    /// The jail that goes on with it.
    pub jail: JailName,
    /// When it began.
    #[serde(with = "wire::time")]
    pub since: Timestamp,
    /// When it ends; `null` is never. Of one that is over only the count is taken over.
    #[serde(with = "wire::optional_time")]
    pub until: Option<Timestamp>,
    /// How often they were banned, this ban included.
    pub bans: u32,
    /// How many offences decided it.
    #[serde(default)]
    pub offences: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_can_be_written_by_hand() {
        assert_eq!(read(r#"{"verb":"ping"}"#), Ok(Request::Ping));
        assert_eq!(read(r#"{"verb":"list"}"#), Ok(Request::List { jail: None, simulated: false }));
        let ban =
            read(r#"{"verb":"ban","targets":["192.0.2.7","2001:db8::/64"],"duration":"1h30m"}"#).unwrap();
        let Request::Ban { targets, duration, .. } = ban else { panic!("{ban:?}") };
        assert_eq!(targets.len(), 2);
        assert_eq!(duration, Some(BanLength::For(SignedDuration::from_mins(90))));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            r#"{"verb":"unban","all":true,"only_pretend":true}"#,
            r#"{"verb":"explode"}"#,
            r#"{"verb":"ban","targets":["example.net"]}"#,
            r#"{"verb":"ban","targets":[],"duration":"1 hour"}"#,
            r#"{"verb":"status","jail":"-x"}"#,
            r#"{"verb":"why"}"#,
            "[]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unban_never_means_everybody_by_omission() {
        for text in [
            r#"{"verb":"unban"}"#,
            r#"{"verb":"unban","since":"2026-05-01T10:00:00Z"}"#,
            r#"{"verb":"unban","all":true,"targets":["192.0.2.7"]}"#,
            r#"{"verb":"unban","since":"2026-05-01T10:00:00Z","targets":["192.0.2.7"]}"#,
            r#"{"verb":"ban","targets":[]}"#,
        ] {
            assert!(read(text).unwrap().flaw().is_some(), "{text}");
        }
        for text in [
            r#"{"verb":"unban","all":true}"#,
            r#"{"verb":"unban","jail":"x"}"#,
            r#"{"verb":"unban","targets":["192.0.2.7"]}"#,
        ] {
            assert_eq!(read(text).unwrap().flaw(), None, "{text}");
        }
    }

    #[test]
    fn what_one_request_cannot_hold_goes_before_it_and_comes_together_in_order() {
        let address = |n: usize| Prefix::new(IpAddr::V4((n as u32).into()).into(), 32);
        let all: Vec<Prefix> = (0..=MAX_TARGETS).map(address).collect();
        let mut ban = Request::ban(all.clone());
        let before = ban.split_off();
        let [Request::Targets { targets, bans }] = before.as_slice() else { panic!("{before:?}") };
        assert_eq!((targets.len(), bans.len(), ban.excess()), (1, 0, None));
        ban.join((targets.clone(), Vec::new()));
        assert!(matches!(ban, Request::Ban { targets, .. } if targets == all));
        assert_eq!(Request::Ping.split_off(), []);
    }

    #[test]
    fn bans_to_take_over_are_split_into_what_a_request_may_hold() {
        let former = |n: usize| FormerBan {
            address: Prefix::new(IpAddr::V6((u128::MAX - n as u128).into()).into(), 128),
            jail: "x".repeat(64).parse().unwrap(),
            since: "2026-05-01T10:00:00Z".parse().unwrap(),
            until: Some("2026-05-02T10:00:00Z".parse().unwrap()),
            bans: u32::MAX,
            offences: u32::MAX,
        };
        let all: Vec<FormerBan> = (0..=2 * MAX_FORMER).map(former).collect();
        let mut inherit = Request::Inherit {
            bans: all.clone(),
            reason: None,
            own_address: None,
            force: false,
            dry_run: false,
            no_wait: false,
        };
        assert!(inherit.excess().is_some());
        let before = inherit.split_off();
        assert_eq!((before.len(), inherit.excess()), (2, None));
        assert!(before.iter().all(|part| serde_json::to_string(part).unwrap().len() < 1 << 20));
        for part in before {
            assert_eq!(part.excess(), None);
            let Request::Targets { bans, .. } = part else { panic!("{part:?}") };
            inherit.join((Vec::new(), bans));
        }
        assert!(matches!(inherit, Request::Inherit { bans, .. } if bans == all));
    }

    #[test]
    fn too_many_targets_and_too_long_reasons_are_flaws() {
        let ban = |count: usize, reason: usize| Request::Ban {
            targets: vec!["192.0.2.7".parse().unwrap(); count],
            jail: None,
            duration: None,
            reason: Some("x".repeat(reason)),
            own_address: None,
            force: false,
            dry_run: false,
            no_wait: false,
        };
        let flawless = ban(MAX_TARGETS, MAX_REASON);
        assert_eq!((flawless.excess(), flawless.flaw()), (None, None));
        assert!(ban(MAX_TARGETS + 1, 1).excess().is_some());
        assert!(ban(1, MAX_REASON + 1).flaw().is_some());
    }
}
