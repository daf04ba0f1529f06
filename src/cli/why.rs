//! `banmap why`: all that is known about one address.

use std::io;

use clap::Args;
use jiff::Timestamp;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{BOLD, GREEN, RED, Screen, YELLOW, many};
use super::{history, list, table, times};
use crate::address::Prefix;
use crate::control::{self, Counting, Reply, Request};
use crate::os::clock;
use crate::terms::escape;
use crate::terms::show_duration;

/// Explains why an address is banned, or why not
///
/// By which jail, on which lines, until when; what protects it; how near it is to a threshold. The exit status is 0 when
/// it is banned, 1 when not.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Why {
    /// An address or prefix
    #[arg(value_name = "ADDR")]
    address: Prefix,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let why = match globals.ask(&Request::Why { address: self.address })? {
            Reply::Why(why) => why,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            screen.json(&why)?;
        } else {
            show(&why, clock::now(), &mut screen)?;
        }
        screen.finish()?;
        Ok(if why.banned { Exit::Done } else { Exit::Failed })
    }
}

fn show(why: &control::Why, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    let (style, verdict) = match why {
        _ if why.banned => (RED, "banned"),
        _ if why.challenged => (YELLOW, "not banned, but challenged"),
        _ => (GREEN, "not banned"),
    };
    screen.line(format!("{} is {style}{verdict}{style:#}", why.address))?;
    for ban in &why.bans {
        screen.line(format!("  {}", list::sentence(ban, now)))?;
    }
    if let Some(protection) = &why.protected_by {
        screen.line(format!("  protected by {}", escape::line(protection)))?;
    }
    for near in &why.near {
        screen.line(format!("  {}", nearness(near)))?;
    }
    for earlier in &why.earlier {
        screen.line(format!(
            "  {}: {} banned {} before: the next ban lasts {}",
            earlier.jail,
            earlier.address,
            many_times(earlier.bans),
            earlier.next.map_or("forever".to_owned(), show_duration)
        ))?;
    }
    evidence(&why.evidence, screen)?;
    if !why.history.is_empty() {
        screen.line(format!("\n{BOLD}History{BOLD:#}"))?;
        screen.line(history::grid(&why.history).trim_fmt())?;
    }
    Ok(())
}

fn nearness(near: &control::Near) -> String {
    let control::Near { jail, address, offences, weight, maxretry, findtime, what } = near;
    let counted = format!("{jail}: {offences} of {maxretry}");
    let within = show_duration(*findtime);
    match what {
        Counting::Offences if weight > offences => {
            let offences = many((*offences).into(), "offence");
            format!(
                "{jail}: {weight} of {maxretry}, by the weight of {offences} within {within} by {address}"
            )
        }
        Counting::Bans => format!("{counted} bans by other jails within {within} of {address}"),
        Counting::Offences => format!("{counted} offences within {within} by {address}"),
        Counting::Groups => format!("{counted} different clients with offences within {within} in {address}"),
        Counting::Requests => format!("{counted} requests ahead of its rate by {address}"),
    }
}

fn many_times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn evidence(rows: &[control::EvidenceRow], screen: &mut Screen) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    screen.line(format!("\n{BOLD}Evidence{BOLD:#}"))?;
    let mut grid = table::new(&["TIME", "JAIL", "LINE"]);
    grid.add_rows(
        rows.iter()
            .map(|row| [times::exact(row.at).into(), row.jail.to_string().into(), table::text(&row.text)]),
    );
    screen.line(grid.trim_fmt())
}
