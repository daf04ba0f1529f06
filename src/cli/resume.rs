//! `banmap resume`: ends a pause.

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::outcome;
use crate::control::Request;
use crate::terms::JailName;

/// Ends a pause
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Resume {
    /// This jail only [default: all]
    jail: Option<JailName>,
}

impl Resume {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        outcome::order(globals, &Request::Resume { jail: self.jail })
    }
}
