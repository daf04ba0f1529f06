//! What comes out of the engine, and the orders that people give it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::address::Prefix;
use crate::ban::Change;
use crate::terms::{JailName, OutputName, Pause};

/// What a call led to, in order.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// What happened to bans: for the store, the history and the log.
    pub changes: Vec<Change>,
    /// What an operator should know.
    pub notices: Vec<Notice>,
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
