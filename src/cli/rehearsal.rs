//! What `replay` does: whole logs through the daemon's own reader and engine, on log time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::exit::CliError;
use super::ledger::Ledger;
use crate::address::Address;
use crate::ban::{Ban, Change, Snapshot};
use crate::config::{Config, Source};
use crate::daemon::{clients, engine_settings, lenses, surroundings};
use crate::engine::{Effects, Engine, Notice, Pace, Restored, Settings};
use crate::os::clock;
use crate::reader::{Meter, Reader, Whole, next_of};
use crate::record::Reference;
use crate::resolve::Lists;
use crate::terms::{JailName, Observation, OutputName};

/// How often, in log time, the engine forgets what is no longer needed: the daemon has it do so all the time.
const TIDY_EACH: SignedDuration = SignedDuration::from_secs(10);

/// So many storms are told: where there are more, the first ones tell enough.
const STORMS: usize = 20;

/// Which logs, and how much of them.
pub(super) struct Rehearsal<'a> {
    pub(super) config: &'a Config,
    pub(super) lists: &'a Lists,
    /// Each log with the source it belongs to.
    pub(super) logs: Vec<(PathBuf, &'a Source)>,
    /// Only these jails; all, where none is named.
    pub(super) jails: &'a [JailName],
    /// Leave out records before this time.
    pub(super) since: Option<Timestamp>,
    /// Shows how far the logs are read.
    pub(super) meter: Meter,
    /// So many bans are kept for who looks at them afterwards.
    pub(super) kept: usize,
}

/// What it led to.
pub(super) struct Rehearsed {
    /// How much was read.
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) ledger: Ledger,
    /// Who is banned at the end.
    pub(super) banned: Snapshot,
}

/// What it came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) parsed: u64,
    pub(super) unparsed: u64,
    /// Records that a filter matched, once for each jail; those of banned and of protected clients included.
    pub(super) offences: u64,
    pub(super) bans: u64,
    /// When a jail banned suspiciously many, in words.
    storms: Vec<String>,
    /// Logs whose format was not recognised, or many of whose lines do not parse, with an example.
    pub(super) doubts: Vec<String>,
    /// Of each log, whom most of its lines come from now that can be no client.
    crowds: Vec<Option<Address>>,
    /// All of them, in words.
    crowds_met: BTreeMap<(PathBuf, Address), String>,
}

/// Who is told of a ban by one of the named jails, and of the first offence that led to it; an error ends the rehearsal.
pub(super) type Tell<'t> = &'t mut dyn FnMut(&Ban, Option<Timestamp>) -> io::Result<()>;

/// The engine on its way through the logs.
struct Court {
    engine: Engine,
    /// The highest event time so far.
    now: Timestamp,
    /// When the engine last forgot what is no longer needed.
    tidied: Timestamp,
    /// The second for which it was last told how many clients there are.
    heard: i64,
    effects: Effects,
    ledger: Ledger,
}

impl Rehearsal<'_> {
    /// Runs all logs through, and tells of each ban as it happens.
    pub(super) fn run(&self, tell: Tell<'_>) -> Result<Rehearsed, CliError> {
        let around = surroundings(self.config, self.lists);
        let readers: Vec<Reader> = self
            .logs
            .iter()
            .map(|(_, source)| self.reader(source).telling(clients(source, &around)))
            .collect();
        let opened = self.logs.iter().zip(&readers);
        let mut logs = opened
            .map(|((path, source), reader)| Whole::open(path, reader, source.reading_of(path), &self.meter))
            .collect::<Result<Vec<_>, _>>()?;
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        let mut outcome = Outcome::default();
        let mut court = Court::new(self.settings(&outcome), self.kept);
        while let Some(observation) = next_of(&mut logs, &reference)? {
            if outcome.crowds_changed(&self.logs, &logs) {
                court.reconfigure(self.settings(&outcome));
            }
            if self.since.is_none_or(|since| observation.at >= since) {
                court.hear(&self.logs, &readers);
                let is_named = |jail: &JailName| self.jails.is_empty() || self.jails.contains(jail);
                court.judge(observation, &mut outcome, &is_named, tell)?;
            }
        }
        for log in &logs {
            outcome.add(log);
        }
        let Court { engine, now, ledger, .. } = court;
        let banned = self.in_force(engine, now, &outcome);
        Ok(Rehearsed { outcome, ledger, banned })
    }

    fn reader(&self, source: &Source) -> Reader {
        let mut lenses = lenses(self.config, source, 0);
        lenses.retain(|lens| self.jails.is_empty() || self.counts_bans() || self.jails.contains(&lens.jail));
        Reader::new(lenses, false)
    }

    /// Whether a jail is named whose source is bans: the others have to judge, too.
    fn counts_bans(&self) -> bool {
        let named = |jail: &&crate::config::Jail| self.jails.contains(&jail.name);
        self.config.jails.iter().filter(named).any(|jail| jail.filter.is_none())
    }

    /// What an output that carries all jails would hold at the end; simulated bans are in none.
    fn in_force(&self, mut engine: Engine, now: Timestamp, outcome: &Outcome) -> Snapshot {
        let output: OutputName = "replay".parse().expect("it is made of letters");
        let mut settings = self.settings(outcome);
        settings.outputs.push(output.clone());
        settings.jails.iter_mut().for_each(|jail| jail.outputs.push(output.clone()));
        engine.reconfigure(settings, now);
        while engine.is_behind(now) {
            engine.tick(now, &mut Effects::default());
        }
        engine.snapshot(&output)
    }

    /// As the daemon has them, but nothing is published: a ban ends when its time is over.
    fn settings(&self, outcome: &Outcome) -> Settings {
        let mut settings = engine_settings(self.config, self.lists);
        let crowds = self.logs.iter().zip(&outcome.crowds);
        let crowds =
            crowds.filter_map(|((_, source), crowd)| Some((source.settings.name.clone(), (*crowd)?)));
        settings.protected.crowds = crowds.collect();
        settings.outputs.clear();
        settings.jails.iter_mut().for_each(|jail| jail.outputs.clear());
        settings.manual.outputs.clear();
        settings
    }
}

impl Court {
    fn new(settings: Settings, kept: usize) -> Self {
        let ledger = Ledger::new(&settings.jails, kept);
        let (engine, effects) = Engine::new(settings, Restored::default(), Timestamp::UNIX_EPOCH);
        let (now, tidied, heard) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, i64::MIN);
        Self { engine, now, tidied, heard, effects, ledger }
    }

    fn reconfigure(&mut self, settings: Settings) {
        self.engine.reconfigure(settings, self.now);
    }

    /// Tells the engine how many clients there are, once in a second of the logs while that matters.
    fn hear(&mut self, logs: &[(PathBuf, &Source)], readers: &[Reader]) {
        if self.heard == self.now.as_second() || !self.engine.wants_clients(self.now) {
            return;
        }
        self.heard = self.now.as_second();
        for ((_, source), reader) in logs.iter().zip(readers) {
            self.engine.hear(&source.settings.name, Pace::Rehearsed, reader.sample());
        }
    }

    fn judge(
        &mut self,
        observation: Observation,
        outcome: &mut Outcome,
        is_named: &dyn Fn(&JailName) -> bool,
        tell: Tell<'_>,
    ) -> io::Result<()> {
        outcome.offences += observation.offences.len() as u64;
        self.now = self.now.max(observation.at);
        if self.now.duration_since(self.tidied) >= TIDY_EACH {
            self.tidied = self.now;
            self.engine.tick(self.now, &mut self.effects);
        }
        for offence in &observation.offences {
            self.ledger.offence(offence, observation.address, observation.at);
        }
        self.engine.observe(observation, self.now, &mut self.effects);
        for spared in self.effects.spared.drain(..) {
            self.ledger.spared(&spared, self.now);
        }
        for notice in self.effects.notices.drain(..).filter(|notice| matches!(notice, Notice::Storm { .. })) {
            if outcome.storms.len() < STORMS {
                outcome.storms.push(format!("{:.0}: {notice}", self.now));
            }
        }
        for change in self.effects.changes.drain(..) {
            match change {
                Change::Banned(ban) | Change::Past(ban) if is_named(&ban.jail) => {
                    outcome.bans += 1;
                    tell(&ban, self.ledger.banned(&ban))?;
                }
                Change::Prolonged(ban) | Change::Extended(ban) => self.ledger.prolonged(&ban),
                // What a jail comes to that is not named stands behind what a named one counts.
                Change::Banned(_)
                | Change::Past(_)
                | Change::Withheld(_)
                | Change::Held(_)
                | Change::Ended(..) => {}
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Whether the crowds of the logs are others than at the last look.
    fn crowds_changed(&mut self, sources: &[(PathBuf, &Source)], logs: &[Whole<'_>]) -> bool {
        let now = || logs.iter().map(|log| log.reading().crowd.as_ref().map(|crowd| crowd.address));
        if now().eq(self.crowds.iter().copied()) {
            return false;
        }
        self.crowds = now().collect();
        for ((path, source), log) in sources.iter().zip(logs) {
            let Some(crowd) = &log.reading().crowd else { continue };
            let name = &source.settings.name;
            let told = || format!("source {name}: {}: {crowd}", path.display());
            self.crowds_met.entry((path.clone(), crowd.address)).or_insert_with(told);
        }
        true
    }

    /// What an operator should know about the logs, a line each.
    pub(super) fn remarks(&self) -> impl Iterator<Item = &String> {
        self.crowds_met.values().chain(&self.storms).chain(&self.doubts)
    }

    fn add(&mut self, log: &Whole<'_>) {
        let reading = log.reading();
        self.lines += reading.lines;
        self.bytes += reading.bytes;
        self.parsed += reading.parsed;
        self.unparsed += reading.unparsed;
        let tried = reading.parsed + reading.unparsed;
        if let Some(example) = reading.example.as_ref().filter(|_| reading.unparsed * 20 > tried) {
            let likely =
                reading.looks_like().map(|format| format!("; its lines look like `{format}`: set `format`"));
            self.doubts.push(format!(
                "{}: {} of {tried} lines that were tried do not parse ({}){}; for example: {}",
                log.path().display(),
                reading.unparsed,
                example.reason,
                likely.unwrap_or_default(),
                example.text
            ));
        }
    }
}
