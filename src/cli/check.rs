//! `banmap check`: whether the configuration can be used.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::belonging;
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{self, Screen, many};
use super::table;
use crate::config::{self, Config, FilterReport, Needs, Options, Problem, Report, Severity, Source};
use crate::daemon::{clients, surroundings};
use crate::filter::Engine;
use crate::os::clock;
use crate::reader::Reader;
use crate::record::Reference;
use crate::resolve::Lists;
use crate::source::{Input, check_journal};
use crate::terms::escape;

/// Checks the configuration and every filter, and touches nothing
///
/// Prints all problems with file, line and column, names the file that each filter came from, and runs the filters'
/// samples. Warns of logs whose last lines mostly come from a private address or a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Check {
    /// Print every value with its origin
    #[arg(long)]
    effective: bool,
    /// The problems, or with --effective the values, as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A problem as JSON.
#[derive(Serialize)]
struct ProblemRow<'a> {
    severity: &'static str,
    message: &'a str,
    fix: Option<&'a str>,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
}

impl Check {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let mut report = config::check(&Options::new(globals.config().map(Path::to_owned), Needs::RUN));
        if !report.problems.has_errors() {
            for warning in crowds(&report.config).into_iter().chain(no_journal(&report.config)) {
                report.warn(warning);
            }
        }
        let mut screen = Screen::new();
        match (self.effective, self.json) {
            (false, false) => filters(&report.filters, &mut screen)?,
            (false, true) => report.problems.iter().try_for_each(|problem| screen.json(&row(problem)))?,
            (true, false) => screen.verbatim(report.config.effective().as_bytes())?,
            (true, true) => report.config.values().try_for_each(|value| screen.json(&value))?,
        }
        screen.finish()?;
        if self.effective || !self.json {
            say(&report);
        }
        Ok(if report.problems.has_errors() { Exit::Usage } else { Exit::Done })
    }
}

/// Which logs show that their server does not know its clients. Looks at the last lines of each; what cannot be read is
/// told when it is followed.
fn crowds(config: &Config) -> Vec<String> {
    let Ok(lists) = Lists::open(config.list_entries()) else { return Vec::new() };
    let around = surroundings(config, &lists);
    let reference = Reference { now: clock::now(), zone: TimeZone::system() };
    let look = |(path, source): (PathBuf, &Source)| {
        let reader = Reader::new(Vec::new(), false).telling(clients(source, &around));
        let reading = reader.first_look(source.reading_of(&path), &path, &reference);
        let crowd = reading.crowd?;
        Some(format!("[source.{}] {}: {crowd}", source.settings.name, path.display()))
    };
    belonging::logs_of(config.sources.iter()).into_iter().filter_map(look).collect()
}

/// That what reads the journal cannot be run, where a source needs it.
fn no_journal(config: &Config) -> Option<String> {
    let reads = |source: &&Source| matches!(source.settings.input, Input::Journal(_));
    let source = config.sources.iter().find(reads)?;
    let missing = check_journal().err()?;
    Some(format!("[source.{}] {missing}: `banmap run` will not start here", source.settings.name))
}

fn row(problem: &Problem) -> ProblemRow<'_> {
    let place = problem.place.as_ref();
    let path = place.and_then(config::Place::path).or(problem.path.as_deref());
    ProblemRow {
        severity: if problem.severity == Severity::Error { "error" } else { "warning" },
        message: &problem.what,
        fix: problem.fix.as_deref(),
        file: path.map(|path| path.display().to_string()),
        line: place.map(config::Place::line),
        column: place.map(config::Place::column),
    }
}

/// The filters that jails use, and those that somebody wrote: the shipped ones are known.
fn filters(filters: &[FilterReport], screen: &mut Screen) -> io::Result<()> {
    let mut grid = table::new(&["FILTER", "FROM", "SAMPLES", "JAILS"]);
    let shown =
        |filter: &&FilterReport| !filter.jails.is_empty() || filter.origin != config::FilterOrigin::Shipped;
    for filter in filters.iter().filter(shown) {
        let hides = if filter.hides_shipped { " (hides the shipped one)" } else { "" };
        let from = format!("{}{hides}", escape::line(&filter.origin.to_string()));
        grid.add_row([filter.name.clone(), from, filter.samples.to_string(), filter.jails.join(", ")]);
    }
    if !grid.is_empty() {
        screen.line(grid.trim_fmt())?;
    }
    filters.iter().filter(shown).try_for_each(|filter| engines(filter, screen))
}

/// Which patterns of a filter in fail2ban's language go back, and how many do not.
fn engines(filter: &FilterReport, screen: &mut Screen) -> io::Result<()> {
    let (linear, back): (Vec<_>, Vec<_>) =
        filter.engines.iter().partition(|(.., engine)| *engine == Engine::Linear);
    if filter.engines.is_empty() {
        return Ok(());
    }
    let of = many(filter.engines.len() as u64, "pattern");
    let counts = format!("{} on the linear engine, {} on the backtracking one", linear.len(), back.len());
    screen.line(format!("{}: {of}, {counts}", escape::line(&filter.name)))?;
    let mut shown =
        back.iter().map(|(key, pattern, _)| format!("  backtracks: {key} {}", escape::line(pattern)));
    shown.try_for_each(|line| screen.line(line))
}

fn say(report: &Report) {
    if !report.problems.is_empty() {
        screen::remark(&report.problems.render(screen::styled_errors()));
    }
    let count =
        |severity| report.problems.iter().filter(|problem| problem.severity == severity).count() as u64;
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let files: Vec<_> = report.config.files.iter().map(|file| file.display().to_string()).collect();
    let files = if files.is_empty() { "no configuration file".to_owned() } else { files.join(", ") };
    let warnings = many(warnings, "warning");
    screen::remark(&match errors {
        0 => {
            let (jails, outputs) = (report.config.jails.len() as u64, report.config.outputs.len() as u64);
            format!("{files}: can be used, {}, {}, {warnings}", many(jails, "jail"), many(outputs, "output"))
        }
        _ => format!("{files}: {}, {warnings}", many(errors, "error")),
    });
}
