//! The banmap under test: as a daemon, and as the command that talks to it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process::Process;
use super::wait_until;

/// How long a daemon may take until it answers.
const READY: Duration = Duration::from_secs(20);

/// `banmap run` on a configuration file.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    config: PathBuf,
    log: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts it and waits until `banmap ping` says that it is ready.
    pub(crate) fn start(config: &Path) -> Self {
        let mut daemon = Self::spawn(config);
        wait_until(READY, "banmap is ready", || {
            let ended = daemon.process.has_ended();
            assert!(ended.is_none(), "banmap run ended ({}):\n{}", ended.unwrap(), daemon.log());
            daemon.cli(&["ping"]).status.success()
        });
        daemon
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(config: &Path) -> Self {
        let mut command = banmap(config);
        command.arg("run").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn("banmap", &mut command);
        let mut stderr = process.child().stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut chunk) {
                heard.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });
        Self { process, config: config.to_owned(), log, reader: Some(reader) }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Runs `banmap -c CONFIG ARGS` beside it.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        cli(&self.config, arguments)
    }

    /// Runs a verb that must succeed with `--json`, and reads the objects it prints.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.cli(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}: {problem}\n{}", output.status, self.log());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The addresses that are banned now, sorted.
    pub(crate) fn banned(&self) -> Vec<String> {
        let address = |ban: serde_json::Value| ban["address"].as_str().unwrap().to_owned();
        let mut banned: Vec<String> = self.json(&["list"]).into_iter().map(address).collect();
        banned.sort();
        banned
    }

    /// Ends it as a service manager does (SIGTERM); returns how it ended (`None`: it had to be killed) and its log.
    pub(crate) fn stop(mut self) -> (Option<ExitStatus>, String) {
        let status = self.process.end(Signal::SIGTERM);
        (status, self.whole_log())
    }

    /// Ends it as a crash does (SIGKILL); returns its log.
    pub(crate) fn kill(mut self) -> String {
        self.process.end(Signal::SIGKILL);
        self.whole_log()
    }

    fn whole_log(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.log()
    }
}

/// Runs `banmap -c CONFIG ARGS` to its end, with or without a daemon.
pub(crate) fn cli(config: &Path, arguments: &[&str]) -> Output {
    banmap(config).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn banmap(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banmap"));
    command.arg("-c").arg(config).env("NO_COLOR", "1");
    command
}
