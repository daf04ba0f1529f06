//! `banmap import fail2ban --compare LOG`: fail2ban's own code and banmap over the same logs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::difference::{Comparing, Difference, Spared, Thresholds, Totals};
use super::theirs::{self, Theirs, TheirsError};
use super::unusable;
use crate::address::Prefix;
use crate::cli::exit::{CliError, Exit};
use crate::cli::globals::Globals;
use crate::cli::screen::{BOLD, Screen, many, remark};
use crate::cli::{belonging, duration, load};
use crate::config::{self, Config, Jail, Needs, Options, Source};
use crate::daemon::{clients, engine_settings, surroundings};
use crate::engine::Protection;
use crate::migrate;
use crate::os::clock;
use crate::reader::{Examined, Examiner, Lines};
use crate::record::Reference;
use crate::resolve::Lists;
use crate::terms::escape;

/// So many lines are shown of each reason.
const SHOWN: usize = 3;

/// Options of `--compare`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Compare {
    /// Have the installed fail2ban and banmap judge these logs (also .gz), and show where they differ; with -c FILE the jails
    /// of that configuration, else those that would be printed
    #[arg(long = "compare", value_name = "LOG", num_args = 1.., conflicts_with = "database")]
    logs: Vec<PathBuf>,
    /// How long fail2ban may take for a jail and a log; lines behind that are not compared [default: 1m]
    #[arg(long, value_name = "DURATION", requires = "logs", value_parser = duration::of_pause)]
    within: Option<SignedDuration>,
}

/// Our side.
struct Ours {
    config: Config,
    lists: Lists,
    protected: Protection,
    /// Where the configuration was written that is only printed.
    _place: Option<tempfile::TempDir>,
}

/// A jail that both have, and a log for it.
struct Pair<'a> {
    section: &'a str,
    jail: &'a Jail,
    source: &'a Source,
    log: &'a Path,
}

/// The totals of one pair as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    event: &'static str,
    jail: &'a str,
    log: String,
    /// fail2ban's version.
    version: &'a str,
    #[serde(flatten)]
    totals: &'a Totals,
}

/// A difference as JSON.
#[derive(Serialize)]
struct DifferenceEvent<'a> {
    event: &'static str,
    jail: &'a str,
    log: String,
    #[serde(flatten)]
    difference: &'a Difference,
}

impl Compare {
    pub(super) fn is_wanted(&self) -> bool {
        !self.logs.is_empty()
    }

    pub(super) fn execute(self, directory: &Path, globals: &Globals, json: bool) -> Result<Exit, CliError> {
        if let Some(log) = self.logs.iter().find(|log| !log.is_file()) {
            let log = escape::bytes(log.as_os_str().as_encoded_bytes());
            return Err(CliError::Unusable(format!(
                "`{log}` is no file: both read the log, one after the other"
            )));
        }
        let imported = migrate::from_fail2ban(directory).map_err(unusable)?;
        for (jail, why) in &imported.left_out {
            remark(&escape::line(&format!("jail {jail} is not compared, since it is left out: {why}")));
        }
        let ours = Ours::load(globals, &imported.text)?;
        let pairs = self.pairs(&ours.config, &imported.carried);
        if pairs.is_empty() {
            return Err(CliError::Unusable("no jail that is carried over looks at these logs".to_owned()));
        }
        let (mut screen, mut differ, mut compared) = (Screen::new(), 0, 0);
        for pair in &pairs {
            let Some(theirs) = self.theirs(directory, pair)? else { continue };
            compared += 1;
            let version = theirs.version.clone();
            let (totals, differences) = ours.judge(pair, theirs)?;
            differ += totals.only_fail2ban + totals.only_banmap;
            if json {
                pair.events(&version, &totals, &differences, &mut screen)?;
            } else {
                pair.show(&version, &totals, &differences, &mut screen)?;
            }
        }
        screen.finish()?;
        Ok(if differ == 0 && compared == pairs.len() { Exit::Done } else { Exit::Failed })
    }

    /// fail2ban's side; `None` where it cannot judge this jail or log, which is said.
    fn theirs(&self, directory: &Path, pair: &Pair<'_>) -> Result<Option<Theirs>, CliError> {
        let within = self.within.map_or(Duration::from_mins(1), SignedDuration::unsigned_abs);
        match theirs::ask((directory, pair.section), pair.log, within) {
            Ok(theirs) => Ok(Some(theirs)),
            Err(TheirsError::Jail(why)) => {
                let told = format!("jail {}: fail2ban does not judge {}: {why}", pair.section, pair.log());
                remark(&escape::line(&told));
                Ok(None)
            }
            Err(missing) => Err(CliError::Failed(escape::line(&missing.to_string()).into_owned())),
        }
    }

    /// Each jail with the logs of its sources; a log that is no source's is for all jails.
    fn pairs<'a>(&'a self, config: &'a Config, carried: &'a [(String, String)]) -> Vec<Pair<'a>> {
        let mut pairs = Vec::new();
        for (section, name) in carried {
            let Some(jail) = config.jails.iter().find(|jail| jail.name.as_str() == name) else {
                remark(&escape::line(&format!(
                    "jail {name} is not compared: the configuration does not have it"
                )));
                continue;
            };
            let own = |source: &&Source| jail.sources.contains(&source.settings.name);
            for log in &self.logs {
                let belongs = belonging::source_of(log, &config.sources, None).ok();
                let source = match belongs {
                    Some(source) => Some(source).filter(own),
                    None => config.sources.iter().find(own),
                };
                pairs.extend(source.map(|source| Pair { section, jail, source, log }));
            }
        }
        pairs
    }
}

impl Ours {
    /// The configuration that `-c` names, else the one that would be printed.
    fn load(globals: &Globals, printed: &str) -> Result<Self, CliError> {
        let (options, place) = if let Some(path) = globals.config() {
            (Options::new(Some(path.to_owned()), Needs::REPLAY), None)
        } else {
            let (place, path) =
                written(printed).map_err(|error| CliError::Write { path: std::env::temp_dir(), error })?;
            // It is what is printed, whatever the environment says of another one.
            let options = Options { environment: Vec::new(), ..Options::new(Some(path), Needs::REPLAY) };
            (options, Some(place))
        };
        let config = load::with(&options, config::load)?;
        let lists = load::lists_and_names(&config)?;
        let protected = engine_settings(&config, &lists).protected;
        Ok(Self { config, lists, protected, _place: place })
    }

    /// Runs banmap's side over as much of the log as fail2ban has read.
    fn judge(&self, pair: &Pair<'_>, theirs: Theirs) -> Result<(Totals, Vec<Difference>), CliError> {
        let Some(filter) = &pair.jail.filter else { return Ok((Totals::default(), Vec::new())) };
        let settings = pair.jail.jail_settings(&self.lists);
        let spared = Spared {
            allow: [settings.allow, self.protected.trusted.clone()],
            own: self.protected.host.clone(),
        };
        let thresholds = Thresholds {
            maxretry: settings.maxretry as usize,
            findtime: settings.findtime.as_secs_f64(),
            group: settings.group,
        };
        let mut comparing = Comparing::new(theirs, spared, thresholds);
        let clients = clients(pair.source, &surroundings(&self.config, &self.lists));
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        let mut examiner = Examiner::new(filter, clients, pair.source.reading_of(pair.log), reference);
        let mut lines = Lines::open(pair.log)?;
        let last = comparing.lines();
        // The error is the end of what fail2ban has read.
        let mut compare = |examined: &Examined<'_>| {
            if examined.number > last {
                return Err(());
            }
            comparing.line(examined);
            Ok(())
        };
        let mut is_over = false;
        while let (false, Some(buffer)) = (is_over, lines.next_buffer()?) {
            is_over = examiner.buffer(buffer, &mut compare).is_err();
        }
        if !is_over {
            let _ = examiner.finish(&mut compare);
        }
        Ok(comparing.finish())
    }
}

/// A configuration as a file, which goes with its directory.
fn written(text: &str) -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    let place = tempfile::tempdir()?;
    let path = place.path().join("banmap.toml");
    std::fs::File::create(&path)?.write_all(text.as_bytes())?;
    Ok((place, path))
}

impl Pair<'_> {
    fn log(&self) -> String {
        self.log.display().to_string()
    }

    fn events(
        &self,
        version: &str,
        totals: &Totals,
        differences: &[Difference],
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let jail = self.jail.name.as_str();
        for difference in differences {
            screen.json(&DifferenceEvent { event: "difference", jail, log: self.log(), difference })?;
        }
        Ok(screen.json(&Summary { event: "summary", jail, log: self.log(), version, totals })?)
    }

    fn show(
        &self,
        version: &str,
        totals: &Totals,
        differences: &[Difference],
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let Totals { lines, both, only_fail2ban, only_banmap, spared, .. } = totals;
        let title = format!("{} on {}", self.jail.name, escape::line(&self.log()));
        screen.line(format!("{BOLD}{title}{BOLD:#} ({}, fail2ban {version})", many(*lines, "line")))?;
        screen.line(format!(
            "  offences: {both} for both, {only_fail2ban} for fail2ban only, {only_banmap} for banmap only"
        ))?;
        if *spared > 0 {
            screen.line(format!("  {spared} more of addresses that neither bans (ignoreip, this host)"))?;
        }
        for (reason, count) in &totals.reasons {
            screen.line(format!("  {count} × {reason}"))?;
            for one in differences.iter().filter(|one| one.reason == *reason).take(SHOWN) {
                let who = one.fail2ban.iter().chain(&one.banmap).cloned().collect::<String>();
                screen.line(format!("    line {}, {}", one.line, escape::line(&who)))?;
                screen.line(format!("        {}", escape::line(&one.text)))?;
            }
        }
        screen.line(format!(
            "  would be banned: {} by both, {} by fail2ban only{}, {} by banmap only{}",
            totals.banned_by_both,
            totals.banned_only_by_fail2ban.len(),
            named(&totals.banned_only_by_fail2ban),
            totals.banned_only_by_banmap.len(),
            named(&totals.banned_only_by_banmap),
        ))?;
        if let Some(why) = totals.stopped {
            let what = if why == "time" { "its time was over (--within)" } else { "it had found enough" };
            screen
                .line(format!("  fail2ban read no further, since {what}: what follows was not compared"))?;
        }
        Ok(())
    }
}

/// The first of them, in brackets.
fn named(banned: &BTreeSet<Prefix>) -> String {
    let first: Vec<String> = banned.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if banned.len() > SHOWN { " …" } else { "" };
    if first.is_empty() { String::new() } else { format!(" ({}{more})", first.join(", ")) }
}
