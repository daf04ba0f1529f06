//! The server that reads the outputs of one reload group: made to read them, and watched doing it.
//!
//! A signal to a server with a broken configuration is silent: the master goes on with the old one. So its children
//! are noted before, and afterwards either all old workers are replaced, or the error log tells why not.

mod error_log;
mod master;
mod message;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use self::error_log::ErrorLog;
use self::master::{Found, Program};
use super::event::What;
use super::settings::{Reload, Settings};
use crate::os::child::{Call, ChildError, Runner};
use crate::os::clock;
use crate::os::process::{self, Process, SignalError};
use crate::terms::Master;

/// How much a child may say.
const CAP: usize = 4000;

/// How often the master is looked at while it reads.
const LOOK: Duration = Duration::from_millis(3);

/// How it went when the server was made to read the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has read them; which process did, where that is known.
    Read(Option<Master>),
    /// No server runs.
    NotRunning(String),
    /// It refused its configuration.
    Refused {
        /// Why, in its own words.
        message: Option<String>,
        /// Whether our files are (or may be) the reason.
        ours: bool,
    },
    /// It was not told; why, and what to do.
    Hindered(String),
    /// We are stopping and did not wait for the answer.
    Stopped,
}

/// An outcome, and what was seen beside it.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// For the log.
    pub(super) notices: Vec<What>,
    /// What an operator has to mend, although it went on.
    pub(super) trouble: Option<String>,
}

/// Whether a process of the server's program existed at a look after the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// Nobody looked.
    Unknown,
    /// One did: it may be another server, or this one about to start.
    Refuted,
    /// None did, at this time (ticks after boot): one that comes later reads the new files.
    At(u64),
}

/// The server of one reload group.
#[derive(Debug)]
pub(super) struct Server {
    reload: Reload,
    program: Program,
    validates: Vec<Vec<String>>,
    error_log: Option<PathBuf>,
    /// Our files that it reads.
    files: Vec<PathBuf>,
    runner: Runner,
    absence: Absence,
}

impl Server {
    pub(super) fn of(outputs: &[Settings], runner: Runner) -> Self {
        let mut validates: Vec<_> = outputs.iter().filter_map(|output| output.validate.clone()).collect();
        validates.sort_unstable();
        validates.dedup();
        Self {
            reload: outputs.first().map_or(Reload::None, |output| output.reload.clone()),
            program: Program::of(outputs.iter()),
            validates,
            error_log: outputs.iter().find_map(|output| output.error_log.clone()),
            files: outputs.iter().map(|output| output.path.clone()).collect(),
            runner,
            absence: Absence::Unknown,
        }
    }

    /// Whether there is a server that we tell.
    pub(super) fn is_told(&self) -> bool {
        !matches!(self.reload, Reload::None | Reload::External)
    }

    /// The files changed: what was known about who read them is over.
    pub(super) fn files_changed(&mut self) {
        self.absence = Absence::Unknown;
    }

    /// The master as it runs now.
    pub(super) fn master(&self) -> Option<Master> {
        match self.find() {
            Some(Found::Master(process)) => Some(identity(&process)),
            _ => None,
        }
    }

    /// The master, if it must have read files of `bytes` length that were in place at `committed` (ticks after boot):
    /// it started later, or all its workers did.
    pub(super) fn has_read(&self, committed: u64, bytes: usize) -> Option<Master> {
        let Some(Found::Master(master)) = self.find() else { return None };
        // The process that is the master now was forked after its configuration was read: that may have begun before.
        let surely = committed + reading_time(bytes).as_secs() * process::ticks_per_second();
        let after_absence = matches!(self.absence, Absence::At(absent) if master.started > absent);
        let read = master.started > surely || after_absence || all_workers_since(&master, surely);
        read.then(|| identity(&master))
    }

    /// Whether workers that were told to end still serve somebody.
    pub(super) fn drains(&self) -> bool {
        let Some(Found::Master(master)) = self.find() else { return false };
        process::children(master.pid).iter().any(|child| is_ending(*child))
    }

    /// Checks the operator's whole configuration, where he set a check, and makes the server read it. `bytes` is how
    /// much of it is ours.
    pub(super) async fn make_read(&mut self, bytes: usize, stop: &watch::Receiver<bool>) -> Attempt {
        let mut attempt = Attempt { outcome: Outcome::Read(None), notices: Vec::new(), trouble: None };
        if let Err(refused) = self.validate(bytes, &mut attempt).await {
            attempt.outcome = refused;
            return attempt;
        }
        attempt.outcome = match self.reload.clone() {
            Reload::None | Reload::External => Outcome::Read(None),
            Reload::Command(argv) => self.command(argv, bytes).await,
            Reload::PidFile { signal, .. } | Reload::Process { signal, .. } => {
                self.signal(&signal, bytes, stop).await
            }
        };
        attempt
    }

    fn find(&self) -> Option<Found> {
        match &self.reload {
            Reload::PidFile { path, .. } => Some(master::by_pid_file(path, self.program)),
            Reload::Process { name, .. } => Some(master::by_name(name, self.program)),
            Reload::Command(_) | Reload::External | Reload::None => None,
        }
    }

    async fn validate(&self, bytes: usize, attempt: &mut Attempt) -> Result<(), Outcome> {
        for argv in &self.validates {
            let call = Call { argv: argv.clone(), limit: patience(bytes), cap: CAP };
            let command = argv.join(" ");
            match self.runner.run(&call).await {
                Ok(ended) if ended.success() => {}
                Ok(ended) if self.lacks_permission(&ended.output) => {
                    let user = crate::os::owner::own_user();
                    let why = format!(
                        "validate = `{command}` is skipped, since user {user} may not do it: run as root, or set \
                         validate = \"none\""
                    );
                    attempt.notices.push(What::Unchecked { why });
                }
                Ok(ended) => return Err(self.refusal(&command, &ended.ending(), ended.output)),
                Err(error @ ChildError::TimedOut(..)) => {
                    return Err(Outcome::Refused { message: Some(format!("validate: {error}")), ours: true });
                }
                Err(error) => {
                    let why =
                        format!("validate = `{command}` is skipped: {error}, or set validate = \"none\"");
                    attempt.notices.push(What::Unchecked { why: why.clone() });
                    attempt.trouble = Some(why);
                }
            }
        }
        Ok(())
    }

    /// `nginx -t` also opens pid file and logs, which only root may.
    fn lacks_permission(&self, output: &str) -> bool {
        let denied = output.contains("Permission denied") || output.contains("Operation not permitted");
        denied && !crate::os::owner::is_root() && !message::names_one_of(output, &self.files)
    }

    fn refusal(&self, command: &str, ending: &str, output: String) -> Outcome {
        if output.is_empty() {
            return Outcome::Refused {
                message: Some(format!("`{command}` ended with {ending}")),
                ours: true,
            };
        }
        let ours = message::names_one_of(&output, &self.files);
        Outcome::Refused { message: Some(output), ours }
    }

    async fn command(&self, argv: Vec<String>, bytes: usize) -> Outcome {
        let call = Call { argv, limit: patience(bytes), cap: CAP };
        match self.runner.run(&call).await {
            Ok(ended) if ended.success() => Outcome::Read(None),
            Ok(ended) => self.refusal(&call.argv.join(" "), &ended.ending(), ended.output),
            Err(error) => Outcome::Hindered(format!("reload: {error}")),
        }
    }

    async fn signal(&mut self, signal: &str, bytes: usize, stop: &watch::Receiver<bool>) -> Outcome {
        let master = match self.find() {
            Some(Found::Master(master)) => master,
            Some(Found::Unclear(why)) => return Outcome::Hindered(why),
            Some(Found::Absent(why)) => {
                self.note_absence();
                return Outcome::NotRunning(why);
            }
            None => return Outcome::Read(None),
        };
        wait_until_idle(&master, stop).await;
        let log = self.error_log.as_deref().map(ErrorLog::mark);
        let before = process::children(master.pid);
        match process::signal(master.pid, signal) {
            Ok(()) if self.program == Program::Nginx => {
                let watch = Watch { master: &master, before, log };
                self.judge(watch.until_decided(patience(bytes), stop).await)
            }
            Ok(()) => Outcome::Read(Some(identity(&master))),
            Err(SignalError::Gone(pid)) => Outcome::NotRunning(format!("process {pid} has just ended")),
            Err(error @ SignalError::Forbidden { .. }) => Outcome::Hindered(format!(
                "{error}: reloading needs root or CAP_KILL (in a systemd unit: AmbientCapabilities=CAP_KILL), \
                 or set reload = \"external\" and reload it by other means"
            )),
            Err(error @ SignalError::Unknown(_)) => Outcome::Hindered(error.to_string()),
        }
    }

    /// Looks once after each commit: a look at all processes takes milliseconds.
    fn note_absence(&mut self) {
        if self.absence == Absence::Unknown {
            let now = process::ticks_since_boot();
            self.absence = if self.program.is_absent() { Absence::At(now) } else { Absence::Refuted };
        }
    }

    fn judge(&self, decided: Decided) -> Outcome {
        match decided {
            Decided::Replaced(master) => Outcome::Read(Some(master)),
            Decided::Ended => Outcome::NotRunning("the master has just ended".to_owned()),
            Decided::Stopped => Outcome::Stopped,
            Decided::Silent => Outcome::Refused { message: None, ours: true },
            Decided::Refused(message) => {
                let ours = message::names_one_of(&message, &self.files);
                Outcome::Refused { message: Some(message), ours }
            }
        }
    }
}

/// How the wait after a signal ended.
enum Decided {
    /// New workers run, and no old one takes new connections.
    Replaced(Master),
    /// The error log says why not.
    Refused(String),
    /// Neither, until the end of our patience.
    Silent,
    /// The master is gone.
    Ended,
    /// We are stopping.
    Stopped,
}

/// A master that was told to read its configuration again.
struct Watch<'a> {
    master: &'a Process,
    before: Vec<i32>,
    log: Option<ErrorLog>,
}

impl Watch<'_> {
    async fn until_decided(&self, limit: Duration, stop: &watch::Receiver<bool>) -> Decided {
        let begin = clock::monotonic();
        loop {
            if let Some(decided) = self.look() {
                return decided;
            }
            if *stop.borrow() {
                return Decided::Stopped;
            }
            if begin.elapsed() > limit {
                let said = self.said();
                return if said.is_empty() { Decided::Silent } else { Decided::Refused(said.join("; ")) };
            }
            tokio::time::sleep(LOOK.max(begin.elapsed() / 20)).await;
        }
    }

    fn look(&self) -> Option<Decided> {
        let alive = process::find(self.master.pid);
        if alive.is_none_or(|now| now.started != self.master.started || now.is_zombie()) {
            return Some(Decided::Ended);
        }
        if self.workers_are_replaced() {
            return Some(Decided::Replaced(identity(self.master)));
        }
        let said = self.said();
        // A busy port is tried five times before nginx gives up.
        let final_word =
            |message: &String| !message.contains("bind() to") || message.contains("still could not bind");
        said.iter().any(final_word).then(|| Decided::Refused(said.join("; ")))
    }

    fn said(&self) -> Vec<String> {
        self.log.as_ref().map(|log| log.emergencies(self.master.pid)).unwrap_or_default()
    }

    /// A worker that crashed is replaced too, by one with the old configuration: so all old ones must be ending.
    fn workers_are_replaced(&self) -> bool {
        let now = process::children(self.master.pid);
        let is_old = |child: &i32| self.before.contains(child);
        now.iter().any(|child| !is_old(child))
            && !now.iter().filter(|child| is_old(child)).any(|c| is_working(*c))
    }
}

/// A master that is reading its configuration just now may have begun before our commit, and its new workers would
/// be taken for the answer to our signal. It sleeps when it is done.
async fn wait_until_idle(master: &Process, stop: &watch::Receiver<bool>) {
    let begin = clock::monotonic();
    let is_busy = || process::find(master.pid).is_some_and(|now| !now.is_waiting());
    while is_busy() && !*stop.borrow() && begin.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(LOOK).await;
    }
}

fn is_working(worker: i32) -> bool {
    let title = process::title(worker);
    title.contains("worker process") && !title.contains("shutting down")
}

fn is_ending(worker: i32) -> bool {
    process::title(worker).contains("shutting down")
}

/// At least two workers, all started after `ticks`: the master has read its configuration since. A single young
/// worker may be the replacement of one that crashed.
fn all_workers_since(master: &Process, ticks: u64) -> bool {
    let workers: Vec<i32> =
        process::children(master.pid).into_iter().filter(|child| is_working(*child)).collect();
    let young = |child: &i32| process::find(*child).is_some_and(|worker| worker.started > ticks);
    workers.len() >= 2 && workers.iter().all(young)
}

fn identity(process: &Process) -> Master {
    Master { pid: process.pid, started: process.started }
}

/// How long a server may take to read its configuration, before we call it silent. A million IPv6 prefixes (28 MB)
/// took nginx 25 s on a busy machine.
fn patience(bytes: usize) -> Duration {
    Duration::from_secs(10 + 2 * (bytes as u64 >> 20))
}

/// How long a server that starts may already have been reading, in whole seconds.
fn reading_time(bytes: usize) -> Duration {
    Duration::from_secs(3 + (bytes as u64 >> 20))
}
