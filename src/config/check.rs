//! The back end of `banmap check`: everything is read and compiled, every sample is run, nothing is touched.

use super::library::{FilterOrigin, FoundFilter};
use super::load::{Options, read};
use super::problem::{Problem, Problems};
use super::settings::Config;
use crate::filter::{Engine, Language};
use crate::resolve::Lists;

/// A filter that could be used, as `check` found it.
#[derive(Clone, Debug)]
pub struct FilterReport {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: FilterOrigin,
    /// A shipped filter has the same name, and is not used.
    pub hides_shipped: bool,
    /// How many samples it brings.
    pub samples: usize,
    /// Of a filter in fail2ban's language: its patterns (which key, the pattern), and what each runs on.
    pub engines: Vec<(&'static str, String, Engine)>,
    /// The enabled jails that use it.
    pub jails: Vec<String>,
}

/// What `check` found.
#[derive(Debug)]
pub struct Report {
    /// Errors and warnings, in the order of the files.
    pub problems: Problems,
    /// Every filter that could be compiled, by name.
    pub filters: Vec<FilterReport>,
    /// The configuration; with errors, as far as it could be read.
    pub config: Config,
}

/// Checks the whole configuration, the lists it names and every filter it could use.
pub fn check(options: &Options) -> Report {
    let (config, mut problems) = read(options);
    if let Err(errors) = Lists::open(config.list_entries()) {
        problems.extend(errors.iter().map(|error| Problem::error(error.to_string())));
    }
    let mut filters = Vec::new();
    let mut names = config.filters.names();
    // A jail of other jails' bans has no filter.
    let used = config.jails.iter().map(|jail| jail.filter_name.clone());
    names.extend(used.filter(|name| !name.is_empty()));
    names.sort();
    names.dedup();
    for name in names {
        match config.filters.find(&name) {
            Ok(found) => {
                problems.extend(found.failed_samples());
                filters.push(report(&config, found));
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    let problems = Problems::new(super::load::in_order(problems, &config.files));
    Report { problems, filters, config }
}

impl Report {
    /// Adds a warning that somebody else found.
    pub fn warn(&mut self, what: String) {
        self.problems.add(Problem::warning(what));
    }
}

fn report(config: &Config, found: FoundFilter) -> FilterReport {
    let samples = &found.filter.definition().samples;
    let jails = config.jails.iter().filter(|jail| jail.filter_name == found.name);
    FilterReport {
        samples: samples.matching.len() + samples.missing.len(),
        engines: found.filter.language().map_or_else(Vec::new, engines),
        jails: jails.map(|jail| jail.name.to_string()).collect(),
        name: found.name,
        origin: found.origin,
        hides_shipped: found.hides_shipped,
    }
}

fn engines(language: &Language) -> Vec<(&'static str, String, Engine)> {
    let engines = language.engines().into_iter();
    engines.map(|(key, pattern, engine)| (key, pattern.to_owned(), engine)).collect()
}
