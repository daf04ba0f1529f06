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
use crate::publish::{self, Reload, Told};
use crate::terms::escape;

/// Writes an empty list into an output, or into the file of a former one
///
/// For a locked-out operator, and for files that no output writes any more. Without the daemon the file is written
/// directly, under the daemon's lock, and its server is made to read it. A running daemon would write a live output
/// again: use `unban --all` then.
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
        Ok(outcome.told())
    }

    /// Under the daemon's lock: it must not start meanwhile and write the file too.
    fn without_daemon(&self, globals: &Globals) -> Result<Exit, CliError> {
        let config = load::config(globals, Needs::OUTPUTS)?;
        let output = load::output(&config, &self.what).ok();
        let emptied = daemon::empty(&config.daemon.state, output, &self.what)?;
        let emptied = format!("{} is empty now", escape::line(&emptied.display().to_string()));
        let Some(output) = output else {
            remark(&format!("{emptied}; a server that loaded it at its start (nginx) has to be reloaded"));
            return Ok(Exit::Done);
        };
        let (outcome, exit) = told(&tell(output)?, &output.reload);
        remark(&format!("{emptied}{}", escape::lines(&outcome)));
        Ok(exit)
    }
}

/// Has the output's server read the file.
fn tell(output: &publish::Settings) -> Result<Told, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Failed(format!("cannot tell the server: {error}")))?;
    Ok(runtime.block_on(publish::tell_server(output)))
}

fn told(told: &Told, reload: &Reload) -> (String, Exit) {
    match told {
        Told::Read => (", and its server has read it".to_owned(), Exit::Done),
        Told::Nobody if *reload == Reload::External => {
            ("; its server has the old list until you reload it".to_owned(), Exit::Done)
        }
        Told::Nobody => (String::new(), Exit::Done),
        Told::NotRunning(why) => (format!("; its server does not run ({why})"), Exit::Done),
        Told::Not(why) => (format!(", but its server still has the old list: {why}"), Exit::Failed),
    }
}
