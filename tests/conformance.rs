//! fail2ban's own annotated samples through our reading of its filters: verdict and host, as its own suite judges them.
//!
//! It runs on whatever fail2ban is installed (or unpacked at `$BANMAP_FAIL2BAN`) and fails where there is none. What we judge differently
//! stands in `DIFFERENT` with the reason; that list may only shrink.

#![expect(clippy::unwrap_used, reason = "the samples are what their own suite reads, or the test fails")]

#[path = "conformance/crafted.rs"]
mod crafted;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use banmap::filter::{Engine, Filter, Judgement, Language, Match, Memory, Recipe};
use banmap::record::{Format, Reference};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Cases that we judge differently, as `filter:line`, and why.
const DIFFERENT: &[(&str, &str)] = &[];

/// Where fail2ban's files are.
struct Installed {
    filters: PathBuf,
    tests: PathBuf,
}

/// One annotated line, under one set of options.
#[derive(Clone)]
struct Case {
    line: Vec<u8>,
    number: usize,
    note: Option<Map<String, Value>>,
}

impl Installed {
    fn find() -> Self {
        let root = std::env::var_os("BANMAP_FAIL2BAN").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let places = ["usr/lib/python3/dist-packages", "usr/lib/python3/site-packages"];
        let tests = places.iter().map(|place| root.join(place).join("fail2ban/tests"));
        let tests = tests.into_iter().find(|tests| tests.join("files/logs").is_dir());
        let tests = tests.expect("fail2ban and its samples are installed (`bash tests/run.sh` does that)");
        Self { filters: root.join("etc/fail2ban/filter.d"), tests }
    }

    /// The filter's file: the suite has a few of its own.
    fn filter(&self, name: &str) -> PathBuf {
        let own = self.tests.join("config/filter.d").join(format!("{name}.conf"));
        if name.starts_with("zzz-") && own.is_file() {
            own
        } else {
            self.filters.join(format!("{name}.conf"))
        }
    }

    fn compile(&self, name: &str, parameters: &[(String, String)]) -> Result<Filter, String> {
        // The suite's own filters include the others by where these stand among the sources.
        let installed =
            |path: &Path| match path.to_str().and_then(|path| path.rsplit_once("/config/filter.d/")) {
                Some((above, name)) if above.ends_with("..") => self.filters.join(name),
                _ => path.to_owned(),
            };
        let read = |path: &Path| match fs::read_to_string(installed(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let recipe = Recipe::read(&self.filter(name), parameters, &read).map_err(|t| t.to_string())?;
        let language = Language::compile(recipe).map_err(|troubles| troubles[0].to_string())?;
        Ok(Filter::told(language))
    }

    fn logs(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.tests.join("files/logs"))
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn log(&self, name: &str) -> Vec<u8> {
        fs::read(self.tests.join("files/logs").join(name)).unwrap()
    }
}

/// A note's kind and value: `# failJSON: {…}`.
fn note(line: &[u8]) -> Option<(&str, Value)> {
    let text =
        std::str::from_utf8(line).ok()?.strip_prefix('#')?.trim_start_matches('#').trim_start_matches(' ');
    let kinds = ["failJSON", "fileOptions", "filterOptions", "addFILE"];
    kinds.iter().find_map(|kind| {
        let value = text.strip_prefix(kind)?.strip_prefix(':')?;
        Some((*kind, serde_json::from_str(value.trim()).unwrap()))
    })
}

/// Everything that a log says, with the options that hold at each line.
fn cases(installed: &Installed, log: &str) -> Vec<(Vec<Map<String, Value>>, Case)> {
    let (mut files, mut common, mut options) = (vec![log.to_owned()], Map::new(), vec![Map::new()]);
    let (mut cases, mut next) = (Vec::new(), 0);
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        let mut pending = None;
        for (index, line) in installed.log(&file).split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match note(line) {
                Some(("failJSON", Value::Object(value))) => pending = Some(value),
                Some(("addFILE", value)) => files.push(value.as_str().unwrap().to_owned()),
                Some(("fileOptions", Value::Object(value))) => common = value,
                Some(("filterOptions", value)) => {
                    let list = if value.is_array() { value.as_array().unwrap().clone() } else { vec![value] };
                    options = list.iter().map(|own| joined(&common, own.as_object().unwrap())).collect();
                }
                Some(_) => {}
                None if pending.is_none() && (line.starts_with(b"#") || line.trim_ascii().is_empty()) => {}
                None => {
                    let case = Case { line: line.to_vec(), number: index + 1, note: pending.take() };
                    cases.push((options.clone(), case));
                }
            }
        }
    }
    cases
}

fn joined(common: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    common.iter().chain(own).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether a set of options is for this log: one that reads another's lines may leave some out (`name=='sshd'`).
fn holds(log: &str, options: &Map<String, Value>) -> bool {
    let condition = options.get("test.condition").and_then(Value::as_str);
    let name = condition.and_then(|text| text.strip_prefix("name=='")?.strip_suffix('\''));
    condition.is_none() || name == Some(log)
}

/// Whether a note's constraint lets it tell of this log with these options: `name == 'sshd'`, `opts.get('mode') != 'x'`.
fn is_meant(log: &str, options: &Map<String, Value>, note: &Map<String, Value>) -> bool {
    let Some(constraint) = note.get("constraint").and_then(Value::as_str) else { return true };
    let (left, is_equal, right) = match constraint.split_once("!=") {
        Some((left, right)) => (left.trim(), false, right.trim()),
        None => constraint.split_once("==").map(|(left, right)| (left.trim(), true, right.trim())).unwrap(),
    };
    let option = left.strip_prefix("opts.get('").and_then(|rest| rest.strip_suffix("')"));
    let value = option.map_or(Some(log), |option| options.get(option).and_then(Value::as_str));
    (value == Some(right.trim_matches('\''))) == is_equal
}

/// Which filter a set of options asks for, and its parameters.
fn wanted(log: &str, options: &Map<String, Value>) -> (String, Vec<(String, String)>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let filter = options
        .get("test.filter-name")
        .or_else(|| options.get("filterName"))
        .map_or_else(|| log.to_owned(), text);
    let parameters = options.iter().filter(|(key, _)| !key.starts_with("test.") && *key != "filterName");
    (filter, parameters.map(|(key, value)| (key.to_lowercase(), text(value))).collect())
}

/// A filter and what it remembers of the lines before.
struct Running {
    filter: Filter,
    memory: Memory,
}

fn judge(running: &mut Running, line: &[u8]) -> Option<Match> {
    // The suite's time: its zone, noon of the fourteenth of August 2005.
    let zone = TimeZone::get("Europe/Zurich").unwrap();
    let reference = Reference { now: "2005-08-14T10:00:00Z".parse().unwrap(), zone };
    let record = Format::Raw.parse_at(line, &reference).ok()?;
    match running.filter.judge_after(&record, &mut running.memory, Some(&reference)) {
        Judgement::Offence(found) => Some(found),
        Judgement::Missed | Judgement::Ignored(_) => None,
    }
}

/// The notes that are fulfilled, of all that tell of one line: verdict, host, time.
#[derive(Default)]
struct Score {
    checks: usize,
    /// Case by case what differs.
    wrong: BTreeMap<String, String>,
}

/// What is wrong with our verdict, if anything is.
fn difference(case: &Case, found: Option<&Match>) -> Option<String> {
    let expected = case.note.as_ref().is_some_and(|note| note.get("match") == Some(&Value::Bool(true)));
    match (expected, found) {
        (false, None) => None,
        (true, None) => Some("missed".to_owned()),
        (false, Some(_)) => Some("an offence, and should not be".to_owned()),
        (true, Some(found)) => {
            let note = case.note.as_ref()?;
            let host = note.get("host").and_then(Value::as_str);
            let named = String::from_utf8_lossy(found.named(&case.line)?).into_owned();
            if host.is_some_and(|host| host != named) {
                return Some(format!("names {named} instead of {}", host?));
            }
            wrong_time(note, found)
        }
    }
}

/// A note's time, whose numbers need not have all their digits.
fn local(text: &str) -> Option<Timestamp> {
    let numbers: Vec<i16> =
        text.split(['-', 'T', ':', '.']).map_while(|number| number.parse().ok()).collect();
    let [year, rest @ ..] = numbers.get(..6)? else { return None };
    let [month, day, hour, minute, second] = rest else { return None };
    let small = |number: &i16| i8::try_from(*number).ok();
    let civil =
        DateTime::new(*year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0);
    Some(civil.ok()?.in_tz("Europe/Zurich").ok()?.timestamp())
}

fn wrong_time(note: &Map<String, Value>, found: &Match) -> Option<String> {
    let expected = note.get("time").and_then(Value::as_str)?;
    let expected = local(expected)?;
    let time = found.told.as_ref()?.time;
    let is_near =
        time.is_some_and(|time| time.duration_since(expected).abs() < jiff::SignedDuration::from_secs(1));
    (!is_near).then(|| format!("at {time:?} instead of {expected}"))
}

impl Score {
    fn log(&mut self, installed: &Installed, log: &str) {
        let mut running: BTreeMap<String, Result<Running, String>> = BTreeMap::new();
        for (options, case) in cases(installed, log) {
            for options in options.iter().filter(|options| holds(log, options)) {
                let (name, parameters) = wanted(log, options);
                if !case.note.as_ref().is_none_or(|note| is_meant(log, options, note)) {
                    continue;
                }
                let prefix = options.get("test.prefix-line").and_then(Value::as_str).unwrap_or_default();
                let case = Case { line: [prefix.as_bytes(), &case.line].concat(), ..case.clone() };
                let running = running.entry(format!("{name}{parameters:?}")).or_insert_with(|| {
                    let filter = installed.compile(&name, &parameters)?;
                    Ok(Running { filter, memory: Memory::default() })
                });
                self.checks += 1;
                let told = match running {
                    Err(error) => Some(error.clone()),
                    Ok(running) => difference(&case, judge(running, &case.line).as_ref()),
                };
                if let Some(told) = told {
                    let line = String::from_utf8_lossy(&case.line);
                    let told = format!("{told} {parameters:?}\n    {line}");
                    self.wrong.insert(format!("{log}:{}", case.number), told);
                }
            }
        }
    }
}

/// Logs that another one names are read with that.
fn added(installed: &Installed) -> Vec<String> {
    let named = |log: String| {
        let text = installed.log(&log);
        let notes = text.split(|byte| *byte == b'\n').filter_map(note);
        let names =
            notes.filter(|(kind, _)| *kind == "addFILE").map(|(_, name)| name.as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    installed.logs().into_iter().flat_map(named).collect()
}

/// `$BANMAP_CONFORMANCE` limits it to the logs whose names begin so.
#[test]
fn fail2bans_samples_are_judged_as_fail2ban_judges_them() {
    let installed = Installed::find();
    let only = std::env::var("BANMAP_CONFORMANCE").unwrap_or_default();
    let (added, mut score) = (added(&installed), Score::default());
    for log in installed
        .logs()
        .into_iter()
        .filter(|log| !added.contains(log) || installed.filter(log).is_file())
        .filter(|log| log.starts_with(&only))
    {
        score.log(&installed, &log);
    }
    let known = |name: &str| {
        DIFFERENT.iter().any(|(known, _)| name == *known || name.starts_with(&format!("{known}:")))
    };
    let told: Vec<String> = score
        .wrong
        .iter()
        .filter(|(name, _)| !known(name))
        .map(|(name, told)| format!("{name}: {told}"))
        .collect();
    eprintln!("{} checks, {} cases differ", score.checks, score.wrong.len());
    assert!(told.is_empty(), "{} of {} checks:\n{}", told.len(), score.checks, told.join("\n"));
    let differs =
        |name: &str| score.wrong.keys().any(|wrong| wrong == name || wrong.starts_with(&format!("{name}:")));
    let stale: Vec<&str> = DIFFERENT.iter().map(|(name, _)| *name).filter(|name| !differs(name)).collect();
    assert!(!only.is_empty() || stale.is_empty(), "judged as fail2ban does now, take them out: {stale:?}");
}

/// Each filter that comes with it can be read and compiled.
#[test]
fn fail2bans_filters_compile() {
    let installed = Installed::find();
    let mut names: Vec<String> = fs::read_dir(&installed.filters)
        .unwrap()
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".conf")?.to_owned()))
        // What others include is no filter by itself.
        .filter(|name| !name.ends_with("common"))
        .collect();
    names.sort();
    let (mut failed, mut linear, mut back) = (Vec::new(), 0, Vec::new());
    for name in &names {
        match installed.compile(name, &[]) {
            Ok(filter) => {
                let engines = filter.language().unwrap().engines();
                let those = engines.iter().filter(|(.., engine)| *engine == Engine::Backtracking).count();
                linear += engines.len() - those;
                back.extend((those > 0).then(|| format!("{name} {those}")));
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    eprintln!("{} filters, {linear} patterns linear, backtracking: {}", names.len(), back.join(", "));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
