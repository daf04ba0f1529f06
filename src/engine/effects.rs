//! What comes out of the engine, and the orders that people give it.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::address::{Address, AllowEntry, Prefix};
use crate::ban::Change;
use crate::terms::{Allowance, Claim, JailName, Offence, OutputName, Pause};

/// What a call led to, in order.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// What happened to bans: for the store, the history and the log.
    pub changes: Vec<Change>,
    /// What an operator should know.
    pub notices: Vec<Notice>,
    /// Offences that were not counted, since their address is protected: for `replay`, which shows what that changes.
    pub spared: Vec<Spared>,
    /// Claims to look into; the answers go to [`Engine::verified`](super::Engine::verified).
    pub verify: Vec<Claim>,
}

/// An offence of somebody who is protected.
#[derive(Clone, Debug)]
pub struct Spared {
    /// What was not counted.
    pub offence: Offence,
    /// Whose it is.
    pub address: Address,
    /// Its event time.
    pub at: Timestamp,
    /// What protects them. The origin tells where that is written, or is the whole rule in words.
    pub by: AllowEntry,
}

/// What an operator should know. Each is said seldom, however often it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A banned client is answered as if it were not; said once in 10 minutes for the same outputs.
    NoEffect {
        /// The banned prefix.
        prefix: Prefix,
        /// By which jail.
        jail: JailName,
        /// The outputs that carry the ban, and have for at least 2 s.
        outputs: Vec<OutputName>,
        /// How many of its requests passed since.
        passed: u32,
    },
    /// A jail's `max_tracked` is reached, and addresses give way; said once in 10 minutes.
    TrackerFull {
        /// The jail.
        jail: JailName,
        /// How many gave way since the start.
        evicted: u64,
    },
    /// A prefix misbehaved as a whole, but an output cannot hold it without those inside who are protected; said once in
    /// 10 minutes for a jail.
    NotWidened {
        /// The prefix.
        prefix: Prefix,
        /// The jail.
        jail: JailName,
        /// The outputs that cannot.
        outputs: Vec<OutputName>,
    },
    /// A jail bans suspiciously many at once.
    Storm {
        /// The jail.
        jail: JailName,
        /// How many addresses it banned, or would have, within a minute.
        bans: u32,
        /// How many clients there were in that minute, about; `None` where no log tells.
        clients: Option<u64>,
        /// From now on verdicts wait.
        holds: bool,
    },
    /// It does so no longer.
    Calm {
        /// The jail.
        jail: JailName,
        /// So many verdicts still wait.
        held: usize,
    },
    /// Verdicts that the storm breaker held were dropped, since nobody let them go.
    Dropped {
        /// The jail.
        jail: JailName,
        /// How many.
        verdicts: usize,
    },
    /// A jail has as many bans as it may, and bans nobody new; said once in 10 minutes.
    Full {
        /// The jail.
        jail: JailName,
        /// Its `max_bans`.
        limit: usize,
    },
    /// A pause ended by itself.
    PauseOver(Pause),
    /// A client is the crawler that it says to be, and was about to be banned, or was banned.
    CrawlerSpared {
        /// Who, and which one.
        claim: Claim,
        /// What proves it.
        by: Arc<str>,
    },
    /// An entry of the allow list by hand ended by itself.
    AllowanceOver(Allowance),
    /// Somebody was allowed inside of a banned prefix.
    Split {
        /// Who.
        prefix: Prefix,
        /// The banned prefix.
        within: Prefix,
        /// Whose ban that is.
        jail: JailName,
        /// The outputs that cannot hold the prefix without them, and hold nothing of it from now on.
        left_out: Vec<OutputName>,
    },
    /// Somebody is not allowed any more, but another rule protects them all the same.
    StillProtected {
        /// Who.
        prefix: Prefix,
        /// The rule.
        rule: String,
    },
    /// Somebody is not allowed any more, and a wider ban holds them.
    BannedWithin {
        /// Who.
        prefix: Prefix,
        /// The banned prefix.
        within: Prefix,
        /// Whose ban that is.
        jail: JailName,
    },
    /// A ban was ended by hand, but a wider one still bans.
    StillBanned {
        /// What was unbanned.
        prefix: Prefix,
        /// The prefix around it.
        by: Prefix,
        /// Whose ban that is.
        jail: JailName,
    },
}

impl fmt::Display for Notice {
    /// What it is, and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEffect { prefix, jail, outputs, passed } => {
                let outputs: Vec<&str> = outputs.iter().map(OutputName::as_str).collect();
                write!(
                    f,
                    "{prefix} is banned by {jail}, and {passed} of its requests were answered all the same although {} holds \
                     it: is the output included in this server? `banmap snippet` prints what to paste",
                    outputs.join(", ")
                )
            }
            Self::TrackerFull { jail, evicted } => write!(
                f,
                "jail {jail} tracks as many addresses as it may: the least useful give way ({evicted} so far)"
            ),
            Self::NotWidened { prefix, jail, outputs } => {
                let outputs: Vec<&str> = outputs.iter().map(OutputName::as_str).collect();
                let outputs = outputs.join(", ");
                write!(f, "jail {jail} bans {prefix} in parts only: {outputs} cannot hold it as a whole")
            }
            Self::Full { jail, limit } => write!(
                f,
                "jail {jail} has as many bans as it may ({limit}, `max_bans`): it bans nobody new until some have ended"
            ),
            Self::Storm { jail, bans, clients, holds } => storm(f, jail, *bans, *clients, *holds),
            Self::Calm { jail, held: 0 } => write!(f, "the storm of jail {jail} is over"),
            Self::Calm { jail, held } => write!(
                f,
                "the storm of jail {jail} is over, and new verdicts ban again; {held} wait: `banmap release {jail}` bans them, \
                 with --drop they are forgotten"
            ),
            Self::Dropped { jail, verdicts } => write!(
                f,
                "jail {jail}: {verdicts} verdicts that were held in a storm were dropped, since nobody released them"
            ),
            Self::PauseOver(Pause { jail: Some(jail), .. }) => {
                write!(f, "the pause of jail {jail} is over: verdicts ban again")
            }
            Self::PauseOver(_) => f.write_str("the pause of all jails is over: verdicts ban again"),
            Self::CrawlerSpared { claim: Claim { address, crawler }, by } => {
                write!(
                    f,
                    "{address} is the crawler {crawler} ({by}), and is not banned where that is ignored"
                )
            }
            Self::AllowanceOver(Allowance { prefix, .. }) => {
                write!(f, "{prefix} is not allowed by hand any more: its time is over")
            }
            Self::Split { prefix, within, jail, left_out } if left_out.is_empty() => {
                write!(f, "{within} stays banned by {jail}, without {prefix}")
            }
            Self::Split { prefix, within, jail, left_out } => {
                let outputs: Vec<&str> = left_out.iter().map(OutputName::as_str).collect();
                let outputs = outputs.join(", ");
                write!(
                    f,
                    "{within} stays banned by {jail}, without {prefix}; {outputs} cannot hold it so, and does not hold it at all"
                )
            }
            Self::StillProtected { prefix, rule } => write!(f, "{prefix} is still protected: {rule}"),
            Self::BannedWithin { prefix, within, jail } => {
                write!(f, "{prefix} is banned as part of {within} by {jail} from now on")
            }
            Self::StillBanned { prefix, by, jail } => {
                write!(f, "{prefix} is still banned as part of {by} by {jail}")
            }
        }
    }
}

fn storm(
    f: &mut fmt::Formatter<'_>,
    jail: &JailName,
    bans: u32,
    clients: Option<u64>,
    holds: bool,
) -> fmt::Result {
    write!(f, "a storm in jail {jail}: {bans} addresses within a minute")?;
    // Whoever is banned is a client, too, whatever the estimate says.
    let clients = clients.map(|clients| clients.max(bans.into()));
    clients.map_or(Ok(()), |clients| write!(f, " of about {clients} clients"))?;
    f.write_str(" are more than a filter should find: an attack, or is the filter wrong? ")?;
    if holds {
        write!(f, "Its verdicts wait: `banmap release {jail}` bans them, with --drop they are forgotten")
    } else {
        write!(f, "`banmap list --jail {jail}` shows whom it bans; `banmap pause {jail}` stops it")
    }
}

/// How long a ban by hand lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Term {
    /// The jail's bantime.
    #[default]
    Usual,
    /// Until it is unbanned.
    Forever,
    /// So long, from now; more than nothing.
    For(SignedDuration),
}

/// A ban by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who is to be banned.
    pub prefix: Prefix,
    /// In which jail's name and outputs; `None`: the built-in jail, all outputs.
    pub jail: Option<JailName>,
    /// For how long.
    pub term: Term,
    /// Why; shown in lists.
    pub reason: Option<String>,
}

/// An order that is not carried out, and why. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is never banned.
    #[error("`{prefix}` is never banned: {rule}")]
    Protected {
        /// Who was to be banned.
        prefix: Prefix,
        /// The rule that protects it, and where it was written.
        rule: String,
    },
    /// It holds more addresses than any ban may.
    #[error("`{prefix}` is too wide: a ban holds at most an IPv4 /8 or an IPv6 /19; ban narrower prefixes")]
    TooWide {
        /// What was to be banned.
        prefix: Prefix,
    },
    /// It holds more addresses than people mean to ban; the order is carried out where they insist.
    #[error(
        "`{prefix}` is wider than an IPv4 /16 or an IPv6 /32: it holds {}; --force bans it all the same",
        prefix.extent()
    )]
    Wide {
        /// What was to be banned.
        prefix: Prefix,
    },
    /// It would ban the one who gives the order; it is carried out where they insist.
    #[error("{}; --force bans it all the same", own_address(*prefix, *own))]
    OwnAddress {
        /// Who was to be banned.
        prefix: Prefix,
        /// Where the operator comes from.
        own: Address,
    },
    /// The ban would be over at once.
    #[error("a ban of {0:#} is over at once; give a longer time, or `forever`")]
    NoTime(SignedDuration),
    /// There is no such jail.
    #[error("there is no jail `{jail}`; the jails are {}", list(known))]
    UnknownJail {
        /// The name that was given.
        jail: JailName,
        /// The jails that there are.
        known: Vec<JailName>,
    },
    /// The jail publishes nothing.
    #[error("jail `{0}` only simulates, its bans have no effect; leave the jail out to ban in all outputs")]
    Simulates(JailName),
    /// It is not banned.
    #[error("`{prefix}` is not banned{}", by(jail.as_ref()))]
    NotBanned {
        /// Who was to be unbanned.
        prefix: Prefix,
        /// By which jail, if one was named.
        jail: Option<JailName>,
    },
    /// It is not banned itself, but as a member of a prefix.
    #[error(
        "`{prefix}` is banned as part of `{within}` by jail `{jail}`: unban `{within}`, or allow `{prefix}`"
    )]
    WithinPrefix {
        /// Who was to be unbanned.
        prefix: Prefix,
        /// The banned prefix around it.
        within: Prefix,
        /// Whose ban that is.
        jail: JailName,
    },
    /// Nobody could be banned any more, or nearly nobody.
    #[error(
        "`{prefix}` is too wide to be allowed by hand: at most an IPv4 /8 or an IPv6 /7; `pause` bans nobody at all"
    )]
    TooMuchAllowed {
        /// Who was to be allowed.
        prefix: Prefix,
    },
    /// The allow list by hand is full.
    #[error(
        "`{prefix}` is one too many: the allow list by hand holds {limit} entries; a \"file:\" in ignoreip holds more"
    )]
    AllowedFull {
        /// Who was to be allowed.
        prefix: Prefix,
        /// How many fit.
        limit: usize,
    },
    /// It is not allowed by hand.
    #[error("`{prefix}` is not allowed by hand{}", rule.as_ref().map(|rule| format!("; it is protected: {rule}")).unwrap_or_default())]
    NotAllowed {
        /// Who was to be taken off the list.
        prefix: Prefix,
        /// The rule that protects it, if one does.
        rule: Option<String>,
    },
    /// The storm breaker holds nothing of this jail.
    #[error("no verdict of jail `{0}` is held")]
    NothingHeld(JailName),
    /// There is nothing to resume.
    #[error("{} not paused", .0.as_ref().map_or("no jail is".to_owned(), |jail| format!("jail `{jail}` is")))]
    NotPaused(Option<JailName>),
    /// The jail is not paused by itself.
    #[error("jail `{0}` is paused together with all jails: resume without naming a jail")]
    AllPaused(JailName),
}

fn own_address(prefix: Prefix, own: Address) -> String {
    if prefix.is_host() {
        format!("`{prefix}` is your own address: you are logged in from it (SSH)")
    } else {
        format!("`{prefix}` holds your own address {own}: you are logged in from it (SSH)")
    }
}

fn by(jail: Option<&JailName>) -> String {
    jail.map_or_else(String::new, |jail| format!(" by jail `{jail}`"))
}

fn list(names: &[JailName]) -> String {
    names.iter().map(JailName::as_str).collect::<Vec<_>>().join(", ")
}

/// A notice is said at most once within this time for the same cause.
pub(super) const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// Whether something that was last said at `last` may be said again.
pub(super) fn may_say_again(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= QUIET)
}
