//! `banmap completions`: what a shell needs to complete our command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::{CliError, Exit};
use super::screen::Screen;

/// Prints a completion script for a shell
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(self) -> Result<Exit, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "banmap", &mut script);
        let mut screen = Screen::new();
        screen.verbatim(&script)?;
        screen.finish()?;
        Ok(Exit::Done)
    }
}
