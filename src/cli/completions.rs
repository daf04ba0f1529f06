//! `banmap completions`: what a shell needs to complete our command line.

use clap::Args;
use clap_complete::Shell;

use super::command;
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
        clap_complete::generate(self.shell, &mut command(), "banmap", &mut script);
        let mut screen = Screen::new();
        screen.verbatim(&script)?;
        screen.finish()?;
        Ok(Exit::Done)
    }
}
