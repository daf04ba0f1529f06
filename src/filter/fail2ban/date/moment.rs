//! The parts that a pattern's fields found become a time; what a line does not say is taken from the reference.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan};

use super::token::Part;
use super::zone;
use crate::record::Reference;

/// How far a time of day may lie after the reference before it is yesterday's: the reference is about when the lines
/// were read, and may be a little older than the line.
const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What the fields say, in the ranges that their texts allow; an hour may be one that no day has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    stamp: Option<Timestamp>,
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    /// Days after Monday.
    weekday: Option<i8>,
    week: Option<(Weekday, i8)>,
    hour: Option<i8>,
    half_day_hour: Option<i8>,
    afternoon: Option<bool>,
    minute: Option<i8>,
    second: Option<i8>,
    nanosecond: Option<i32>,
    /// Seconds east of Greenwich.
    east: Option<i32>,
}

impl Moment {
    /// Takes a field's text; `None` where it names nothing, as an epoch beyond what can be held.
    pub(super) fn set(&mut self, part: Part, text: &str) -> Option<()> {
        let number = || text.trim_start().parse::<i16>().ok();
        let small = || number().and_then(|value| i8::try_from(value).ok());
        match part {
            Part::Year => self.year = number(),
            Part::ShortYear => self.year = number().map(|year| 2000 + year),
            Part::Month => self.month = small(),
            Part::MonthName => self.month = Some(position(&MONTHS, text)? + 1),
            Part::Day => self.day = small(),
            Part::YearDay => self.year_day = number(),
            Part::Weekday => self.weekday = Some(position(&WEEKDAYS, text)?),
            Part::WeekdayNumber => self.weekday = small().map(|sunday_first| (sunday_first + 6) % 7),
            Part::SundayWeek => self.week = small().map(|week| (Weekday::Sunday, week)),
            Part::MondayWeek => self.week = small().map(|week| (Weekday::Monday, week)),
            Part::Hour => self.hour = small(),
            Part::HalfDayHour => self.half_day_hour = small(),
            Part::HalfDay => self.afternoon = Some(text.starts_with(['p', 'P'])),
            Part::Minute => self.minute = small(),
            Part::Second => self.second = small(),
            Part::Fraction => self.nanosecond = nanoseconds(text),
            // A word before the date may look like a zone: then the line's time is local.
            Part::Zone => self.east = zone::east(text),
            Part::Epoch => self.stamp = Some(epoch(text)?),
            Part::LongEpoch => self.stamp = Some(long_epoch(text)?),
            Part::Tai64n => self.stamp = Some(tai64n(text)?),
        }
        Some(())
    }

    /// The time; `None` where the fields say none, half a date, or a day or an hour that cannot be.
    pub(super) fn time(&self, reference: &Reference) -> Option<Timestamp> {
        if self.stamp.is_some() || *self == Self::default() {
            return self.stamp;
        }
        let zone = match self.east {
            Some(east) => Offset::from_seconds(east).ok()?.to_time_zone(),
            None => reference.zone.clone(),
        };
        let clock = self.clock()?;
        let on = |date: Date| zone.to_timestamp(date.to_datetime(clock)).ok();
        let dated = self.month.is_some() || self.day.is_some() || self.year_day.is_some();
        match self.year {
            Some(year) => on(self.date(year, reference)?),
            None if dated || (self.week.is_some() && self.weekday.is_some()) => {
                reference.latest(|year| on(self.date(year, reference)?))
            }
            None => latest_clock(reference, &zone, on),
        }
    }

    /// The day in a year; a year alone means today's day of it.
    fn date(&self, year: i16, reference: &Reference) -> Option<Date> {
        let new_year = Date::new(year, 1, 1).ok()?;
        match (self.month, self.day, self.year_day, self.week, self.weekday) {
            (Some(month), Some(day), ..) => Date::new(year, month, day).ok(),
            (None, None, Some(day), ..) => new_year.checked_add((day - 1).days()).ok(),
            (None, None, None, Some((first, week)), Some(weekday)) => {
                new_year.checked_add(days_to(new_year, first, week, weekday)).ok()
            }
            (None, None, None, ..) => {
                let today = reference.zone.to_datetime(reference.now).date();
                Date::new(year, today.month(), today.day()).ok()
            }
            _ => None,
        }
    }

    /// The time of day; what is not said is 0. Seconds 60 and 61, which leap seconds are, count as 59.
    fn clock(&self) -> Option<Time> {
        let half = |hour: i8| hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 };
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => (1..=12).contains(&hour).then(|| half(hour))?,
            (None, None) => 0,
        };
        let second = self.second.unwrap_or(0).min(59);
        Time::new(hour, self.minute.unwrap_or(0), second, self.nanosecond.unwrap_or(0)).ok()
    }
}

/// A time of day that no date goes with: today's, or yesterday's where today's is still to come.
fn latest_clock(
    reference: &Reference,
    zone: &TimeZone,
    on: impl Fn(Date) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let limit = reference.now.checked_add(SLACK).unwrap_or(Timestamp::MAX);
    let today = zone.to_datetime(reference.now).date();
    let days = [Some(today), today.yesterday().ok()];
    days.into_iter().flatten().filter_map(on).find(|time| *time <= limit)
}

/// Days from New Year to a weekday of a week; week 1 begins with the year's first Sunday or Monday.
fn days_to(new_year: Date, first: Weekday, week: i8, weekday: i8) -> Span {
    let begins = new_year.weekday().until(first);
    let into = (weekday - first.to_monday_zero_offset()).rem_euclid(7);
    (i64::from(begins) + (i64::from(week) - 1) * 7 + i64::from(into)).days()
}

fn position(names: &[[u8; 3]], text: &str) -> Option<i8> {
    let word = text.as_bytes().first_chunk::<3>()?.to_ascii_lowercase();
    names.iter().position(|name| *name == word[..]).map(|at| at as i8)
}

const WEEKDAYS: [[u8; 3]; 7] = [*b"mon", *b"tue", *b"wed", *b"thu", *b"fri", *b"sat", *b"sun"];
const MONTHS: [[u8; 3]; 12] = [
    *b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov",
    *b"dec",
];

/// The nanoseconds of at most nine digits after a decimal point.
fn nanoseconds(digits: &str) -> Option<i32> {
    let places = 9_u32.checked_sub(digits.len() as u32)?;
    Some(digits.parse::<i32>().ok()? * 10_i32.pow(places))
}

fn epoch(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    Timestamp::new(seconds.parse().ok()?, nanoseconds(fraction)?).ok()
}

/// Up to 11 digits are seconds, up to 14 milliseconds, more microseconds.
fn long_epoch(text: &str) -> Option<Timestamp> {
    let value = text.parse().ok()?;
    match text.len() {
        ..=11 => Timestamp::from_second(value),
        12..=14 => Timestamp::from_millisecond(value),
        _ => Timestamp::from_microsecond(value),
    }
    .ok()
}

/// `@`, the seconds after 2^62 and the nanoseconds in hexadecimal. The seconds count as seconds since the epoch, as
/// fail2ban reads them: they run ahead by the ten seconds and the leap seconds that atomic time is ahead of UTC.
fn tai64n(text: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = text.strip_prefix('@')?.split_at_checked(16)?;
    let seconds = i64::from_str_radix(seconds, 16).ok()?.checked_sub(1 << 62)?;
    Timestamp::new(seconds, i32::from_str_radix(nanoseconds, 16).ok()?).ok()
}
