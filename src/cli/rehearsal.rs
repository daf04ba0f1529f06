//! What `replay` does: whole logs through the daemon's own reader and engine, on log time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::exit::CliError;
use crate::address::Address;
use crate::ban::{Ban, Change, Snapshot};
use crate::config::{Config, Source};
use crate::daemon::{clients, engine_settings, lenses, surroundings};
use crate::engine::{Effects, Engine, Restored, Settings};
use crate::os::clock;
use crate::reader::{Meter, Reader, Whole, next_of};
use crate::record::Reference;
use crate::resolve::Lists;
use crate::terms::{JailName, Observation, OutputName};

/// How often, in log time, the engine forgets what is no longer needed: the daemon has it do so all the time.
const TIDY_EACH: SignedDuration = SignedDuration::from_secs(10);

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
    /// Logs whose format was not recognised, or many of whose lines do not parse, with an example.
    pub(super) doubts: Vec<String>,
    /// Of each log, whom most of its lines come from now that can be no client.
    crowds: Vec<Option<Address>>,
    /// All of them, in words.
    crowds_met: BTreeMap<(PathBuf, Address), String>,
}

/// Who is told of a ban by one of the named jails; an error ends the rehearsal.
pub(super) type Tell<'t> = &'t mut dyn FnMut(&Ban) -> io::Result<()>;

/// The engine on its way through the logs.
struct Court {
    engine: Engine,
    /// The highest event time so far.
    now: Timestamp,
    /// When the engine last forgot what is no longer needed.
    tidied: Timestamp,
    effects: Effects,
}

impl Rehearsal<'_> {
    /// Runs all logs through, and tells of each ban as it happens. Returns, too, who is banned at the end.
    pub(super) fn run(&self, tell: Tell<'_>) -> Result<(Outcome, Snapshot), CliError> {
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
        let (mut court, mut outcome) = (Court::new(self.settings(&Outcome::default())), Outcome::default());
        while let Some(observation) = next_of(&mut logs, &reference)? {
            if outcome.crowds_changed(&self.logs, &logs) {
                court.reconfigure(self.settings(&outcome));
            }
            if self.since.is_none_or(|since| observation.at >= since) {
                court.judge(observation, &mut outcome, &mut |ban: &Ban| {
                    let named = self.jails.is_empty() || self.jails.contains(&ban.jail);
                    if named { tell(ban).map(|()| true) } else { Ok(false) }
                })?;
            }
        }
        for log in &logs {
            outcome.add(log);
        }
        let banned = self.in_force(court, &outcome);
        Ok((outcome, banned))
    }

    fn reader(&self, source: &Source) -> Reader {
        let mut lenses = lenses(self.config, source);
        lenses.retain(|lens| self.jails.is_empty() || self.counts_bans() || self.jails.contains(&lens.jail));
        Reader::new(lenses, false)
    }

    /// Whether a jail is named whose source is bans: the others have to judge, too.
    fn counts_bans(&self) -> bool {
        let named = |jail: &&crate::config::Jail| self.jails.contains(&jail.name);
        self.config.jails.iter().filter(named).any(|jail| jail.filter.is_none())
    }

    /// What an output that carries all jails would hold at the end; simulated bans are in none.
    fn in_force(&self, Court { mut engine, now, .. }: Court, outcome: &Outcome) -> Snapshot {
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
    fn new(settings: Settings) -> Self {
        let (engine, effects) = Engine::new(settings, Restored::default(), Timestamp::UNIX_EPOCH);
        Self { engine, now: Timestamp::UNIX_EPOCH, tidied: Timestamp::UNIX_EPOCH, effects }
    }

    fn reconfigure(&mut self, settings: Settings) {
        self.engine.reconfigure(settings, self.now);
    }

    fn judge(
        &mut self,
        observation: Observation,
        outcome: &mut Outcome,
        tell: &mut dyn FnMut(&Ban) -> io::Result<bool>,
    ) -> io::Result<()> {
        outcome.offences += observation.offences.len() as u64;
        self.now = self.now.max(observation.at);
        if self.now.duration_since(self.tidied) >= TIDY_EACH {
            self.tidied = self.now;
            self.engine.tick(self.now, &mut self.effects);
        }
        self.engine.observe(observation, self.now, &mut self.effects);
        self.effects.notices.clear();
        for change in self.effects.changes.drain(..) {
            if let Change::Banned(ban) | Change::Past(ban) = &change {
                outcome.bans += u64::from(tell(ban)?);
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
        self.crowds_met.values().chain(&self.doubts)
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
