//! `banmap reload`: the running daemon reads its configuration again.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome;
use crate::control::Request;

/// Makes the daemon read its configuration again
///
/// Whole or not at all: with a configuration that has errors the daemon goes on as before, and the exit status is 2.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Reload {}

pub(super) fn execute(globals: &Globals) -> Result<Exit, CliError> {
    outcome::order(globals, &Request::Reload)
}
