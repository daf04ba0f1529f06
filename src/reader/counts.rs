//! What is known of one file while it is read: its format, its counts, an example of what did not parse.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::crowd::{Census, Crowd};
use super::formats::Formats;
use super::lens::Memories;
use super::unwrap::Unwrap;
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
    /// The formats: given, or those that its lines are recognised as.
    pub(super) formats: Formats,
    /// What its lines are wrapped in.
    pub(super) unwrap: Unwrap,
    /// What filters remember of its lines.
    pub(super) memories: Memories,
    /// The host that its lines are about, where its path says so.
    pub(super) host: Option<Arc<[u8]>>,
    /// Whether its lines have their times beside them.
    pub(super) undated: bool,
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
    /// Searches that a filter in fail2ban's language gave up: on these lines it found nothing.
    pub given_up: u64,
    /// Offences found, counted once for each jail.
    pub offences: u64,
    /// The logged time of the last line of the last buffer.
    pub last_line: Option<Timestamp>,
    /// One line that did not parse.
    pub example: Option<Example>,
    /// The logged time and the arrival of a record where they were far apart, three records running: the server logs
    /// another time zone, or its clock is wrong.
    pub skew: Option<(Timestamp, Timestamp)>,
    /// Some of the last lines that did not parse.
    refused: VecDeque<Arc<[u8]>>,
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
    /// What the last buffers ended with, for formats whose lines are told by what stands around them.
    pub(super) behind: Vec<u8>,
}

/// Logged and arrival times further apart than this are no slow request any more: time zones differ by 15 minutes at least.
const FAR: SignedDuration = SignedDuration::from_mins(14);

/// So many parsed or tried lines before a share of failures (a twentieth) says anything.
const ENOUGH: u64 = 20;

/// So many refused lines are kept, where they are not longer than so many bytes: enough to tell what they are.
const KEPT: (usize, usize) = (16, 8 << 10);

/// After so many tries the older ones count half: a format that changes after a million good lines is noticed.
const LATELY: u64 = 1024;

impl FileReading {
    /// A file whose format is known (or, `None`, is to be found out).
    pub fn new(format: Option<Format>) -> Self {
        Self { formats: Formats::new(format), ..Self::default() }
    }

    /// A file whose first lines were read: only candidates are parsed, and samples.
    #[cfg(test)]
    pub(super) fn settled(given: bool, known: &[Format]) -> Self {
        Self { formats: Formats::settled(given, known), ..Self::default() }
    }

    /// The same; its records are about `host`, where they do not say themselves.
    #[must_use]
    pub fn about(self, host: Option<Arc<[u8]>>) -> Self {
        Self { host, ..self }
    }

    /// The same; where `raw` says that a filter looks at raw lines, those may be such that no format with fields reads.
    #[must_use]
    pub fn letting_raw(mut self, raw: bool) -> Self {
        self.let_raw(raw);
        self
    }

    pub(super) fn let_raw(&mut self, raw: bool) {
        self.formats.let_raw(raw);
        self.unwrap.raw = raw;
    }

    /// The same; its lines are messages that are sent to a socket.
    #[must_use]
    pub fn of_messages(self) -> Self {
        Self { unwrap: Unwrap::of_messages(), ..self }
    }

    /// The same; a date in one of its lines is none of its own.
    #[must_use]
    pub fn undated(self) -> Self {
        Self { undated: true, ..self }
    }

    /// What its lines are read as, the format of most of them first, after what they are wrapped in: `combined`,
    /// `docker: combined, apache_error`. `None` while nothing fits.
    pub fn taken(&self) -> Option<String> {
        let formats: Vec<String> = self.formats.by_share().into_iter().map(Format::to_string).collect();
        let wrappers: String = self.unwrap.names().flat_map(|name| [name, ": "]).collect();
        (!formats.is_empty()).then(|| wrappers + &formats.join(", "))
    }

    /// The format that its source names.
    pub fn given(&self) -> Option<&Format> {
        self.formats.given()
    }

    /// How many lines were cut since their parts made a line that is too long.
    pub fn cut(&self) -> u64 {
        self.unwrap.cut
    }

    /// How many of the bytes read lie behind the begin of a line whose end has not come.
    pub(super) fn held(&self) -> Option<u64> {
        self.unwrap.held(self.bytes)
    }

    /// Goes on with the lines that the log before it began, and with what is remembered of it.
    pub(super) fn go_on(&mut self, before: &mut Self) {
        self.memories = before.memories.clone();
        self.formats.go_on(&before.formats);
        if before.held().is_some() {
            self.unwrap.go_on(&mut before.unwrap);
        }
    }

    /// The format that most of the lines look like that lately did not parse.
    pub fn looks_like(&self) -> Option<Format> {
        Format::detect(self.refused.iter().map(|line| &**line))
    }

    /// The same, where the wrong-client guard has counted lines already.
    #[must_use]
    pub(super) fn counted(self, census: Census) -> Self {
        Self { census, ..self }
    }

    /// Remembers the last so many bytes, and the line end before them.
    pub(super) fn keep_behind(&mut self, buffer: &[u8], length: usize) {
        self.behind
            .extend_from_slice(buffer.get(buffer.len().saturating_sub(length + 1)..).unwrap_or_default());
        let surplus = self.behind.len().saturating_sub(length + 1);
        self.behind.drain(..surplus);
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
        self.keep(line);
        if self.is_failing() {
            self.relook();
        }
        if self.example.is_none() {
            let shown = line.get(..240).unwrap_or(line);
            self.example =
                Some(Example { text: String::from_utf8_lossy(shown).into_owned(), reason: reason() });
        }
    }

    fn keep(&mut self, line: &[u8]) {
        let (count, length) = KEPT;
        if line.len() <= length {
            self.refused.truncate(count - 1);
            self.refused.push_front(line.into());
        }
    }

    /// Whether most of the lines that were tried lately do not parse.
    fn is_failing(&self) -> bool {
        let (tried, failed) = self.lately;
        tried >= ENOUGH && failed * 2 > tried
    }

    /// Finds out anew what its lines are, from the next ones.
    pub(super) fn relook(&mut self) {
        self.formats.relook();
        self.unwrap.relook();
    }

    /// Whether so many of the lines that were tried lately do not parse that the format is hardly right; few lines prove
    /// nothing.
    pub fn mostly_unparsed(&self) -> bool {
        let (tried, failed) = self.lately;
        let unknown = self.formats.known().is_empty() && self.unparsed > 0;
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
