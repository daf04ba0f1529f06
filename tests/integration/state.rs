//! A state that cannot be used as it should be: its directory, its database, its disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::scene::{LOG, SOON, failed_logins, request};
use crate::harness::{Daemon, Scene, wait_until};
use crate::trouble::{AS_NOBODY, BAD, WORSE, assert_said, is_root, open_copy, refused, set_mode, usual};

/// What is usual, where two hundred bans at once are no storm that `status` tells of.
fn without_storms() -> String {
    format!("{}[defaults]\nstorm = \"off\"\n", usual())
}

#[test]
fn a_state_directory_that_is_a_file_is_named_with_the_fix() {
    let scene = Scene::new();
    scene.write("state", "precious");
    let (code, log) = refused(&scene.configure(&usual()));
    assert_eq!(code, 1);
    assert_said(&log, &[&scene.path("state").display().to_string(), "`state` under [daemon]"]);
    assert_eq!(fs::read_to_string(scene.path("state")).unwrap(), "precious");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named_with_the_fix() {
    let scene = Scene::new();
    let config = scene.configure(&usual());
    let state = scene.dir("state");
    set_mode(&state, 0o555);
    let output = run_unprivileged(&scene, &config);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_said(&said, &[&state.display().to_string(), "Permission denied", "`state`"]);
    set_mode(&state, 0o755);
}

/// Runs a daemon that ends by itself.
fn run_unprivileged(scene: &Scene, config: &Path) -> Output {
    let program = open_copy(scene);
    let mut command = Command::new(if is_root() { AS_NOBODY[0] } else { "env" });
    command.args(if is_root() { &AS_NOBODY[1..] } else { &[] }).arg(program);
    command.arg("-c").arg(config).arg("run").stdin(Stdio::null()).output().unwrap()
}

fn set_aside(scene: &Scene) -> Vec<PathBuf> {
    let entries = fs::read_dir(scene.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.to_str().unwrap();
        name.contains(".corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    entries.filter(is_one).collect()
}

#[test]
fn a_damaged_database_is_set_aside_loudly_and_never_deleted() {
    let scene = Scene::new();
    let garbage = "this was no database, ever\n".repeat(4000);
    scene.write("state/banmap.sqlite3", &garbage);
    scene.append(LOG, failed_logins(BAD, 3));
    let daemon = scene.start(&usual());
    scene.wait_listed(&daemon, &[BAD]);
    let kept = set_aside(&scene);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), garbage);
    daemon.wait_logged(&format!("kept as {}", kept[0].display()));
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 1, "{status}");
    assert!(status["problems"].to_string().contains("kept as"), "{status}");
    daemon.stop();
    let daemon = scene.start_again();
    assert_eq!((daemon.banned(), daemon.ask(&["status"]).0), (vec![BAD.to_owned()], 0));
}

#[test]
fn a_database_that_is_damaged_in_the_middle_gives_what_it_still_can() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    daemon.stop();
    let database = scene.path("state/banmap.sqlite3");
    let mut bytes = fs::read(&database).unwrap();
    // The second page, behind the schema: the first table.
    bytes[4096..8192].fill(0xa5);
    fs::write(&database, &bytes).unwrap();
    let daemon = scene.start_again();
    daemon.wait_logged("kept as");
    scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(set_aside(&scene).len(), 1);
}

#[test]
fn a_database_of_a_newer_version_or_another_program_is_refused_and_left_alone() {
    for (sql, words) in [
        ("PRAGMA user_version = 999", ["version 999", "run the newer banmap again"]),
        (
            "PRAGMA application_id = 1; PRAGMA user_version = 1",
            ["another program's SQLite database", "`state`"],
        ),
    ] {
        let scene = Scene::new();
        let daemon = scene.start(&usual());
        daemon.stop();
        let database = scene.path("state/banmap.sqlite3");
        rusqlite::Connection::open(&database).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&database).unwrap();
        let (code, log) = refused(&scene.path("banmap.toml"));
        assert_eq!(code, 1, "{log}");
        assert_said(&log, &[&database.display().to_string(), words[0], words[1]]);
        assert_eq!(fs::read(&database).unwrap(), before);
        assert!(set_aside(&scene).is_empty());
    }
}

/// A file system of one megabyte at a directory, until it is dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// `None` where we may not mount.
    fn mount(directory: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory).stderr(Stdio::null());
        (is_root() && mount.status().is_ok_and(|status| status.success())).then_some(Self(directory))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Many clients, each banned with evidence of a kilobyte a line: more than a full disk takes.
fn flood(scene: &Scene, clients: std::ops::Range<u32>) {
    let padding = "x".repeat(700);
    for n in clients {
        let client = format!("203.0.{}.{}", n / 250, n % 250);
        scene.append(LOG, request(&client, &format!("POST /login?{padding}"), 401).repeat(3));
    }
}

/// With a disk that is full for the state: bans go on, status says so, and what waits is stored once there is room.
fn full_disk(scene: &Scene, daemon: Daemon, fill: impl FnOnce(&Daemon), make_room: impl FnOnce(&Daemon)) {
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    fill(&daemon);
    flood(scene, 0..200);
    wait_until(SOON, "bans go on", || scene.listed().len() == 201);
    daemon.wait_logged("changes wait in memory");
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 1);
    let problem = status["problems"].to_string();
    assert!(problem.contains("banmap.sqlite3") && problem.contains("full"), "{status}");
    scene.append(LOG, failed_logins(WORSE, 3));
    wait_until(SOON, "bans go on", || scene.listed().contains(WORSE));
    make_room(&daemon);
    daemon.wait_logged("saving works again");
    wait_until(SOON, "status is well again", || daemon.ask(&["status"]).0 == 0);
    let (status, log) = daemon.stop();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    // What is known now was stored: there is nothing to read it from.
    fs::remove_file(scene.path(LOG)).unwrap();
    fs::remove_file(scene.path("out/banned")).unwrap();
    let daemon = scene.start_again();
    wait_until(SOON, "all are known", || scene.listed().len() == 202);
    assert!(!daemon.log().contains("kept as"), "{}", daemon.log());
}

#[test]
fn a_full_disk_for_the_state_stops_no_ban() {
    let scene = Scene::new();
    let (state, filler) = (scene.dir("state"), scene.path("state/filler"));
    let Some(_small) = Small::mount(&state) else { return a_limit_instead() };
    let daemon = scene.start(&without_storms());
    let fill = |_: &Daemon| {
        // Written until nothing fits any more, the last block byte by byte.
        let file = fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        for block in [4096, 1] {
            while std::io::Write::write_all(&mut &file, &vec![b'x'; block]).is_ok() {}
        }
    };
    full_disk(&scene, daemon, fill, |_| fs::remove_file(&filler).unwrap());
}

/// Where no small disk can be mounted, and everywhere since it fails in another way: no file may grow beyond a limit.
#[test]
fn a_limit_on_the_size_of_files_stops_no_ban() {
    a_limit_instead();
}

fn a_limit_instead() {
    let scene = Scene::new();
    let config = scene.configure(&without_storms());
    // Without the signal that would end the process, a write beyond the limit fails.
    let wrapper = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let daemon = Daemon::start_by(&wrapper, Path::new(env!("CARGO_BIN_EXE_banmap")), &config);
    let limit = |daemon: &Daemon, bytes: &str| {
        let status = Command::new("prlimit")
            .args(["--pid", &daemon.pid().to_string(), &format!("--fsize={bytes}:")])
            .status()
            .unwrap_or_else(|error| panic!("prlimit (apt install util-linux): {error}"));
        assert!(status.success());
    };
    full_disk(&scene, daemon, |daemon| limit(daemon, "131072"), |daemon| limit(daemon, "unlimited"));
}
