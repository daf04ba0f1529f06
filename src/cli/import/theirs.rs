//! What the installed fail2ban finds in a log, asked from its own code in a process of its own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Deserialize;

use crate::os::clock;
use crate::os::spout::Spout;

/// The program that asks it.
const SCRIPT: &str = include_str!("../../../templates/compare/fail2ban_hits.py");

/// So many hits in one log are compared: more tell nothing new.
const MOST_HITS: u64 = 200_000;

/// So much longer than it was told may it take.
const GRACE: Duration = Duration::from_secs(10);

/// Which Python has fail2ban, where its own programs do not say.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];
/// Programs of fail2ban's, whose first line says it.
const PROGRAMS: [&str; 2] = ["/usr/bin/fail2ban-regex", "/usr/local/bin/fail2ban-regex"];

/// A jail of fail2ban's over one log.
#[derive(Debug, Default)]
pub(super) struct Theirs {
    pub(super) version: String,
    pub(super) maxretry: usize,
    /// In seconds.
    pub(super) findtime: f64,
    /// It spares this host's own addresses.
    pub(super) ignoreself: bool,
    /// By the number of the line, from 1.
    pub(super) lines: HashMap<u64, Line>,
    /// How many lines it read.
    pub(super) read: u64,
    /// Why it did not read on.
    pub(super) stopped: Option<Stopped>,
}

/// What it said about one line.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) hits: Vec<Hit>,
    /// One of its exceptions holds.
    pub(super) ignored: bool,
}

/// One offence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    /// Whom it would ban: an address, a prefix, a host name, or what else a filter takes.
    pub(super) id: String,
    /// It is no address.
    pub(super) is_name: bool,
    /// Seconds since 1970; `None` where it read no date.
    pub(super) time: Option<f64>,
    /// An ignoreip holds.
    pub(super) ignored: bool,
}

/// Why it did not read a log to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stopped {
    /// Its time was over.
    Time,
    /// It had found enough.
    Hits,
}

/// Why fail2ban says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum TheirsError {
    /// It is not there.
    #[error("fail2ban is not installed here ({0}): --compare asks its own code")]
    Missing(String),
    /// This jail, or this log, is not for it.
    #[error("{0}")]
    Jail(String),
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Begin { version: String, maxretry: usize, findtime: f64, ignoreself: bool },
    Hit { line: u64, id: String, name: bool, time: Option<f64>, ignored: bool },
    Ignored { line: u64 },
    End { lines: u64, why: Option<Stopped> },
    Error { kind: String, text: String },
}

/// Has a jail of the set-up in `directory` judge a log, for at most so long.
pub(super) fn ask(
    (directory, jail): (&Path, &str),
    log: &Path,
    within: Duration,
) -> Result<Theirs, TheirsError> {
    let mut missing = None;
    for python in pythons() {
        match ask_with(&python, (directory, jail), log, within) {
            Err(TheirsError::Missing(why)) => missing = missing.or(Some(why)),
            other => return other,
        }
    }
    Err(TheirsError::Missing(missing.unwrap_or_default()))
}

/// Those that may have it, the likeliest first.
fn pythons() -> Vec<String> {
    let mut found: Vec<String> =
        PROGRAMS.iter().filter_map(|program| interpreter(Path::new(program))).collect();
    found.extend(PYTHONS.iter().map(|&python| python.to_owned()));
    found.dedup();
    found
}

/// `#!/usr/bin/python3 -Es`
fn interpreter(program: &Path) -> Option<String> {
    let mut first = String::new();
    BufReader::new(File::open(program).ok()?).read_line(&mut first).ok()?;
    let interpreter = first.strip_prefix("#!")?.split_whitespace().next()?;
    interpreter.contains("python").then(|| interpreter.to_owned())
}

fn ask_with(
    python: &str,
    (directory, jail): (&Path, &str),
    log: &Path,
    within: Duration,
) -> Result<Theirs, TheirsError> {
    let path =
        |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let limits = [within.as_secs_f64().to_string(), MOST_HITS.to_string()];
    let arguments = ["-I", "-W", "ignore", "-c", SCRIPT].map(str::to_owned).into_iter();
    let arguments: Vec<String> =
        arguments.chain([path(directory), jail.to_owned(), path(log)]).chain(limits).collect();
    let started = Spout::start(python, &arguments);
    let mut spout = started.map_err(|error| TheirsError::Missing(error.to_string()))?;
    let mut theirs = Theirs::default();
    let mut ended = false;
    let mut hear = |line: &[u8]| theirs.hear(line, &mut ended);
    let complaint = listen(&mut spout, clock::monotonic() + within + GRACE, &mut hear)?;
    if ended { Ok(theirs) } else { Err(TheirsError::Jail(silence(&complaint))) }
}

/// What is said where it ended in the middle.
fn silence(complaint: &str) -> String {
    let last = complaint.trim().lines().last().unwrap_or_default();
    if last.is_empty() { "fail2ban's code did not answer in time".to_owned() } else { last.to_owned() }
}

impl Theirs {
    fn hear(&mut self, line: &[u8], ended: &mut bool) -> Result<(), TheirsError> {
        let told = |error: serde_json::Error| TheirsError::Jail(format!("fail2ban's code answered: {error}"));
        match serde_json::from_slice(line).map_err(told)? {
            Event::Begin { version, maxretry, findtime, ignoreself } => {
                *self = Self { version, maxretry, findtime, ignoreself, ..Self::default() };
            }
            Event::Hit { line, id, name, time, ignored } => {
                let hit = Hit { id, is_name: name, time, ignored };
                self.lines.entry(line).or_default().hits.push(hit);
            }
            Event::Ignored { line } => self.lines.entry(line).or_default().ignored = true,
            Event::End { lines, why } => {
                (self.read, self.stopped) = (lines, why);
                // What it found in the line that it did not end.
                self.lines.retain(|number, _| *number <= lines);
                *ended = true;
            }
            Event::Error { kind, text } if kind == "missing" => return Err(TheirsError::Missing(text)),
            Event::Error { text, .. } => return Err(TheirsError::Jail(text)),
        }
        Ok(())
    }
}

/// Hands out each line that a program prints until it ends, or time is over; returns what it complained about.
fn listen(
    spout: &mut Spout,
    deadline: Instant,
    hear: &mut dyn FnMut(&[u8]) -> Result<(), TheirsError>,
) -> Result<String, TheirsError> {
    let (mut bytes, mut begun, mut complaint) = (vec![0; 1 << 16], Vec::new(), Vec::new());
    let mut err_open = true;
    loop {
        let (out, err) = ready(spout.out(), err_open.then(|| spout.err()), deadline);
        if err {
            let read = spout.read_err(&mut bytes).unwrap_or(0);
            complaint.extend_from_slice(bytes.get(..read).unwrap_or_default());
            err_open = read > 0;
        }
        let read = if out { spout.read_out(&mut bytes).unwrap_or(0) } else { 0 };
        if read == 0 && (out || !err) {
            return Ok(String::from_utf8_lossy(&complaint).into_owned());
        }
        begun.extend_from_slice(bytes.get(..read).unwrap_or_default());
        let whole = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in begun.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                hear(line)?;
            }
        }
        begun.drain(..whole);
    }
}

/// Which of the two has something to say, or has ended; neither once time is over.
fn ready(out: BorrowedFd<'_>, err: Option<BorrowedFd<'_>>, deadline: Instant) -> (bool, bool) {
    let left = deadline.saturating_duration_since(clock::monotonic());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    let fds = std::iter::once(out).chain(err);
    let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let _ = poll(&mut fds, timeout);
    let any = |at: usize| fds.get(at).and_then(PollFd::any).unwrap_or(false);
    (any(0), any(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Result<(Theirs, bool), String> {
        let (mut theirs, mut ended) = (Theirs::default(), false);
        for line in lines {
            theirs.hear(line.as_bytes(), &mut ended).map_err(|error| error.to_string())?;
        }
        Ok((theirs, ended))
    }

    #[test]
    fn hits_are_kept_by_line_up_to_where_it_stopped() {
        let hit = |line: u64| {
            format!(
                r#"{{"event":"hit","line":{line},"id":"192.0.2.1","name":false,"time":1.5,"ignored":false}}"#
            )
        };
        let (first, last) = (hit(2), hit(9));
        let begin = r#"{"event":"begin","version":"1.0.2","maxretry":5,"findtime":600,"ignoreself":true}"#;
        let ignored = r#"{"event":"ignored","line":3}"#;
        let end = r#"{"event":"end","lines":8,"why":"time"}"#;
        let (theirs, ended) = heard(&[begin, &first, ignored, &last, end]).unwrap();
        assert!(ended);
        assert_eq!((theirs.read, theirs.stopped, theirs.lines.len()), (8, Some(Stopped::Time), 2));
        assert!(theirs.lines[&3].ignored && theirs.lines[&2].hits[0].time == Some(1.5));
        assert!(!heard(&[begin, &first]).unwrap().1, "it ended in the middle");
    }

    #[test]
    fn its_errors_are_told() {
        let missing = r#"{"event":"error","kind":"missing","text":"No module named 'fail2ban'"}"#;
        assert!(heard(&[missing]).unwrap_err().contains("not installed here (No module"));
        assert!(heard(&["Traceback"]).is_err());
    }

    #[test]
    fn a_silent_program_is_left_when_time_is_over() {
        let mut spout =
            Spout::start("sh", &["-c".to_owned(), "echo '{'; exec sleep 600".to_owned()]).unwrap();
        let mut lines = Vec::new();
        let deadline = clock::monotonic() + Duration::from_millis(200);
        let mut hear = |line: &[u8]| {
            lines.push(line.to_owned());
            Ok(())
        };
        assert_eq!(listen(&mut spout, deadline, &mut hear).unwrap(), "");
        assert_eq!(lines, [b"{".to_vec()]);
    }
}
