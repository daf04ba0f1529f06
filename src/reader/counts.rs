//! What is known of one file while it is read: its format, its counts, an example of what did not parse.

use jiff::{SignedDuration, Timestamp};

use super::crowd::{Census, Crowd};
use crate::record::Format;

/// A line that could not be parsed, for the operator to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line, lossily decoded and cut; who prints it escapes it.
    pub text: String,
    /// Why it was refused.
    pub reason: String,
}

/// The state of reading one file.
#[derive(Clone, Debug, Default)]
pub struct FileReading {
    /// The format: given, or taken from the first lines; `None` while none fits.
    pub format: Option<Format>,
    /// Lines seen.
    pub lines: u64,
    /// Bytes seen.
    pub bytes: u64,
    /// Lines that were parsed: candidates and samples.
    pub parsed: u64,
    /// Lines that should have parsed and did not.
    pub unparsed: u64,
    /// Records whose client field held no address (a host name, `-`).
    pub nameless: u64,
    /// Offences found, counted once for each jail.
    pub offences: u64,
    /// The logged time of the last line of the last buffer.
    pub last_line: Option<Timestamp>,
    /// One line that did not parse.
    pub example: Option<Example>,
    /// The logged time and the arrival of a record where they were far apart, three records running: the server logs
    /// another time zone, or its clock is wrong.
    pub skew: Option<(Timestamp, Timestamp)>,
    /// Whom most lines come from, where that can be no client.
    pub crowd: Option<Crowd>,
    /// What the wrong-client guard counted.
    pub(super) census: Census,
    /// How many records running were far off.
    far_off: u8,
    /// Of the lines tried lately: how many, and how many of them failed.
    lately: (u64, u64),
    /// So many lines are left out before the next sample is taken.
    pub(super) until_sample: usize,
}

/// Logged and arrival times further apart than this are no slow request any more: time zones differ by 15 minutes at least.
const FAR: SignedDuration = SignedDuration::from_mins(14);

/// So many parsed or tried lines before a share of failures (a twentieth) says anything.
const ENOUGH: u64 = 20;

/// After so many tries the older ones count half: a format that changes after a million good lines is noticed.
const LATELY: u64 = 1024;

impl FileReading {
    /// A file whose format is known (or, `None`, is to be found out).
    pub fn new(format: Option<Format>) -> Self {
        Self { format, ..Self::default() }
    }

    /// The same, where the wrong-client guard has counted lines already.
    pub(super) fn counted(format: Option<Format>, census: Census) -> Self {
        Self { census, ..Self::new(format) }
    }

    /// A line was parsed.
    pub(super) fn accept(&mut self) {
        self.parsed += 1;
        self.tried(0);
    }

    fn tried(&mut self, failures: u64) {
        let (tried, failed) = self.lately;
        self.lately = (tried + 1, failed + failures);
        if self.lately.0 >= LATELY {
            self.lately = (self.lately.0 / 2, self.lately.1 / 2);
        }
    }

    /// Keeps the first example only: the one that began the trouble.
    pub(super) fn refuse(&mut self, line: &[u8], reason: impl FnOnce() -> String) {
        self.unparsed += 1;
        self.tried(1);
        if self.example.is_none() {
            let shown = line.get(..240).unwrap_or(line);
            self.example =
                Some(Example { text: String::from_utf8_lossy(shown).into_owned(), reason: reason() });
        }
    }

    /// Whether so many of the lines that were tried lately do not parse that the format is hardly right; few lines prove
    /// nothing.
    pub fn mostly_unparsed(&self) -> bool {
        let (tried, failed) = self.lately;
        let unknown = self.format.is_none() && self.unparsed > 0;
        unknown || (tried >= ENOUGH && failed * 20 > tried)
    }

    /// Whether most records name a host instead of an address: nobody can be banned by such a log.
    pub fn mostly_nameless(&self) -> bool {
        self.nameless >= ENOUGH && self.nameless * 2 > self.parsed
    }

    /// Compares a record's own time with its arrival.
    pub(super) fn compare(&mut self, logged: Timestamp, arrival: Timestamp) {
        if logged.duration_since(arrival).abs() < FAR {
            self.far_off = 0;
            return;
        }
        self.far_off = self.far_off.saturating_add(1);
        if self.far_off >= 3 && self.skew.is_none() {
            self.skew = Some((logged, arrival));
        }
    }
}
