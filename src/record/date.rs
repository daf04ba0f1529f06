//! Dates somewhere in a raw line, in the spellings that fail2ban finds by itself, tried in its order.
//!
//! Each spelling is first tried at the line's start (after at most two bytes that belong to no word), then all of them
//! anywhere: so a date inside a message is only taken where the line has none of its own.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::access::Span;

/// What completes the dates of raw lines: many have no zone, and syslog's have no year.
#[derive(Clone, Debug)]
pub struct Reference {
    /// About when the lines were read: a date without a year is the latest one that is at most a day after this.
    pub now: Timestamp,
    /// The zone of dates that name none: the system's. A time that its clock shows twice is the first of the two.
    pub zone: TimeZone,
}

impl Reference {
    /// The latest time that a date can have, by its time in each year, and that is at most a day after the reference.
    /// Leap days are at most eight years apart.
    pub fn latest(&self, in_year: impl Fn(i16) -> Option<Timestamp>) -> Option<Timestamp> {
        let limit = self.now.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
        let year = self.zone.to_datetime(self.now).year();
        (-1..=8).map(|back| year.saturating_sub(back)).filter_map(in_year).find(|time| *time <= limit)
    }
}

/// A date, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) span: Span,
    written: Written,
}

/// What a date says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// Seconds and nanoseconds since the epoch.
    Epoch(i64, i32),
    Civil(Civil),
}

/// A calendar date and a time of day, in ranges that the spelling allows; the day may be one that the month has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Civil {
    year: Option<i16>,
    month: i8,
    day: i8,
    clock: Clock,
    /// Seconds east of Greenwich.
    east: Option<i32>,
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
}

type Spelling = fn(&mut Scan<'_>) -> Option<Written>;

/// In fail2ban's order.
const SPELLINGS: [Spelling; 3] = [iso, asctime, clf];

/// Finds the line's date.
pub(super) fn find(line: &[u8]) -> Option<Found> {
    let indent = line.iter().take(2).take_while(|byte| !is_word(**byte)).count();
    let anchored = |spelling: Spelling| (0..=indent).find_map(|at| read_at(line, at, spelling));
    let starts = || (0..line.len()).filter(|at| is_start(line, *at));
    SPELLINGS.into_iter().chain([epoch as Spelling]).find_map(anchored).or_else(|| {
        SPELLINGS.into_iter().find_map(|spelling| starts().find_map(|at| read_at(line, at, spelling)))
    })
}

/// The date that a text begins with.
pub(super) fn at_start(text: &[u8]) -> Option<Found> {
    SPELLINGS.into_iter().find_map(|spelling| read_at(text, 0, spelling))
}

fn read_at(line: &[u8], at: usize, spelling: Spelling) -> Option<Found> {
    let mut scan = Scan { line, at };
    let written = spelling(&mut scan)?;
    scan.ends_word().then_some(Found { span: Span { start: at, end: scan.at }, written })
}

/// Whether a word begins here: dates do.
fn is_start(line: &[u8], at: usize) -> bool {
    let byte = |at: usize| line.get(at).copied().unwrap_or(b' ');
    is_word(byte(at)) && (at == 0 || !is_word(byte(at - 1)))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Found {
    /// The time it names; `None` for a day that cannot be, or where a reference is missing that it needs.
    pub(super) fn time(&self, reference: Option<&Reference>) -> Option<Timestamp> {
        match self.written {
            Written::Epoch(second, nanosecond) => Timestamp::new(second, nanosecond).ok(),
            Written::Civil(civil) => match (civil.year, civil.east, reference) {
                (Some(year), Some(east), _) => civil
                    .in_year(year, &TimeZone::UTC)
                    .and_then(|utc| utc.checked_sub(SignedDuration::from_secs(i64::from(east))).ok()),
                (Some(year), None, Some(reference)) => civil.in_year(year, &reference.zone),
                (None, _, Some(reference)) => reference.latest(|year| civil.in_year(year, &reference.zone)),
                (_, None, None) | (None, _, None) => None,
            },
        }
    }
}

impl Civil {
    fn in_year(&self, year: i16, zone: &TimeZone) -> Option<Timestamp> {
        let Clock { hour, minute, second, nanosecond } = self.clock;
        let civil = DateTime::new(year, self.month, self.day, hour, minute, second, nanosecond).ok()?;
        zone.to_timestamp(civil).ok()
    }
}

/// `2026-11-20T10:00:00.123+01:00`, `2026-11-20 10:00:00,123`, `2026/11/20 10:00:00` (nginx), `2026.11.20 10:00:00`.
fn iso(scan: &mut Scan<'_>) -> Option<Written> {
    let year = scan.year()?;
    let separator = scan.one_of(b"-/.")?;
    let month = scan.number(1..=12)?;
    scan.literal(&[separator])?;
    let day = scan.number(1..=31)?;
    if scan.one_of(b"T ")? == b' ' {
        scan.skip(b' ');
    }
    let clock = scan.clock(b".,")?;
    let east = scan.optional(|scan| {
        while scan.skip(b' ') {}
        scan.zone()
    });
    Some(Written::Civil(Civil { year: Some(year), month, day, clock, east }))
}

/// `Nov  3 10:00:00` (syslog), `Fri Nov 20 10:00:00.123456 2026` (Apache's error log), `Nov 20 2026 10:00:00`.
fn asctime(scan: &mut Scan<'_>) -> Option<Written> {
    scan.optional(|scan| {
        scan.name(&WEEKDAYS)?;
        scan.literal(b" ")
    });
    let month = scan.name(&MONTHS)?;
    scan.literal(b" ")?;
    scan.skip(b' ');
    let day = scan.number(1..=31)?;
    scan.literal(b" ")?;
    let before = scan.optional(|scan| {
        let year = scan.year()?;
        scan.literal(b" ")?;
        Some(year)
    });
    scan.skip(b' ');
    let clock = scan.clock(b".")?;
    let year = before.or_else(|| scan.optional(Scan::year_after));
    Some(Written::Civil(Civil { year, month, day, clock, east: None }))
}

/// `20/Nov/2026:10:00:00 +0100`, `20/Nov/2026:10:00:00`, `20-Nov-2026 10:00:00.123`.
fn clf(scan: &mut Scan<'_>) -> Option<Written> {
    let day = scan.number(1..=31)?;
    let separator = scan.one_of(b"-/")?;
    let month = scan.name(&MONTHS)?;
    scan.literal(&[separator])?;
    let year = scan.year()?;
    let _between = scan.one_of(b": ");
    let clock = scan.clock(b".")?;
    let east = scan.optional(|scan| {
        scan.literal(b" ")?;
        scan.zone()
    });
    Some(Written::Civil(Civil { year: Some(year), month, day, clock, east }))
}

/// `1763632800`, `1763632800.123`: seconds since the epoch, ten digits, at a line's start only.
fn epoch(scan: &mut Scan<'_>) -> Option<Written> {
    let digits = scan.digits(10)?;
    let second = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let nanosecond = scan.fraction(b".").unwrap_or(0);
    Some(Written::Epoch(second, nanosecond))
}

const WEEKDAYS: [[u8; 3]; 7] = [*b"sun", *b"mon", *b"tue", *b"wed", *b"thu", *b"fri", *b"sat"];
const MONTHS: [[u8; 3]; 12] = [
    *b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov",
    *b"dec",
];

/// A line, and how far a spelling has read it.
struct Scan<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Reads a part that may be missing: where it does not fit, or would end inside a word, nothing is read.
    fn optional<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let read = part(self).filter(|_| self.ends_word());
        if read.is_none() {
            self.at = start;
        }
        read
    }

    /// Whether no word goes on here.
    fn ends_word(&self) -> bool {
        let inside = self.at.checked_sub(1).and_then(|last| self.line.get(last)).is_some_and(|b| is_word(*b));
        !(inside && self.rest().first().is_some_and(|byte| is_word(*byte)))
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.rest().starts_with(text).then(|| self.at += text.len())
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.literal(&[byte]).is_some()
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = *self.rest().first().filter(|byte| bytes.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// Exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<&'a [u8]> {
        let digits = self.rest().get(..count).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        self.at += count;
        Some(digits)
    }

    /// One or two digits.
    fn number(&mut self, range: std::ops::RangeInclusive<i8>) -> Option<i8> {
        let digits = self.digits(2).or_else(|| self.digits(1))?;
        let value = digits.iter().fold(0, |value, digit| value * 10 + (digit - b'0') as i8);
        range.contains(&value).then_some(value)
    }

    /// A year of this century: what else has four digits is rarely one.
    fn year(&mut self) -> Option<i16> {
        self.literal(b"20")?;
        let digits = self.digits(2)?;
        Some(digits.iter().fold(20, |value, digit| value * 10 + i16::from(digit - b'0')))
    }

    /// A year after the time. Where the syslog has none, a host follows, which may be an address: `2001:db8::1`.
    fn year_after(&mut self) -> Option<i16> {
        self.literal(b" ")?;
        let year = self.year()?;
        let is_host = matches!(self.rest(), [b':' | b'.' | b'-', next, ..] if !next.is_ascii_whitespace());
        (!is_host).then_some(year)
    }

    /// 1 to the number of names; in any case.
    fn name(&mut self, names: &[[u8; 3]]) -> Option<i8> {
        let word = self.rest().first_chunk::<3>()?.to_ascii_lowercase();
        let at = names.iter().position(|name| *name == word[..])?;
        self.at += 3;
        Some(at as i8 + 1)
    }

    /// Hour, minute, second and an optional fraction after one of `marks`. Second 60 is read as 59.
    fn clock(&mut self, marks: &[u8]) -> Option<Clock> {
        let hour = self.number(0..=23)?;
        self.literal(b":")?;
        let minute = self.number(0..=59)?;
        self.literal(b":")?;
        let second = self.number(0..=60)?.min(59);
        let nanosecond = self.fraction(marks).unwrap_or(0);
        Some(Clock { hour, minute, second, nanosecond })
    }

    /// Nanoseconds; digits beyond the ninth are read, and do not count.
    fn fraction(&mut self, marks: &[u8]) -> Option<i32> {
        let start = self.at;
        let digits = self.one_of(marks).map(|_| self.rest());
        let length = digits.map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
        if length == 0 {
            self.at = start;
            return None;
        }
        self.at += length;
        let digit = |at: usize| digits?.get(at).filter(|_| at < length).map(|digit| i32::from(digit - b'0'));
        Some((0..9).fold(0, |value, at| value * 10 + digit(at).unwrap_or(0)))
    }

    /// `Z`, `UTC`, `GMT`, `+01`, `+0100`, `+01:00`: seconds east of Greenwich.
    fn zone(&mut self) -> Option<i32> {
        if [&b"Z"[..], b"UTC", b"GMT"].into_iter().any(|name| self.literal(name).is_some()) {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.two_digits(19)?;
        let minutes = self.optional(|scan| {
            scan.skip(b':');
            scan.two_digits(59)
        });
        Some(sign * (hours * 3_600 + minutes.unwrap_or(0) * 60))
    }

    fn two_digits(&mut self, most: i32) -> Option<i32> {
        let value = self.digits(2)?.iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
        (value <= most).then_some(value)
    }
}

#[cfg(test)]
mod tests;
