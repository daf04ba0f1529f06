//! `banmap import`: a configuration from another program's.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::{CliError, Exit};
use super::screen::{self, Screen, many};
use crate::migrate;
use crate::terms::escape;

/// Prints a configuration that does what another program's does
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    program: Program,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Program {
    /// The enabled jails of a fail2ban set-up
    ///
    /// Reads jail.conf, jail.d and their .local files with everything that they include, changes nothing, and prints TOML. \
    /// What has no counterpart stands in it as a comment, with the reason; jails that cannot be carried over are named on \
    /// stderr, too.
    Fail2ban {
        /// Where fail2ban's configuration is
        #[arg(default_value = "/etc/fail2ban")]
        directory: PathBuf,
    },
}

impl Import {
    pub(super) fn execute(self) -> Result<Exit, CliError> {
        let Program::Fail2ban { directory } = self.program;
        let imported = migrate::from_fail2ban(&directory)
            .map_err(|error| CliError::Unusable(escape::line(&error.to_string()).into_owned()))?;
        let mut screen = Screen::new();
        screen.verbatim(imported.text.as_bytes())?;
        screen.finish()?;
        for (jail, why) in &imported.left_out {
            let told = format!("jail {jail} is left out: {why}");
            screen::remark(&escape::line(&told));
        }
        let left_out = imported.left_out.len();
        screen::remark(&format!(
            "{} carried over, {left_out} left out; now: banmap -c FILE check",
            many(imported.jails as u64, "jail")
        ));
        Ok(if imported.jails > 0 { Exit::Done } else { Exit::Failed })
    }
}
