//! `banmap replay`: who would have been banned.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::load;
use super::rehearsal::{self, Outcome, Rehearsal};
use super::screen::{Screen, remark};
use super::since::Since;
use crate::address::Prefix;
use crate::ban::Ban;
use crate::config::{self, Config, Needs, Options, Source};
use crate::os::clock;
use crate::publish::{self, Kind, Style};
use crate::resolve::Lists;
use crate::terms::{JailName, SourceName, escape, show_duration};

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
        let kind = match kind {
            "nginx-geo" => Kind::NginxGeo { variable: "bad_user".to_owned(), style: Style::Block },
            "apache-rewritemap" => Kind::ApacheRewritemap,
            "list" => Kind::List,
            other => return Err(format!("`{other}` is no kind: nginx-geo, apache-rewritemap and list are")),
        };
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
    offences: u32,
    bantime: Option<i64>,
    until: Option<String>,
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
        let config = self.config(globals)?;
        let lists = Lists::open(config.list_entries()).map_err(|errors| {
            CliError::Unusable(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        self.known_jails(&config)?;
        let rehearsal = Rehearsal {
            config: &config,
            lists: &lists,
            logs: self.logs(&config.sources)?,
            jails: &self.jail,
            since: self.since.map(|since| since.resolve(clock::now())),
        };
        let mut screen = Screen::new();
        let mut trouble: io::Result<()> = Ok(());
        let outcome = rehearsal.run(&mut |ban| {
            let shown = if self.json { screen.json(&event(ban)) } else { screen.line(sentence(ban)) };
            let told = shown.is_ok();
            trouble = std::mem::replace(&mut trouble, Ok(())).and(shown);
            told
        });
        trouble?;
        let outcome = outcome.map_err(|error| CliError::Failed(error.to_string()))?;
        self.finish(&outcome, began, screen)?;
        self.write_lists(&outcome)?;
        Ok(Exit::Done)
    }

    fn finish(&self, outcome: &Outcome, began: Instant, mut screen: Screen) -> Result<(), CliError> {
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
        if self.json {
            screen.json(&summary)?;
        } else {
            screen.line(summary.to_string())?;
        }
        screen.finish()?;
        outcome.doubts.iter().for_each(|doubt| remark(&escape::line(doubt)));
        Ok(())
    }

    fn write_lists(&self, outcome: &Outcome) -> Result<(), CliError> {
        for WriteTo { kind, path } in &self.write {
            let output = publish::Settings::plain(kind.clone(), path.clone());
            publish::write(&output, outcome.snapshot.clone(), clock::now())
                .map_err(|error| CliError::Failed(error.to_string()))?;
        }
        Ok(())
    }

    /// The configuration; where there is none at all, the shipped filters on logs whose format is found out.
    fn config(&self, globals: &Globals) -> Result<Config, CliError> {
        let options = Options::new(globals.config().map(Path::to_owned), Needs::REPLAY);
        load::with(&options, if options.finds_nothing() { config::load_shipped } else { config::load })
    }

    fn known_jails(&self, config: &Config) -> Result<(), CliError> {
        let known = |name: &&JailName| config.jails.iter().any(|jail| jail.name == **name);
        if let Some(unknown) = self.jail.iter().find(|name| !known(name)) {
            let names: Vec<&str> = config.jails.iter().map(|jail| jail.name.as_str()).collect();
            return Err(CliError::Unusable(format!(
                "no jail is named `{unknown}`; there are: {}",
                names.join(", ")
            )));
        }
        if config.jails.is_empty() {
            return Err(CliError::Unusable("the configuration has no jail: name one in `jails`".to_owned()));
        }
        Ok(())
    }

    fn logs<'c>(&self, sources: &'c [Source]) -> Result<Vec<(PathBuf, &'c Source)>, CliError> {
        let logs = if self.files.is_empty() { rehearsal::logs_of(sources) } else { self.named(sources)? };
        if logs.is_empty() {
            return Err(CliError::Unusable(
                "no log to read: name one, or configure a source whose files exist".to_owned(),
            ));
        }
        Ok(logs)
    }

    fn named<'c>(&self, sources: &'c [Source]) -> Result<Vec<(PathBuf, &'c Source)>, CliError> {
        let source = |path: &PathBuf| rehearsal::source_of(path, sources, self.source.as_ref());
        let with_source = |path: &PathBuf| Ok((path.clone(), source(path).map_err(CliError::Unusable)?));
        self.files.iter().map(with_source).collect()
    }
}

fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}

fn event(ban: &Ban) -> BanEvent<'_> {
    BanEvent {
        event: "ban",
        at: time(ban.since),
        address: ban.prefix,
        jail: &ban.jail,
        offences: ban.offences,
        bantime: ban.until.map(|until| until.duration_since(ban.since).as_secs()),
        until: ban.until.map(time),
        simulated: ban.simulated,
    }
}

fn sentence(ban: &Ban) -> String {
    let until = ban.until.map_or("forever".to_owned(), |until| {
        format!("{}, until {}", show_duration(until.duration_since(ban.since)), time(until))
    });
    let simulated = if ban.simulated { " (simulated)" } else { "" };
    format!(
        "{}  {:<24} {:<18} {:>3} offences  {until}{simulated}",
        time(ban.since),
        ban.prefix.to_string(),
        ban.jail,
        ban.offences
    )
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} lines ({} bytes) in {:.3} s: {} parsed, {} unparsed, {} offences, {} bans",
            self.lines, self.bytes, self.elapsed, self.parsed, self.unparsed, self.offences, self.bans
        )
    }
}
