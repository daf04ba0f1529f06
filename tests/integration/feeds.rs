//! What lines come from that is no file: standard input, sockets that real servers send to, the journal.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;

use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins};
use crate::harness::{Daemon, Haproxy, Nginx, Request, Scene, free_port, wait_until};

const BAD: &str = "203.0.113.7";
const WORSE: &str = "203.0.113.8";
const GOOD: &str = "192.0.2.1";

/// Three requests for this path ban for an hour.
const KNOCK: &str = "[filter.knock]\nrule = [{ path = '^/wp-login\\.php$' }]\n[jail.knock]\nmaxretry = 3\n\
                     [real_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n";

#[track_caller]
fn wait_for_offences(daemon: &Daemon, address: &str, count: u64) {
    wait_until(SOON, &format!("{count} offences of {address}"), || {
        daemon.offences(address, "login") == count
    });
}

/// nginx's `access_log syslog:` to a source that listens so; both are running.
fn nginx_sends_to(listen: &str, server: &str, more: &str) {
    let scene = Scene::new();
    let listen = listen.replace("DIR", &scene.path("").display().to_string());
    let server = server.replace("DIR", &scene.path("").display().to_string());
    let daemon = scene.start(&format!("{KNOCK}[source.sent]\nlisten = \"{listen}\"\n{more}"));
    let nginx = Nginx::start_logging(&format!("access_log syslog:server={server},tag=nginx combined;"));
    for _ in 0..3 {
        nginx.get(BAD, "/wp-login.php");
        nginx.get(GOOD, "/");
    }
    nginx.get(WORSE, "/wp-login.php");
    nginx.get(WORSE, "/%77p-login.php");
    scene.wait_listed(&daemon, &[BAD]);
    wait_until(SOON, "all lines came", || daemon.file(&listen)["lines"] == 8);
    let file = daemon.wait_state(&listen, "live");
    assert_eq!(file["unparsed"].as_u64(), Some(0), "{file}");
    assert_eq!(file["format"], "syslog: combined");
    nginx.get(WORSE, "/wp-login.php");
    scene.wait_listed(&daemon, &[BAD, WORSE]);
    assert_eq!(daemon.jail("knock")["offences_total"], 6, "{}", daemon.log());
    assert_eq!(daemon.ask(&["status"]).0, 0);
}

#[test]
fn nginx_sends_to_a_unix_socket() {
    // Its workers are of another user where the test runs as root.
    nginx_sends_to("unix:DIRlog.sock", "unix:DIRlog.sock", "mode = \"0666\"\n");
}

#[test]
fn nginx_sends_to_a_port() {
    let port = free_port();
    nginx_sends_to(&format!("udp:127.0.0.1:{port}"), &format!("127.0.0.1:{port}"), "");
}

#[test]
fn haproxy_sends_to_a_port() {
    haproxy_sends("");
}

#[test]
fn haproxy_sends_to_a_port_as_the_newer_standard_has_it() {
    haproxy_sends("format rfc5424 ");
}

fn haproxy_sends(syslog: &str) {
    let port = free_port();
    let scene = Scene::new();
    let daemon = scene.start(&format!("{KNOCK}[source.sent]\nlisten = \"udp:127.0.0.1:{port}\"\n"));
    let nginx = Nginx::start();
    let logs = format!(
        "log 127.0.0.1:{port} len 8192 {syslog}local0\n    http-request set-var(txn.client) req.hdr(X-Test-Client)\n    \
         log-format '%[var(txn.client)] - - [%T] %{{+Q}}r %ST %B \"-\" \"-\"'"
    );
    let proxy = Haproxy::start_logging(nginx.port(), &logs);
    for _ in 0..3 {
        proxy.send(BAD, Request::get("/wp-login.php"));
        proxy.send(GOOD, Request::get("/"));
    }
    scene.wait_listed(&daemon, &[BAD]);
    // It also logs the connection that told us that it is there.
    let all_came = || daemon.file(&format!("udp:127.0.0.1:{port}"))["lines"].as_u64() >= Some(6);
    wait_until(SOON, "all lines came", all_came);
    assert_eq!(daemon.jail("knock")["offences_total"], 3, "{}", daemon.log());
}

#[test]
fn a_pipe_is_read_line_by_line_and_its_end_ends_nothing_else() {
    let scene = Scene::new();
    let config = scene.configure(&format!("{LOGIN}{SITE}[source.pipe]\nstdin = true\n"));
    let (daemon, mut pipe) = Daemon::start_fed(&config);
    let lines = failed_logins(BAD, 3);
    let (now, later) = lines.split_at(lines.len() - 30);
    pipe.write_all(now.as_bytes()).unwrap();
    wait_for_offences(&daemon, BAD, 2);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged("the configuration was read again");
    daemon.wait_state("stdin", "live");
    pipe.write_all(later.as_bytes()).unwrap();
    scene.wait_listed(&daemon, &[BAD]);
    pipe.write_all(failed_logins(GOOD, 3).trim_end().as_bytes()).unwrap();
    drop(pipe);
    daemon.wait_logged("stdin has ended, nothing more comes from it (its last ");
    daemon.wait_state("stdin", "ended");
    assert_eq!(daemon.ask(&["status"]).0, 0);
    scene.append(LOG, failed_logins(WORSE, 3));
    scene.wait_listed(&daemon, &[BAD, WORSE]);
    assert_eq!(daemon.offences(GOOD, "login"), 2, "a line without its newline is none");
}

#[test]
fn messages_between_two_configurations_are_not_lost() {
    let scene = Scene::new();
    let rest = format!("{LOGIN}[source.sent]\nlisten = \"unix:log.sock\"\n");
    let daemon = scene.start(&rest);
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(scene.path("log.sock")).unwrap();
    for n in 0..60 {
        let line = failed_logins(&format!("10.0.0.{n}"), 1);
        for _ in 0..3 {
            sender.send(line.as_bytes()).unwrap();
        }
        if n % 20 == 10 {
            daemon.signal(Signal::SIGHUP);
        }
    }
    wait_until(SOON, "all are banned", || scene.listed().len() == 60);
    assert_eq!(daemon.jail("login")["offences_total"], 180, "{}", daemon.log());
    scene.configure(&format!("{LOGIN}[source.sent]\nlisten = \"unix-stream:other.sock\"\n"));
    assert!(daemon.cli(&["reload"]).status.success(), "{}", daemon.log());
    assert!(!scene.path("log.sock").exists(), "{}", daemon.log());
    let mut stream = UnixStream::connect(scene.path("other.sock")).unwrap();
    stream.write_all(failed_logins(BAD, 3).as_bytes()).unwrap();
    wait_until(SOON, "the stream is read", || scene.listed().contains(BAD));
}

#[test]
fn a_socket_that_a_crash_left_behind_is_replaced() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("{LOGIN}[source.sent]\nlisten = \"unix:log.sock\"\n"));
    daemon.kill();
    assert!(scene.path("log.sock").exists());
    let daemon = scene.start_again();
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(failed_logins(BAD, 1).as_bytes(), scene.path("log.sock")).unwrap();
    wait_for_offences(&daemon, BAD, 1);
    daemon.stop();
    assert!(!scene.path("log.sock").exists());
}

#[test]
fn a_port_that_is_taken_is_named_and_a_running_daemon_keeps_what_it_has() {
    let scene = Scene::new();
    let theirs = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = format!("udp:127.0.0.1:{}", theirs.local_addr().unwrap().port());
    let sent = |listen: &str| format!("{LOGIN}[source.sent]\nlisten = \"{listen}\"\n");
    let (code, log) = Daemon::spawn(&scene.configure(&sent(&taken))).ended();
    let told = format!("source sent: `listen`: cannot listen at {taken}: ");
    assert!(code != 0 && log.contains(&told) && log.contains("ss -lunp"), "{log}");
    let daemon = scene.start(&sent("unix:log.sock"));
    scene.configure(&sent(&taken));
    assert!(!daemon.cli(&["reload"]).status.success());
    assert!(daemon.log().contains(&told), "{}", daemon.log());
    let sender = UnixDatagram::unbound().unwrap();
    for _ in 0..3 {
        sender.send_to(failed_logins(WORSE, 1).as_bytes(), scene.path("log.sock")).unwrap();
    }
    wait_until(SOON, "the old source goes on", || scene.listed().contains(WORSE));
}

#[test]
fn a_file_that_two_sources_match_is_read_by_one() {
    let scene = Scene::new();
    let sources = "[source.a]\npath = \"logs/*.log\"\nread = \"beginning\"\n[source.b]\npath = \"logs/x*\"\nread = \"beginning\"\n";
    let daemon = scene.start(&format!("{LOGIN}{sources}"));
    scene.append("logs/x.log", failed_logins(BAD, 2) + &failed_logins(WORSE, 3));
    scene.wait_listed(&daemon, &[WORSE]);
    daemon.wait_logged("logs/x.log is already read by source ");
    scene.assert_banned(&daemon, "logs/x.log", &[WORSE]);
    assert_eq!(daemon.offences(BAD, "login"), 2, "{}", daemon.log());
    assert_eq!(daemon.log().matches("is already read by source ").count(), 1, "{}", daemon.log());
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 1, "an operator has to look: {status}");
    let check = daemon.cli(&["check"]);
    let told = String::from_utf8_lossy(&check.stderr).into_owned() + &String::from_utf8_lossy(&check.stdout);
    assert!(!check.status.success() && told.contains("logs/x.log is already read by [source.a]"), "{told}");
}

/// Plays journalctl: prints entries as `--output=export` does, and knows what of its options counts here. As the real
/// one, with `--follow` it shows no entry of an earlier boot.
const JOURNALCTL: &str = r#"#!/usr/bin/env python3
import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("systemd 252"); sys.exit()
with open(here + "/calls", "a") as calls:
    calls.write(" ".join(arguments) + "\n")
if os.path.exists(here + "/closed"):
    sys.stderr.write("No journal files were opened due to insufficient permissions.\n"); sys.exit(1)
value = lambda name: next((a[len(name):] for a in arguments if a.startswith(name)), None)
if "--follow" in arguments and os.path.exists(here + "/noboot"):
    sys.stderr.write("No such boot ID in journal\n"); sys.exit(1)
cursor, since, follow = value("--cursor="), value("--since=@"), "--follow" in arguments
fields = value("--output-fields=").split(",")
assert value("--output=") == "export", arguments
sshd = ["--system", "_SYSTEMD_UNIT=ssh.service", "+", "_COMM=sshd"]
assert "MESSAGE" in fields and (value("--unit=") == "nginx" or arguments[-4:] == sshd), arguments
def entries():
    try:
        lines = open(here + "/journal").read().split("\n")[:-1]
    except FileNotFoundError:
        lines = []
    return [line.split(" ", 2) for line in lines]
shown = 0
while True:
    all = entries()
    for n, (boot, usec, message) in list(enumerate(all))[shown:]:
        behind = cursor and n < int(cursor.split("i=")[1]) or since and int(usec) < int(since) * 1000000
        if behind or follow and boot != all[-1][0]:
            continue
        head = "__CURSOR=s=ab;i=%d\n__REALTIME_TIMESTAMP=%s\n__MONOTONIC_TIMESTAMP=1\n_BOOT_ID=%s\n" % (n, usec, boot)
        text = message.encode()
        if n % 2:
            body = b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n"
        else:
            body = b"MESSAGE=" + text + b"\n"
        for field in ["_HOSTNAME=web", "SYSLOG_IDENTIFIER=sshd", "_COMM=x", "_PID=%s" % boot[1:]]:
            if field.split("=")[0] in fields:
                head += field + "\n"
        sys.stdout.buffer.write(head.encode() + body + b"\n")
    shown = len(all)
    sys.stdout.flush()
    if not follow:
        sys.exit()
    if os.path.exists(here + "/closed"):
        sys.exit(1)
    time.sleep(0.01)
"#;

/// A journal of the unit `nginx`, whose messages are lines without a time.
struct Journal {
    scene: Scene,
    bin: PathBuf,
}

const RAW: &str = "[filter.raw]\nfailregex = ['^failed from <HOST>$']\n[jail.raw]\nmaxretry = 3\nfindtime = \"10m\"\n\
                   [source.journal]\njournal = \"nginx\"\nformat = \"raw\"\n";

impl Journal {
    fn new() -> Self {
        let scene = Scene::new();
        let bin = scene.dir("bin");
        let program = scene.write("bin/journalctl", JOURNALCTL);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        scene.configure(RAW);
        Self { scene, bin }
    }

    fn start(&self) -> Daemon {
        Daemon::start_finding(&self.bin, &self.scene.path("banmap.toml"))
    }

    /// So many messages about `address`, that the journal took so many minutes ago.
    fn log(&self, boot: &str, minutes: i64, address: &str, count: usize) {
        self.say(boot, minutes, &format!("failed from {address}"), count);
    }

    /// The same with another text.
    fn say(&self, boot: &str, minutes: i64, text: &str, count: usize) {
        let at = (Timestamp::now() - SignedDuration::from_mins(minutes)).as_microsecond();
        self.scene.append("bin/journal", format!("{boot} {at} {text}\n").repeat(count));
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.bin.join("calls")).unwrap_or_default()
    }
}

#[track_caller]
fn wait_for_raw(daemon: &Daemon, address: &str, count: u64) {
    wait_until(SOON, &format!("{count} offences of {address}"), || daemon.offences(address, "raw") == count);
}

#[test]
fn the_journal_is_read_from_the_last_findtime_on_and_followed() {
    let journal = Journal::new();
    journal.log("b0", 30, GOOD, 2);
    journal.log("b0", 5, GOOD, 2);
    journal.log("b1", 4, BAD, 3);
    let daemon = journal.start();
    journal.scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(daemon.offences(GOOD, "raw"), 2, "what is older than findtime is not read");
    let at: Timestamp = daemon.json(&["list"])[0]["since"].as_str().unwrap().parse().unwrap();
    let age = Timestamp::now().duration_since(at);
    assert!(
        age >= SignedDuration::from_mins(4) - SignedDuration::from_secs(1),
        "the journal's own time counts: {age}"
    );
    journal.log("b1", 0, WORSE, 3);
    journal.scene.wait_listed(&daemon, &[BAD, WORSE]);
    let file = daemon.wait_state("journal:nginx", "live");
    assert_eq!(file["lines"].as_u64(), Some(8), "{file}");
}

#[test]
fn the_place_in_the_journal_survives_restarts_and_reboots() {
    let journal = Journal::new();
    let daemon = journal.start();
    journal.log("b0", 0, BAD, 1);
    wait_for_raw(&daemon, BAD, 1);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged("the configuration was read again");
    daemon.stop();
    journal.log("b0", 0, BAD, 1);
    journal.log("b1", 0, WORSE, 1);
    let daemon = journal.start();
    wait_for_raw(&daemon, BAD, 2);
    wait_for_raw(&daemon, WORSE, 1);
    assert_eq!(daemon.jail("raw")["offences_total"], 3, "{}", daemon.log());
    assert!(journal.calls().contains("--cursor=s=ab;i=0"), "{}", journal.calls());
    journal.log("b1", 0, BAD, 1);
    journal.scene.wait_listed(&daemon, &[BAD]);
    daemon.stop();
    let daemon = journal.start();
    journal.log("b1", 0, WORSE, 1);
    wait_for_raw(&daemon, WORSE, 2);
    assert_eq!(daemon.jail("raw")["offences_total"], 5, "{}", daemon.log());
}

#[test]
fn a_journal_that_may_not_be_read_is_told_with_the_fix_and_tried_again() {
    let journal = Journal::new();
    journal.scene.write("bin/closed", "");
    let daemon = journal.start();
    daemon.wait_logged("insufficient permissions.");
    assert!(
        daemon.log().contains("add the user banmap runs as to group systemd-journal"),
        "{}",
        daemon.log()
    );
    daemon.wait_state("journal:nginx", "unreadable");
    assert_eq!(daemon.ask(&["status"]).0, 1);
    fs::remove_file(journal.bin.join("closed")).unwrap();
    journal.log("b0", 0, BAD, 3);
    journal.scene.wait_listed(&daemon, &[BAD]);
    wait_until(SOON, "all is well", || daemon.ask(&["status"]).0 == 0);
    // It ends while it follows: what came meanwhile is not lost.
    journal.scene.write("bin/closed", "");
    daemon.wait_state("journal:nginx", "unreadable");
    journal.log("b0", 0, WORSE, 3);
    fs::remove_file(journal.bin.join("closed")).unwrap();
    journal.scene.wait_listed(&daemon, &[BAD, WORSE]);
    assert_eq!(daemon.jail("raw")["offences_total"], 6, "{}", daemon.log());
}

#[test]
fn a_journalctl_that_ends_again_and_again_is_told_once() {
    let journal = Journal::new();
    journal.scene.write("bin/noboot", "");
    let daemon = journal.start();
    let runs = |calls: String| calls.lines().filter(|call| call.contains("--follow")).count();
    wait_until(SOON, "three attempts", || runs(journal.calls()) >= 3);
    let told = daemon.log().matches("journalctl ended (exit code 1) and said: No such boot ID").count();
    assert_eq!(told, 1, "{}", daemon.log());
    journal.log("b0", 0, BAD, 3);
    journal.scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(daemon.file("journal:nginx")["error"], "No such boot ID in journal");
    fs::remove_file(journal.bin.join("noboot")).unwrap();
    journal.log("b0", 0, WORSE, 3);
    journal.scene.wait_listed(&daemon, &[BAD, WORSE]);
    wait_until(SOON, "all is well", || daemon.ask(&["status"]).0 == 0);
    assert_eq!(daemon.jail("raw")["offences_total"], 6, "{}", daemon.log());
}

#[test]
fn a_filter_of_fail2ban_reads_the_journal_as_fail2ban_does() {
    let filters = Path::new("/etc/fail2ban/filter.d");
    assert!(filters.join("sshd.conf").is_file(), "Debian's fail2ban is installed where the tests run");
    let journal = Journal::new();
    journal.scene.configure(
        "[jail.sshd]\nfilter = \"sshd[mode=aggressive, logtype=journal]\"\nmaxretry = 2\nfindtime = \"10m\"\n\
         [source.journal]\njournal = [\"_SYSTEMD_UNIT=ssh.service\", \"_COMM=sshd\"]\nformat = \"journal\"\n",
    );
    // The process is the number of the boot here. Its line joins the lines of one session: one says who, the other what.
    journal.say("b1", 3, &format!("Connection from {BAD} port 40000 on 192.0.2.250 port 22"), 1);
    journal.say("b2", 3, &format!("Connection from {GOOD} port 40001 on 192.0.2.250 port 22"), 1);
    journal.say("b1", 2, "Disconnecting: Too many authentication failures [preauth]", 2);
    // What a client can choose names nobody, and a date that it writes is text.
    let user = format!("x 2001-01-01 10:00:00 rhost={GOOD}");
    journal.say("b3", 1, &format!("Failed password for invalid user {user} from {WORSE} port 5 ssh2"), 2);
    let daemon = journal.start();
    journal.scene.wait_listed(&daemon, &[BAD, WORSE]);
    assert_eq!(daemon.offences(GOOD, "sshd"), 0, "{}", daemon.log());
    let file = daemon.file("journal:_SYSTEMD_UNIT=ssh.service + _COMM=sshd");
    assert_eq!((file["state"].as_str(), file["lines"].as_u64()), (Some("live"), Some(6)), "{file}");
}

#[test]
fn a_journal_that_nothing_reads_here_is_told_before_it_is_started() {
    let scene = Scene::new();
    scene.configure(RAW);
    // The search for programs goes no further than a link that leads to itself.
    std::os::unix::fs::symlink("journalctl", scene.dir("bin").join("journalctl")).unwrap();
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_banmap"));
    check.arg("-c").arg(scene.path("banmap.toml")).arg("check").env("PATH", scene.path("bin"));
    let checked = check.output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && told.contains("[source.journal] `journal`: "), "{told}");
    assert!(told.contains("journalctl") && told.contains("`banmap run` will not start here"), "{told}");
}
