//! The banmap under test: as a daemon, and as the command that talks to it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process::Process;
use super::wait::{wait_or, wait_until};

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
        Self::spawn(config).ready()
    }

    /// Starts it by `wrapper` (a program and arguments that end by executing what follows them), and waits.
    pub(crate) fn start_by(wrapper: &[&str], program: &Path, config: &Path) -> Self {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(program).arg("-c").arg(config).env("NO_COLOR", "1");
        Self::spawn_as(config, command, Stdio::null()).ready()
    }

    /// Starts it with something to write to its standard input, and waits.
    pub(crate) fn start_fed(config: &Path) -> (Self, ChildStdin) {
        let mut daemon = Self::spawn_as(config, banmap(config), Stdio::piped());
        let stdin = daemon.process.child().stdin.take().unwrap();
        (daemon.ready(), stdin)
    }

    /// Starts it with programs found in `bin` before all others, and waits.
    pub(crate) fn start_finding(bin: &Path, config: &Path) -> Self {
        let mut command = banmap(config);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", bin.display()));
        Self::spawn_as(config, command, Stdio::null()).ready()
    }

    #[track_caller]
    fn ready(self) -> Self {
        let mut daemon = self;
        wait_until(READY, "banmap is ready", || {
            let ended = daemon.process.has_ended();
            assert!(ended.is_none(), "banmap run ended ({}):\n{}", ended.unwrap(), daemon.log());
            daemon.cli(&["ping"]).status.success()
        });
        daemon
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(config: &Path) -> Self {
        Self::spawn_as(config, banmap(config), Stdio::null())
    }

    fn spawn_as(config: &Path, mut command: Command, stdin: Stdio) -> Self {
        command.arg("run").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn_reading("banmap", stdin, &mut command);
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

    /// The same, not run yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = banmap(&self.config);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until its log holds `words`.
    #[track_caller]
    pub(crate) fn wait_logged(&self, words: &str) {
        let explain = || format!("`{words}` is logged:\n{}", self.log());
        wait_or(READY, || self.log().contains(words), explain);
    }

    /// Runs a verb with `--json`: its exit code, and the object that it printed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> (i32, serde_json::Value) {
        let output = self.cli(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        let answer = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}{problem}\n{}", self.log()));
        (output.status.code().unwrap(), answer)
    }

    /// The counters of one jail.
    #[track_caller]
    pub(crate) fn jail(&self, name: &str) -> serde_json::Value {
        self.ask(&["status"]).1["jails"][name].take()
    }

    /// How many offences of `address` a jail counts now.
    #[track_caller]
    pub(crate) fn offences(&self, address: &str, jail: &str) -> u64 {
        let (_, why) = self.ask(&["why", address]);
        let near = why["near"].as_array().unwrap().iter().find(|near| near["jail"] == jail);
        near.map_or(0, |near| near["offences"].as_u64().unwrap())
    }

    /// What `status` says of the file whose path ends so.
    #[track_caller]
    pub(crate) fn file(&self, end: &str) -> serde_json::Value {
        let (_, status) = self.ask(&["status"]);
        let sources = status["sources"].as_object().unwrap().values();
        let mut files = sources.flat_map(|source| source["files"].as_array().unwrap());
        let file = files.find(|file| file["path"].as_str().unwrap().ends_with(end));
        file.unwrap_or_else(|| panic!("no file {end} in {status}")).clone()
    }

    /// Waits until `status` says that the file whose path ends so stands so; returns what it says of it. The log may tell
    /// of it a moment before.
    #[track_caller]
    pub(crate) fn wait_state(&self, end: &str, state: &str) -> serde_json::Value {
        let explain = || format!("{end} is {state}: {}\n{}", self.file(end), self.log());
        wait_or(READY, || self.file(end)["state"] == state, explain);
        self.file(end)
    }

    /// Waits until it ended by itself; returns its exit code and its log.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (i32, String) {
        wait_until(READY, "banmap has ended", || self.process.has_ended().is_some());
        let code = self.process.has_ended().unwrap().code().unwrap();
        (code, self.whole_log())
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
