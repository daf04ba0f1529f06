//! `banmap replay`: who would have been banned.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::since::Since;
use crate::publish::{Kind, Style};
use crate::terms::{JailName, SourceName};

/// Shows who would have been banned, when and by which jail, from whole log files
///
/// The same reading and judging as the daemon's, on the time of the log. State is neither read nor written. Without any
/// configuration the format is recognised and the shipped filters judge with their suggested thresholds. The exit status
/// is 0 whatever was found.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Replay {
    /// Log files, also .gz; - is stdin [default: those of the configured sources]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this jail; may be given several times
    #[arg(long)]
    jail: Vec<JailName>,
    /// Only lines from then on: 1h (before the last line), 2026-05-01, 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Which source's settings hold for files that match none
    #[arg(long)]
    source: Option<SourceName>,
    /// Write the resulting list too, as KIND (nginx-geo, apache-rewritemap, list); may be given several times
    #[arg(long, value_name = "KIND=PATH")]
    write: Vec<WriteTo>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// A list to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WriteTo {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

impl FromStr for WriteTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, path) =
            text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or("write KIND=PATH")?;
        let kind = match kind {
            "nginx-geo" => Kind::NginxGeo { variable: "bad_user".to_owned(), style: Style::Block },
            "apache-rewritemap" => Kind::ApacheRewritemap,
            "list" => Kind::List,
            other => return Err(format!("`{other}` is no kind: nginx-geo, apache-rewritemap and list are")),
        };
        Ok(Self { kind, path: path.into() })
    }
}

impl Replay {
    pub(super) fn execute(self, _globals: &Globals) -> Result<Exit, CliError> {
        let _ = self;
        Err(CliError::Unwired("replay"))
    }
}
