//! `banmap import`: a configuration from another program's, its bans, and where the two differ on a log.

mod bans;
mod compare;
mod difference;
mod theirs;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::exit::{CliError, Exit};
use super::globals::Globals;
use super::screen::{self, Screen, many};
use crate::migrate;
use crate::terms::escape;

/// Prints another program's configuration as ours, and takes its bans over
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    program: Program,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Program {
    /// The enabled jails of a fail2ban set-up
    ///
    /// Reads jail.conf, jail.d and their .local files with everything that they include, changes nothing, and prints TOML.
    /// What has no counterpart stands in it as a comment, with the reason; jails that cannot be carried over are named on
    /// stderr, too.
    ///
    /// With --bans, hands fail2ban's bans to the running daemon instead: each goes on in the jail of the same name until
    /// fail2ban's would end, and how often somebody was banned makes later bans longer. fail2ban's database is only read;
    /// giving the command twice changes nothing more. The exit status is 1 if a ban was refused.
    ///
    /// With --compare, has the fail2ban that is installed here and banmap judge the same logs, and prints where they differ
    /// and why. The exit status is 1 if they do.
    Fail2ban(Fail2ban),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct Fail2ban {
    /// Where fail2ban's configuration is
    #[arg(default_value = "/etc/fail2ban")]
    directory: PathBuf,
    #[command(flatten)]
    bans: bans::Bans,
    #[command(flatten)]
    compare: compare::Compare,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) fn execute(self, globals: &Globals) -> Result<Exit, CliError> {
        let Program::Fail2ban(Fail2ban { directory, bans, compare, json }) = self.program;
        if bans.are_wanted() {
            bans.execute(&directory, globals, json)
        } else if compare.is_wanted() {
            compare.execute(&directory, globals, json)
        } else if json {
            Err(CliError::Unusable(
                "a configuration is TOML: --json goes with --bans or --compare".to_owned(),
            ))
        } else {
            configuration(&directory)
        }
    }
}

fn unusable(error: impl std::fmt::Display) -> CliError {
    CliError::Unusable(escape::line(&error.to_string()).into_owned())
}

fn configuration(directory: &Path) -> Result<Exit, CliError> {
    let imported = migrate::from_fail2ban(directory).map_err(unusable)?;
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
        many(imported.carried.len() as u64, "jail")
    ));
    Ok(if imported.carried.is_empty() { Exit::Failed } else { Exit::Done })
}
