//! `banmap status`: jails, sources and outputs, with counts and health.

use std::io;

use clap::Args;
use comfy_table::Cell;
use jiff::Timestamp;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{RED, Screen};
use super::{table, times};
use crate::control::{self, FileState, FileStatus, JailStatus, OutputState, OutputStatus, Reply, Request};
use crate::os::clock;
use crate::terms::JailName;
use crate::terms::escape;

/// Shows jails, sources and outputs with counts and health
///
/// The exit status is 1 when something needs an operator.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Status {
    /// Only this jail [default: all jails, sources and outputs]
    jail: Option<JailName>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let status = match globals.ask(&Request::Status { jail: self.jail.clone() })? {
            Reply::Status(status) => status,
            other => return Err(CliError::from_reply(other)),
        };
        let mut screen = Screen::new();
        if self.json {
            screen.json(&status)?;
        } else {
            show(&status, self.jail.is_some(), clock::now(), &mut screen)?;
        }
        screen.finish()?;
        Ok(if status.needs_operator() { Exit::Failed } else { Exit::Done })
    }
}

fn show(status: &control::Status, one_jail: bool, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    let running = times::coarse(now.duration_since(status.started));
    screen.line(format!("banmap {}, running for {running}", escape::line(&status.version)))?;
    for problem in &status.problems {
        screen.line(format!("{RED}!{RED:#} {}", escape::lines(problem)))?;
    }
    jails(status, now, screen)?;
    if one_jail {
        return Ok(());
    }
    sources(status, now, screen)?;
    outputs(status, now, screen)
}

fn jails(status: &control::Status, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    if status.jails.is_empty() {
        return Ok(());
    }
    let header = ["JAIL", "BANNED", "EVER", "OFFENCES", "EVER", "HITS", "PASSED", "STATE"];
    let mut grid = table::new(&header);
    grid.add_rows(status.jails.iter().map(|(name, jail)| {
        [
            Cell::new(name),
            Cell::new(jail.bans_current),
            Cell::new(jail.bans_total),
            Cell::new(jail.offences_current),
            Cell::new(jail.offences_total),
            Cell::new(jail.hits_total),
            Cell::new(jail.hits_passed),
            jail_state(jail, now),
        ]
    }));
    screen.line(format!("\n{}", grid.trim_fmt()))?;
    full(status, screen)
}

/// What is as full as it may be, and gives way.
fn full(status: &control::Status, screen: &mut Screen) -> io::Result<()> {
    for (name, jail) in &status.jails {
        if jail.refused > 0 {
            screen.line(format!(
                "{name}: {} verdicts banned nobody, since it had as many bans as it may (`max_bans`)",
                jail.refused
            ))?;
        }
        let told = [(jail.evicted, "tracked addresses"), (jail.unwatched, "watched networks")];
        for (gave_way, what) in told.into_iter().filter(|(gave_way, _)| *gave_way > 0) {
            screen.line(format!(
                "{name}: {gave_way} {what} gave way, the least useful first (`max_tracked`)"
            ))?;
        }
    }
    for (name, cap) in status.caps.iter().filter(|(_, cap)| cap.gave_way > 0) {
        let control::Cap { used, limit, gave_way } = cap;
        let name = escape::line(name);
        screen.line(format!("{name}: {used} of {limit} kept, {gave_way} gave way"))?;
    }
    Ok(())
}

fn jail_state(jail: &JailStatus, now: Timestamp) -> Cell {
    match (jail.paused, jail.paused_until, jail.simulate) {
        (false, ..) if jail.held > 0 => table::bad(&format!("{} held", jail.held)),
        (false, ..) if jail.storm.is_some() => table::bad("storm"),
        (true, Some(until), _) => table::bad(&format!("paused for {}", times::left(Some(until), now))),
        (true, None, _) => table::bad("paused"),
        (false, _, true) => table::doubtful(&format!("simulated: {} in no output", jail.bans_simulated)),
        (false, _, false) if jail.value.is_challenge() => table::good("challenges"),
        (false, _, false) => table::good("active"),
    }
}

fn sources(status: &control::Status, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    if status.sources.is_empty() {
        return Ok(());
    }
    let mut grid = table::new(&["SOURCE", "FILE", "FORMAT", "LINES", "UNPARSED", "LAST LINE", "STATE"]);
    for (name, source) in &status.sources {
        grid.add_rows(source.files.iter().map(|file| {
            [
                Cell::new(name),
                table::text(&file.path),
                table::text(file.format.as_deref().unwrap_or("-")),
                Cell::new(file.lines),
                Cell::new(file.unparsed),
                Cell::new(times::ago_or_never(file.last_line, now)),
                file_state(file),
            ]
        }));
        if source.files.is_empty() {
            grid.add_row([Cell::new(name), Cell::new("no file yet")]);
        }
    }
    screen.line(format!("\n{}", grid.trim_fmt()))?;
    let files = status.sources.values().flat_map(|source| &source.files);
    let failed = files.filter_map(|file| file.error.as_ref().map(|error| (&file.path, error)));
    complaints(failed, screen)
}

fn file_state(file: &FileStatus) -> Cell {
    match file.state {
        FileState::Live if file.dropped > 0 => table::doubtful(&format!("live, {} dropped", file.dropped)),
        FileState::Live => table::good("live"),
        FileState::CatchingUp => table::doubtful("catching up"),
        FileState::Rotated => table::doubtful("rotated"),
        FileState::Deleted => table::doubtful("deleted"),
        FileState::Missing => table::doubtful("missing"),
        FileState::Ended => table::doubtful("ended"),
        FileState::Unreadable => table::bad("unreadable"),
    }
}

fn outputs(status: &control::Status, now: Timestamp, screen: &mut Screen) -> io::Result<()> {
    if status.outputs.is_empty() {
        return Ok(());
    }
    let header = ["OUTPUT", "KIND", "ENTRIES", "GENERATION", "PUBLISHED", "RELOADED", "STATE"];
    let mut grid = table::new(&header);
    grid.add_rows(status.outputs.iter().map(|(name, output)| {
        [
            Cell::new(name),
            table::text(&output.kind),
            Cell::new(output.entries),
            Cell::new(output.generation),
            Cell::new(times::ago_or_never(output.published, now)),
            Cell::new(times::ago_or_never(output.reloaded, now)),
            output_state(output),
        ]
    }));
    screen.line(format!("\n{}", grid.trim_fmt()))?;
    let failed = status.outputs.iter();
    complaints(failed.filter_map(|(name, output)| output.error.as_ref().map(|error| (name, error))), screen)
}

fn output_state(output: &OutputStatus) -> Cell {
    match output.state {
        OutputState::Pending => table::doubtful("pending"),
        OutputState::Published => table::good("published"),
        OutputState::Verified => table::good("verified"),
        OutputState::Failed => table::bad("failed"),
    }
}

/// What is wrong with files or outputs, below their table.
fn complaints<'a, N: ToString>(
    wrong: impl Iterator<Item = (N, &'a String)>,
    screen: &mut Screen,
) -> io::Result<()> {
    for (name, error) in wrong {
        let error = escape::lines(error).replace('\n', "\n    ");
        screen.line(format!("{RED}!{RED:#} {}: {error}", escape::line(&name.to_string())))?;
    }
    Ok(())
}
