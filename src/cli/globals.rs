//! What every verb may be given, and how a verb reaches the daemon.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::CliError;
use super::screen;
use crate::config::{self, Needs, Options};
use crate::control::{Client, Reply, Request};

/// Options that stand before or behind any verb.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Globals {
    /// The configuration file [default: $BANMAP_CONFIG, else /etc/banmap/banmap.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Globals {
    /// The file that was named with `-c`.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Connects to the daemon that the configuration names.
    pub(super) fn connect(&self) -> Result<Client, CliError> {
        let options = Options::new(self.config.clone(), Needs::FILTERS);
        let (socket, problems) =
            config::socket(&options).map_err(|problems| CliError::problems(&problems))?;
        if problems.has_errors() {
            screen::complain(
                "the configuration has errors, see `banmap check`; only `socket` is needed here",
            );
        }
        Ok(Client::connect(&socket)?)
    }

    /// Asks the daemon one thing.
    pub(super) fn ask(&self, request: &Request) -> Result<Reply, CliError> {
        Ok(self.connect()?.ask(request)?)
    }
}
