//! fail2ban set-ups → our configuration.
//!
//! `setup` reads the files, `jail` what each enabled jail says, `growing` how its bans grow, `actions` where they were
//! published; `sources` puts the logs of all jails in order, `written` writes the whole. What has no counterpart stands in the
//! result as a comment, with the reason. `bans` reads whom fail2ban banned. Nothing of the host is changed.

mod actions;
mod bans;
mod block;
mod growing;
mod ignored;
mod jail;
mod setup;
mod sources;
#[cfg(test)]
mod tests;
mod words;
mod written;

use std::io;
use std::path::{Path, PathBuf};

pub use bans::{BansError, TheirBan, TheirBans, bans_of_fail2ban, database_of_fail2ban};

use crate::filter::Trouble;

/// What became of a set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The configuration, TOML.
    pub text: String,
    /// The jails that it has: fail2ban's name of each, and ours.
    pub carried: Vec<(String, String)>,
    /// The enabled jails that stand in it as comments only, and why.
    pub left_out: Vec<(String, String)>,
}

/// Why a set-up cannot be brought over.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is no `jail.conf` and nothing like it.
    #[error("there is no jail.conf, jail.local or jail.d in {}", .0.display())]
    NoJails(PathBuf),
    /// A directory cannot be listed.
    #[error("cannot read {path}: {error}", path = path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is none of fail2ban's.
    #[error(transparent)]
    Written(#[from] Trouble),
    /// There is no database of bans.
    #[error(transparent)]
    Bans(#[from] BansError),
    /// Nothing would be banned.
    #[error("no jail is enabled in {}", .0.display())]
    NoneEnabled(PathBuf),
}

/// A jail's name as the configuration has it: fail2ban's own, as far as banmap can have that.
pub fn jail_name(section: &str) -> String {
    written::plain_name(section)
}

/// The configuration that does what the enabled jails of a fail2ban set-up do; `directory` is what `/etc/fail2ban` is.
pub fn from_fail2ban(directory: &Path) -> Result<Imported, MigrateError> {
    let setup = setup::Setup::read(directory)?;
    let enabled = setup.enabled();
    if enabled.is_empty() {
        return Err(MigrateError::NoneEnabled(directory.to_owned()));
    }
    Ok(written::configuration(&setup, &enabled))
}
