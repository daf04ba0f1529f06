//! Where filters are found: `[filter.NAME]`, `filter.d/NAME.toml`, the directories of `filter_path`, the shipped ones.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::gather;
use super::node::{self, Entry, Table, Value};
use super::problem::Problem;
use super::rules;
use super::text::{Medium, Place, Text};
use crate::filter::{self, Call, FailedSample, Filter, Judgement, Language, Recipe, SHIPPED, Trouble};
use crate::terms::{JailName, nearest};

/// Where a filter comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterOrigin {
    /// It is embedded in the binary.
    Shipped,
    /// A file of its own.
    File(PathBuf),
    /// `[filter.NAME]` of the configuration: file and line.
    Inline(String),
}

impl fmt::Display for FilterOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::File(path) => path.display().fmt(f),
            Self::Inline(place) => f.write_str(place),
        }
    }
}

/// A filter that was found and compiled.
#[derive(Clone, Debug)]
pub struct FoundFilter {
    /// Its name.
    pub name: String,
    /// Ready to judge.
    pub filter: Arc<Filter>,
    /// Where it comes from.
    pub origin: FilterOrigin,
    /// A shipped filter has the same name, and is not used.
    pub hides_shipped: bool,
    /// What problems point into.
    written: Arc<Written>,
}

/// Everything a filter's name can lead to. Each filter is read and compiled once.
#[derive(Debug, Default)]
pub struct Library {
    inline: BTreeMap<String, Entry>,
    /// `filter.d` first.
    directories: Vec<PathBuf>,
    read: Mutex<BTreeMap<String, Outcome>>,
}

/// A filter, or everything that is wrong with it.
type Outcome = Result<FoundFilter, Vec<Problem>>;

/// A filter as it was written.
#[derive(Debug)]
struct Written {
    origin: FilterOrigin,
    table: Table,
    /// Where to point when a problem names no key that was written.
    place: Place,
}

impl Library {
    pub(super) fn new(inline: BTreeMap<String, Entry>, directories: Vec<PathBuf>) -> Self {
        Self { inline, directories, read: Mutex::default() }
    }

    /// The filter that a configuration calls `name`. The problems name its file; an unknown name comes with the nearest.
    pub fn find(&self, name: &str) -> Result<FoundFilter, Vec<Problem>> {
        let known = self.known().get(name).cloned();
        known.unwrap_or_else(|| {
            let found = self.look_up(name);
            self.known().insert(name.to_owned(), found.clone());
            found
        })
    }

    /// The filter in the file `path`, which may be followed by parameters where it is in fail2ban's language.
    pub fn open(path: &Path) -> Result<FoundFilter, Vec<Problem>> {
        let written = path.to_string_lossy();
        let call = Call::read(&written).map_err(|what| vec![Problem::error(what)])?;
        let path = if call.parameters.is_empty() { path } else { Path::new(call.name) };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|extension| extension == "conf" || extension == "local") {
            return from_conf(&name, &path.with_extension("conf"), &call.parameters);
        }
        if call.parameters.is_empty() {
            from_file(&name, path)
        } else {
            Err(vec![without_parameters(&written)])
        }
    }

    /// The names of all filters that are banmap's own: inline, in files, shipped. Those in fail2ban's language are left out.
    pub fn names(&self) -> Vec<String> {
        let stems = self.stems("toml");
        let shipped = SHIPPED.iter().map(|shipped| shipped.name.to_owned());
        let mut names: Vec<String> = self.inline.keys().cloned().chain(stems).chain(shipped).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The names of the filters in fail2ban's language; what the others only include is not among them.
    fn names_of_fail2bans(&self) -> Vec<String> {
        let mut names: Vec<String> = self.stems("conf").chain(self.stems("local")).collect();
        names.retain(|name| !name.ends_with("common"));
        names.sort();
        names.dedup();
        names
    }

    fn stems(&self, extension: &'static str) -> impl Iterator<Item = String> {
        let files = self.directories.iter();
        let files =
            files.flat_map(move |directory| gather::files_with(directory, extension).unwrap_or_default());
        files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
    }

    /// Each entry is whole, so that a panic elsewhere leaves nothing broken here.
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Outcome>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, name: &str) -> Outcome {
        let call = Call::read(name).map_err(|what| vec![Problem::error(what)])?;
        if call.name.parse::<JailName>().is_err() {
            return Err(vec![unusable(name)]);
        }
        let plain = || if call.parameters.is_empty() { Ok(()) } else { Err(vec![without_parameters(name)]) };
        if let Some(entry) = self.inline.get(call.name) {
            return plain().and_then(|()| from_entry(name, entry));
        }
        for directory in &self.directories {
            let path = directory.join(format!("{}.toml", call.name));
            if is_there(&path) {
                return plain().and_then(|()| from_file(name, &path));
            }
            let conf = path.with_extension("conf");
            if is_there(&conf) || is_there(&path.with_extension("local")) {
                return from_conf(name, &conf, &call.parameters);
            }
        }
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == call.name);
        if shipped.is_some() {
            plain()?;
        }
        let name = call.name;
        let shipped = SHIPPED.iter().find(|shipped| shipped.name == name);
        shipped.map_or_else(|| Err(vec![self.unknown(name)]), |shipped| from_shipped(name, shipped.text))
    }

    fn unknown(&self, name: &str) -> Problem {
        let (ours, theirs) = (self.names(), self.names_of_fail2bans());
        let meant = nearest(name, ours.iter().chain(&theirs).map(String::as_str));
        let meant = meant.map(|meant| format!("did you mean \"{meant}\"?"));
        let conf = match theirs.as_slice() {
            [] => String::new(),
            theirs => format!("; in fail2ban's language: {}", theirs.join(", ")),
        };
        let directory =
            self.directories.first().map_or_else(String::new, |first| format!(" ({})", first.display()));
        let fix = meant.unwrap_or_else(|| {
            format!(
                "write it as [filter.{name}] or filter.d/{name}.toml{directory}; there are: {}{conf}",
                ours.join(", ")
            )
        });
        Problem::error(format!("there is no filter `{name}`")).fix(fix)
    }
}

/// Whether a name is taken in a directory; what cannot be looked at is not there.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

fn unusable(name: &str) -> Problem {
    let problem = Problem::error(format!("`{name}` is no filter's name"));
    let fix = if name.contains('/') {
        "put the file into filter.d beside the configuration, and give its name without .toml"
    } else {
        "letters, digits, `-`, `_` and `.` make a name; parameters follow it as [name=value]"
    };
    problem.fix(fix.to_owned())
}

fn without_parameters(name: &str) -> Problem {
    let what = format!("`{name}`: parameters belong to filters in fail2ban's language, and this one is not");
    Problem::error(what).fix("write the filter's name alone".to_owned())
}

/// A filter in fail2ban's language.
fn from_conf(name: &str, path: &Path, parameters: &[(String, String)]) -> Outcome {
    let read = |path: &Path| match gather::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let recipe = Recipe::read(path, parameters, &read)
        .map_err(|trouble| vec![in_conf(name, &trouble, Problem::error)])?;
    let language = Language::compile(recipe)
        .map_err(|troubles| troubles.iter().map(|t| in_conf(name, t, Problem::error)).collect::<Vec<_>>())?;
    let text = Text::new(Medium::File(path.to_owned()), String::new());
    let written = Written {
        origin: FilterOrigin::File(path.to_owned()),
        table: Table::default(),
        place: Place::new(&text, 0..0),
    };
    Ok(FoundFilter {
        name: name.to_owned(),
        filter: Arc::new(Filter::told(language)),
        origin: written.origin.clone(),
        hides_shipped: SHIPPED.iter().any(|shipped| shipped.name == name),
        written: Arc::new(written),
    })
}

/// Something about one of its files, at its line.
fn in_conf(name: &str, trouble: &Trouble, problem: fn(String) -> Problem) -> Problem {
    let text = Text::new(Medium::File(trouble.file.clone()), gather::read(&trouble.file).unwrap_or_default());
    let mut lines = text.body.split_inclusive('\n');
    let start: usize = lines.by_ref().take(trouble.line.saturating_sub(1)).map(str::len).sum();
    let length = lines.next().map_or(0, |line| line.trim_end().len());
    problem(format!("filter {name}: {}", trouble.message)).at(Place::new(&text, start..start + length))
}

fn from_entry(name: &str, entry: &Entry) -> Outcome {
    let origin = FilterOrigin::Inline(format!("[filter.{name}] ({})", entry.key.origin()));
    match &entry.node.value {
        Value::Table(table) => {
            compile(name, Written { origin, table: table.clone(), place: entry.key.clone() })
        }
        other => {
            let what = format!("`filter.{name}` must be a table, not {}", other.kind());
            Err(vec![Problem::error(what).at(entry.node.place.clone())])
        }
    }
}

fn from_file(name: &str, path: &Path) -> Outcome {
    let body = gather::read(path).map_err(|error| vec![gather::unreadable(path, &error)])?;
    let text = Text::new(Medium::File(path.to_owned()), body);
    from_text(name, &text, FilterOrigin::File(path.to_owned()))
}

fn from_shipped(name: &str, body: &str) -> Outcome {
    let text = Text::new(Medium::Shipped(name.to_owned()), body.to_owned());
    from_text(name, &text, FilterOrigin::Shipped)
}

fn from_text(name: &str, text: &Arc<Text>, origin: FilterOrigin) -> Outcome {
    let mut problems = Vec::new();
    let table = node::parse(text, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    compile(name, Written { origin, table, place: Place::new(text, 0..0) })
}

fn compile(name: &str, written: Written) -> Outcome {
    let compiled = rules::filter(&node::plain(&written.table));
    let located = |problems: Vec<filter::Problem>| {
        problems
            .iter()
            .map(|problem| written.problem(name, &problem.key, &problem.message))
            .collect::<Vec<_>>()
    };
    let filter = compiled.map_err(located)?;
    let shipped = SHIPPED.iter().any(|shipped| shipped.name == name);
    Ok(FoundFilter {
        name: name.to_owned(),
        filter: Arc::new(filter),
        hides_shipped: shipped && written.origin != FilterOrigin::Shipped,
        origin: written.origin.clone(),
        written: Arc::new(written),
    })
}

impl Written {
    /// A problem at a key of the filter; where that was not written, at the filter as a whole.
    fn problem(&self, name: &str, key: &str, message: &str) -> Problem {
        let about = if key.is_empty() { String::new() } else { format!(" {key}") };
        let place = node::locate(&self.table, key).unwrap_or_else(|| self.place.clone());
        Problem::error(format!("[filter.{name}]{about}: {message}")).at(place)
    }
}

impl FoundFilter {
    /// The same, with what a jail made of it.
    pub(super) fn with(self, filter: Filter) -> Self {
        Self { filter: Arc::new(filter), ..self }
    }

    /// What a filter in fail2ban's language asks for and does not get; one warning for each.
    pub(super) fn remarks(&self) -> Vec<Problem> {
        let remarks = self.filter.language().map(Language::remarks).unwrap_or_default();
        remarks.iter().map(|remark| in_conf(&self.name, remark, Problem::warning)).collect()
    }

    /// Runs the filter's samples; one problem for each that fails.
    pub fn failed_samples(&self) -> Vec<Problem> {
        let failed = filter::samples(&self.filter);
        failed
            .iter()
            .map(|sample| self.written.problem(&self.name, &sample.key(), &failure(sample)))
            .collect()
    }
}

fn failure(sample: &FailedSample) -> String {
    let expected = if sample.must_match { "must be an offence" } else { "must not be an offence" };
    let judged = match &sample.judgement {
        None => "it is no line of a known format".to_owned(),
        Some(Judgement::Missed) => "no rule holds".to_owned(),
        Some(Judgement::Offence(found)) => format!("rule {} holds (the first is 0)", found.rule),
        Some(Judgement::Ignored(_)) => "it is ignored".to_owned(),
    };
    format!("{expected}, but {judged}")
}
