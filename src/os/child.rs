//! Child processes: an argument list without a shell, a time limit that ends the whole process group, capped output.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Appended to our own search path: an operator's shell often lacks the `sbin` directories that servers live in.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long output is still awaited after the child ended: a grandchild that became a daemon keeps the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program to run, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program and its arguments; no shell sees them.
    pub argv: Vec<String>,
    /// After this time the process group is killed.
    pub limit: Duration,
    /// How many bytes of output (both streams together) are kept: the last ones, where errors stand.
    pub cap: usize,
}

/// A child that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said on both streams, lossily decoded and trimmed.
    pub output: String,
}

impl Finished {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// How it ended, in words: `exit code 1`, `signal 9`.
    pub fn ending(&self) -> String {
        ending(self.status)
    }
}

/// How a child ended, in words.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// A child that could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is no such program.
    #[error("there is no program `{0}`: install it, or write its full path")]
    Missing(String),
    /// The program may not be run by this user.
    #[error("user {1} may not run `{0}`")]
    Forbidden(String, String),
    /// The system could not start it.
    #[error("cannot start `{0}`: {1}")]
    Start(String, std::io::Error),
    /// It did not end in time and was killed with its process group.
    #[error("`{0}` did not end within {1:?} and was killed")]
    TimedOut(String, Duration),
    /// The argument list is empty.
    #[error("the command is empty: write the program and its arguments as a list")]
    Empty,
}

/// What runs children: the system, or in tests a recording that answers from a script.
#[derive(Clone, Debug, Default)]
pub enum Runner {
    /// Real processes.
    #[default]
    System,
    /// Nothing is run; see `Recording`.
    #[cfg(test)]
    Recorded(std::sync::Arc<Recording>),
}

impl Runner {
    /// Runs the program to its end. The environment holds only the search path, `HOME` and the C locale; the
    /// working directory is `/`. Dropping the future kills the process group.
    pub async fn run(&self, call: &Call) -> Result<Finished, ChildError> {
        match self {
            Self::System => run(call).await,
            #[cfg(test)]
            Self::Recorded(recording) => recording.answer(call),
        }
    }
}

async fn run(call: &Call) -> Result<Finished, ChildError> {
    let program = call.argv.first().ok_or(ChildError::Empty)?;
    let mut command = Command::from(command(program, &call.argv[1..]));
    let child = command.kill_on_drop(true).spawn();
    let mut child = child.map_err(|error| start_error(program, error))?;
    let mut group = Leash::on(&child);
    let mut said = Tail { kept: VecDeque::new(), cap: call.cap };
    let Ok(waited) = timeout(call.limit, watch(&mut child, &mut said)).await else {
        drop(group);
        let _ = child.wait().await;
        return Err(ChildError::TimedOut(program.clone(), call.limit));
    };
    group.release();
    let status = waited.map_err(|error| ChildError::Start(program.clone(), error))?;
    Ok(Finished { status, output: said.text() })
}

/// Our own search path, and the system's.
fn search_path() -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    if inherited.is_empty() { SYSTEM_PATH.to_owned() } else { format!("{inherited}:{SYSTEM_PATH}") }
}

/// Whether a program of that name can be seen.
fn is_anywhere(program: &str) -> bool {
    let is_there = |directory: &str| std::path::Path::new(directory).join(program).exists();
    program.contains('/') || search_path().split(':').any(is_there)
}

/// A child in a process group of its own, with the same surroundings wherever we were started.
pub(super) fn command(program: &str, arguments: &[String]) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", search_path())
        .env("LC_ALL", "C")
        .envs(std::env::var_os("HOME").map(|home| ("HOME", home)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

pub(super) fn start_error(program: &str, error: std::io::Error) -> ChildError {
    match error.kind() {
        ErrorKind::NotFound => ChildError::Missing(program.to_owned()),
        // The search also ends so when a directory on the path is closed to us.
        ErrorKind::PermissionDenied if !is_anywhere(program) => ChildError::Missing(program.to_owned()),
        ErrorKind::PermissionDenied => ChildError::Forbidden(program.to_owned(), super::owner::own_user()),
        _ => ChildError::Start(program.to_owned(), error),
    }
}

/// Collects output until the child ended, and for a moment longer.
async fn watch(child: &mut Child, said: &mut Tail) -> std::io::Result<ExitStatus> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut from_out, mut from_err) = (vec![0; 4096], vec![0; 4096]);
    let mut ended = None;
    while out.is_some() || err.is_some() || ended.is_none() {
        tokio::select! {
            // What is there to be read is read first, also where the moment was over before we had our turn.
            biased;
            status = child.wait(), if ended.is_none() => ended = Some(status?),
            n = read(&mut out, &mut from_out), if out.is_some() => said.keep(&from_out[..n]),
            n = read(&mut err, &mut from_err), if err.is_some() => said.keep(&from_err[..n]),
            () = tokio::time::sleep(LAST_WORDS), if ended.is_some() => break,
        }
    }
    match ended {
        Some(status) => Ok(status),
        None => child.wait().await,
    }
}

/// Reads once; at the end of the stream (or an error) lets it go.
async fn read<R: AsyncRead + Unpin>(stream: &mut Option<R>, into: &mut [u8]) -> usize {
    let Some(open) = stream else { return 0 };
    let n = open.read(into).await.unwrap_or(0);
    if n == 0 {
        *stream = None;
    }
    n.min(into.len())
}

/// The last bytes of what a child said.
struct Tail {
    kept: VecDeque<u8>,
    cap: usize,
}

impl Tail {
    fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let excess = self.kept.len().saturating_sub(self.cap);
        self.kept.drain(..excess);
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&Vec::from(self.kept)).trim().to_owned()
    }
}

/// Kills the process group when dropped, unless the child ended by itself: what it left running is meant to stay.
struct Leash(Option<Pid>);

impl Leash {
    fn on(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// A runner that starts nothing: it notes each call and answers the scripted ends, the last one again and again.
#[cfg(test)]
#[derive(Debug, Default)]
pub struct Recording {
    calls: std::sync::Mutex<Vec<Vec<String>>>,
    answers: std::sync::Mutex<VecDeque<(i32, String)>>,
}

#[cfg(test)]
impl Recording {
    /// Answers each call with the next of `answers`: exit code and output.
    pub fn answering(answers: &[(i32, &str)]) -> std::sync::Arc<Self> {
        let answers = answers.iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
        std::sync::Arc::new(Self {
            calls: std::sync::Mutex::default(),
            answers: std::sync::Mutex::new(answers),
        })
    }

    /// The argument lists that were run so far.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.calls.lock().unwrap().clone()
    }

    fn answer(&self, call: &Call) -> Result<Finished, ChildError> {
        self.calls.lock().unwrap().push(call.argv.clone());
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let program = call.argv.first().cloned().unwrap_or_default();
        let (code, output) = next.ok_or(ChildError::Missing(program))?;
        Ok(Finished { status: ExitStatus::from_raw(code << 8), output })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Call, ChildError, Finished, Runner};
    use crate::os::clock::monotonic;

    fn run(argv: &[&str], limit: Duration) -> Result<Finished, ChildError> {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Runner::System.run(&Call { argv, limit, cap: 1000 }))
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn exit_code_and_both_streams_are_told() {
        let ended = run(&["sh", "-c", "echo out; echo err >&2; exit 3"], LONG).unwrap();
        assert_eq!(ended.ending(), "exit code 3");
        assert!(ended.output.contains("out") && ended.output.contains("err"), "{}", ended.output);
    }

    #[test]
    fn the_end_of_long_output_is_kept() {
        let ended = run(&["sh", "-c", "seq 1 100000; echo the end"], LONG).unwrap();
        assert!(ended.success() && ended.output.ends_with("the end"));
        assert!(ended.output.len() <= 1000);
    }

    #[test]
    fn a_missing_program_and_an_empty_list_are_named() {
        assert!(matches!(run(&["banmap-no-such-program"], LONG), Err(ChildError::Missing(_))));
        assert!(matches!(run(&[], LONG), Err(ChildError::Empty)));
        assert!(matches!(run(&["/etc/passwd"], LONG), Err(ChildError::Forbidden(..))));
    }

    #[test]
    fn the_environment_is_minimal() {
        let ended = run(&["env"], LONG).unwrap();
        let names: Vec<&str> = ended.output.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.iter().all(|name| matches!(*name, "PATH" | "LC_ALL" | "HOME" | "PWD")), "{names:?}");
    }

    #[test]
    fn a_hanging_command_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        // On a busy machine the shell may need longer to come so far.
        let told = [300, 3_000, 30_000].into_iter().find_map(|limit| {
            let ended = run(&["sh", "-c", &script], Duration::from_millis(limit));
            assert!(matches!(ended, Err(ChildError::TimedOut(..))));
            std::fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n'))
        });
        let grandchild = told.unwrap().trim().parse().unwrap();
        let gone = || crate::os::process::find(grandchild).is_none_or(|found| found.is_zombie());
        let start = monotonic();
        while !gone() {
            assert!(start.elapsed() < LONG, "the grandchild outlived the kill");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_us_up() {
        let start = monotonic();
        let ended = run(&["sh", "-c", "sleep 90 & echo $!"], LONG * 2).unwrap();
        assert!(start.elapsed() < LONG);
        crate::os::process::signal(ended.output.parse().unwrap(), "KILL").unwrap();
    }
}
