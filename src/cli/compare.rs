//! `banmap replay --compare`: two configurations over the same logs, and what one does otherwise than the other.
//!
//! An address counts as banned where a prefix around it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use comfy_table::Cell;
use jiff::Timestamp;
use serde::Serialize;

use super::ledger::{JailTotals, Row};
use super::rehearsal::Rehearsed;
use super::report::{self, BanFields, SHOWN};
use super::screen::{BOLD, Screen, many};
use super::{table, times};
use crate::address::Prefix;
use crate::terms::{JailName, escape};

/// The two rehearsals.
pub(super) struct Sides<'a> {
    /// The configuration in force.
    pub(super) this: &'a Rehearsed,
    /// The other one.
    pub(super) other: &'a Rehearsed,
    /// The other one's file.
    pub(super) path: &'a Path,
}

/// Whom they ban.
#[derive(Default)]
pub(super) struct Comparison<'a> {
    /// Bans of addresses that only the one bans, and only the other, in order of time.
    only: [Vec<&'a Row>; 2],
    /// Addresses that both ban, but by another jail, at another time, or for another time.
    differing: Vec<Differing<'a>>,
    /// How many addresses only the one bans, and only the other.
    addresses: [u64; 2],
    /// How many both ban alike.
    same: u64,
}

struct Differing<'a> {
    address: Prefix,
    bans: [Vec<&'a Row>; 2],
}

/// A ban of who is not banned by the other.
#[derive(Serialize)]
struct OnlyEvent<'a> {
    event: &'static str,
    #[serde(rename = "in")]
    side: &'static str,
    #[serde(flatten)]
    ban: BanFields<'a>,
}

/// An address that both ban, differently.
#[derive(Serialize)]
struct DiffersEvent<'a> {
    event: &'static str,
    address: Prefix,
    this: Vec<BanFields<'a>>,
    other: Vec<BanFields<'a>>,
}

/// The totals: of addresses, but for offences and bans.
#[derive(Serialize)]
struct ComparedEvent {
    event: &'static str,
    only_this: u64,
    only_other: u64,
    differently: u64,
    same: u64,
    this: Totals,
    other: Totals,
}

#[derive(Serialize)]
struct Totals {
    offences: u64,
    bans: u64,
    addresses: u64,
}

const SIDES: [&str; 2] = ["this", "other"];

impl<'a> Comparison<'a> {
    /// Compares; both must have kept all their bans.
    pub(super) fn new(sides: &Sides<'a>) -> Self {
        let [this, other] = [by_address(sides.this), by_address(sides.other)];
        let mut comparison = Self::default();
        for (address, ours) in &this {
            match around(&other, *address) {
                None => comparison.only(0, ours),
                Some(theirs) if alike(ours, theirs) => comparison.same += 1,
                Some(theirs) => comparison.differ(*address, [ours, theirs]),
            }
        }
        for (address, theirs) in other.iter().filter(|(address, _)| !this.contains_key(address)) {
            match around(&this, *address) {
                None => comparison.only(1, theirs),
                Some(ours) => comparison.differ(*address, [ours, theirs]),
            }
        }
        comparison.only.iter_mut().for_each(|rows| rows.sort_by_key(|row| row.ban.since));
        comparison.differing.sort_by_key(Differing::began);
        comparison
    }

    fn only(&mut self, side: usize, rows: &[&'a Row]) {
        if let (Some(all), Some(addresses)) = (self.only.get_mut(side), self.addresses.get_mut(side)) {
            all.extend_from_slice(rows);
            *addresses += 1;
        }
    }

    fn differ(&mut self, address: Prefix, bans: [&Vec<&'a Row>; 2]) {
        self.differing.push(Differing { address, bans: bans.map(Clone::clone) });
    }

    /// As JSON.
    pub(super) fn events(&self, sides: &Sides<'_>, screen: &mut Screen) -> io::Result<()> {
        for (side, rows) in SIDES.into_iter().zip(&self.only) {
            for row in rows {
                screen.json(&OnlyEvent { event: "only", side, ban: fields(row) })?;
            }
        }
        for Differing { address, bans: [this, other] } in &self.differing {
            let all = |rows: &[&'a Row]| rows.iter().map(|row| fields(row)).collect();
            let event = "differs";
            screen.json(&DiffersEvent { event, address: *address, this: all(this), other: all(other) })?;
        }
        screen.json(&ComparedEvent {
            event: "compared",
            only_this: self.addresses[0],
            only_other: self.addresses[1],
            differently: self.differing.len() as u64,
            same: self.same,
            this: totals(sides.this),
            other: totals(sides.other),
        })
    }

    /// For people; `all`: however much it is.
    pub(super) fn show(&self, sides: &Sides<'_>, all: bool, screen: &mut Screen) -> io::Result<()> {
        let most = if all { usize::MAX } else { SHOWN };
        let other = escape::bytes(sides.path.as_os_str().as_encoded_bytes());
        let names = ["this configuration".to_owned(), other.clone()];
        for ((name, rows), addresses) in names.iter().zip(&self.only).zip(self.addresses) {
            let title = format!("Banned by {name} only: {}", people(addresses));
            screen.line(format!("{BOLD}{title}{BOLD:#}"))?;
            report::timeline(rows.get(..most).unwrap_or(rows), screen)?;
            report::rest(rows.len() as u64, most, screen)?;
            screen.line("")?;
        }
        let differing = self.differing.len();
        screen
            .line(format!("{BOLD}Banned by both, but differently: {}{BOLD:#}", people(differing as u64)))?;
        self.differing.iter().take(most).try_for_each(|one| one.show(&other, screen))?;
        report::rest(differing as u64, most, screen)?;
        screen.line(format!("\n{BOLD}Banned by both alike: {}{BOLD:#}\n", people(self.same)))?;
        by_jail(sides, screen)
    }
}

impl Differing<'_> {
    /// When the first of its bans began.
    fn began(&self) -> Option<Timestamp> {
        self.bans.iter().flatten().map(|row| row.ban.since).min()
    }

    fn show(&self, other: &str, screen: &mut Screen) -> io::Result<()> {
        screen.line(self.address.to_string())?;
        for (name, rows) in ["this", other].into_iter().zip(&self.bans) {
            for Row { ban, .. } in rows {
                let whole =
                    if ban.prefix == self.address { String::new() } else { format!(", {}", ban.prefix) };
                let (at, until) = (times::rfc3339(ban.since), report::term(ban));
                let offences = many(ban.offences.into(), "offence");
                screen.line(format!("  {name}: {}{whole} at {at}, {offences}, until {until}", ban.jail))?;
            }
        }
        Ok(())
    }
}

/// `1 address`, `2 addresses`.
fn people(count: u64) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

/// What each jail does under both.
fn by_jail(sides: &Sides<'_>, screen: &mut Screen) -> io::Result<()> {
    let of = |side: &'_ Rehearsed, jail: &JailName| -> Option<(u64, u64)> {
        let mut jails = side.ledger.jails();
        jails.find(|totals| totals.jail == *jail).map(|JailTotals { offences, bans, .. }| (*offences, *bans))
    };
    let both = sides.this.ledger.jails().chain(sides.other.ledger.jails());
    let jails: BTreeSet<&JailName> = both.map(|totals| &totals.jail).collect();
    if jails.is_empty() {
        return Ok(());
    }
    let mut grid = table::new(&["JAIL", "OFFENCES", "OF THE OTHER", "BANS", "OF THE OTHER"]);
    grid.add_rows(jails.into_iter().map(|jail| {
        let (offences, bans) = of(sides.this, jail).unwrap_or_default();
        let (other_offences, other_bans) = of(sides.other, jail).unwrap_or_default();
        let numbers = [offences, other_offences, bans, other_bans].map(Cell::new);
        [Cell::new(jail)].into_iter().chain(numbers).collect::<Vec<_>>()
    }));
    screen.line(format!("{}\n", grid.trim_fmt()))
}

fn totals(side: &Rehearsed) -> Totals {
    Totals { offences: side.outcome.offences, bans: side.outcome.bans, addresses: side.ledger.addresses() }
}

fn fields(row: &Row) -> BanFields<'_> {
    BanFields::new(&row.ban, row.first)
}

fn by_address(side: &Rehearsed) -> BTreeMap<Prefix, Vec<&Row>> {
    let mut all: BTreeMap<Prefix, Vec<&Row>> = BTreeMap::new();
    for row in &side.ledger.bans {
        all.entry(row.ban.prefix).or_default().push(row);
    }
    all
}

/// The bans of an address, else those of the narrowest prefix around it.
fn around<'m, 'a>(all: &'m BTreeMap<Prefix, Vec<&'a Row>>, address: Prefix) -> Option<&'m Vec<&'a Row>> {
    (0..=address.length()).rev().find_map(|length| all.get(&address.widened(length)))
}

/// Whether the same jails ban at the same times for as long.
fn alike(ours: &[&Row], theirs: &[&Row]) -> bool {
    let told = |row: &&Row| {
        let ban = &row.ban;
        (ban.prefix, ban.jail.clone(), ban.since, ban.until, ban.simulated)
    };
    ours.iter().map(told).eq(theirs.iter().map(told))
}
