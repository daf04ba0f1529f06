//! `banmap check`: whether the configuration can be used.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;

/// Checks the configuration and every filter, and touches nothing
///
/// Prints all problems with file, line and column, names the file that each filter came from, and runs the filters'
/// samples.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Check {
    /// Print every value with its origin
    #[arg(long)]
    effective: bool,
    /// Problems as one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn execute(self, _globals: &Globals) -> Result<Exit, CliError> {
        let _ = self;
        Err(CliError::Unwired("check"))
    }
}
