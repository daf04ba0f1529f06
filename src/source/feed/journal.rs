//! The systemd journal, through journalctl: first what is there already, then what comes.
//!
//! Two runs, since `--follow` shows nothing of earlier boots (systemd 251 and later): the first prints up to the end and
//! tells by its own end that the backlog is read, the second follows. Both begin *at* the cursor, not after it, and the
//! entry that is known is left out here: `--after-cursor` skips an entry too many where the known one is not among the
//! matches (an earlier boot, a vacuumed file).

use std::os::fd::BorrowedFd;

use jiff::{SignedDuration, Timestamp};

use super::alarm::is_ready;
use super::export::{Entry, Export};
use super::haul::{BUDGET, Haul, Part, READ};
use super::prefix;
use crate::os::child::ChildError;
use crate::os::spout::Spout;
use crate::source::{Event, FileState, JournalInput, SourceError};

/// Until a journalctl that failed is started again; doubles up to the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// A journalctl that follows for so long will go on: one that cannot ends at once.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_secs(5);

/// So much of what journalctl says is kept.
const WORDS: usize = 1000;

/// Where reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With the first entry of then or later.
    Since(Timestamp),
    /// Behind this entry.
    After(String),
}

impl Place {
    /// As a checkpoint keeps it. No cursor of a journal begins with `@`: they are `s=…;i=…`.
    pub(super) fn cursor(&self) -> String {
        match self {
            Self::Since(time) => format!("@{}", time.as_microsecond()),
            Self::After(cursor) => cursor.clone(),
        }
    }

    pub(super) fn of_cursor(cursor: &str) -> Self {
        let time = cursor.strip_prefix('@').and_then(|micros| micros.parse().ok());
        let time = time.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        time.map_or_else(|| Self::After(cursor.to_owned()), Self::Since)
    }

    fn argument(&self) -> String {
        match self {
            // Whole seconds are understood by every version; what is too early is left out here.
            Self::Since(time) => format!("--since=@{}", time.as_second().max(0)),
            Self::After(cursor) => format!("--cursor={cursor}"),
        }
    }

    /// Whether the entry was read before.
    fn is_behind(&self, entry: &Entry) -> bool {
        match self {
            Self::Since(time) => entry.arrived.is_some_and(|arrived| arrived < *time),
            Self::After(cursor) => entry.cursor == *cursor,
        }
    }
}

/// The entries of one source.
pub(in crate::source) struct Journal {
    input: JournalInput,
    at: String,
    place: Option<Place>,
    run: Option<Run>,
    /// Everything that was there was read: from now on it is followed.
    pub(super) backlog_read: bool,
    buffer: Vec<u8>,
    /// When the next run begins, and how long the pause before it is.
    next: Option<Timestamp>,
    pause: SignedDuration,
    /// What an operator should know: why nothing is read, or what journalctl remarked.
    trouble: Option<String>,
    /// The remark, and the end, that were told last: each is told once, until all was well in between.
    remark_told: Option<String>,
    end_told: Option<String>,
}

/// One journalctl.
struct Run {
    spout: Spout,
    export: Export,
    /// It only reads what is there.
    backlog: bool,
    started: Timestamp,
    /// It follows, and for so long that it will go on.
    settled: bool,
    out_ended: bool,
    err_ended: bool,
    said: String,
}

impl Journal {
    pub(super) fn new(input: &JournalInput, cursor: Option<&str>) -> Self {
        Self {
            input: input.clone(),
            at: format!("journal:{input}"),
            place: cursor.map(Place::of_cursor),
            run: None,
            backlog_read: false,
            buffer: vec![0; READ],
            next: None,
            pause: FIRST_PAUSE,
            trouble: None,
            remark_told: None,
            end_told: None,
        }
    }

    pub(super) fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// Where reading begins that has no checkpoint.
    pub(super) fn begin(&mut self, place: Place) {
        self.place = Some(place);
    }

    pub(super) fn state(&self) -> FileState {
        match &self.run {
            None if self.trouble.is_some() => FileState::Unreadable,
            Some(_) if self.backlog_read => FileState::Live,
            _ => FileState::CatchingUp,
        }
    }

    /// Why nothing is read; `None` where it is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// Its journalctl has closed its output and ends now.
    pub(super) fn is_ending(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.out_ended)
    }

    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let Some(run) = &self.run else { return Vec::new() };
        let (out, err) =
            ((!run.out_ended).then(|| run.spout.out()), (!run.err_ended).then(|| run.spout.err()));
        out.into_iter().chain(err).collect()
    }

    /// Makes sure that journalctl can be run at all.
    pub(super) fn check() -> Result<(), SourceError> {
        let version = Spout::start("journalctl", &["--version".to_owned()]);
        version.map(drop).map_err(|error: ChildError| SourceError::Journal { error: error.to_string() })
    }

    /// Takes what is there; whether there may be more.
    pub(super) fn read(&mut self, now: Timestamp, haul: &mut Haul) -> bool {
        if self.run.is_none() && !self.start(now, haul) {
            return false;
        }
        let Self { run, place, buffer, at, input, .. } = self;
        let Some(run) = run else { return false };
        run.listen(buffer);
        let (mut taken, before) = (0, haul.parts.len());
        while taken < BUDGET && !run.out_ended && is_ready(run.spout.out()) {
            let read = run.spout.read_out(buffer).unwrap_or(0);
            run.out_ended = read == 0;
            taken += read;
            run.export.feed(&buffer[..read], &mut |entry| take(entry, input.prefixed, at, place, haul));
        }
        if run.out_ended {
            run.listen(buffer);
            return self.ended(now, haul);
        }
        let delivers = haul.parts.len() > before || now.duration_since(run.started) >= LONG_ENOUGH;
        if delivers && !run.backlog && !std::mem::replace(&mut run.settled, true) {
            let said = run.said.trim().to_owned();
            (self.pause, self.end_told) = (FIRST_PAUSE, None);
            self.remark(said, haul);
        }
        taken >= BUDGET
    }

    /// All is well, but for what journalctl remarks.
    fn remark(&mut self, said: String, haul: &mut Haul) {
        self.trouble = (!said.is_empty()).then_some(said);
        if self.trouble != self.remark_told {
            let told = self.trouble.clone().map(|said| Event::JournalSays { at: self.at.clone(), said });
            haul.events.extend(told);
        }
        self.remark_told.clone_from(&self.trouble);
    }

    fn start(&mut self, now: Timestamp, haul: &mut Haul) -> bool {
        let Some(place) = self.place.clone().filter(|_| self.next.is_none_or(|next| now >= next)) else {
            return false;
        };
        let backlog = !self.backlog_read;
        match Spout::start("journalctl", &arguments(&self.input, &place, backlog)) {
            Ok(spout) => {
                self.run = Some(Run::new(spout, backlog, now));
                true
            }
            Err(error) => {
                self.fail(error.to_string(), now, haul);
                false
            }
        }
    }

    /// journalctl ended: as it should, where it only had to read what is there. Whether to go on at once.
    fn ended(&mut self, now: Timestamp, haul: &mut Haul) -> bool {
        let Some(mut run) = self.run.take() else { return false };
        let Some(ending) = run.spout.ended() else {
            // It closed its output, and is gone in a moment.
            self.run = Some(run);
            return false;
        };
        if run.backlog && ending.success() {
            self.backlog_read = true;
            return true;
        }
        // What came in between is read first, whichever boot it is from.
        self.backlog_read = false;
        let said = run.said.trim().to_owned();
        let problem = if said.is_empty() { format!("journalctl ended ({ending})") } else { said };
        if self.end_told.as_ref() != Some(&problem) {
            let (at, ending, seconds) = (self.at.clone(), ending.to_string(), self.pause.as_secs());
            haul.events.push(Event::JournalEnded { at, ending, said: run.said, seconds });
        }
        self.end_told = Some(problem.clone());
        self.trouble = Some(problem);
        self.wait(now);
        false
    }

    fn fail(&mut self, error: String, now: Timestamp, haul: &mut Haul) {
        if self.end_told.as_ref() != Some(&error) {
            haul.events.push(Event::Broken { at: self.at.clone(), error: error.clone() });
        }
        self.end_told = Some(error.clone());
        self.trouble = Some(error);
        self.wait(now);
    }

    fn wait(&mut self, now: Timestamp) {
        self.next = now.checked_add(self.pause).ok();
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Run {
    fn new(spout: Spout, backlog: bool, started: Timestamp) -> Self {
        let (export, said) = (Export::default(), String::new());
        Self { spout, export, backlog, started, settled: false, out_ended: false, err_ended: false, said }
    }

    /// Takes what journalctl says on standard error.
    fn listen(&mut self, buffer: &mut [u8]) {
        while !self.err_ended && is_ready(self.spout.err()) {
            let read = self.spout.read_err(buffer).unwrap_or(0);
            self.err_ended = read == 0;
            if self.said.len() < WORDS {
                self.said.push_str(&String::from_utf8_lossy(&buffer[..read.min(WORDS)]));
            }
        }
    }
}

fn arguments(input: &JournalInput, place: &Place, backlog: bool) -> Vec<String> {
    let fixed = ["--output=export", "--all", "--no-pager"];
    let follow = ["--follow", "--no-tail"].into_iter().filter(|_| !backlog);
    let fixed = fixed.into_iter().chain(follow).map(str::to_owned);
    let fields = if input.prefixed { prefix::FIELDS } else { "MESSAGE" };
    let asked = [format!("--output-fields={fields}"), place.argument()];
    fixed.chain(asked).chain(input.arguments()).collect()
}

/// Adds an entry as a line. Entries of one second are a part: what is judged is told apart by the second.
fn take(entry: Entry, prefixed: bool, at: &str, place: &mut Option<Place>, haul: &mut Haul) {
    if place.as_ref().is_some_and(|place| place.is_behind(&entry)) {
        return;
    }
    match entry.overlong {
        Some(length) => haul.overlong(at, length, &entry.message),
        None if entry.message.is_empty() => {}
        None if prefixed => haul.message(at, &entry.origin.line(&entry.message)),
        None => haul.message(at, &entry.message),
    }
    let (end, cursor) = (haul.lines.len(), Some(entry.cursor.clone()));
    *place = Some(Place::After(entry.cursor));
    let second = |time: Option<Timestamp>| time.map(Timestamp::as_second);
    match haul.parts.last_mut().filter(|last| second(last.arrived) == second(entry.arrived)) {
        Some(last) => *last = Part { end, cursor, arrived: entry.arrived },
        None => haul.parts.push(Part { end, cursor, arrived: entry.arrived }),
    }
}
