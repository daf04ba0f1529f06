//! `banmap replay`: who would have been banned.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::progress::Progress;
use super::rehearsal::{Outcome, Rehearsal};
use super::screen::{Screen, many, remark};
use super::since::Since;
use super::{belonging, load, times};
use crate::address::Prefix;
use crate::ban::{Ban, Snapshot};
use crate::config::{self, Config, Needs, Options, Source};
use crate::os::clock;
use crate::publish::{self, Kind};
use crate::reader::Meter;
use crate::terms::{JailName, Measure, SourceName, escape, show_duration};

/// Shows who would have been banned, when and by which jail, from whole log files
///
/// The same reading and judging as the daemon's, on the time of the log. State is neither read nor written. Without any
/// configuration the format is recognised and the shipped filters judge with their suggested thresholds. The exit status
/// is 0 whatever was found.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Replay {
    /// Log files, also .gz; - is stdin [default: those of the configured sources]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this jail; may be given several times
    #[arg(long)]
    jail: Vec<JailName>,
    /// Only lines from then on: 1h (ago), 2026-05-01, 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Which source's settings hold for files that match none
    #[arg(long)]
    source: Option<SourceName>,
    /// Write the resulting list too, as KIND (nginx-geo, apache-rewritemap, list); may be given several times
    #[arg(long, value_name = "KIND=PATH")]
    write: Vec<WriteTo>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A list to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WriteTo {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

impl FromStr for WriteTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, path) =
            text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or("write KIND=PATH")?;
        let known = Kind::NAMES.join(", ");
        let kind = Kind::named(kind).ok_or_else(|| format!("`{kind}` is no kind of output: {known} are"))?;
        Ok(Self { kind, path: path.into() })
    }
}

/// A ban as JSON.
#[derive(Serialize)]
struct BanEvent<'a> {
    event: &'static str,
    at: String,
    address: Prefix,
    jail: &'a JailName,
    /// Where it is a challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Measure>,
    offences: u32,
    bantime: Option<i64>,
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

/// The totals as JSON.
#[derive(Serialize)]
struct Summary {
    event: &'static str,
    lines: u64,
    bytes: u64,
    parsed: u64,
    unparsed: u64,
    offences: u64,
    bans: u64,
    elapsed: f64,
}

impl Replay {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let began = clock::monotonic();
        let options = Options::new(globals.config().map(Path::to_owned), Needs::REPLAY);
        let config = load::with(&options, config::load_for_replay)?;
        let lists = load::lists(&config)?;
        self.check_jails(&config)?;
        let rehearsal = Rehearsal {
            config: &config,
            lists: &lists,
            logs: self.logs(&config)?,
            jails: &self.jail,
            since: self.since.map(|since| since.resolve(clock::now())),
            meter: Meter::default(),
        };
        let progress = Progress::show(rehearsal.meter.clone(), size_of(&rehearsal.logs));
        let mut screen = Screen::new();
        let (outcome, banned) = rehearsal.run(&mut |ban| {
            if self.json { screen.json(&BanEvent::from(ban)) } else { screen.line(sentence(ban)) }
        })?;
        drop(progress);
        self.summarise(&outcome, began, screen)?;
        self.write_lists(&banned)?;
        Ok(Exit::Done)
    }

    fn check_jails(&self, config: &Config) -> Result<(), CliError> {
        if config.jails.is_empty() {
            return Err(CliError::Unusable("the configuration has no jail: name one in `jails`".to_owned()));
        }
        let unknown = |name: &&JailName| config.jails.iter().all(|jail| jail.name != **name);
        self.jail.iter().find(unknown).map_or(Ok(()), |name| {
            let known = load::listed(config.jails.iter().map(|jail| jail.name.as_str()));
            Err(CliError::Unusable(format!("no jail is named `{name}`; there are: {known}")))
        })
    }

    /// The logs that are named, else those of the chosen source, else all that are configured.
    fn logs<'c>(&self, config: &'c Config) -> Result<Vec<(PathBuf, &'c Source)>, CliError> {
        let chosen = self.source.as_ref().map(|name| load::source(config, name)).transpose()?;
        if !self.files.is_empty() {
            let sources = &config.sources;
            let belonging = |path: &PathBuf| Ok((path.clone(), belonging::source_of(path, sources, chosen)?));
            return self.files.iter().map(belonging).collect();
        }
        let wanted = |source: &&Source| chosen.is_none_or(|chosen| std::ptr::eq(*source, chosen));
        let logs = belonging::logs_of(config.sources.iter().filter(wanted));
        if logs.is_empty() {
            let fix = "no log to read: name one, or configure a source whose files exist";
            return Err(CliError::Unusable(fix.to_owned()));
        }
        Ok(logs)
    }

    fn summarise(&self, outcome: &Outcome, began: Instant, mut screen: Screen) -> io::Result<()> {
        let summary = Summary {
            event: "summary",
            lines: outcome.lines,
            bytes: outcome.bytes,
            parsed: outcome.parsed,
            unparsed: outcome.unparsed,
            offences: outcome.offences,
            bans: outcome.bans,
            elapsed: (began.elapsed().as_secs_f64() * 1e6).round() / 1e6,
        };
        if self.json { screen.json(&summary) } else { screen.line(summary.to_string()) }?;
        screen.finish()?;
        outcome.remarks().for_each(|text| remark(&escape::line(text)));
        Ok(())
    }

    fn write_lists(&self, banned: &Snapshot) -> Result<(), CliError> {
        for WriteTo { kind, path } in &self.write {
            let output = publish::Settings::plain(kind.clone(), path.clone());
            publish::write(&output, banned.clone(), clock::now())
                .map_err(|error| CliError::Failed(error.to_string()))?;
        }
        Ok(())
    }
}

/// How many bytes the logs have; `None` where that cannot be known.
fn size_of(logs: &[(PathBuf, &Source)]) -> Option<u64> {
    let size =
        |path: &PathBuf| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|stat| stat.len());
    logs.iter().map(|(path, _)| size(path)).sum()
}

impl<'a> From<&'a Ban> for BanEvent<'a> {
    fn from(ban: &'a Ban) -> Self {
        Self {
            event: "ban",
            at: times::rfc3339(ban.since),
            address: ban.prefix,
            jail: &ban.jail,
            value: ban.value.is_challenge().then_some(ban.value),
            offences: ban.offences,
            bantime: ban.until.map(|until| until.duration_since(ban.since).as_secs()),
            until: ban.until.map(times::rfc3339),
            reason: ban.reason.as_deref(),
            simulated: ban.simulated,
        }
    }
}

fn sentence(ban: &Ban) -> String {
    let until = ban.until.map_or("forever".to_owned(), |until| {
        format!("{}, until {}", show_duration(until.duration_since(ban.since)), times::rfc3339(until))
    });
    let simulated = if ban.simulated { " (simulated)" } else { "" };
    let challenge = if ban.value.is_challenge() { " (challenge)" } else { "" };
    let reason = ban.reason.as_deref().map_or(String::new(), |reason| format!(" ({})", escape::line(reason)));
    format!(
        "{}  {:<24} {:<18} {:>12}  {until}{reason}{challenge}{simulated}",
        times::rfc3339(ban.since),
        ban.prefix.to_string(),
        ban.jail,
        many(ban.offences.into(), "offence")
    )
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (lines, offences) = (many(self.lines, "line"), many(self.offences, "offence"));
        write!(
            f,
            "{lines} ({} bytes) in {:.3} s: {} parsed, {} unparsed, {offences}, {}",
            self.bytes,
            self.elapsed,
            self.parsed,
            self.unparsed,
            many(self.bans, "ban")
        )
    }
}
