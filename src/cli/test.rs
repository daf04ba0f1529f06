//! `banmap test`: a filter against lines.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use crate::terms::SourceName;

/// Tries a filter on a file or a line
///
/// The filter alone: no allowlist, no thresholds. The exit status is 0 if a line matched, 1 if none did.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("lines").required(true).args(["file", "line"]))]
pub(super) struct Test {
    /// A filter's name, with parameters as name[key="value"], or the path of a filter file
    filter: String,
    /// A log file, also .gz; - is stdin
    file: Option<PathBuf>,
    /// A line; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    line: Vec<OsString>,
    /// Read the lines as this source does
    #[arg(long, conflicts_with = "format")]
    source: Option<SourceName>,
    /// Read the lines in this format [default: raw lines for raw patterns, else auto]
    #[arg(long)]
    format: Option<String>,
    /// Show the lines that did not match, too
    #[arg(long)]
    missed: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) fn execute(self, _globals: &Globals) -> Result<Exit, CliError> {
        let _ = self;
        Err(CliError::Unwired("test"))
    }
}
