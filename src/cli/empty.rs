//! `banmap empty`: writes an empty list.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome::Outcome;
use crate::control::{ControlError, Request};

/// Writes an empty list into an output, or into the file of a former one
///
/// With the daemon running the output stays empty until the next change of its bans. Without it the file is written
/// directly, under the daemon's lock.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Empty {
    /// An output's name, or the path of a file that a former output wrote
    #[arg(value_name = "OUTPUT|PATH")]
    what: String,
}

impl Empty {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let mut client = match globals.connect() {
            Err(CliError::Control(ControlError::NotRunning(_))) => return self.without_daemon(globals),
            other => other?,
        };
        let mut outcome = Outcome::default();
        outcome.add(client.ask(&Request::Empty { what: self.what })?)?;
        outcome.show("unbanned", false)
    }

    fn without_daemon(&self, _globals: &Globals) -> Result<Exit, CliError> {
        let _ = self;
        Err(CliError::Unwired("empty without a daemon"))
    }
}
