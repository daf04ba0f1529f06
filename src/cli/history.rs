//! `banmap history`: what happened.

use clap::Args;
use comfy_table::{Cell, Table};

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{Screen, remark};
use super::since::Since;
use super::{list, table, times};
use crate::address::Prefix;
use crate::control::{HistoryRow, Reply, Request};
use crate::os::clock;
use crate::terms::{HistoryKind, JailName, show_duration};

/// Shows bans, unbans, reloads and commands by hand, oldest first
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct History {
    /// Only of this address or prefix
    #[arg(value_name = "ADDR")]
    address: Option<Prefix>,
    /// Only from then on: 1h, 2026-05-01, 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only of this jail
    #[arg(long)]
    jail: Option<JailName>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let since = self.since.map(|since| since.resolve(clock::now()));
        let request = Request::History { address: self.address, since, jail: self.jail };
        let rows = match globals.ask(&request)? {
            Reply::History(rows) => rows,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            rows.iter().try_for_each(|row| screen.json(row))?;
        } else if rows.is_empty() {
            remark("nothing happened");
        } else {
            screen.line(grid(&rows).trim_fmt())?;
        }
        screen.finish()?;
        Ok(Exit::Done)
    }
}

/// What happened, as a table.
pub(super) fn grid(rows: &[HistoryRow]) -> Table {
    let mut grid = table::new(&["TIME", "EVENT", "ADDRESS", "JAIL", "FOR", "OFFENCES", "BY", "WHAT"]);
    grid.add_rows(rows.iter().map(|row| {
        [
            Cell::new(times::exact(row.at)),
            Cell::new(row.event.word()),
            Cell::new(row.address.map(|address| address.to_string()).unwrap_or_default()),
            Cell::new(row.jail.as_ref().map(ToString::to_string).unwrap_or_default()),
            Cell::new(length(row)),
            Cell::new(row.offences.map(|offences| offences.to_string()).unwrap_or_default()),
            Cell::new(who(row)),
            table::text(&what(row)),
        ]
    }));
    grid
}

/// How long the ban was to last from then on.
fn length(row: &HistoryRow) -> String {
    let is_ban = matches!(row.event, HistoryKind::Banned | HistoryKind::Prolonged);
    match row.until {
        Some(until) if until > row.at => show_duration(until.duration_since(row.at)),
        None if is_ban => "forever".to_owned(),
        _ => String::new(),
    }
}

fn who(row: &HistoryRow) -> String {
    match (row.uid, row.origin) {
        (Some(uid), _) => format!("uid {uid}"),
        (None, Some(origin)) => list::by(origin).to_owned(),
        (None, None) => String::new(),
    }
}

fn what(row: &HistoryRow) -> String {
    let simulated = row.simulated.then_some("simulated");
    let challenge = row.value.is_challenge().then_some("challenge");
    let told = [simulated, challenge, row.reason.as_deref(), row.text.as_deref()];
    told.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
