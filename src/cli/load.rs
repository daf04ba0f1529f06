//! The configuration for verbs that work on it themselves.

use std::path::Path;
use std::time::Duration;

use super::exit::CliError;
use super::globals::Globals;
use super::screen;
use crate::config::{self, Config, Needs, Options, Problems, Source};
use crate::publish;
use crate::resolve::{Lists, system_lookup};
use crate::terms::{SourceName, escape};

/// Reads what a verb needs of the configuration; warnings go to stderr.
pub(super) fn config(globals: &Globals, needs: Needs) -> Result<Config, CliError> {
    with(&Options::new(globals.config().map(Path::to_owned), needs), config::load)
}

/// Reads the configuration as `options` say, in the way that `read` is.
pub(super) fn with(
    options: &Options,
    read: fn(&Options) -> Result<Config, Problems>,
) -> Result<Config, CliError> {
    let config = read(options).map_err(|problems| CliError::problems(&problems))?;
    config.warnings.iter().for_each(|warning| screen::remark(&warning.render(screen::styled_errors())));
    Ok(config)
}

/// The output that is called `what`, or writes the file `what`.
pub(super) fn output<'a>(config: &'a Config, what: &str) -> Result<&'a publish::Settings, CliError> {
    let meant = |output: &&publish::Settings| output.name.as_str() == what || output.path == Path::new(what);
    config.outputs.iter().find(meant).ok_or_else(|| {
        let known = listed(config.outputs.iter().map(|output| output.name.as_str()));
        CliError::Unusable(format!("no output is named `{}`; there are: {known}", escape::line(what)))
    })
}

/// The source of that name.
pub(super) fn source<'a>(config: &'a Config, name: &SourceName) -> Result<&'a Source, CliError> {
    config.sources.iter().find(|source| source.settings.name == *name).ok_or_else(|| {
        let known = listed(config.sources.iter().map(|source| source.settings.name.as_str()));
        CliError::Unusable(format!("no source is named `{name}`; there are: {known}"))
    })
}

/// Every list that the configuration names, read.
pub(super) fn lists(config: &Config) -> Result<Lists, CliError> {
    Lists::open(config.list_entries()).map_err(|errors| {
        let told: Vec<String> =
            errors.iter().map(|error| escape::line(&error.to_string()).into_owned()).collect();
        CliError::Unusable(told.join("\n"))
    })
}

/// How long `replay` waits for the addresses of names.
const NAMES_WITHIN: Duration = Duration::from_secs(5);

/// The same for a rehearsal, names looked up once. One that has no answer in time protects nobody, and this is told.
pub(super) fn lists_and_names(config: &Config) -> Result<Lists, CliError> {
    let mut lists = lists(config)?;
    for problem in lists.resolve_once(&system_lookup(), NAMES_WITHIN) {
        screen::remark(&format!("{}: nobody is protected by it here", escape::line(&problem.to_string())));
    }
    Ok(lists)
}

/// Names for an operator to choose from.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
