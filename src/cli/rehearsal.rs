//! What `replay` does: whole logs through the daemon's own reader and engine, on log time.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ban::{Ban, Change, Snapshot};
use crate::config::{Config, Source};
use crate::daemon::{engine_settings, lenses};
use crate::engine::{Effects, Engine, Restored, Settings};
use crate::os::clock;
use crate::reader::{FileReading, ReadError, Reader, Whole, next_of};
use crate::record::Reference;
use crate::resolve::Lists;
use crate::terms::{JailName, OutputName, SourceName};

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
}

/// What it came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) parsed: u64,
    pub(super) unparsed: u64,
    pub(super) offences: u64,
    pub(super) bans: u64,
    /// Who is banned at the end of the logs; simulated bans left out.
    pub(super) snapshot: Snapshot,
    /// Logs whose format was not recognised, or many of whose lines do not parse, with an example.
    pub(super) doubts: Vec<String>,
}

impl Rehearsal<'_> {
    /// Runs all logs through, and hands each ban to `tell` as it happens; ends early when `tell` says false.
    pub(super) fn run(&self, tell: &mut dyn FnMut(&Ban) -> bool) -> Result<Outcome, ReadError> {
        let readers: Vec<Reader> = self.logs.iter().map(|(_, source)| self.reader(source)).collect();
        let opened = self.logs.iter().zip(&readers);
        let mut logs = opened
            .map(|((path, source), reader)| Whole::open(path, reader, FileReading::new(source.format)))
            .collect::<Result<Vec<_>, _>>()?;
        let reference = Reference { now: clock::now(), zone: TimeZone::system() };
        let (mut engine, _) = Engine::new(self.settings(), Restored::default(), Timestamp::UNIX_EPOCH);
        let (mut now, mut effects, mut outcome) =
            (Timestamp::UNIX_EPOCH, Effects::default(), Outcome::default());
        while let Some(observation) = next_of(&mut logs, &reference)? {
            if self.since.is_some_and(|since| observation.at < since) {
                continue;
            }
            outcome.offences += observation.offences.len() as u64;
            now = now.max(observation.at);
            engine.observe(observation, now, &mut effects);
            for change in effects.changes.drain(..) {
                if let Change::Banned(ban) | Change::Past(ban) = &change {
                    outcome.bans += 1;
                    if !tell(ban) {
                        return Ok(outcome);
                    }
                }
            }
        }
        outcome.snapshot = self.in_force(engine, now);
        logs.iter().for_each(|log| outcome.add(log));
        Ok(outcome)
    }

    fn reader(&self, source: &Source) -> Reader {
        let mut lenses = lenses(self.config, source);
        lenses.retain(|lens| self.jails.is_empty() || self.jails.contains(&lens.jail));
        Reader::new(lenses, false)
    }

    /// What an output that carries all jails would hold at the end.
    fn in_force(&self, mut engine: Engine, now: Timestamp) -> Snapshot {
        let output = output();
        let mut settings = self.settings();
        settings.outputs.push(output.clone());
        settings.jails.iter_mut().for_each(|jail| jail.outputs.push(output.clone()));
        engine.reconfigure(settings, now);
        engine.snapshot(&output)
    }

    /// As the daemon has them, but nothing is published: a ban ends when its time is over.
    fn settings(&self) -> Settings {
        let mut settings = engine_settings(self.config, self.lists);
        settings.outputs.clear();
        settings.jails.iter_mut().for_each(|jail| jail.outputs.clear());
        settings.manual.outputs.clear();
        settings
    }
}

/// What stands for the lists that `--write` makes.
fn output() -> OutputName {
    "replay".parse().expect("it is made of letters")
}

impl Default for Outcome {
    fn default() -> Self {
        let snapshot = Snapshot { generation: 0, output: output(), prefixes: Vec::new(), holes: Vec::new() };
        let (lines, bytes, parsed, unparsed, offences, bans) = Default::default();
        Self { lines, bytes, parsed, unparsed, offences, bans, snapshot, doubts: Vec::new() }
    }
}

impl Outcome {
    fn add(&mut self, log: &Whole<'_>) {
        let reading = log.reading();
        self.lines += reading.lines;
        self.bytes += reading.bytes;
        self.parsed += reading.parsed;
        self.unparsed += reading.unparsed;
        let tried = reading.parsed + reading.unparsed;
        if let Some(example) = reading.example.as_ref().filter(|_| reading.unparsed * 20 > tried) {
            self.doubts.push(format!(
                "{}: {} of {tried} lines that were tried do not parse ({}); for example: {}",
                log.path().display(),
                reading.unparsed,
                example.reason,
                example.text
            ));
        }
    }
}

/// The source that a log belongs to: the one whose pattern matches its path (also as a rotated name), else the one named
/// by `fallback`, else the only one.
pub(super) fn source_of<'a>(
    path: &Path,
    sources: &'a [Source],
    fallback: Option<&SourceName>,
) -> Result<&'a Source, String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let matching = unrotated(&absolute).into_iter().find_map(|name| {
        sources.iter().find(|source| source.settings.patterns.iter().any(|pattern| matches(pattern, &name)))
    });
    let named = || sources.iter().find(|source| Some(&source.settings.name) == fallback);
    let only = || sources.first().filter(|_| sources.len() == 1 && fallback.is_none());
    matching.or_else(named).or_else(only).ok_or_else(|| no_source(path, sources, fallback))
}

/// The files that the sources' patterns match now.
pub(super) fn logs_of(sources: &[Source]) -> Vec<(PathBuf, &Source)> {
    let patterns = sources
        .iter()
        .flat_map(|source| source.settings.patterns.iter().map(move |pattern| (pattern, source)));
    let files = patterns.flat_map(|(pattern, source)| {
        glob::glob(pattern)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|path| path.is_file())
            .map(move |path| (path, source))
    });
    let mut files: Vec<(PathBuf, &Source)> = files.collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files.dedup_by(|a, b| a.0 == b.0);
    files
}

fn no_source(path: &Path, sources: &[Source], fallback: Option<&SourceName>) -> String {
    let names: Vec<&str> = sources.iter().map(|source| source.settings.name.as_str()).collect();
    match fallback {
        Some(name) => format!("no source is named `{name}`; there are: {}", names.join(", ")),
        None if names.is_empty() => format!("{}: the configuration has no source", path.display()),
        None => format!(
            "{}: no source's path matches it; say --source NAME ({})",
            path.display(),
            names.join(", ")
        ),
    }
}

fn matches(pattern: &str, path: &Path) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path(path))
}

/// A path, and what it was called before it was rotated: without `.gz`, without `.N`, `-DATE` or `.DATE`.
fn unrotated(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return vec![path.to_owned()] };
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let is_number = |tail: &str| !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut names = vec![name, plain];
    for (at, _) in plain.match_indices(['.', '-']) {
        if is_number(&plain[at + 1..]) {
            names.push(&plain[..at]);
            break;
        }
    }
    names.dedup();
    names.into_iter().map(|name| path.with_file_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_name_leads_to_the_live_one() {
        for name in [
            "access.log",
            "access.log.1",
            "access.log.2.gz",
            "access.log-20261120",
            "access.log-2026-11-20.gz",
            "access.log.gz",
        ] {
            let names = unrotated(&Path::new("/var/log").join(name));
            assert!(names.contains(&PathBuf::from("/var/log/access.log")), "{name}: {names:?}");
        }
        assert_eq!(unrotated(Path::new("/l/shop-a.log")), [PathBuf::from("/l/shop-a.log")]);
    }
}
