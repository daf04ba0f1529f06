//! `banmap test`: a filter against lines.

mod report;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use jiff::tz::TimeZone;
use report::{Listing, Report};
use serde::Serialize;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{self, RED, Screen, many};
use super::{load, times};
use crate::address::Address;
use crate::config::{Config, FoundFilter, Library, Needs, Problem, format_of};
use crate::daemon::{clients, surroundings};
use crate::filter::{Filter, Language};
use crate::os::clock;
use crate::reader::{Clients, Examined, Examiner, FileReading, Lines, Outcome};
use crate::record::{Format, FormatEscape, Reference};
use crate::terms::{SourceName, escape};

/// Tries a filter on a file or a line
///
/// The filter alone: no allowlist, no thresholds. Shows each match with the address and what the pattern's named groups took, how
/// often each pattern held, which date patterns found the dates, and the first lines that nothing matched. The exit status is 0
/// if a line matched, 1 if none did.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("lines").required(true).args(["file", "line", "patterns"]).multiple(true))]
pub(super) struct Test {
    /// A filter's name, or the path of a filter file; one in fail2ban's language may have parameters: sshd[mode=aggressive]
    filter: String,
    /// A log file, also .gz; - is stdin
    #[arg(conflicts_with = "line")]
    file: Option<PathBuf>,
    /// A line; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    line: Vec<OsString>,
    /// Read the lines as this source does
    #[arg(long, conflicts_with = "format")]
    source: Option<SourceName>,
    /// Read the lines in this format: a name, or the server's own log_format (nginx) or LogFormat (Apache) string [default:
    /// raw lines for raw patterns, else auto]
    #[arg(long, allow_hyphen_values = true)]
    format: Option<String>,
    /// How nginx escapes the values of that log_format
    #[arg(long, requires = "format", value_parser = ["default", "json", "none"])]
    escape: Option<String>,
    /// Show every line that did not match, not only the first ones
    #[arg(long)]
    missed: bool,
    /// Show the filter's patterns with every name replaced, and behind the lines also those that never held
    #[arg(long)]
    patterns: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A line as JSON.
#[derive(Serialize)]
struct LineEvent<'a> {
    event: &'static str,
    line: u64,
    text: &'a str,
    address: Option<&'a str>,
    /// The trusted proxies that a header's client came through.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    via: &'a [Address],
    time: Option<String>,
    /// Which rule or failregex held, from 1.
    rule: Option<usize>,
    /// How many times it counts.
    weight: Option<u8>,
    /// What the pattern's named groups took.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// One run over lines.
struct Trial<'a> {
    options: &'a Test,
    screen: Screen,
    report: Report,
    began: Instant,
}

impl Test {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        // A mistake among the sources matters only where one is named.
        let needs = if self.source.is_some() { Needs::TEST } else { Needs::FILTERS };
        let config = load::config(globals, needs)?;
        let filter = self.find_filter(&config)?;
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        let (clients, reading) = (self.find_clients(&config)?, self.find_reading(&config, &filter)?);
        let mut examiner = Examiner::new(&filter, clients, reading, reference);
        let report = Report::new(&filter, self.patterns);
        let mut trial = Trial { options: &self, screen: Screen::new(), report, began: clock::monotonic() };
        if self.patterns {
            trial.patterns(&Listing::of(&filter))?;
        }
        match &self.file {
            Some(file) => trial.file(&mut examiner, file)?,
            None if self.line.is_empty() => {
                trial.screen.finish()?;
                return Ok(Exit::Done);
            }
            None => trial.buffer(
                &mut examiner,
                &self.line.iter().map(|line| line.as_bytes()).collect::<Vec<_>>().join(&b'\n'),
            )?,
        }
        examiner.finish(&mut |examined| trial.tell(examined))?;
        if let Some(searches @ 1..) = filter.language().map(Language::given_up) {
            let searches = many(searches, "search");
            screen::remark(&format!(
                "{searches} would have gone back too often: given up, an offence may be missed"
            ));
        }
        trial.finish(&filter, &examiner)
    }

    fn find_filter(&self, config: &Config) -> Result<Arc<Filter>, CliError> {
        let name = self.filter.as_str();
        let bare = name.split_once('[').map_or(name, |(bare, _)| bare);
        let is_path =
            bare.contains('/') || Path::new(bare).extension().is_some_and(|e| e == "toml" || e == "conf");
        let found = if is_path { Library::open(Path::new(name)) } else { config.filters.find(name) };
        let FoundFilter { filter, .. } = found.map_err(|problems| CliError::Unusable(rendered(&problems)))?;
        Ok(filter)
    }

    /// As the source tells them; without one, the format's client field is the client.
    fn find_clients(&self, config: &Config) -> Result<Clients, CliError> {
        let Some(name) = &self.source else { return Ok(Clients::default()) };
        let around = surroundings(config, &load::lists(config)?);
        Ok(clients(load::source(config, name)?, &around))
    }

    /// How the lines are read.
    fn find_reading(&self, config: &Config, filter: &Filter) -> Result<FileReading, CliError> {
        if let Some(name) = &self.source {
            let path = self.file.as_deref().unwrap_or(Path::new("-"));
            return Ok(load::source(config, name)?.reading_of(path));
        }
        let format = match self.format.as_deref() {
            Some(text) => format_of(text, self.find_escape()).map_err(|wrong| {
                let told = escape::line(&format!("{wrong}: {}", wrong.fix())).into_owned();
                CliError::Unusable(told)
            })?,
            None => filter.is_raw().then_some(Format::Raw),
        };
        Ok(FileReading::new(format))
    }
}

impl Test {
    fn find_escape(&self) -> Option<FormatEscape> {
        let named = self.escape.as_deref()?;
        FormatEscape::NAMES.iter().find(|(name, _)| *name == named).map(|(_, escape)| *escape)
    }
}

fn rendered(problems: &[Problem]) -> String {
    let styled = screen::styled_errors();
    problems.iter().map(|problem| problem.render(styled)).collect::<Vec<_>>().join("\n\n")
}

impl Trial<'_> {
    fn patterns(&mut self, listing: &Listing) -> Result<(), CliError> {
        let screen = &mut self.screen;
        Ok(if self.options.json { screen.json(listing) } else { screen.line(listing.to_string()) }?)
    }

    fn file(&mut self, examiner: &mut Examiner<'_>, path: &Path) -> Result<(), CliError> {
        let mut lines = Lines::open(path)?;
        while let Some(buffer) = lines.next_buffer()? {
            self.buffer(examiner, buffer)?;
        }
        Ok(())
    }

    fn buffer(&mut self, examiner: &mut Examiner<'_>, buffer: &[u8]) -> Result<(), CliError> {
        examiner.buffer(buffer, &mut |examined| self.tell(examined))
    }

    fn tell(&mut self, examined: &Examined<'_>) -> Result<(), CliError> {
        self.report.count(examined);
        let event = match examined.outcome {
            Outcome::Match => "match",
            Outcome::Ignored => "ignored",
            Outcome::Missed => "missed",
        };
        if examined.outcome == Outcome::Missed && !self.options.missed {
            return Ok(());
        }
        let text = String::from_utf8_lossy(examined.text);
        let event = LineEvent {
            event,
            line: examined.number,
            text: &text,
            address: examined.address.as_deref(),
            via: &examined.via,
            time: examined.time.map(times::rfc3339),
            rule: examined.rule.map(|rule| rule + 1),
            weight: examined.rule.map(|_| examined.weight),
            groups: groups(&examined.groups),
            error: examined.error.as_deref(),
        };
        let shown =
            if self.options.json { self.screen.json(&event) } else { self.screen.line(event.to_string()) };
        Ok(shown?)
    }

    fn finish(mut self, filter: &Filter, examiner: &Examiner<'_>) -> Result<Exit, CliError> {
        let elapsed = self.began.elapsed();
        self.report.finish(filter, examiner.reading().taken(), elapsed, examiner.dates());
        let report = if self.options.missed { self.report.without_examples() } else { self.report };
        if self.options.json {
            self.screen.json(&report)?;
        } else {
            self.screen.line(report.to_string())?;
        }
        self.screen.finish()?;
        report.doubt().into_iter().for_each(|doubt| screen::remark(&doubt));
        Ok(if report.any() { Exit::Done } else { Exit::Failed })
    }
}

/// Those that took something.
fn groups(all: &[(String, String)]) -> BTreeMap<&str, &str> {
    let all = all.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    all.filter(|(_, text)| !text.is_empty()).collect()
}

impl std::fmt::Display for LineEvent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = escape::line(self.address.unwrap_or("-"));
        let rule = self.rule.map_or(String::new(), |rule| format!(" rule {rule}"));
        let weight = self.weight.filter(|weight| *weight > 1);
        let weight = weight.map_or(String::new(), |weight| format!(", weight {weight}"));
        write!(f, "{:>7} {:<8}{address}{rule}{weight}", self.line, self.event)?;
        for (number, proxy) in self.via.iter().enumerate() {
            write!(f, "{}{proxy}", if number == 0 { ", via " } else { ", " })?;
        }
        // The host's own group says nothing new.
        let told = self.groups.iter().filter(|(_, text)| Some(**text) != self.address);
        for (name, text) in told {
            write!(f, ", {name}={}", escape::line(text))?;
        }
        if let Some(error) = self.error {
            write!(f, " {RED}{}{RED:#}", escape::line(error))?;
        }
        write!(f, "\n        {}", escape::line(self.text))
    }
}
