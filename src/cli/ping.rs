//! `banmap ping`: whether the daemon is ready.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome;
use crate::control::Request;

/// Succeeds once the daemon is ready: outputs exist and sources are open
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Ping {}

pub(super) fn execute(globals: &Globals) -> Result<Exit, CliError> {
    outcome::order(globals, &Request::Ping)
}
