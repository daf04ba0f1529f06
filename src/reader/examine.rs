//! Lines through one filter, with everything an operator wants to see: for `test`.

use std::borrow::Cow;

use jiff::Timestamp;
use memchr::memchr_iter;

use super::Clients;
use super::counts::FileReading;
use super::line::Held;
use super::scan::lines;
use super::unwrap::Unwrapped;
use crate::address::Address;
use crate::filter::{Filter, Judgement, Match, Memory};
use crate::record::{Record, Reference, wrapper_time};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is an offence.
    Match,
    /// A rule holds, and an ignore condition too.
    Ignored,
    /// No rule holds, or it could not be parsed.
    Missed,
}

/// A line as one filter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined<'a> {
    /// Which line of the log it is, or ends in, from 1.
    pub number: u64,
    /// The line, without what it was wrapped in.
    pub text: &'a [u8],
    /// What became of it.
    pub outcome: Outcome,
    /// Whom it names, as logged: a host name stays a name.
    pub address: Option<Cow<'a, str>>,
    /// The trusted proxies between it and the server, where a header names it; the one that connected first.
    pub via: Vec<Address>,
    /// The record's own time, else its wrapper's.
    pub time: Option<Timestamp>,
    /// Which rule or failregex held, from 0.
    pub rule: Option<usize>,
    /// Which exception held, from 0, where it is ignored.
    pub exception: Option<usize>,
    /// The groups with a name, and what they took; of filters in fail2ban's language.
    pub groups: Vec<(String, String)>,
    /// How many times it counts.
    pub weight: u8,
    /// Why it could not be parsed.
    pub error: Option<String>,
}

/// Looks at the lines of one log, each of them. No allow list and no group apply: the filter alone.
pub struct Examiner<'f> {
    filter: &'f Filter,
    clients: Clients,
    reading: FileReading,
    reference: Reference,
    unwrapped: Unwrapped,
    /// What the filter remembers of the lines before.
    memory: Memory,
    /// How many lines the buffers before had.
    before: u64,
}

impl<'f> Examiner<'f> {
    /// Looks at a log that `reading` is the begin of.
    pub fn new(filter: &'f Filter, clients: Clients, reading: FileReading, reference: Reference) -> Self {
        Self {
            filter,
            clients,
            reading: reading.letting_raw(filter.is_raw()),
            reference,
            unwrapped: Unwrapped::default(),
            memory: Memory::default(),
            before: 0,
        }
    }

    /// What was read so far.
    pub fn reading(&self) -> &FileReading {
        &self.reading
    }

    /// How many dates each date pattern of the filter has found; a record's own time is none of these.
    pub fn dates(&self) -> &[u64] {
        self.memory.dates()
    }

    /// Looks at a buffer of lines (the last one may lack its newline), and shows each. An error ends it.
    pub fn buffer<E>(
        &mut self,
        buffer: &[u8],
        show: &mut dyn FnMut(&Examined<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut unwrapped = std::mem::take(&mut self.unwrapped);
        if self.reading.unwrapped(buffer, &mut unwrapped) {
            for line in &unwrapped.misfits {
                let before = buffer.get(..line.start).unwrap_or_default();
                let number = memchr_iter(b'\n', before).count();
                let error = "it is not wrapped as the other lines of its log are".to_owned();
                let text = buffer.get(line.clone()).unwrap_or_default();
                show(&Examined {
                    error: Some(error),
                    ..missed(self.before + number as u64 + 1, text, None)
                })?;
            }
            for (line, mark) in lines(&unwrapped.lines).zip(&unwrapped.marks) {
                let time = buffer.get(mark.time.clone());
                let time = time.and_then(|time| wrapper_time(time, &self.reference));
                show(&self.line(mark.number, line, time, &Held::default()))?;
            }
        } else {
            for (number, line) in lines(buffer).enumerate() {
                show(&self.line(number, line, None, &Held::default()))?;
            }
        }
        self.before += lines(buffer).count() as u64;
        self.unwrapped = unwrapped;
        Ok(())
    }

    /// At the log's end: shows the lines whose end is missing.
    pub fn finish<E>(&mut self, show: &mut dyn FnMut(&Examined<'_>) -> Result<(), E>) -> Result<(), E> {
        for text in self.reading.end() {
            let error = Some("the part that ends it is missing".to_owned());
            show(&Examined { error, ..missed(self.before, &text, None) })?;
        }
        Ok(())
    }

    fn line<'a>(
        &mut self,
        number: usize,
        line: &'a [u8],
        wrapper: Option<Timestamp>,
        held: &'a Held,
    ) -> Examined<'a> {
        let number = self.before + number as u64 + 1;
        let host = self.reading.host.clone();
        let mut record = match self.reading.parse(line, &self.reference, held) {
            Ok(record) => record.about(host.as_deref()),
            Err(reason) => {
                self.reading.refuse(line, || reason.clone());
                return Examined { error: Some(reason), ..missed(number, line, wrapper) };
            }
        };
        self.reading.accept();
        let around = self.clients.around.now();
        self.clients.resolve(&mut record, &around);
        let via = || record.proxies(&self.clients.from, &around.trusted);
        let missed = missed(number, line, record.time().or(wrapper));
        match self.filter.judge_after(&record, &mut self.memory, Some(&self.reference)) {
            Judgement::Missed => missed,
            Judgement::Offence(matched) => {
                Examined { via: via(), ..found(Outcome::Match, &record, matched, missed) }
            }
            Judgement::Ignored(matched) => {
                Examined { via: via(), ..found(Outcome::Ignored, &record, matched, missed) }
            }
        }
    }
}

fn missed(number: u64, text: &[u8], time: Option<Timestamp>) -> Examined<'_> {
    let via = Vec::new();
    Examined {
        number,
        text,
        outcome: Outcome::Missed,
        address: None,
        via,
        time,
        rule: None,
        exception: None,
        groups: Vec::new(),
        weight: 1,
        error: None,
    }
}

fn found<'a>(outcome: Outcome, record: &Record<'_>, matched: Match, missed: Examined<'a>) -> Examined<'a> {
    let client = || record.client_range().and_then(|range| missed.text.get(range));
    let address = match &matched.told {
        Some(told) => Some(Cow::Owned(told.address.clone())),
        None => matched
            .host
            .clone()
            .map_or_else(client, |range| missed.text.get(range))
            .map(String::from_utf8_lossy),
    };
    let time = matched.told.as_ref().and_then(|told| told.time).or(missed.time);
    let Match { rule, weight, exception, told, .. } = matched;
    let groups = told.map(|told| told.groups).unwrap_or_default();
    Examined { outcome, address, time, rule: Some(rule), exception, groups, weight, ..missed }
}
