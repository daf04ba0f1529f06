//! `banmap pause`: judge and log, but ban nobody new.

use clap::Args;
use jiff::SignedDuration;

use super::duration;
use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome;
use crate::control::Request;
use crate::terms::JailName;

/// Bans nobody new until `resume`; judging and logging go on
///
/// Bans in force stay. A pause survives a restart of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Pause {
    /// This jail only [default: all]
    jail: Option<JailName>,
    /// End by itself after this time: 30m, 2h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::of_pause)]
    length: Option<SignedDuration>,
}

impl Pause {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        outcome::order(globals, &Request::Pause { jail: self.jail, duration: self.length })
    }
}
