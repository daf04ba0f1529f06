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
use super::haul::{Haul, Part, READ};
use crate::os::child::ChildError;
use crate::os::spout::Spout;
use crate::source::{Event, FileState, SourceError};

/// Until a journalctl that failed is started again; doubles up to the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

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

/// The messages of one unit.
pub(in crate::source) struct Journal {
    unit: String,
    at: String,
    place: Option<Place>,
    run: Option<Run>,
    /// Everything that was there was read: from now on it is followed.
    pub(super) backlog_read: bool,
    buffer: Vec<u8>,
    /// When the next run begins, and how long the pause before it is.
    next: Option<Timestamp>,
    pause: SignedDuration,
    /// What journalctl said last, or why it does not run.
    trouble: Option<String>,
}

/// One journalctl.
struct Run {
    spout: Spout,
    export: Export,
    /// Its first pass over what is there.
    backlog: bool,
    out_ended: bool,
    err_ended: bool,
    said: String,
}

impl Journal {
    pub(super) fn new(unit: &str, cursor: Option<&str>) -> Self {
        Self {
            unit: unit.to_owned(),
            at: format!("journal:{unit}"),
            place: cursor.map(Place::of_cursor),
            run: None,
            backlog_read: false,
            buffer: vec![0; READ],
            next: None,
            pause: FIRST_PAUSE,
            trouble: None,
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
        let Self { run, place, buffer, at, .. } = self;
        let Some(run) = run else { return false };
        run.listen(buffer);
        while !haul.is_full() && !run.out_ended && is_ready(run.spout.out()) {
            let read = run.spout.read_out(buffer).unwrap_or(0);
            run.out_ended = read == 0;
            run.export.feed(&buffer[..read], &mut |entry| take(entry, at, place, haul));
        }
        if run.out_ended {
            run.listen(buffer);
            return self.ended(now, haul);
        }
        haul.is_full()
    }

    fn start(&mut self, now: Timestamp, haul: &mut Haul) -> bool {
        let Some(place) = self.place.clone().filter(|_| self.next.is_none_or(|next| now >= next)) else {
            return false;
        };
        let backlog = !self.backlog_read;
        match Spout::start("journalctl", &arguments(&self.unit, &place, backlog)) {
            Ok(spout) => {
                let (export, said) = (Export::default(), String::new());
                self.run = Some(Run { spout, export, backlog, out_ended: false, err_ended: false, said });
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
        let said = std::mem::take(&mut run.said).trim().to_owned();
        let is_news = self.trouble.as_ref() != Some(&said);
        if !said.is_empty() && is_news {
            haul.events.push(Event::JournalSays { at: self.at.clone(), said: said.clone() });
        }
        if run.backlog && ending.success() {
            (self.backlog_read, self.pause) = (true, FIRST_PAUSE);
            self.trouble = (!said.is_empty()).then_some(said);
            return true;
        }
        if is_news {
            let (at, seconds) = (self.at.clone(), self.pause.as_secs());
            haul.events.push(Event::JournalEnded { at, ending: ending.to_string(), seconds });
        }
        // What came in between is read first, whichever boot it is from.
        self.backlog_read = false;
        self.trouble = Some(if said.is_empty() { format!("journalctl ended ({ending})") } else { said });
        self.wait(now);
        false
    }

    fn fail(&mut self, error: String, now: Timestamp, haul: &mut Haul) {
        if self.trouble.as_ref() != Some(&error) {
            haul.events.push(Event::Broken { at: self.at.clone(), error: error.clone() });
        }
        self.trouble = Some(error);
        self.wait(now);
    }

    fn wait(&mut self, now: Timestamp) {
        self.next = now.checked_add(self.pause).ok();
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Run {
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

fn arguments(unit: &str, place: &Place, backlog: bool) -> Vec<String> {
    let fixed = ["--output=export", "--output-fields=MESSAGE", "--all", "--no-pager"];
    let follow = ["--follow", "--no-tail"].into_iter().filter(|_| !backlog);
    let fixed = fixed.into_iter().chain(follow).map(str::to_owned);
    fixed.chain([format!("--unit={unit}"), place.argument()]).collect()
}

/// Adds an entry as a line. Entries of one second are a part: what is judged is told apart by the second.
fn take(entry: Entry, at: &str, place: &mut Option<Place>, haul: &mut Haul) {
    if place.as_ref().is_some_and(|place| place.is_behind(&entry)) {
        return;
    }
    match entry.overlong {
        Some(length) => haul.overlong(at, length, &entry.message),
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
