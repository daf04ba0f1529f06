//! `banmap release`: lets the verdicts go that the storm breaker holds, or drops them.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome::{Outcome, Verb};
use super::targets::Given;
use crate::control::Request;
use crate::terms::JailName;

/// Lets the verdicts go that the storm breaker holds of a jail
///
/// They ban from now on, and what else this storm brings is not held any more. `banmap status` shows which jails hold some,
/// `banmap why ADDR` whom.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Release {
    /// The jail
    jail: JailName,
    /// Forget them instead: nobody is banned, and new verdicts are held while the storm lasts
    #[arg(long)]
    drop: bool,
    /// The new bans as JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl Release {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let mut outcome = Outcome::default();
        outcome.add(globals.ask(&Request::Release { jail: self.jail, drop: self.drop })?)?;
        outcome.show(&Given::default(), Verb::Banned, self.json)
    }
}
