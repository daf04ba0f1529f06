//! `banmap allow`: the allow list that is kept by hand.

use clap::{Args, Subcommand};
use comfy_table::{Cell, Table};
use jiff::Timestamp;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome::{Outcome, Verb};
use super::screen::{Screen, remark};
use super::targets::Targets;
use super::{duration, table, times};
use crate::control::{AllowedRow, BanLength, Reply, Request};
use crate::os::clock;
use crate::terms::escape;

/// Keeps a list of who is never banned, beside `ignoreip`
///
/// It holds for all jails and for bans by hand, and is kept over restarts. `replay` does not know it.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Allow {
    #[command(subcommand)]
    what: What,
}

/// What is done with the list.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum What {
    Add(Add),
    Remove(Remove),
    List(List),
}

/// Allows addresses or prefixes, and unbans them everywhere
///
/// Shows the bans that this ended, and returns when the web servers have the new list. A ban of a prefix around them goes
/// on without them; an output that cannot hold it so is named. Allowing somebody again replaces time and reason.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["addresses", "file"]))]
struct Add {
    #[command(flatten)]
    targets: Targets,
    /// How long: 30m, 7d [default: until it is removed]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::of_ban)]
    length: Option<BanLength>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Return when it is stored, without waiting for the web servers
    #[arg(long)]
    no_wait: bool,
    /// The bans that ended as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Takes entries off the list, exactly as they stand there
///
/// The bans that they ended do not come back; a ban of a prefix around them holds them again.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["addresses", "file"]))]
struct Remove {
    #[command(flatten)]
    targets: Targets,
    /// Return when it is stored, without waiting for the web servers
    #[arg(long)]
    no_wait: bool,
}

/// Shows the list
#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct List {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Allow {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        match self.what {
            What::Add(add) => add.execute(globals),
            What::Remove(remove) => remove.execute(globals),
            What::List(list) => list.execute(globals),
        }
    }
}

impl Add {
    fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let given = self.targets.gather()?;
        given.remarks.iter().for_each(|text| remark(&escape::line(text)));
        let mut outcome = Outcome::of(&given);
        if !given.prefixes.is_empty() {
            outcome.add(globals.connect()?.order(Request::Allow {
                targets: given.prefixes.clone(),
                duration: self.length,
                reason: self.reason,
                no_wait: self.no_wait,
            })?)?;
        }
        outcome.show(&given, Verb::Unbanned, self.json)
    }
}

impl Remove {
    fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let given = self.targets.gather()?;
        let mut outcome = Outcome::of(&given);
        if !given.prefixes.is_empty() {
            let request = Request::Disallow { targets: given.prefixes.clone(), no_wait: self.no_wait };
            outcome.add(globals.connect()?.order(request)?)?;
        }
        outcome.show(&given, Verb::Unbanned, false)
    }
}

impl List {
    fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let entries = match globals.ask(&Request::Allowed)? {
            Reply::Allowed(entries) => entries,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            entries.iter().try_for_each(|entry| screen.json(entry))?;
        } else if entries.is_empty() {
            remark("nobody is allowed by hand; `ignoreip` of the configuration is not shown here");
        } else {
            screen.line(grid(&entries, clock::now()).trim_fmt())?;
        }
        screen.finish()?;
        Ok(Exit::Done)
    }
}

fn grid(entries: &[AllowedRow], now: Timestamp) -> Table {
    let mut grid = table::new(&["ADDRESS", "SINCE", "LEFT", "BY", "REASON"]);
    grid.add_rows(entries.iter().map(|entry| {
        [
            Cell::new(entry.address),
            Cell::new(times::ago(entry.since, now)),
            Cell::new(times::left(entry.until, now)),
            Cell::new(entry.uid.map(|uid| format!("uid {uid}")).unwrap_or_default()),
            table::text(entry.reason.as_deref().unwrap_or("")),
        ]
    }));
    grid
}
