//! `banmap run`: the daemon, in the foreground.

use std::path::Path;

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use crate::daemon;

/// Runs the daemon in the foreground
///
/// It logs to stderr, reads its configuration again on SIGHUP, and stops on SIGTERM and SIGINT. Bans stay in force at the
/// web servers when it stops.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Run {}

pub(super) fn execute(globals: &Globals) -> Result<Exit, CliError> {
    daemon::run(globals.config().map(Path::to_owned))?;
    Ok(Exit::Done)
}
