//! `banmap man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::command;
use super::exit::{CliError, Exit};

/// Writes the manual pages: banmap.1, and one for each verb
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Man {
    /// Where to; created when missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    pub(super) fn execute(self) -> Result<Exit, CliError> {
        let written = fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(command(), &self.directory));
        written.map_err(|error| CliError::Write { path: self.directory, error })?;
        Ok(Exit::Done)
    }
}
