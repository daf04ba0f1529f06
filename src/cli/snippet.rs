//! `banmap snippet`: what the web server needs to use an output.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::load;
use super::screen::Screen;
use crate::config::Needs;
use crate::publish;
use crate::resolve::Lists;
use crate::terms::OutputName;

/// Prints the web-server configuration that makes an output take effect
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Snippet {
    /// The output
    output: OutputName,
}

impl Snippet {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let config = load::config(globals, Needs::SNIPPET)?;
        let output = load::output(&config, self.output.as_str())?;
        let lists = Lists::open(&config.trusted_proxies).unwrap_or_default();
        let trusted: Vec<_> = config.trusted(&lists).entries().iter().map(|entry| entry.prefix).collect();
        let mut screen = Screen::new();
        screen.verbatim(publish::snippet(output, &trusted).as_bytes())?;
        screen.finish()?;
        Ok(Exit::Done)
    }
}
