//! A child process that ends with its value, and how servers are started on a free port.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::free_port;

/// How long a server may take to come or go on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that we started, and end.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    pub(crate) fn spawn(name: &'static str, command: &mut Command) -> Self {
        Self::spawn_reading(name, Stdio::null(), command)
    }

    /// The same with something to read.
    pub(crate) fn spawn_reading(name: &'static str, stdin: Stdio, command: &mut Command) -> Self {
        let child = command.stdin(stdin).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, child }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal)
            .unwrap_or_else(|error| panic!("{}: {signal}: {error}", self.name));
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends `signal` and waits for the end; a process that does not end is killed, and `None`.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<ExitStatus> {
        if let Some(status) = self.has_ended() {
            return Some(status);
        }
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.has_ended() {
                return Some(status);
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A second panic while a failed test unwinds would hide the first.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.end(Signal::SIGTERM);
        }
    }
}

/// Starts a server on a free port: `start` writes the configuration for a port and spawns it, `ready` tells when it serves.
///
/// Where a program outside the tests takes it before the server binds it, the server ends, and another port is tried.
pub(crate) fn on_free_port(
    mut start: impl FnMut(u16) -> Process,
    ready: impl Fn(u16) -> bool,
    log: impl Fn() -> String,
) -> (Process, u16) {
    for _ in 0..5 {
        let port = free_port();
        let mut process = start(port);
        let deadline = Instant::now() + PATIENCE;
        while process.has_ended().is_none() {
            if ready(port) {
                return (process, port);
            }
            assert!(Instant::now() < deadline, "{} does not answer; its log:\n{}", process.name, log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let said = log();
        let taken = said.to_lowercase().contains("in use") || said.contains("cannot bind");
        assert!(taken, "{} did not start:\n{said}", process.name);
    }
    panic!("no free port in five attempts");
}

/// Where `program` is; fails with the name of the package to install.
pub(crate) fn installed(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, which an ordinary user's PATH may lack.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut candidates = places.map(|dir| dir.join(program));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| {
        panic!("{program} is not installed, and this test needs it: apt install {package}")
    })
}

/// The line that has a server's workers run as www-data, where the test runs as root; else they run as we do.
pub(crate) fn user_line(line: &str) -> String {
    if nix::unistd::geteuid().is_root() { line.to_owned() } else { String::new() }
}

#[test]
#[should_panic(expected = "apt install its-package")]
fn a_missing_program_fails_the_test_with_its_package() {
    installed("no-such-program", "its-package");
}
