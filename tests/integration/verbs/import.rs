//! `import fail2ban`: the configuration, the bans and the comparison, with the fail2ban that is installed.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Daemon, Place, cli, installed, text, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A made `/etc/fail2ban`: the installed filters and actions, and jails of this test.
struct SetUp {
    place: Place,
}

/// `nginx-http-auth` with the installed filter, two jails without logs of their own, and one that is none of ours.
const JAILS: &str = r"
[DEFAULT]
bantime = 1h
bantime.increment = true
findtime = 10m
maxretry = 3
usedns = warn
ignoreip = 198.51.100.0/24
backend = polling
action = nothing
[nginx-http-auth]
enabled = true
filter = nginx-http-auth
logpath = @/nginx-error.log
[stays]
enabled = true
filter = nginx-http-auth
logpath = @/nginx-error.log
[gone]
enabled = true
filter = nginx-http-auth
logpath = @/nginx-error.log
[unused]
filter = nginx-http-auth
";

impl SetUp {
    fn new() -> Self {
        let place = Place::new();
        let copied =
            Command::new("cp").arg("-r").arg("/etc/fail2ban/filter.d").arg(place.dir("f2b")).status();
        assert!(
            copied.unwrap().success(),
            "fail2ban is not installed, and this test needs it: apt install fail2ban"
        );
        let root = place.path("").display().to_string();
        let root = root.trim_end_matches('/');
        place.write("f2b/action.d/nothing.conf", "[Definition]\nactionban =\nactionunban =\n");
        place.write("f2b/jail.conf", &JAILS.replace('@', root));
        let server = "[Definition]\nloglevel = INFO\nlogtarget = @/f.log\nsyslogsocket = auto\nsocket = @/f.sock\n\
                      pidfile = @/f.pid\ndbfile = @/f.sqlite3\ndbpurgeage = 1d\ndbmaxmatches = 10\nallowipv6 = auto\n";
        place.write("f2b/fail2ban.conf", &server.replace('@', root));
        place.write("nginx-error.log", "");
        Self { place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn directory(&self) -> String {
        self.path("f2b").display().to_string()
    }

    /// The printed configuration, with a place for state and socket and a list to publish.
    fn configuration(&self) -> (PathBuf, String) {
        let printed = super::bare(&["import", "fail2ban", &self.directory()]).assert().success();
        let printed = super::stdout(&printed);
        let daemon = format!(
            "[daemon]\nstate = '{}'\nsocket = '{}'\n",
            self.place.dir("state").display(),
            self.path("b.sock").display()
        );
        let output = format!("\n[output.list]\nkind = \"list\"\npath = '{}'\n", self.path("list").display());
        let whole = printed.replacen("[daemon]\n", &daemon, 1) + &output;
        (self.place.write("banmap.toml", &whole), printed)
    }

    /// The lines of the published list.
    fn listed(&self) -> Vec<String> {
        let list = text(&self.path("list"));
        list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }
}

/// A line of nginx's error log about a wrong password.
fn failure(address: &str, at: &str) -> String {
    format!(
        "{at} [error] 30708#0: *3 user \"x\": password mismatch, client: {address}, server: , request: \"GET / HTTP/1.1\", \
         host: \"localhost\"\n"
    )
}

/// The time of a line that is written now, in this host's zone.
fn now() -> String {
    jiff::Zoned::now().strftime("%Y/%m/%d %H:%M:%S").to_string()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_set_up_is_printed_passes_check_and_bans() {
    let set_up = SetUp::new();
    let (config, printed) = set_up.configuration();
    assert!(printed.contains("[jail.nginx-http-auth]") && !printed.contains("[jail.unused]"), "{printed}");
    let (code, _, told) = said(&cli(&config, &["check"]));
    assert_eq!(code, 0, "{told}\n{printed}");
    let daemon = Daemon::start(&config);
    let lines: String =
        (0..3).map(|_| failure("203.0.113.7", &now()) + &failure("198.51.100.7", &now())).collect();
    set_up.place.write("nginx-error.log", &lines);
    wait_until(SOON, "the client is in the list", || set_up.listed() == ["203.0.113.7"]);
    daemon.stop();
}

/// A real fail2ban with a database of its own; ended by its own socket.
struct Fail2ban<'s>(&'s SetUp);

impl<'s> Fail2ban<'s> {
    fn start(set_up: &'s SetUp) -> Self {
        installed("fail2ban-server", "fail2ban");
        let this = Self(set_up);
        this.client("fail2ban-server", &["-b", "start"]);
        wait_until(SOON, "fail2ban has its jails", || {
            this.client("fail2ban-client", &["status", "gone"]).status.success()
        });
        this
    }

    fn client(&self, program: &str, arguments: &[&str]) -> Output {
        let path = |name: &str| self.0.path(name).display().to_string();
        let mut command = Command::new(program);
        command.args(["-c", &self.0.directory(), "-s", &path("f.sock"), "-p", &path("f.pid")]);
        command.args(arguments).output().unwrap()
    }

    #[track_caller]
    fn ban(&self, jail: &str, addresses: &[&str]) {
        let banned = self.client("fail2ban-client", &[&["set", jail, "banip"], addresses].concat());
        assert!(banned.status.success(), "{}", String::from_utf8_lossy(&banned.stderr));
    }

    /// Waits until so many bans are in the database.
    fn settle(&self, bans: i64) {
        let database = rusqlite::Connection::open(self.0.path("f.sqlite3")).unwrap();
        let count = || database.query_row("SELECT count(*) FROM bips", [], |row| row.get::<_, i64>(0));
        wait_until(SOON, "fail2ban has stored its bans", || count().is_ok_and(|count| count == bans));
    }

    /// Its bans: jail, address, begin, length, count.
    fn rows(&self) -> Vec<(String, String, i64, i64, i64)> {
        let database = rusqlite::Connection::open(self.0.path("f.sqlite3")).unwrap();
        let text = "SELECT jail, ip, timeofban, bantime, bancount FROM bips ORDER BY 1, 2";
        let mut statement = database.prepare(text).unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// A count of earlier bans, a ban without end and one that is over: what weeks would make of it.
    fn grow_old(&self) {
        let database = rusqlite::Connection::open(self.0.path("f.sqlite3")).unwrap();
        database.busy_timeout(SOON).unwrap();
        let change = |text: &str| assert_eq!(database.execute(text, []).unwrap(), 1, "{text}");
        change("UPDATE bips SET bancount = 3 WHERE jail = 'nginx-http-auth' AND ip = '203.0.113.7'");
        change("UPDATE bips SET bantime = -1 WHERE jail = 'nginx-http-auth' AND ip = '203.0.113.8'");
        change(
            "UPDATE bips SET bancount = 4, timeofban = timeofban - 7200 WHERE jail = 'nginx-http-auth' AND ip = '203.0.113.9'",
        );
    }
}

impl Drop for Fail2ban<'_> {
    fn drop(&mut self) {
        self.client("fail2ban-client", &["stop"]);
    }
}

#[test]
fn bans_of_a_running_fail2ban_go_on_until_it_would_end_them() {
    let set_up = SetUp::new();
    let (config, _) = set_up.configuration();
    let whole = text(&config)
        .replace("[jail.gone]", "[jail.other]\nfilter = \"nginx-http-auth\"\n[jail.quiet]\nfilter = \"nginx-http-auth\"\nsimulate = true\n\
         [jail.gone]\nenabled = false");
    let config = set_up.place.write("banmap.toml", &whole);
    let fail2ban = Fail2ban::start(&set_up);
    fail2ban.ban("nginx-http-auth", &["203.0.113.7", "203.0.113.8", "203.0.113.9", "198.51.100.7"]);
    fail2ban.ban("stays", &["203.0.113.7", "2001:db8::7"]);
    fail2ban.ban("gone", &["203.0.113.70"]);
    fail2ban.settle(7);
    fail2ban.grow_old();
    let before = fail2ban.rows();
    let directory = set_up.directory();
    let import = ["import", "fail2ban", &directory, "--bans"];

    let (code, _, told) = said(&cli(&config, &import));
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("the running daemon takes the bans over: start it"), "{told}");

    let daemon = Daemon::start(&config);
    let (code, shown, told) = said(&daemon.cli(&[&import[..], &["--dry-run"]].concat()));
    assert_eq!((code, shown.lines().count(), daemon.banned().len()), (1, 4, 0), "{shown}{told}");
    assert!(told.contains("how often 2 addresses had been banned would be known"), "{told}");

    let (code, shown, told) = said(&daemon.cli(&[&import[..], &["--json"]].concat()));
    assert_eq!(code, 1, "one of them is allowed: {shown}{told}");
    for part in [
        "6 bans in force, and how often 1 address had been banned whose bans are over",
        "refused: 198.51.100.7: `198.51.100.7` is never banned: allowed: 198.51.100.0/24",
        "jail gone is not here: 1 ban left behind",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(set_up.listed(), ["203.0.113.7", "203.0.113.8", "2001:db8::7"]);
    let rows = daemon.json(&["list"]);
    let row = |address: &str, jail: &str| {
        rows.iter().find(|row| row["address"] == address && row["jail"] == jail).unwrap().clone()
    };
    let first = row("203.0.113.7", "nginx-http-auth");
    let seconds = |at: &Value| at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(seconds(&first["until"]) - seconds(&first["since"]), 3600);
    assert_eq!(first["reason"], "taken over from fail2ban");
    assert_eq!(row("203.0.113.8", "nginx-http-auth")["until"], Value::Null);
    let earlier = |address: &str| {
        let why = daemon.ask(&["why", address]).1;
        let rows = why["earlier"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["jail"] == "nginx-http-auth").map(|row| row["bans"].clone())
    };
    assert_eq!((earlier("203.0.113.7"), earlier("203.0.113.9")), (Some(json!(2)), Some(json!(4))));

    let (code, shown, told) = said(&daemon.cli(&import));
    assert_eq!((code, shown.as_str()), (1, ""), "twice is once: {told}");
    assert!(told.contains("4 banned already") && !told.contains("is known now"), "{told}");
    assert_eq!(daemon.json(&["list"]), rows);
    let to_nobody: Vec<&str> =
        ["nginx-http-auth=nix", "stays=nix", "gone=nix"].iter().flat_map(|to| ["--rename", to]).collect();
    let (code, _, told) = said(&daemon.cli(&[&import[..], &to_nobody].concat()));
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("the bans are of jails that are not here (nix); the jails are "), "{told}");
    let (_, _, told) = said(&daemon.cli(&[&import[..], &["--rename", "gone=quiet"]].concat()));
    assert!(told.contains("jail quiet: it only simulates: 1 ban not taken over; take "), "{told}");
    assert_eq!(daemon.json(&["list"]), rows);
    let renamed = [&import[..], &["--rename", "gone=other"]].concat();
    let (_, shown, _) = said(&daemon.cli(&renamed));
    assert!(shown.starts_with("banned: 203.0.113.70 by other since "), "{shown}");
    assert_eq!(fail2ban.rows(), before, "the database was only read");
    drop(fail2ban);
    daemon.stop();
}

#[test]
fn a_log_is_judged_by_both_and_the_differences_are_told() {
    let set_up = SetUp::new();
    let at = "2026/05/01 10:00:00";
    let mut log: String = (0..3).map(|_| failure("203.0.113.7", at)).collect();
    log += &failure("198.51.100.7", at);
    set_up.place.write("nginx-error.log", &log);
    let (directory, file) = (set_up.directory(), set_up.path("nginx-error.log"));
    let compare = ["import", "fail2ban", &directory, "--compare", file.to_str().unwrap()];
    let same = super::bare(&compare).assert().success();
    let shown = super::stdout(&same);
    for part in [
        "nginx-http-auth on ",
        "  offences: 3 for both, 0 for fail2ban only, 0 for banmap only\n",
        "  would be banned: 1 by both, 0 by fail2ban only, 0 by banmap only\n",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    log += &(failure("host.example", at) + &failure("203.0.113.9", at));
    set_up.place.write("nginx-error.log", &log);
    // Another configuration of ours allows somebody whom fail2ban bans.
    let (config, _) = set_up.configuration();
    let allowing = text(&config).replace("\"198.51.100.0/24\"", "[\"198.51.100.0/24\", \"203.0.113.9\"]");
    let config = set_up.place.write("banmap.toml", &allowing);
    let ended = super::bare(&[&["-c", config.to_str().unwrap()], &compare[..], &["--json"]].concat())
        .assert()
        .code(1);
    let objects: Vec<Value> = super::objects(&ended);
    let of = |event: &str| {
        let jail = |one: &&Value| one["jail"] == "nginx-http-auth" && one["event"] == event;
        objects.iter().filter(jail).cloned().collect::<Vec<_>>()
    };
    let told: Vec<(u64, String, String)> = of("difference")
        .iter()
        .map(|one| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            (one["line"].as_u64().unwrap(), text("fail2ban"), text("reason"))
        })
        .collect();
    let name = "it is no address: banmap never asks the DNS for a name in a log".to_owned();
    let spared = "banmap never bans it: an ignoreip, a trusted proxy or this host".to_owned();
    assert_eq!(told, [(5, "host.example".to_owned(), name), (6, "203.0.113.9".to_owned(), spared)]);
    let summary = &of("summary")[0];
    assert_eq!(
        (&summary["both"], &summary["only_fail2ban"], &summary["lines"]),
        (&json!(3), &json!(2), &json!(6))
    );
}

#[test]
fn what_cannot_be_compared_or_taken_over_is_told() {
    let set_up = SetUp::new();
    let (directory, log) = (set_up.directory(), set_up.path("nginx-error.log").display().to_string());
    let refused = |arguments: &[&str], code: i32| {
        let base = ["import", "fail2ban", &directory];
        super::stderr(&super::bare(&[&base[..], arguments].concat()).assert().code(code))
    };
    assert!(refused(&["--bans"], 2).contains("there is no database "));
    assert!(refused(&["--compare", "/nowhere/x.log"], 2).contains("is no file"));
    assert!(refused(&["--json"], 2).contains("--json goes with --bans or --compare"));
    assert!(refused(&["--compare", &log, "--bans"], 2).contains("cannot be used with"));
    let broken = set_up.place.write("f2b/jail.local", "[stays]\naction = nowhere\n[gone]\nenabled = false\n");
    let told = refused(&["--compare", &log], 1);
    assert!(told.contains("jail stays: fail2ban does not judge "), "{told} {}", broken.display());
}
