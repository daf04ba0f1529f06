//! `banmap empty`: writes an empty list.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::load;
use super::outcome::Outcome;
use super::screen::remark;
use crate::config::Needs;
use crate::control::{ControlError, Request};
use crate::daemon;
use crate::terms::escape;

/// Writes an empty list into an output, or into the file of a former one
///
/// For a locked-out operator, and for files that no output writes any more. Without the daemon the file is written
/// directly, under the daemon's lock. A running daemon would write a live output again: use `unban --all` then.
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

    /// Under the daemon's lock: it must not start meanwhile and write the file too.
    fn without_daemon(&self, globals: &Globals) -> Result<Exit, CliError> {
        let config = load::config(globals, Needs::OUTPUTS)?;
        let output = load::output(&config, &self.what).ok();
        let emptied = daemon::empty(&config.daemon.state, output, &self.what)?;
        remark(&format!("{} is empty now", escape::line(&emptied.display().to_string())));
        Ok(Exit::Done)
    }
}
