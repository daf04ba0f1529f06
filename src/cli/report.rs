//! What `replay` shows of what it found: a timeline, jails, networks, who was spared; for people and as JSON.

use std::io;

use comfy_table::Cell;
use jiff::Timestamp;
use serde::Serialize;

use super::ledger::{JailTotals, Ledger, Neighbourhood, Row};
use super::screen::{BOLD, Screen};
use super::spared::SparedRow;
use super::{table, times};
use crate::address::Prefix;
use crate::ban::Ban;
use crate::terms::{JailName, Measure, escape, show_duration};

/// So many rows each part has where not all are asked for: what one screen holds.
pub(super) const SHOWN: usize = 20;

/// A ban as JSON.
#[derive(Serialize)]
pub(super) struct BanEvent<'a> {
    event: &'static str,
    #[serde(flatten)]
    ban: BanFields<'a>,
}

/// What is told of a ban.
#[derive(Serialize)]
pub(super) struct BanFields<'a> {
    at: String,
    address: Prefix,
    jail: &'a JailName,
    /// Where it is a challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Measure>,
    offences: u32,
    bantime: Option<i64>,
    until: Option<String>,
    /// The address's first offence in this jail, where it was counted alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

/// A jail as JSON.
#[derive(Serialize)]
struct JailEvent<'a> {
    event: &'static str,
    jail: &'a JailName,
    offences: u64,
    while_banned: u64,
    addresses: u64,
    /// `addresses` is the least that there were.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    at_least: bool,
    bans: u64,
    first: Option<String>,
    last: Option<String>,
    /// Of the bans that end; `null` where there was none.
    longest: Option<i64>,
    /// One of them does not.
    forever: bool,
}

/// A network as JSON.
#[derive(Serialize)]
struct PrefixEvent {
    event: &'static str,
    prefix: Prefix,
    addresses: u64,
    bans: u64,
    whole: bool,
    widen: bool,
}

/// An entry that protected somebody, as JSON.
#[derive(Serialize)]
struct SparedEvent<'a> {
    event: &'static str,
    entry: Prefix,
    origin: &'a str,
    jail: &'a JailName,
    offences: u64,
    bans: u64,
}

impl<'a> BanEvent<'a> {
    pub(super) fn new(ban: &'a Ban, first: Option<Timestamp>) -> Self {
        Self { event: "ban", ban: BanFields::new(ban, first) }
    }
}

impl<'a> BanFields<'a> {
    pub(super) fn new(ban: &'a Ban, first: Option<Timestamp>) -> Self {
        Self {
            at: times::rfc3339(ban.since),
            address: ban.prefix,
            jail: &ban.jail,
            value: ban.value.is_challenge().then_some(ban.value),
            offences: ban.offences,
            bantime: ban.until.map(|until| until.duration_since(ban.since).as_secs()),
            until: ban.until.map(times::rfc3339),
            first: first.map(times::rfc3339),
            reason: ban.reason.as_deref(),
            simulated: ban.simulated,
        }
    }
}

/// What came of it all, as JSON; the bans were told as they happened.
pub(super) fn events(ledger: &Ledger, screen: &mut Screen) -> io::Result<()> {
    ledger.jails().try_for_each(|totals| screen.json(&JailEvent::from(totals)))?;
    ledger.neighbourhoods().iter().try_for_each(|found| screen.json(&PrefixEvent::from(found)))?;
    ledger.sparing.rows().iter().try_for_each(|row| screen.json(&SparedEvent::from(row)))
}

/// The same for people, the timeline first; `all`: however much it is.
pub(super) fn show(ledger: &Ledger, bans: u64, all: bool, screen: &mut Screen) -> io::Result<()> {
    timeline(&ledger.bans.iter().collect::<Vec<_>>(), screen)?;
    rest(bans, ledger.bans.len(), screen)?;
    if bans > 0 {
        screen.line("")?;
    }
    jails(ledger, screen)?;
    neighbourhoods(&ledger.neighbourhoods(), all, screen)?;
    spared(&ledger.sparing.rows(), all, screen)
}

/// Lines of the same widths: a table of a hundred thousand rows would take long to lay out.
pub(super) fn timeline(rows: &[&Row], screen: &mut Screen) -> io::Result<()> {
    let widest = |of: fn(&Row) -> usize, least| rows.iter().map(|row| of(row)).max().unwrap_or(0).max(least);
    let address = widest(|row| row.ban.prefix.to_string().len(), 7);
    let jail = widest(|row| row.ban.jail.as_str().len(), 4);
    if !rows.is_empty() {
        let heading = format!(
            "{:<20}  {:<address$}  {:<jail$}  {:>8}  {:<20}  {:<20}  UNTIL",
            "BANNED", "ADDRESS", "JAIL", "OFFENCES", "FIRST OFFENCE", "LAST OFFENCE"
        );
        screen.line(format!("{BOLD}{heading}{BOLD:#}"))?;
    }
    for Row { ban, first, last } in rows {
        screen.line(format!(
            "{}  {:<address$}  {:<jail$}  {:>8}  {:<20}  {}  {}",
            times::rfc3339(ban.since),
            ban.prefix.to_string(),
            ban.jail,
            ban.offences,
            first.map_or("-".to_owned(), times::rfc3339),
            times::rfc3339(*last),
            term(ban)
        ))?;
    }
    Ok(())
}

/// Until when, for how long, and why so.
pub(super) fn term(ban: &Ban) -> String {
    let until = ban.until.map_or("forever".to_owned(), |until| {
        format!("{} ({})", times::rfc3339(until), show_duration(until.duration_since(ban.since)))
    });
    let reason = ban.reason.as_deref().map_or(String::new(), |reason| format!(" ({})", escape::line(reason)));
    let challenge = if ban.value.is_challenge() { " (challenge)" } else { "" };
    let simulated = if ban.simulated { " (simulated)" } else { "" };
    format!("{until}{reason}{challenge}{simulated}")
}

/// Says how many were left out.
pub(super) fn rest(of: u64, shown: usize, screen: &mut Screen) -> io::Result<()> {
    match of.saturating_sub(shown as u64) {
        0 => Ok(()),
        more => screen.line(format!("… and {more} more: --all shows them")),
    }
}

fn jails(ledger: &Ledger, screen: &mut Screen) -> io::Result<()> {
    let header =
        ["JAIL", "OFFENCES", "WHILE BANNED", "ADDRESSES", "BANS", "LONGEST", "FIRST OFFENCE", "LAST OFFENCE"];
    let mut grid = table::new(&header);
    grid.add_rows(ledger.jails().map(|totals| {
        let at = |at: Option<Timestamp>| Cell::new(at.map_or("-".to_owned(), times::rfc3339));
        let longest =
            if totals.forever { Some("forever".to_owned()) } else { totals.longest.map(show_duration) };
        [
            Cell::new(&totals.jail),
            Cell::new(totals.offences),
            Cell::new(totals.while_banned),
            Cell::new(format!("{}{}", if totals.more { "≥ " } else { "" }, totals.addresses)),
            Cell::new(totals.bans),
            Cell::new(longest.unwrap_or("-".to_owned())),
            at(totals.span.map(|(first, _)| first)),
            at(totals.span.map(|(_, last)| last)),
        ]
    }));
    if grid.row_count() == 0 {
        return Ok(());
    }
    screen.line(format!("{}\n", grid.trim_fmt()))
}

fn neighbourhoods(found: &[Neighbourhood], all: bool, screen: &mut Screen) -> io::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let mut grid = table::new(&["NETWORK", "ADDRESSES", "BANS", ""]);
    let shown = if all { found.len() } else { SHOWN };
    grid.add_rows(found.iter().take(shown).map(|found| {
        let remark = match (found.whole, found.may_be_widened()) {
            (true, _) => "banned as a whole",
            (false, true) => "`widen` may ban it as a whole",
            (false, false) => "",
        };
        [
            found.prefix.to_string().into(),
            Cell::new(found.addresses),
            Cell::new(found.bans),
            Cell::new(remark),
        ]
    }));
    screen.line(grid.trim_fmt())?;
    rest(found.len() as u64, shown, screen)?;
    screen.line("")
}

fn spared(rows: &[SparedRow<'_>], all: bool, screen: &mut Screen) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut grid = table::new(&["PROTECTED", "JAIL", "OFFENCES", "BANS SPARED", "BY"]);
    let shown = if all { rows.len() } else { SHOWN };
    grid.add_rows(rows.iter().take(shown).map(|row| {
        [
            Cell::new(row.entry),
            Cell::new(row.jail),
            Cell::new(row.offences),
            Cell::new(row.bans),
            table::text(row.origin),
        ]
    }));
    screen.line(grid.trim_fmt())?;
    rest(rows.len() as u64, shown, screen)?;
    screen.line("")
}

impl<'a> From<&'a JailTotals> for JailEvent<'a> {
    fn from(totals: &'a JailTotals) -> Self {
        Self {
            event: "jail",
            jail: &totals.jail,
            offences: totals.offences,
            while_banned: totals.while_banned,
            addresses: totals.addresses,
            at_least: totals.more,
            bans: totals.bans,
            first: totals.span.map(|(first, _)| times::rfc3339(first)),
            last: totals.span.map(|(_, last)| times::rfc3339(last)),
            longest: totals.longest.map(|longest| longest.as_secs()),
            forever: totals.forever,
        }
    }
}

impl From<&Neighbourhood> for PrefixEvent {
    fn from(found: &Neighbourhood) -> Self {
        let Neighbourhood { prefix, addresses, bans, whole } = *found;
        Self { event: "prefix", prefix, addresses, bans, whole, widen: found.may_be_widened() }
    }
}

impl<'a> From<&SparedRow<'a>> for SparedEvent<'a> {
    fn from(row: &SparedRow<'a>) -> Self {
        let SparedRow { entry, origin, jail, offences, bans } = *row;
        Self { event: "spared", entry, origin, jail, offences, bans }
    }
}
