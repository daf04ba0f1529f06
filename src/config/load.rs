//! From a verb's needs to a configuration, or to everything that is wrong with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::clients;
use super::crawlers;
use super::daemon;
use super::effective;
use super::environment;
use super::found::{Reading, Shown};
use super::gather::{Gathered, MainFile, gather};
use super::jail::{self, Jails, World};
use super::keys;
use super::library::Library;
use super::needs::{Need, Needs};
use super::node::{Table, Value};
use super::output::{self, Host};
use super::partial::Partial;
use super::problem::{Problem, Problems, Severity};
use super::section::Section;
use super::settings::Config;
use super::source;
use super::wiring;
use crate::filter::SHIPPED;

/// The configuration where nobody names another.
pub const DEFAULT_PATH: &str = "/etc/banmap/banmap.toml";

/// The variable that names the daemon's socket.
const SOCKET: &str = "BANMAP_DAEMON__SOCKET";

/// Where a configuration comes from, and what for.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-c FILE`; else `BANMAP_CONFIG`, else `fallback`. A file that is named has to exist.
    pub path: Option<PathBuf>,
    /// The file where nobody names one; it may be missing.
    pub fallback: PathBuf,
    /// Environment variables; those that begin with `BANMAP_` count.
    pub environment: Vec<(OsString, OsString)>,
    /// What the verb uses.
    pub needs: Needs,
    /// Whether the process runs as root: `nginx -t` is a default for root only.
    pub root: bool,
}

impl Options {
    /// The options of this process.
    pub fn new(path: Option<PathBuf>, needs: Needs) -> Self {
        let root = nix::unistd::geteuid().is_root();
        Self { path, fallback: DEFAULT_PATH.into(), environment: std::env::vars_os().collect(), needs, root }
    }

    fn main_file(&self) -> MainFile {
        let variable = || self.environment.iter().find(|(name, _)| name == environment::CONFIG);
        let variable =
            || variable().map(|(_, value)| PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty());
        match self.path.clone().or_else(variable) {
            Some(path) => MainFile { path, named: true },
            None => MainFile { path: self.fallback.clone(), named: false },
        }
    }
}

/// Reads the configuration; with any error in a part that is needed, all problems are returned and nothing else.
pub fn load(options: &Options) -> Result<Config, Problems> {
    let (config, problems) = read(options);
    let problems = Problems::new(problems);
    if problems.has_errors() {
        return Err(problems);
    }
    let warnings = problems.iter().cloned().collect();
    Ok(Config { warnings, ..config })
}

/// Where the daemon's socket is, from as much of the configuration as can be read: one that is half edited must not keep
/// an operator from unbanning somebody. What is wrong with the rest comes with it. A file that cannot be read at all is
/// an error, unless the environment names the socket.
pub fn socket(options: &Options) -> Result<(PathBuf, Problems), Problems> {
    let (config, problems) = read(&Options { needs: Needs::FILTERS, ..options.clone() });
    let is_unreadable = problems.iter().any(|problem| problem.path.is_some());
    let is_named = options.environment.iter().any(|(name, value)| name == SOCKET && !value.is_empty());
    let problems = Problems::new(problems);
    if is_unreadable && !is_named { Err(problems) } else { Ok((config.daemon.socket, problems)) }
}

/// What `replay` judges by. Where no source is configured, logs are read in the format that they are recognised as; where
/// there is no configuration at all, the shipped filters are the jails, with their suggested thresholds.
pub fn load_for_replay(options: &Options) -> Result<Config, Problems> {
    let config = load(options)?;
    let mut assumed = options.clone();
    let mut assume = |name: &str, value: String| assumed.environment.push((name.into(), value.into()));
    if config.files.is_empty() && config.jails.is_empty() {
        assume("BANMAP_JAILS", shipped_jails());
    }
    if config.sources.is_empty() {
        assume("BANMAP_SOURCE__LOG__PATH", "/dev/stdin".to_owned());
    }
    if assumed.environment.len() == options.environment.len() { Ok(config) } else { load(&assumed) }
}

/// As a list in TOML. Crawlers that say who they are are refused only where an operator chose to; and which backend of
/// `HAProxy` has no servers on purpose, which path is a trap, and which are expensive, only an operator knows. Who is
/// a false crawler nobody finds out in a rehearsal.
fn shipped_jails() -> String {
    let chosen_only =
        ["seo-bots", "ai-crawlers", "haproxy-noserver", "trap", "expensive-paths", "fake-crawlers"];
    let names = SHIPPED.iter().map(|shipped| shipped.name).filter(|name| !chosen_only.contains(name));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(", "))
}

/// Reads as much as can be read, with everything that is wrong.
pub(super) fn read(options: &Options) -> (Config, Vec<Problem>) {
    let main = options.main_file();
    let mut problems = Vec::new();
    let gathered = gather(&main, &options.environment, &mut problems);
    let incomplete = problems.iter().any(|problem| problem.severity == Severity::Error);
    let reading = Reading::new(incomplete);
    let mut config = tables(options, &gathered, &reading);
    wiring::check(&config, options.needs, &gathered, &main, &reading);
    let (found, shown) = reading.into_parts();
    problems.extend(found);
    config.effective = document(&shown, &gathered.tree);
    config.shown = shown;
    config.files.clone_from(&gathered.files);
    (config, in_order(problems, &gathered.files))
}

fn tables(options: &Options, gathered: &Gathered, reading: &Reading) -> Config {
    let (tree, needs) = (&gathered.tree, options.needs);
    let top = Section::new(reading, "", tree, None);
    // A slip there may concern any part; it must not keep a verb from working that reads only some of them.
    if needs.jails != Need::Unread {
        top.only(keys::TOP);
    }
    let part = |name: &'static str, need: Need| {
        let entry = tree.get(name).filter(|_| need != Need::Unread);
        Section::of(reading, name, entry)
    };
    let daemon = daemon::read(part("daemon", Need::Optional));
    let filters = library(part("filter", Need::Optional), &gathered.directory, &daemon.filter_path);
    // Whoever tells clients or judges them goes by the trusted proxies.
    let trusted_proxies = daemon::trusted_proxies(part("real_ip", needs.jails.max(needs.sources)));
    let world =
        World { reading, library: &filters, sources: names(tree, "source"), outputs: names(tree, "output") };
    let defaults_section = part("defaults", needs.jails);
    let defaults = Partial::read(defaults_section);
    let manual = jail::manual(defaults_section, &defaults);
    let all_sources = part("source", needs.sources);
    let sources = source::read_all(reading, all_sources);
    let crawlers_section = part("crawlers", needs.jails);
    let crawlers = crawlers::ranges(crawlers_section);
    let Jails { mut enabled, disabled } = match needs.jails {
        Need::Unread => Jails::default(),
        _ => jail::read_all(&world, top, part("jail", needs.jails), &defaults),
    };
    crawlers::give(crawlers_section, &crawlers, &mut enabled);
    let host = Host { state: &daemon.state, root: options.root };
    let outputs = output::read_all(reading, part("output", needs.outputs), host);
    wiring::check_outputs(reading, &outputs, &sources);
    clients::check(reading, all_sources, &sources, &trusted_proxies);
    clients::check_outputs(reading, all_sources, &sources, &enabled, &outputs);
    let outputs = outputs.into_iter().map(|placed| placed.settings).collect();
    Config {
        daemon,
        trusted_proxies,
        crawlers,
        sources,
        jails: enabled,
        disabled,
        manual,
        outputs,
        warnings: Vec::new(),
        files: Vec::new(),
        filters,
        shown: Vec::new(),
        effective: String::new(),
    }
}

/// `filter.d` beside the configuration, then the directories of `filter_path`.
fn library(inline: Section<'_>, directory: &Path, filter_path: &[PathBuf]) -> Library {
    let inline = inline.entries().map(|(name, entry)| (name.clone(), entry.clone())).collect();
    let mut directories = vec![directory.join("filter.d")];
    directories.extend(filter_path.iter().cloned());
    Library::new(inline, directories)
}

fn names(tree: &Table, part: &str) -> Vec<String> {
    match tree.get(part).map(|entry| &entry.node.value) {
        Some(Value::Table(table)) => table.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn document(shown: &[Shown], tree: &Table) -> String {
    let filters = match tree.get("filter").map(|entry| &entry.node.value) {
        Some(Value::Table(table)) => Some(table),
        _ => None,
    };
    effective::document(shown, filters.into_iter().flatten())
}

/// By file and place, each once; what has no place comes last.
pub(super) fn in_order(problems: Vec<Problem>, files: &[PathBuf]) -> Vec<Problem> {
    let key = |problem: &Problem| {
        let place = problem.place.as_ref();
        let file = place.and_then(|place| files.iter().position(|file| Some(file.as_path()) == place.path()));
        let foreign = place.map(ToString::to_string).filter(|_| file.is_none());
        (place.is_none(), file.unwrap_or(usize::MAX), foreign, place.map_or(0, |place| place.span.start))
    };
    let mut ordered: Vec<Problem> = problems;
    ordered.sort_by_cached_key(key);
    ordered.dedup_by(|b, a| {
        a.what == b.what
            && a.place.as_ref().map(ToString::to_string) == b.place.as_ref().map(ToString::to_string)
    });
    ordered
}
