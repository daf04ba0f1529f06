//! A fail2ban set-up as its files have it: the jails, and what `fail2ban.conf` says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::MigrateError;
use super::words::{is_true, seconds};
use crate::filter::{Sections, Trouble};

/// The section whose values all jails have.
pub(super) const DEFAULT: &str = "DEFAULT";

/// What was read.
pub(super) struct Setup {
    /// `/etc/fail2ban`, or where else it was.
    pub(super) directory: PathBuf,
    pub(super) jails: Sections,
    pub(super) server: Sections,
}

impl Setup {
    /// Reads `jail.conf`, `jail.d/*.conf`, `jail.local`, `jail.d/*.local`, in fail2ban's order, and `fail2ban.conf` likewise.
    pub(super) fn read(directory: &Path) -> Result<Self, MigrateError> {
        let jails = Sections::read(&files(directory, "jail")?, &text)?;
        let setup = Self { directory: directory.to_owned(), jails, server: Self::server(directory)? };
        if setup.jails.files().is_empty() {
            return Err(MigrateError::NoJails(directory.to_owned()));
        }
        Ok(setup)
    }

    /// Reads `fail2ban.conf` and what goes with it.
    pub(super) fn server(directory: &Path) -> Result<Sections, MigrateError> {
        Ok(Sections::read(&files(directory, "fail2ban")?, &text)?)
    }

    /// What a key says in a jail, or in `[DEFAULT]`.
    pub(super) fn value(&self, section: &str, key: &str) -> Result<Option<String>, Trouble> {
        let given = [
            ("__name__".to_owned(), section.to_owned()),
            ("fail2ban_version".to_owned(), String::new()),
            ("fail2ban_confpath".to_owned(), self.directory.display().to_string()),
        ];
        Ok(self.jails.value(section, key, &given)?.filter(|value| !value.trim().is_empty()))
    }

    /// The same where a value that cannot be read is as good as none.
    pub(super) fn known(&self, section: &str, key: &str) -> Option<String> {
        self.value(section, key).ok().flatten()
    }

    /// The jails that fail2ban starts, in the order of the files.
    pub(super) fn enabled(&self) -> Vec<&str> {
        let enabled = |name: &&str| self.known(name, "enabled").is_some_and(|value| is_true(&value));
        self.jails.names().into_iter().filter(enabled).collect()
    }

    /// How long after its end fail2ban forgets a ban, in seconds: a day unless it is said.
    pub(super) fn forgets_after(&self) -> i64 {
        let value = self.server.value("Definition", "dbpurgeage", &[]).ok().flatten();
        value.and_then(|value| seconds(&value)).filter(|age| *age > 0).unwrap_or(86_400)
    }
}

/// The files of `NAME.conf` in the order in which they hold.
fn files(directory: &Path, name: &str) -> Result<Vec<PathBuf>, MigrateError> {
    let parts = directory.join(format!("{name}.d"));
    let mut found = Vec::new();
    for extension in ["conf", "local"] {
        found.push(directory.join(format!("{name}.{extension}")));
        found.extend(named(&parts, extension)?);
    }
    Ok(found)
}

/// The files of a directory with this extension, by name; hidden ones are not taken.
fn named(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, MigrateError> {
    let failed = |error| MigrateError::Read { path: directory.to_owned(), error };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let wanted =
        |path: &PathBuf| path.extension().is_some_and(|found| found == extension) && !is_hidden(path);
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(wanted).collect();
    files.sort();
    Ok(files)
}

/// A file of fail2ban's, if it is there; bytes that are no UTF-8 are replaced.
pub(super) fn text(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
