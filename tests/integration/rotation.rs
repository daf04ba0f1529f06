//! Logs that the real logrotate rotates: no line is lost and none is read twice, while the daemon runs and while it does
//! not.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Command;

use jiff::Timestamp;

use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins};
use crate::harness::{Daemon, Scene, installed, wait_until};

/// A server that writes its log, and logrotate for it.
struct Server {
    scene: Scene,
    log: File,
    /// Each line has a client of its own, so that none is banned and each counts.
    lines: u16,
    rotated: i64,
}

impl Server {
    /// `how` are logrotate's directives for the log.
    fn new(how: &str) -> Self {
        let scene = Scene::new();
        let log = scene.path(LOG).display().to_string();
        scene.write("logrotate.conf", &format!("{log} {{\n    rotate 9\n    {how}\n}}\n"));
        scene.append(LOG, "");
        let log = open(&scene);
        Self { scene, log, lines: 0, rotated: 0 }
    }

    /// Writes to the file that it has open, whatever its name is now.
    fn write(&mut self, count: u16) {
        for _ in 0..count {
            self.lines += 1;
            let [high, low] = self.lines.to_be_bytes();
            self.log.write_all(failed_logins(&format!("10.0.{high}.{low}"), 1).as_bytes()).unwrap();
        }
    }

    fn rotate(&mut self) {
        // Names with a date differ by the second, and logrotate's clock may be a tick of the kernel behind.
        let next = (self.rotated + 1) * 1000 + 20;
        wait_until(SOON, "the next second", || Timestamp::now().as_millisecond() > next);
        let mut command = Command::new(installed("logrotate", "logrotate"));
        command.arg("--force").arg("--state").arg(self.scene.path("logrotate.state"));
        let output = command.arg(self.scene.path("logrotate.conf")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        self.rotated = Timestamp::now().as_second();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }

    /// What the server does when it is told of the rotation.
    fn reopen(&mut self) {
        self.log = open(&self.scene);
    }

    #[track_caller]
    fn wait_counted(&self, daemon: &Daemon) {
        let counted = || daemon.jail("login")["offences_total"].as_u64().unwrap();
        let explain = format!("{} lines counted", self.lines);
        wait_until(SOON, &explain, || counted() >= u64::from(self.lines));
        assert_eq!(counted(), u64::from(self.lines), "{}", daemon.log());
    }
}

fn open(scene: &Scene) -> File {
    OpenOptions::new().append(true).open(scene.path(LOG)).unwrap()
}

/// Rotations while the daemon looks on, then as many while it is down.
fn through_rotations(how: &str, told: bool) {
    let mut server = Server::new(how);
    let mut daemon = server.scene.start(&format!("{LOGIN}{SITE}"));
    for _ in 0..3 {
        server.write(20);
        server.rotate();
        if told {
            // Into the renamed file, before the server is told.
            server.write(5);
            server.reopen();
        }
        server.write(10);
        server.wait_counted(&daemon);
    }
    for rotations in [1, 2] {
        server.write(3);
        daemon.stop();
        for _ in 0..rotations {
            server.write(20);
            server.rotate();
            if told {
                server.write(5);
                server.reopen();
            }
            server.write(10);
        }
        daemon = server.scene.start_again();
        server.wait_counted(&daemon);
    }
    server.write(10);
    server.wait_counted(&daemon);
    assert!(daemon.banned().is_empty(), "{}", daemon.log());
}

#[test]
fn create() {
    through_rotations("create", true);
}

#[test]
fn create_and_compress_late() {
    // What is compressed was read while it was the last one.
    let mut server = Server::new("create\n    compress\n    delaycompress");
    let daemon = server.scene.start(&format!("{LOGIN}{SITE}"));
    for _ in 0..3 {
        server.write(20);
        server.rotate();
        server.write(5);
        server.reopen();
        server.write(10);
        server.wait_counted(&daemon);
    }
    assert!(server.scene.path("logs/access.log.2.gz").exists());
}

#[test]
fn copytruncate() {
    through_rotations("copytruncate", false);
}

#[test]
fn dateext() {
    through_rotations("create\n    dateext\n    dateformat -%Y%m%d-%s", true);
}

#[test]
fn dateext_before_the_ending() {
    through_rotations("create\n    dateext\n    dateformat -%Y%m%d%H%M%S\n    extension .log", true);
}

#[test]
fn dateext_and_copytruncate() {
    through_rotations("copytruncate\n    dateext\n    dateformat .%Y-%m-%d-%s", false);
}
