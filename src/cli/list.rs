//! `banmap list`: who is banned.

use clap::Args;
use comfy_table::{Cell, Table};
use jiff::Timestamp;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{Screen, many, remark};
use super::{table, times};
use crate::ban::Origin;
use crate::control::{BanRow, Reply, Request};
use crate::os::clock;
use crate::terms::JailName;
use crate::terms::escape;

/// Shows who is banned
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct List {
    /// Only bans of this jail
    #[arg(long)]
    jail: Option<JailName>,
    /// The bans of simulated jails, which are in no output, instead of the real ones
    #[arg(long)]
    simulated: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let request = Request::List { jail: self.jail, simulated: self.simulated };
        let bans = match globals.ask(&request)? {
            Reply::Bans(bans) => bans,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            bans.iter().try_for_each(|ban| screen.json(ban))?;
        } else if bans.is_empty() {
            remark("nobody is banned");
        } else {
            screen.line(grid(&bans, clock::now()).trim_fmt())?;
        }
        screen.finish()?;
        Ok(Exit::Done)
    }
}

/// Bans as a table.
pub(super) fn grid(bans: &[BanRow], now: Timestamp) -> Table {
    let mut grid = table::new(&["ADDRESS", "JAIL", "SINCE", "LEFT", "OFFENCES", "BY", "REASON"]);
    grid.add_rows(bans.iter().map(|ban| {
        [
            Cell::new(ban.address),
            Cell::new(&ban.jail),
            Cell::new(times::ago(ban.since, now)),
            Cell::new(times::left(ban.until, now)),
            Cell::new(ban.offences),
            Cell::new(by(ban.origin).to_owned() + if ban.value.is_challenge() { ", challenge" } else { "" }),
            table::text(ban.reason.as_deref().unwrap_or("")),
        ]
    }));
    grid
}

/// One ban in words: `203.0.113.7 by wordpress since 2026-05-01 10:00:00Z, 48m left; 5 offences`.
pub(super) fn sentence(ban: &BanRow, now: Timestamp) -> String {
    let left = times::left(ban.until, now);
    let end = if ban.until.is_some() { format!("{left} left") } else { left };
    let cause = match ban.origin {
        Origin::Log => many(ban.offences.into(), "offence"),
        Origin::Hand => "by hand".to_owned(),
    };
    let reason = ban.reason.as_deref().map(|reason| format!(": {}", escape::line(reason)));
    let simulated = if ban.simulated { "; simulated, in no output" } else { "" };
    let challenge = if ban.value.is_challenge() { "; a challenge, not refused" } else { "" };
    format!(
        "{} by {} since {}, {end}; {cause}{}{challenge}{simulated}",
        ban.address,
        ban.jail,
        times::exact(ban.since),
        reason.unwrap_or_default()
    )
}

/// Who decided it, in a word.
pub(super) fn by(origin: Origin) -> &'static str {
    match origin {
        Origin::Log => "log",
        Origin::Hand => "hand",
    }
}
