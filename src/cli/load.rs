//! The configuration for verbs that work on it themselves.

use std::path::Path;

use super::exit::CliError;
use super::globals::Globals;
use super::screen;
use crate::config::{self, Config, Needs, Options, Problems};
use crate::publish;
use crate::terms::escape;

/// Reads what a verb needs of the configuration; warnings go to stderr.
pub(super) fn config(globals: &Globals, needs: Needs) -> Result<Config, CliError> {
    with(&Options::new(globals.config().map(Path::to_owned), needs), config::load)
}

/// Reads the configuration as `options` say, in the way that `read` is.
pub(super) fn with(
    options: &Options,
    read: fn(&Options) -> Result<Config, Problems>,
) -> Result<Config, CliError> {
    let config = read(options).map_err(|problems| {
        CliError::Unusable(format!(
            "the configuration cannot be used:\n{}",
            problems.render(screen::styled_errors())
        ))
    })?;
    config.warnings.iter().for_each(|warning| screen::remark(&warning.render(screen::styled_errors())));
    Ok(config)
}

/// The output that is called `what`, or writes the file `what`.
pub(super) fn output<'a>(config: &'a Config, what: &str) -> Result<&'a publish::Settings, CliError> {
    let named =
        config.outputs.iter().find(|output| output.name.as_str() == what || output.path == Path::new(what));
    named.ok_or_else(|| {
        let names: Vec<&str> = config.outputs.iter().map(|output| output.name.as_str()).collect();
        let known = if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") };
        CliError::Unusable(format!("no output is named `{}`: {known}", escape::line(what)))
    })
}
