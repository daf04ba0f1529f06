//! `banmap replay`: who would have been banned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::compare::{Comparison, Sides};
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::progress::Progress;
use super::rehearsal::{Outcome, Rehearsal, Rehearsed, Tell};
use super::report::{self, BanEvent};
use super::screen::{Screen, many, remark};
use super::since::Since;
use super::{belonging, load};
use crate::ban::Snapshot;
use crate::config::{self, Config, Needs, Options, Source};
use crate::os::clock;
use crate::publish::{self, Kind};
use crate::reader::Meter;
use crate::resolve::Lists;
use crate::terms::{JailName, SourceName, escape};

/// Shows who would have been banned, when and by which jail, from whole log files
///
/// The same reading and judging as the daemon's, on the time of the log: a timeline of bans, totals by jail and by network,
/// and what allow lists kept from being banned. State is neither read nor written. Without any configuration the format is
/// recognised and the shipped filters judge with their suggested thresholds. The exit status is 0 whatever was found.
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
    /// Show what another configuration file would do otherwise with the same logs
    #[arg(long, value_name = "OTHER.toml", conflicts_with = "write")]
    compare: Option<PathBuf>,
    /// Show every row, however many there are [default: 20 of each kind]
    #[arg(long)]
    all: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A configuration, and the lists that it names.
struct Side {
    config: Config,
    lists: Lists,
}

/// Logs, each with the source it belongs to.
type Logs<'c> = Vec<(PathBuf, &'c Source)>;

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
        let this = Side::load(globals.config().map(Path::to_owned))?;
        match &self.compare {
            Some(other) => self.compare(&this, &Side::load(Some(other.clone()))?, other, began)?,
            None => self.report(&this, began)?,
        }
        Ok(Exit::Done)
    }

    fn report(&self, this: &Side, began: Instant) -> Result<(), CliError> {
        self.check_jails(&[this])?;
        let kept = match (self.json, self.all) {
            (true, _) => 0,
            (false, true) => usize::MAX,
            (false, false) => report::SHOWN,
        };
        let mut screen = Screen::new();
        let logs = self.logs(&this.config)?;
        let meter = Meter::default();
        let progress = Progress::show(meter.clone(), size_of(&logs));
        let rehearsed = self.rehearse(this, logs, meter, kept, &mut |ban, first| {
            if self.json { screen.json(&BanEvent::new(ban, first)) } else { Ok(()) }
        })?;
        drop(progress);
        let Rehearsed { outcome, ledger, banned } = rehearsed;
        if self.json {
            report::events(&ledger, &mut screen)?;
        } else {
            report::show(&ledger, outcome.bans, self.all, &mut screen)?;
        }
        self.summarise(&outcome, began, screen)?;
        self.write_lists(&banned)
    }

    /// Both configurations over the same logs, one after the other.
    fn compare(&self, this: &Side, other: &Side, path: &Path, began: Instant) -> Result<(), CliError> {
        self.check_jails(&[this, other])?;
        let logs = self.logs(&this.config)?;
        let others = self.same_logs(&logs, &other.config)?;
        let meter = Meter::default();
        let progress = Progress::show(meter.clone(), size_of(&logs).map(|size| size.saturating_mul(2)));
        let all = usize::MAX;
        let ours = self.rehearse(this, logs, meter.clone(), all, &mut |_, _| Ok(()))?;
        let theirs = self.rehearse(other, others, meter, all, &mut |_, _| Ok(()))?;
        drop(progress);
        let mut screen = Screen::new();
        let sides = Sides { this: &ours, other: &theirs, path };
        let comparison = Comparison::new(&sides);
        if self.json {
            comparison.events(&sides, &mut screen)?;
        } else {
            comparison.show(&sides, self.all, &mut screen)?;
        }
        self.summarise(&ours.outcome, began, screen)
    }

    fn rehearse(
        &self,
        side: &Side,
        logs: Logs<'_>,
        meter: Meter,
        kept: usize,
        tell: Tell<'_>,
    ) -> Result<Rehearsed, CliError> {
        let since = self.since.map(|since| since.resolve(clock::now()));
        let Side { config, lists } = side;
        Rehearsal { config, lists, logs, jails: &self.jail, since, meter, kept }.run(tell)
    }

    fn check_jails(&self, sides: &[&Side]) -> Result<(), CliError> {
        if sides.iter().any(|side| side.config.jails.is_empty()) {
            return Err(CliError::Unusable("the configuration has no jail: name one in `jails`".to_owned()));
        }
        let all = || sides.iter().flat_map(|side| &side.config.jails);
        let unknown = |name: &&JailName| all().all(|jail| jail.name != **name);
        self.jail.iter().find(unknown).map_or(Ok(()), |name| {
            let known: BTreeSet<&str> = all().map(|jail| jail.name.as_str()).collect();
            let known = load::listed(known.into_iter());
            Err(CliError::Unusable(format!("no jail is named `{name}`; there are: {known}")))
        })
    }

    /// The logs that are named, else those of the chosen source, else all that are configured.
    fn logs<'c>(&self, config: &'c Config) -> Result<Logs<'c>, CliError> {
        let chosen = self.source.as_ref().map(|name| load::source(config, name)).transpose()?;
        if !self.files.is_empty() {
            return belonging::owned(self.files.iter(), &config.sources, chosen);
        }
        let wanted = |source: &&Source| chosen.is_none_or(|chosen| std::ptr::eq(*source, chosen));
        let logs = belonging::logs_of(config.sources.iter().filter(wanted));
        if logs.is_empty() {
            let fix = "no log to read: name one, or configure a source whose files exist";
            return Err(CliError::Unusable(fix.to_owned()));
        }
        Ok(logs)
    }

    /// The same logs with another configuration's sources.
    fn same_logs<'c>(&self, logs: &Logs<'_>, other: &'c Config) -> Result<Logs<'c>, CliError> {
        if let Some((path, _)) = logs.iter().find(|(path, _)| !path.is_file()) {
            let path = escape::bytes(path.as_os_str().as_encoded_bytes());
            let fix = "two configurations are compared by reading logs twice: name files";
            return Err(CliError::Unusable(format!("`{path}` can be read only once, or not at all; {fix}")));
        }
        let chosen = self.source.as_ref().and_then(|name| load::source(other, name).ok());
        belonging::owned(logs.iter().map(|(path, _)| path), &other.sources, chosen)
    }

    fn summarise(&self, outcome: &Outcome, began: Instant, mut screen: Screen) -> Result<(), CliError> {
        let elapsed = (began.elapsed().as_secs_f64() * 1e6).round() / 1e6;
        let summary = Summary::new(outcome, elapsed);
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

impl Side {
    fn load(path: Option<PathBuf>) -> Result<Self, CliError> {
        let config = load::with(&Options::new(path, Needs::REPLAY), config::load_for_replay)?;
        let lists = load::lists_and_names(&config)?;
        Ok(Self { config, lists })
    }
}

impl Summary {
    fn new(outcome: &Outcome, elapsed: f64) -> Self {
        let Outcome { lines, bytes, parsed, unparsed, offences, bans, .. } = *outcome;
        Self { event: "summary", lines, bytes, parsed, unparsed, offences, bans, elapsed }
    }
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
