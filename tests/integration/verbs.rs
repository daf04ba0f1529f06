//! The contract of the verbs: what they answer, in which fields, with which exit code. The product as it is built, on
//! configurations and logs of a test's own.

mod asking;
mod check;
mod empty;
mod import;
mod orders;
mod rehearse;
mod replay;
mod screen;
mod top;
mod trial;

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::harness::Place;

/// Where the logs of these tests begin.
const TEN: &str = "2026-05-01T10:00:00Z";

/// A time so many seconds after ten, as our JSON has it.
fn after_ten(seconds: i64) -> String {
    format!("{:.0}", TEN.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds))
}

/// A line of the combined format, so many seconds after ten.
fn line(address: &str, seconds: i64, request: &str, status: u16) -> String {
    let at = TEN.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds);
    line_at(address, at, request, status)
}

fn line_at(address: &str, at: Timestamp, request: &str, status: u16) -> String {
    let at = at.strftime("%d/%b/%Y:%H:%M:%S +0000");
    format!("{address} - - [{at}] \"{request} HTTP/1.1\" {status} 12 \"-\" \"Mozilla/5.0\"\n")
}

/// A failed log-in: an offence of the jail `login` in these tests.
fn failure(address: &str, seconds: i64) -> String {
    line(address, seconds, "POST /login", 401)
}

/// A jail that bans for an hour from three failed log-ins within ten minutes on.
const LOGIN: &str = r#"
[filter.login]
rule = [{ method = "POST", path = '^/login$', status = 401 }]
[jail.login]
maxretry = 3
"#;

/// A directory with a configuration and logs.
struct Site(Place);

impl Site {
    fn new(config: &str) -> Self {
        let site = Self(Place::new());
        site.write("banmap.toml", config);
        site
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        self.0.write(name, text)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// The command with this configuration, run in this directory, in an environment that says nothing.
    fn banmap(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.env("BANMAP_CONFIG", self.path("banmap.toml")).current_dir(self.path(""));
        command
    }
}

/// The command without a configuration.
fn bare(arguments: &[&str]) -> Command {
    let mut command = crate::fake_daemon::banmap();
    command.args(arguments);
    command
}

fn stdout(ended: &Assert) -> String {
    String::from_utf8(ended.get_output().stdout.clone()).unwrap()
}

fn stderr(ended: &Assert) -> String {
    String::from_utf8_lossy(&ended.get_output().stderr).into_owned()
}

/// One object a line, as `--json` promises.
#[track_caller]
fn objects(ended: &Assert) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    stdout(ended).lines().map(parsed).collect()
}

/// The names of an object's fields must hold all of these.
#[track_caller]
fn assert_fields(value: &Value, names: &[&str]) {
    let fields = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    for name in names {
        assert!(fields.contains_key(*name), "`{name}` is missing in {value}");
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
