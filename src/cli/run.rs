//! `banmap run`: the daemon, in the foreground.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;

/// Runs the daemon in the foreground
///
/// It logs to stderr, reads its configuration again on SIGHUP, and stops on SIGTERM and SIGINT. Bans stay in force at the
/// web servers when it stops.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Run {}

pub(super) fn execute(_globals: &Globals) -> Result<Exit, CliError> {
    Err(CliError::Unwired("run"))
}
