//! The time of a line, of the parts that its format has of it.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::piece::{Meaning, Part, Piece, Shape};
use crate::record::access::{Span, Stop};
use crate::record::clf;
use crate::record::date::{self, Reference};
use crate::record::slots::{Parts, Reading, Spans};

/// Which parts of a time a format has, and where.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    /// In the order of the format.
    shapes: Vec<Shape>,
    /// So many places are before those of the parts.
    first: usize,
    /// So many of them stand together: the date.
    together: usize,
}

/// The parts of a time in a line.
struct Said<'a> {
    parts: Vec<(Shape, &'a [u8])>,
}

impl Clock {
    /// Of pieces with places; `first` is the place of the first part.
    pub(super) fn of(pieces: &[Piece], first: usize) -> Self {
        let variables = || pieces.iter().filter_map(Piece::variable);
        let is_time = |piece: &&Piece| piece.variable().is_some_and(|v| v.meaning == Meaning::Time);
        let shapes = variables().filter(|v| v.meaning == Meaning::Time).map(|v| v.shape).collect();
        let begin = pieces.iter().position(|piece| is_time(&piece)).unwrap_or(pieces.len());
        let run = pieces.iter().skip(begin).take_while(|piece| piece.text().is_some() || is_time(piece));
        Self { shapes, first, together: run.filter(is_time).count() }
    }

    /// How many places a line has, those of the fields included.
    pub(super) fn places(&self) -> usize {
        self.first + self.shapes.len()
    }

    /// Adds the time to what was read.
    pub(super) fn parts(&self, line: &[u8], spans: Spans, reference: Option<&Reference>) -> Reading {
        let places = spans.get(self.first..).unwrap_or_default();
        let date = match (places.first(), places.get(self.together.wrapping_sub(1))) {
            (Some(first), Some(last)) => Some(Span { start: first.start, end: last.end }),
            _ => return Ok(Parts { spans, date: None, time: None }),
        };
        let at = date.map_or(0, |date| date.start);
        let stop = Stop { at, expected: "a date that can be" };
        let time = match (self.shapes.as_slice(), places) {
            ([Shape::Clf, ..], [span, ..]) => {
                Some(span.of(line).try_into().ok().and_then(clf::read).ok_or(stop)?)
            }
            ([Shape::Iso, ..], [span, ..]) => {
                Some(date::at_start(span.of(line)).and_then(|found| found.time(reference)).ok_or(stop)?)
            }
            (shapes, places) => {
                let values = places.iter().map(|span| span.of(line));
                Said { parts: shapes.iter().copied().zip(values).collect() }.time(reference)
            }
        };
        Ok(Parts { spans, date, time })
    }
}

impl Said<'_> {
    fn text(&self, part: Part) -> Option<&[u8]> {
        self.parts.iter().find(|(shape, _)| *shape == Shape::Part(part)).map(|(_, text)| *text)
    }

    fn number<T: TryFrom<i64>>(&self, part: Part) -> Option<T> {
        T::try_from(digits(self.text(part)?)?).ok()
    }

    /// Nanoseconds of the second.
    fn fraction(&self) -> i32 {
        let milliseconds = self.number(Part::MillisecondFraction).map(|part: i32| part * 1_000_000);
        let microseconds = || self.number(Part::MicrosecondFraction).map(|part: i32| part * 1_000);
        milliseconds.or_else(microseconds).unwrap_or(0)
    }

    fn time(&self, reference: Option<&Reference>) -> Option<Timestamp> {
        let second = self
            .text(Part::Seconds)
            .or_else(|| self.text(Part::Fractional))
            .and_then(|text| seconds(text, self.fraction()));
        let milliseconds = || Timestamp::from_millisecond(self.number(Part::Milliseconds)?).ok();
        let microseconds = || Timestamp::from_microsecond(self.number(Part::Microseconds)?).ok();
        second.or_else(milliseconds).or_else(microseconds).or_else(|| self.civil(reference))
    }

    /// A date and a time of day; without a zone of its own in that of the reference.
    fn civil(&self, reference: Option<&Reference>) -> Option<Timestamp> {
        let century = || self.number(Part::ShortYear).map(|year: i16| 2000 + year);
        let year = self.number(Part::Year).or_else(century)?;
        let month = self.number(Part::Month).or_else(|| month(self.text(Part::MonthName)?))?;
        let second = self.number(Part::Second).unwrap_or(0_i8).min(59);
        let (day, hour, minute) =
            (self.number(Part::Day)?, self.number(Part::Hour)?, self.number(Part::Minute)?);
        let civil = DateTime::new(year, month, day, hour, minute, second, self.fraction()).ok()?;
        match self.text(Part::Zone) {
            Some(zone) => TimeZone::fixed(offset(zone)?).to_timestamp(civil).ok(),
            None => reference?.zone.to_timestamp(civil).ok(),
        }
    }
}

/// Digits as a number; a blank in front of them is a padding.
fn digits(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim_start().parse().ok()
}

/// `1763632800` or `1763632800.123`.
fn seconds(text: &[u8], fraction: i32) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds =
        part.bytes().chain(std::iter::repeat(b'0')).take(9).map(|digit| i32::from(digit - b'0'));
    let nanoseconds = nanoseconds.fold(0_i32, |value, digit| value * 10 + digit);
    let own = if part.is_empty() { fraction } else { nanoseconds };
    Timestamp::from_second(whole.parse().ok()?)
        .ok()?
        .checked_add(SignedDuration::from_nanos(i64::from(own)))
        .ok()
}

fn month(name: &[u8]) -> Option<i8> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    MONTHS.iter().position(|month| *month == name).and_then(|at| i8::try_from(at + 1).ok())
}

/// `+0100`.
fn offset(zone: &[u8]) -> Option<Offset> {
    let [sign, hours_minutes @ ..] = zone else { return None };
    let hours: i32 = digits(hours_minutes.get(..2)?)?.try_into().ok()?;
    let minutes: i32 = digits(hours_minutes.get(2..)?)?.try_into().ok()?;
    let seconds = hours * 3_600 + minutes * 60;
    Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()
}
