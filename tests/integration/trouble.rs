//! Bad input and a bad world: each time the message names the thing and the fix, and what can be served goes on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use crate::harness::scene::{
    LOG, LOGIN, SITE, SOON, append, failed_logins, failed_logins_at, minutes_ago, request,
};
use crate::harness::{Daemon, Scene, wait_until};

pub(crate) const BAD: &str = "203.0.113.7";
pub(crate) const WORSE: &str = "203.0.113.8";

pub(crate) fn usual() -> String {
    format!("{LOGIN}{SITE}")
}

/// A run that must end by itself: its exit code, and what it said.
#[track_caller]
pub(crate) fn refused(config: &Path) -> (i32, String) {
    Daemon::spawn(config).ended()
}

#[track_caller]
pub(crate) fn assert_said(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "`{words}` in:\n{text}");
    }
}

pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// An account that owns nothing.
const NOBODY: u32 = 65534;

/// Runs `banmap run` as somebody whom permissions can keep out: as nobody where the tests run as root, else as we are.
fn start_unprivileged(scene: &Scene) -> Daemon {
    let config = scene.path("banmap.toml");
    if !is_root() {
        return Daemon::start(&config);
    }
    for directory in ["state", "out"] {
        std::os::unix::fs::chown(scene.dir(directory), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let program = open_copy(scene);
    Daemon::start_by(&AS_NOBODY, &program, &config)
}

/// The program where everybody can run it: the build's own directory may be closed to others. Another process makes the
/// copy, since what this one has open for writing may still be so in children that other tests start: "text file busy".
pub(crate) fn open_copy(scene: &Scene) -> PathBuf {
    let program = scene.path("banmap");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_banmap")).arg(&program).status().unwrap();
    assert!(copied.success());
    program
}

pub(crate) const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let scene = Scene::new();
    let (code, log) = refused(&scene.path("none.toml"));
    assert_eq!(code, 2);
    assert_said(&log, &["none.toml: No such file", "-c or BANMAP_CONFIG"]);
    let (code, log) = refused(&scene.dir("conf"));
    assert_eq!(code, 2);
    assert_said(&log, &["conf: Is a directory", "name the file inside it"]);
    fs::write(scene.path("latin1.toml"), b"# Gr\xfc\xdfe\n").unwrap();
    let (code, log) = refused(&scene.path("latin1.toml"));
    assert_eq!(code, 2);
    assert_said(&log, &["latin1.toml", "not UTF-8 (line 1)"]);
}

#[test]
fn every_problem_of_a_configuration_is_told_with_its_place_and_nothing_is_touched() {
    let scene = Scene::new();
    let config = scene.configure("[jail.login]\nmaxretry = 3\nfindtme = \"10m\"\n[source.site\n");
    let (code, log) = refused(&config);
    assert_eq!(code, 2);
    let at = |place: &str| format!("{}:{place}", config.display());
    assert_said(&log, &[&at("12:1"), "findtme", "did you mean `findtime`?", &at("13:13")]);
    let config =
        scene.configure("[jail.login]\nmaxretry = \"three\"\nfilter = \"logn\"\nbantime = \"1 fortnight\"\n");
    let (code, log) = refused(&config);
    assert_eq!(code, 2);
    assert_said(&log, &[&at("11:12"), &at("12:10"), "login", &at("13:11"), "there is nothing to read"]);
    assert!(!scene.path("state").exists() && !scene.path("out").exists());
}

/// What `status` says of the output.
fn output(daemon: &Daemon) -> serde_json::Value {
    daemon.ask(&["status"]).1["outputs"]["list"].take()
}

#[track_caller]
fn wait_failed(daemon: &Daemon, words: &str) {
    let mut shown = serde_json::Value::Null;
    let failed = || {
        shown = output(daemon);
        shown["state"] == "failed" && shown["error"].as_str().is_some_and(|error| error.contains(words))
    };
    wait_until(SOON, &format!("the output has failed: {words}"), failed);
    assert_eq!(daemon.ask(&["status"]).0, 1, "{shown}");
}

#[test]
fn a_target_that_cannot_be_written_is_told_and_tried_again() {
    let scene = Scene::new();
    let (out, list) = (scene.path("out"), scene.path("out/banned"));
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    let published = fs::read(&list).unwrap();
    // In its place stands a directory that is not empty.
    fs::rename(&list, scene.path("saved")).unwrap();
    scene.write("out/banned/precious", "kept");
    scene.append(LOG, failed_logins(WORSE, 3));
    wait_failed(&daemon, &list.display().to_string());
    assert_eq!(daemon.banned(), [BAD, WORSE], "bans go on");
    assert_eq!(fs::read_to_string(scene.path("out/banned/precious")).unwrap(), "kept");
    fs::remove_dir_all(&list).unwrap();
    fs::write(&list, &published).unwrap();
    scene.wait_listed(&daemon, &[BAD, WORSE]);
    wait_until(SOON, "status is well again", || daemon.ask(&["status"]).0 == 0);
    // Its directory is a file.
    fs::rename(&out, scene.path("out.saved")).unwrap();
    scene.write("out", "a file");
    scene.append(LOG, failed_logins("203.0.113.9", 3));
    wait_failed(&daemon, &out.display().to_string());
    fs::remove_file(&out).unwrap();
    fs::rename(scene.path("out.saved"), &out).unwrap();
    scene.wait_listed(&daemon, &[BAD, "203.0.113.9", WORSE]);
    wait_until(SOON, "status is well again", || daemon.ask(&["status"]).0 == 0);
    // It is gone.
    fs::remove_dir_all(&out).unwrap();
    scene.append(LOG, failed_logins("203.0.113.10", 3));
    wait_failed(&daemon, &format!("create the directory {}", out.display()));
    scene.dir("out");
    scene.wait_listed(&daemon, &["203.0.113.10", BAD, "203.0.113.9", WORSE]);
}

#[test]
fn a_directory_that_may_not_be_written_is_told_with_the_fix() {
    let scene = Scene::new();
    scene.configure(&usual());
    let daemon = start_unprivileged(&scene);
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    set_mode(&scene.path("out"), 0o555);
    scene.append(LOG, failed_logins(WORSE, 3));
    wait_failed(&daemon, "Permission denied");
    assert_eq!(scene.listed().len(), 1, "the last good list stays");
    assert_eq!(daemon.banned().len(), 2);
    set_mode(&scene.path("out"), 0o755);
    scene.wait_listed(&daemon, &[BAD, WORSE]);
}

#[test]
fn a_log_that_may_not_be_read_is_told_with_owner_group_mode_and_the_fix() {
    let scene = Scene::new();
    scene.append(LOG, failed_logins(BAD, 3));
    let log = scene.path(LOG);
    let group = is_root().then(|| nix::unistd::Group::from_name("adm").unwrap().unwrap().gid.as_raw());
    set_mode(&log, if group.is_some() { 0o640 } else { 0 });
    std::os::unix::fs::chown(&log, None, group).unwrap();
    scene.configure(&usual());
    let daemon = start_unprivileged(&scene);
    let told = format!("cannot read {}: Permission denied", log.display());
    daemon.wait_logged(&told);
    let fix = match group {
        Some(_) => "is root:adm 0640: add the user banmap runs as to group adm (usermod -aG adm nobody)",
        None => "0000: let the user banmap runs as read it (setfacl -m u:",
    };
    daemon.wait_logged(fix);
    let file = daemon.wait_state(LOG, "unreadable");
    assert_said(file["error"].as_str().unwrap(), &[&told, fix]);
    assert_eq!(daemon.ask(&["status"]).0, 1);
    assert_eq!(daemon.log().matches(&told).count(), 1, "each second it is tried, once it is told");
    set_mode(&log, 0o644);
    scene.wait_listed(&daemon, &[BAD]);
    daemon.wait_state(LOG, "live");
    assert_eq!(daemon.ask(&["status"]).0, 0);
}

#[test]
fn a_log_directory_that_may_not_be_entered_is_told_too() {
    let scene = Scene::new();
    scene.append("logs/nginx/access.log", failed_logins(BAD, 3));
    let directory = scene.path("logs/nginx");
    set_mode(&directory, 0o700);
    if is_root() {
        scene.configure(&format!("{LOGIN}{}", SITE.replace("logs/access.log", "logs/nginx/*.log")));
    } else {
        set_mode(&directory, 0);
        scene.configure(&format!("{LOGIN}{}", SITE.replace("logs/access.log", "logs/nginx/*.log")));
    }
    let daemon = start_unprivileged(&scene);
    daemon.wait_logged(&format!("cannot read {}: Permission denied", directory.display()));
    set_mode(&directory, 0o755);
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    let config = fs::read_to_string(scene.path("banmap.toml")).unwrap();
    let other = scene.write("other.toml", &config.replace("state/banmap.sock", "other.sock"));
    let (code, log) = refused(&other);
    assert_eq!(code, 1, "{log}");
    assert_said(&log, &["banmap.lock is locked by another banmap"]);
    let other = scene.write("other.toml", &config.replace("state = \"state\"", "state = \"other\""));
    let (code, log) = refused(&other);
    assert_eq!(code, 1, "{log}");
    assert_said(&log, &["another banmap listens on", "another `socket` in [daemon]"]);
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_anything_else_there_is_not() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    let socket = scene.path("state/banmap.sock");
    daemon.kill();
    assert!(socket.exists(), "a crash leaves it behind");
    let daemon = scene.start_again();
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    daemon.stop();
    assert!(!socket.exists());
    fs::write(&socket, "precious").unwrap();
    let (code, log) = refused(&scene.path("banmap.toml"));
    assert_eq!(code, 1, "{log}");
    assert_said(&log, &["banmap.sock is no socket: move it away"]);
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn a_log_that_is_a_directory_or_a_pipe_is_told() {
    let scene = Scene::new();
    scene.dir("logs/nginx");
    nix::unistd::mkfifo(&scene.path("logs/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sources =
        "[source.site]\npath = [\"logs/access.log\", \"logs/nginx\", \"logs/pipe\"]\nread = \"beginning\"\n";
    let daemon = scene.start(&format!("{LOGIN}{sources}"));
    daemon.wait_logged("logs/nginx is a directory: name the logs in it");
    daemon.wait_logged("logs/pipe is no regular file");
    let file = daemon.wait_state("logs/nginx", "unreadable");
    assert_said(file["error"].as_str().unwrap(), &["logs/nginx/*.log"]);
    assert_eq!(daemon.ask(&["status"]).0, 1);
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
}

/// Half a megabyte of every byte there is, the newline too, in no order.
fn garbage() -> Vec<u8> {
    let mut state: u32 = 42;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..512 * 1024).map(|_| next()).collect()
}

#[test]
fn a_log_of_garbage_harms_nothing_and_hides_nothing() {
    for format in ["auto", "combined"] {
        let scene = Scene::new();
        scene.append(LOG, garbage());
        scene.append(LOG, "\n");
        let source = format!("{SITE}format = \"{format}\"\n");
        let daemon = scene.start(&format!("{LOGIN}{source}"));
        scene.append(LOG, failed_logins(BAD, 3));
        scene.append(LOG, garbage());
        scene.append(LOG, b"\n");
        scene.append(LOG, failed_logins(WORSE, 3));
        scene.wait_listed(&daemon, &[BAD, WORSE]);
        scene.assert_banned(&daemon, LOG, &[BAD, WORSE]);
        let log = daemon.log();
        assert!(log.len() < 20_000, "{} bytes", log.len());
        assert!(!log.contains(|c: char| c.is_control() && c != '\n'), "what was logged is escaped");
    }
}

#[test]
fn a_line_of_two_megabytes_is_left_out_and_told() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(BAD, 2));
    scene.append(LOG, request(WORSE, &format!("POST /login?{}", "x".repeat(2 << 20)), 401));
    scene.append(LOG, failed_logins(BAD, 1));
    scene.wait_listed(&daemon, &[BAD]);
    daemon.wait_logged("bytes and was left out");
    assert_eq!(daemon.offences(WORSE, "login"), 0);
    // No client can make a line so long that its offence is lost: this is what servers take.
    scene.append(LOG, request(WORSE, &format!("POST /login?{}", "x".repeat(64 << 10)), 401).repeat(3));
    scene.wait_listed(&daemon, &[BAD, WORSE]);
}

/// Holes of NUL bytes are what a crash of the machine leaves behind.
#[test]
fn a_hole_in_a_log_is_passed_over() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(BAD, 2));
    let log = scene.path(LOG);
    let length = fs::metadata(&log).unwrap().len();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(length + 100_000).unwrap();
    append(&log, failed_logins(BAD, 1).as_bytes());
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn a_list_that_cannot_be_read_is_named_at_start_and_missed_while_running() {
    let scene = Scene::new();
    let allow = format!("[defaults]\nignoreip = \"file:allow.txt\"\n{}", usual());
    let (code, log) = refused(&scene.configure(&allow));
    assert_eq!(code, 2, "{log}");
    assert_said(&log, &["allow.txt", "No such file"]);
    scene.write("allow.txt", BAD);
    let daemon = scene.start_again();
    scene.append(LOG, failed_logins(BAD, 3));
    scene.assert_banned(&daemon, LOG, &[]);
    fs::remove_file(scene.path("allow.txt")).unwrap();
    daemon.wait_logged("the last good list stays in force");
    scene.append(LOG, failed_logins_at(BAD, minutes_ago(0), 3));
    scene.assert_banned(&daemon, LOG, &[]);
}
