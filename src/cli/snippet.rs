//! `banmap snippet`: what the web server needs to use an output.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use crate::terms::OutputName;

/// Prints the web-server configuration that makes an output take effect
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Snippet {
    /// The output
    output: OutputName,
}

impl Snippet {
    pub(super) fn execute(self, _globals: &Globals) -> Result<Exit, CliError> {
        let _ = self;
        Err(CliError::Unwired("snippet"))
    }
}
