//! `banmap top`: what there was most of lately, from the ends of the logs themselves.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use comfy_table::Cell;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::by::By;
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::heavy::{Frequent, Heavy};
use super::progress::Progress;
use super::screen::{Screen, many, remark};
use super::since::Since;
use super::standing::{Standing, Standings};
use super::{belonging, load, table, times};
use crate::config::{Config, Needs, Source};
use crate::daemon::{clients, surroundings};
use crate::os::clock;
use crate::reader::{Begin, Clients, FileReading, Meter, Survey};
use crate::record::{Field, Reference};
use crate::resolve::Lists;
use crate::terms::{SourceName, escape};

/// So many different values are told apart: with all their text some 50 MB.
const DIFFERENT: usize = 1 << 16;

/// What is longer is cut on the screen.
const WIDEST: usize = 120;

/// Shows what there was most of lately: addresses, networks, paths, user agents, statuses or hosts
///
/// Reads the ends of the logs itself: no daemon has to run, and without a configuration the format is recognised. Whether an
/// address is banned or protected is told where the daemon answers. Compressed logs are not read: pipe them in, as -.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Top {
    /// Log files; - is stdin [default: those of the configured sources]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is counted
    #[arg(long, value_enum, default_value = "address")]
    by: By,
    /// Only lines from then on: 10m (ago), 2026-05-01, 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME", default_value = "10m")]
    since: Since,
    /// So many rows
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Which source's settings hold for files that match none
    #[arg(long)]
    source: Option<SourceName>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A row as JSON.
#[derive(Serialize)]
struct RowEvent<'a> {
    event: &'static str,
    by: &'static str,
    value: Cow<'a, str>,
    /// At least.
    count: u64,
    /// Of all that were counted.
    share: f64,
    bytes: u64,
    /// Where there were too many different values to count each exactly: at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
    #[serde(flatten)]
    standing: Option<Standing>,
}

/// The totals as JSON.
#[derive(Serialize)]
struct Summary {
    event: &'static str,
    by: &'static str,
    since: String,
    files: u64,
    lines: u64,
    parsed: u64,
    unparsed: u64,
    /// `null`: too many to tell.
    different: Option<u64>,
    /// Rows are "at least".
    approximate: bool,
    elapsed: f64,
}

/// The logs on their way.
struct Count {
    by: By,
    since: Timestamp,
    heavy: Heavy,
    files: u64,
    lines: u64,
    parsed: u64,
    unparsed: u64,
    remarks: Vec<String>,
}

impl Top {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let began = clock::monotonic();
        let config = load::config(globals, Needs::REPLAY)?;
        let lists = load::lists(&config)?;
        let count = self.count(&config, &lists)?;
        let summary = Summary::new(&count, began);
        let (total, remarks) = (count.heavy.total(), count.remarks);
        let mut standings = Standings::new(globals, &config, &lists);
        let mut rows = Vec::new();
        for row in count.heavy.most(self.limit as usize) {
            let standing = self.by.client(&row.value).and_then(|client| standings.of(client));
            rows.push((row, standing));
        }
        self.show(&rows, total, &summary)?;
        for text in &remarks {
            remark(&escape::line(text));
        }
        Ok(Exit::Done)
    }

    fn count(&self, config: &Config, lists: &Lists) -> Result<Count, CliError> {
        let around = surroundings(config, lists);
        let mut count = Count::new(self.by, self.since.resolve(clock::now()));
        let meter = Meter::default();
        let _progress = Progress::show(meter.clone(), None);
        for (path, source) in self.logs(config)? {
            let told = source.map_or_else(Clients::default, |source| clients(source, &around));
            let reading = source.map_or_else(|| FileReading::new(None), |source| source.reading_of(&path));
            count.log(&path, told, reading, &meter)?;
        }
        Ok(count)
    }

    /// The logs that are named, else those that are configured, each with the source it belongs to, if any.
    fn logs<'c>(&self, config: &'c Config) -> Result<Vec<(PathBuf, Option<&'c Source>)>, CliError> {
        let chosen = self.source.as_ref().map(|name| load::source(config, name)).transpose()?;
        if !self.files.is_empty() {
            let of = |path: &PathBuf| belonging::source_of(path, &config.sources, chosen).ok();
            return Ok(self.files.iter().map(|path| (path.clone(), of(path))).collect());
        }
        let wanted = |source: &&Source| chosen.is_none_or(|chosen| std::ptr::eq(*source, chosen));
        let logs = belonging::logs_of(config.sources.iter().filter(wanted));
        if logs.is_empty() {
            let fix = "no log to read: name one, or configure a source whose files exist";
            return Err(CliError::Unusable(fix.to_owned()));
        }
        Ok(logs.into_iter().map(|(path, source)| (path, Some(source))).collect())
    }

    fn show(
        &self,
        rows: &[(Frequent, Option<Standing>)],
        total: u64,
        summary: &Summary,
    ) -> Result<(), CliError> {
        let mut screen = Screen::new();
        if self.json {
            for (row, standing) in rows {
                screen.json(&RowEvent::new(self.by, row, total, standing.clone()))?;
            }
            screen.json(summary)?;
        } else {
            grid(self.by, rows, total, &mut screen)?;
            screen.line(summary.to_string())?;
        }
        Ok(screen.finish()?)
    }
}

impl Count {
    fn new(by: By, since: Timestamp) -> Self {
        let heavy = Heavy::new(DIFFERENT);
        Self { by, since, heavy, files: 0, lines: 0, parsed: 0, unparsed: 0, remarks: Vec::new() }
    }

    fn log(
        &mut self,
        path: &Path,
        clients: Clients,
        reading: FileReading,
        meter: &Meter,
    ) -> Result<(), CliError> {
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        let mut survey = Survey::new(clients, reading, self.since, reference);
        let (mut lines, begin) = survey.open(path, meter)?;
        let (by, heavy) = (self.by, &mut self.heavy);
        while let Some(buffer) = lines.next_buffer()? {
            survey.buffer(buffer, &mut |record| {
                heavy.add(&by.value(record), record.number(&Field::Bytes).unwrap_or(0));
            });
        }
        let reading = survey.reading();
        self.files += 1;
        self.lines += reading.lines;
        self.parsed += reading.parsed;
        self.unparsed += reading.unparsed;
        let told = doubt(begin, reading, self.since);
        self.remarks.extend(told.into_iter().map(|told| format!("{}: {told}", path.display())));
        Ok(())
    }
}

/// What an operator should know about a log.
fn doubt(begin: Begin, reading: &FileReading, since: Timestamp) -> Vec<String> {
    let since = times::exact(since);
    let about_time = match begin {
        Begin::Nothing(Some(last)) => {
            Some(format!("no line since {since}; its last is of {}", times::exact(last)))
        }
        Begin::Nothing(None) => Some(format!("no line since {since}")),
        Begin::Timeless if reading.bytes > 0 => Some(
            "its lines have no time that is known: all are counted, but no more than its last 8 MiB"
                .to_owned(),
        ),
        Begin::Stream if reading.lines == 0 => Some(format!("no line since {since}")),
        Begin::Timeless | Begin::Found | Begin::Stream => None,
    };
    let many = reading.unparsed * 20 > reading.lines;
    let unparsed = reading.example.as_ref().filter(|_| many).map(|example| {
        format!(
            "{} of {} lines do not parse ({}); for example: {}",
            reading.unparsed, reading.lines, example.reason, example.text
        )
    });
    about_time.into_iter().chain(unparsed).collect()
}

impl<'a> RowEvent<'a> {
    fn new(by: By, row: &'a Frequent, total: u64, standing: Option<Standing>) -> Self {
        Self {
            event: "top",
            by: by.name(),
            value: String::from_utf8_lossy(&row.value),
            count: row.count,
            share: (share(row.count, total) * 1e6).round() / 1e6,
            bytes: row.bytes,
            at_most: (row.at_most > row.count).then_some(row.at_most),
            standing,
        }
    }
}

fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { count as f64 / total as f64 }
}

fn grid(by: By, rows: &[(Frequent, Option<Standing>)], total: u64, screen: &mut Screen) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let heading = by.name().to_uppercase().replace('_', " ");
    let mut grid = table::new(&["COUNT", "SHARE", "BYTES", &heading, ""]);
    grid.add_rows(rows.iter().map(|(row, standing)| {
        let more = if row.at_most > row.count { "≥ " } else { "" };
        [
            Cell::new(format!("{more}{}", row.count)),
            Cell::new(format!("{:.1} %", share(row.count, total) * 100.0)),
            Cell::new(row.bytes),
            Cell::new(cut(&row.value)),
            standing.as_ref().map_or_else(|| Cell::new(""), Standing::cell),
        ]
    }));
    screen.line(format!("{}\n", grid.trim_fmt()))
}

/// Safe for a terminal, and not too long for it.
fn cut(value: &[u8]) -> String {
    let shown = escape::bytes(value);
    match shown.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

impl Summary {
    fn new(count: &Count, began: Instant) -> Self {
        let different = count.heavy.different();
        Self {
            event: "summary",
            by: count.by.name(),
            since: times::rfc3339(count.since),
            files: count.files,
            lines: count.lines,
            parsed: count.parsed,
            unparsed: count.unparsed,
            different: different.map(|different| different as u64),
            approximate: different.is_none(),
            elapsed: (began.elapsed().as_secs_f64() * 1e6).round() / 1e6,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { since, parsed, unparsed, elapsed, .. } = self;
        let (lines, files) = (many(self.lines, "line"), many(self.files, "log"));
        write!(
            f,
            "{lines} of {files} since {since} in {elapsed:.3} s: {parsed} parsed, {unparsed} unparsed, "
        )?;
        match self.different {
            Some(different) => write!(f, "{different} different"),
            None => {
                write!(f, "more than {DIFFERENT} different: rare ones are not shown, and ≥ is a lower bound")
            }
        }
    }
}
