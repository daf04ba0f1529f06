//! `banmap import fail2ban --bans`: whom fail2ban banned goes on here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use super::unusable;
use crate::cli::exit::{CliError, Exit};
use crate::cli::globals::Globals;
use crate::cli::login;
use crate::cli::outcome::{Outcome, Verb};
use crate::cli::screen::{many, remark};
use crate::cli::targets::Given;
use crate::control::{ControlError, FormerBan, Request};
use crate::migrate::{self, TheirBan};
use crate::os::clock;
use crate::terms::{JailName, escape};

/// What lists say of each ban.
const REASON: &str = "taken over from fail2ban";

/// Options of `--bans`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Bans {
    /// Take over the bans and their counts, not the configuration [default of DB: what fail2ban.conf says, most often
    /// /var/lib/fail2ban/fail2ban.sqlite3]
    #[arg(long = "bans", value_name = "DB", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "not given, given, given with a value")]
    database: Option<Option<PathBuf>>,
    /// The bans of fail2ban's jail THEIRS go to banmap's jail OURS; may be given several times
    #[arg(long, value_name = "THEIRS=OURS", requires = "database")]
    rename: Vec<Renamed>,
    /// Also the address that you are logged in from, and prefixes wider than /16 (IPv4) or /32 (IPv6)
    #[arg(long, requires = "database")]
    force: bool,
    /// Show whom it would be, and change nothing
    #[arg(long, requires = "database")]
    dry_run: bool,
    /// Return when it is stored, without waiting for the web servers
    #[arg(long, requires = "database")]
    no_wait: bool,
}

/// `nginx-botsearch=probe-paths`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Renamed {
    theirs: String,
    ours: JailName,
}

impl FromStr for Renamed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (theirs, ours) = text.split_once('=').ok_or("write THEIRS=OURS")?;
        let ours = ours.parse::<JailName>().map_err(|error| error.to_string())?;
        Ok(Self { theirs: theirs.to_owned(), ours })
    }
}

/// What was read, sorted out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sorted {
    bans: Vec<FormerBan>,
    /// How many of them are over, and tell only how often somebody was banned.
    over: usize,
    /// How many were left out, by the reason.
    left_out: BTreeMap<String, usize>,
}

impl Bans {
    pub(super) fn are_wanted(&self) -> bool {
        self.database.is_some()
    }

    pub(super) fn execute(self, directory: &Path, globals: &Globals, json: bool) -> Result<Exit, CliError> {
        let database = match self.database.clone().flatten() {
            Some(database) => database,
            None => migrate::database_of_fail2ban(directory).map_err(unusable)?,
        };
        let theirs = migrate::bans_of_fail2ban(&database).map_err(unusable)?;
        let mut sorted = self.sort(&theirs.bans, clock::now());
        if theirs.endless > 0 {
            let why = "it is from a fail2ban before 0.11 and does not say how long it lasts";
            sorted.left_out.insert(why.to_owned(), theirs.endless);
        }
        sorted.tell(&database);
        if sorted.bans.is_empty() {
            return Ok(Exit::Done);
        }
        let mut outcome = Outcome::default();
        let mut client = globals.connect().inspect_err(explain)?;
        outcome.add(client.order(Request::Inherit {
            bans: sorted.bans,
            reason: Some(REASON.to_owned()),
            own_address: login::address(),
            force: self.force,
            dry_run: self.dry_run,
            no_wait: self.no_wait,
        })?)?;
        let verb = if self.dry_run { Verb::WouldBan } else { Verb::Banned };
        outcome.show(&Given::default(), verb, json)
    }

    fn sort(&self, theirs: &[TheirBan], now: Timestamp) -> Sorted {
        let mut sorted = Sorted::default();
        for ban in theirs {
            match self.former(ban) {
                Ok(former) => {
                    sorted.over += usize::from(former.until.is_some_and(|until| until <= now));
                    sorted.bans.push(former);
                }
                Err(why) => *sorted.left_out.entry(why).or_default() += 1,
            }
        }
        sorted
    }

    /// A ban as the daemon takes it; the error says why it does not.
    fn former(&self, ban: &TheirBan) -> Result<FormerBan, String> {
        let renamed = self.rename.iter().find(|renamed| renamed.theirs == ban.jail);
        let named = || migrate::jail_name(&ban.jail).parse().map_err(|_| format!("jail {}", ban.jail));
        let no_address = |_| format!("jail {} bans by something else than an address", ban.jail);
        let time = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        Ok(FormerBan {
            address: ban.id.parse().map_err(no_address)?,
            jail: renamed.map_or_else(named, |renamed| Ok(renamed.ours.clone()))?,
            since: time(ban.since),
            until: ban.until.map(time),
            bans: ban.bans,
            offences: ban.offences,
        })
    }
}

impl Sorted {
    fn tell(&self, database: &Path) {
        let active = many((self.bans.len() - self.over) as u64, "ban");
        let over = if self.over > 0 {
            format!(", and how often {} had been banned whose bans are over", addresses(self.over))
        } else {
            String::new()
        };
        remark(&escape::line(&format!("{}: {active} in force{over}", database.display())));
        for (why, bans) in &self.left_out {
            remark(&escape::line(&format!("{} left out: {why}", many(*bans as u64, "ban"))));
        }
    }
}

/// What to do where no daemon runs.
fn explain(error: &CliError) {
    if matches!(error, CliError::Control(ControlError::NotRunning(_))) {
        remark("the running daemon takes the bans over: start it, then give this command again");
    }
}

fn addresses(number: usize) -> String {
    if number == 1 { "1 address".to_owned() } else { format!("{number} addresses") }
}
