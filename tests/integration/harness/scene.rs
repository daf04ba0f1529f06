//! A daemon's surroundings without a web server: logs that the test writes, a configuration, and a list to look at.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::banmap::Daemon;
use super::place::{Place, text};
use super::wait::wait_or;

/// How long something may take that takes milliseconds on an idle machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// Three failed log-ins ban for an hour.
pub(crate) const LOGIN: &str = "[jail.login]\nmaxretry = 3\nbantime = \"1h\"\n";

/// One log, read from its first byte on.
pub(crate) const SITE: &str = "[source.site]\npath = \"logs/access.log\"\nread = \"beginning\"\n";

/// What `SITE` reads.
pub(crate) const LOG: &str = "logs/access.log";

/// Every configuration begins so. A failed log-in is a POST of `/login` that is answered with 401.
const HEAD: &str = r#"
[daemon]
state = "state"
socket = "state/banmap.sock"
[filter.login]
rule = [{ method = "POST", path = '^/login$', status = 401 }]
[output.list]
kind = "list"
path = "out/banned"
"#;

/// Clients that are banned to see that everything before them was read.
pub(crate) const MARKS: &str = "198.51.100.";

/// A directory with logs, a configuration, a state and one output of the kind `list`.
#[derive(Debug)]
pub(crate) struct Scene {
    place: Place,
    marks: Cell<u8>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        place.dir("logs");
        Self { place, marks: Cell::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// Writes a file, its directories made when missing; returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.place.write(name, text)
    }

    /// Makes a directory; returns its path.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.place.dir(name)
    }

    /// Writes the configuration: state, socket, filter and output as always, then `rest`.
    pub(crate) fn configure(&self, rest: &str) -> PathBuf {
        self.write("banmap.toml", &format!("{HEAD}{rest}"))
    }

    /// Starts a daemon on such a configuration.
    pub(crate) fn start(&self, rest: &str) -> Daemon {
        Daemon::start(&self.configure(rest))
    }

    /// Starts a daemon on the configuration as it is.
    pub(crate) fn start_again(&self) -> Daemon {
        Daemon::start(&self.path("banmap.toml"))
    }

    /// Appends to a log as a server does, with one write; it is made when missing.
    pub(crate) fn append(&self, log: &str, lines: impl AsRef<[u8]>) {
        append(&self.path(log), lines.as_ref());
    }

    /// The lines of the output but its header and the marks, sorted.
    pub(crate) fn listed(&self) -> BTreeSet<String> {
        let list = text(&self.path("out/banned"));
        let entries = list.lines().filter(|line| !line.starts_with('#') && !line.starts_with(MARKS));
        entries.map(str::to_owned).collect()
    }

    /// Waits until exactly these are in the output.
    #[track_caller]
    pub(crate) fn wait_listed(&self, daemon: &Daemon, expected: &[&str]) {
        let wanted: BTreeSet<String> = expected.iter().map(|&entry| entry.to_owned()).collect();
        let explain = || format!("{expected:?} listed, not {:?}\n{}", self.listed(), daemon.log());
        wait_or(SOON, || self.listed() == wanted, explain);
    }

    /// Has everything read that was appended to `log` before: a mark behind it is banned.
    #[track_caller]
    pub(crate) fn wait_read(&self, daemon: &Daemon, log: &str) {
        self.marks.set(self.marks.get() + 1);
        let mark = format!("{MARKS}{}", self.marks.get());
        self.append(log, failed_logins(&mark, 3));
        let is_listed = || text(&self.path("out/banned")).lines().any(|line| line == mark);
        let explain = || format!("{log} is read; listed: {:?}\n{}", self.listed(), daemon.log());
        wait_or(SOON, is_listed, explain);
    }

    /// Asserts that exactly these are banned, in the output and for `banmap list`, once `log` is read.
    #[track_caller]
    pub(crate) fn assert_banned(&self, daemon: &Daemon, log: &str, expected: &[&str]) {
        self.wait_read(daemon, log);
        let wanted: BTreeSet<String> = expected.iter().map(|&entry| entry.to_owned()).collect();
        assert_eq!(self.listed(), wanted, "{}", daemon.log());
        let banned: BTreeSet<String> =
            daemon.banned().into_iter().filter(|address| !address.starts_with(MARKS)).collect();
        assert_eq!(banned, wanted, "{}", daemon.log());
    }
}

/// Appends with one write, as servers do.
pub(crate) fn append(path: &Path, bytes: &[u8]) {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).unwrap();
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// One line in the format `combined`.
pub(crate) fn line(client: &str, at: Timestamp, request: &str, status: u16, agent: &str) -> String {
    format!("{client} - - [{}] \"{request} HTTP/1.1\" {status} 7 \"-\" \"{agent}\"\n", logged(at))
}

/// A time as servers log it.
pub(crate) fn logged(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S %z").to_string()
}

/// So many minutes before now.
pub(crate) fn minutes_ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

/// A request of now, answered so.
pub(crate) fn request(client: &str, request: &str, status: u16) -> String {
    line(client, Timestamp::now(), request, status, "test")
}

/// So many offences of now.
pub(crate) fn failed_logins(client: &str, count: usize) -> String {
    request(client, "POST /login", 401).repeat(count)
}

/// So many offences of an earlier time.
pub(crate) fn failed_logins_at(client: &str, at: Timestamp, count: usize) -> String {
    line(client, at, "POST /login", 401, "test").repeat(count)
}
