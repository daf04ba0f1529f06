//! The path of the daemon's socket: the one thing of the configuration that verbs need which only talk to the daemon.
//!
//! Read on its own and leniently: a configuration that is half edited must not keep an operator from unbanning somebody.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::exit::CliError;
use super::screen;
use crate::terms::escape;

/// Where the configuration is unless it is named.
const DEFAULT_FILE: &str = "/etc/banmap/banmap.toml";

/// Where the socket is unless the configuration says otherwise.
const DEFAULT_SOCKET: &str = "/run/banmap/banmap.sock";

/// The socket's path: from the environment, else the last file that sets it, else the default.
pub(super) fn socket(named: Option<&Path>) -> Result<PathBuf, CliError> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("BANMAP_DAEMON__SOCKET") {
        return Ok(path);
    }
    match named.map(Path::to_owned).or_else(|| variable("BANMAP_CONFIG")) {
        Some(file) => socket_of(&file, true),
        None => socket_of(Path::new(DEFAULT_FILE), false),
    }
}

fn socket_of(main: &Path, required: bool) -> Result<PathBuf, CliError> {
    let mut found = match read(main) {
        Err(CliError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound && !required => None,
        other => other?,
    };
    for file in drop_ins(&directory(main).join("conf.d"))? {
        found = read(&file)?.or(found);
    }
    Ok(found.unwrap_or_else(|| DEFAULT_SOCKET.into()))
}

fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let entries = entries.map_err(|error| unreadable(directory, error))?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_drop_in(path)).collect();
    files.sort();
    Ok(files)
}

/// Hidden files are editors' copies.
fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// `socket` of `[daemon]` in one file; a relative path is relative to the file.
fn read(file: &Path) -> Result<Option<PathBuf>, CliError> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, error))?;
    let (table, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let file = escape::bytes(file.as_os_str().as_encoded_bytes());
        screen::complain(&format!("{file} has errors, see `banmap check`; only its `socket` is needed here"));
    }
    let daemon = table.get_ref().get("daemon").map(toml::Spanned::get_ref);
    let socket = daemon.and_then(|daemon| daemon.get("socket")).map(toml::Spanned::get_ref);
    Ok(socket.and_then(DeValue::as_str).map(|socket| directory(file).join(socket)))
}

fn unreadable(path: &Path, error: io::Error) -> CliError {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => " (name the configuration with -c, or with BANMAP_CONFIG)",
        io::ErrorKind::PermissionDenied => {
            " (run the command as root, or name the socket in BANMAP_DAEMON__SOCKET)"
        }
        _ => "",
    };
    CliError::Read { path: path.to_owned(), error, fix }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir};
    use std::io::Write;

    use super::*;

    fn write(path: &Path, text: &str) {
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn the_last_file_that_names_the_socket_wins() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("banmap.toml");
        write(&main, "[daemon]\nsocket = \"run/a.sock\"\n");
        assert_eq!(socket_of(&main, true).unwrap(), dir.path().join("run/a.sock"));
        let drop_in = dir.path().join("conf.d");
        create_dir(&drop_in).unwrap();
        write(&drop_in.join("10.toml"), "[daemon]\nsocket = \"/run/b.sock\"\n");
        write(&drop_in.join("20.toml"), "[jail.x]\nmaxretry = 3\n");
        write(&drop_in.join("30.conf"), "[daemon]\nsocket = \"/run/c.sock\"\n");
        assert_eq!(socket_of(&main, true).unwrap(), Path::new("/run/b.sock"));
    }

    #[test]
    fn a_configuration_with_errors_still_names_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("banmap.toml");
        write(&main, "[daemon]\nsocket = \"/run/a.sock\"\n[jail.x]\nmaxretry = = 3\nfindtime 5\n");
        assert_eq!(socket_of(&main, true).unwrap(), Path::new("/run/a.sock"));
    }

    #[test]
    fn only_a_named_file_has_to_exist() {
        let missing = Path::new("/nonexistent/banmap.toml");
        assert_eq!(socket_of(missing, false).unwrap(), Path::new(DEFAULT_SOCKET));
        let error = socket_of(missing, true).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/banmap.toml") && error.contains("-c"), "{error}");
    }
}
