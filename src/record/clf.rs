//! The date of the common log format, `01/May/2026:10:00:00 +0000`: read by hand, since every line pays for it.

use std::cell::Cell;

use jiff::Timestamp;

/// How long such a date is, without its brackets.
pub(super) const LENGTH: usize = 26;

thread_local! {
    /// The last date that was read, and its time: lines that follow each other mostly name the same second.
    static LAST: Cell<Option<([u8; LENGTH], Timestamp)>> = const { Cell::new(None) };
}

/// The time it names. `None` where it is not of this shape, or a date or time that cannot be; second 60, a leap
/// second, is read as 59. Offsets up to 23:59 are accepted.
pub(super) fn read(text: &[u8; LENGTH]) -> Option<Timestamp> {
    if let Some((last, time)) = LAST.get()
        && last == *text
    {
        return Some(time);
    }
    let time = read_anew(text)?;
    LAST.set(Some((*text, time)));
    Some(time)
}

fn read_anew(text: &[u8; LENGTH]) -> Option<Timestamp> {
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', time @ .., sign, z1, z2, z3, z4] = *text
    else {
        return None;
    };
    let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
    let month = month([m1, m2, m3])?;
    let day = pair(d1, d2)?;
    let days = days(year, month, day)?;
    let seconds = clock(time)?;
    let east = zone(sign, [z1, z2, z3, z4])?;
    Timestamp::from_second(days * 86_400 + seconds - east).ok()
}

/// Two decimal digits.
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}

/// 1 to 12; the servers write English names with one capital whatever their locale.
fn month(name: [u8; 3]) -> Option<i64> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Seconds since midnight of `HH:MM:SS` and the blank after it.
fn clock(text: [u8; 9]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, b' '] = text else {
        return None;
    };
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    (hour <= 23 && minute <= 59 && second <= 60).then(|| hour * 3_600 + minute * 60 + second.min(59))
}

/// Seconds east of Greenwich.
fn zone(sign: u8, digits: [u8; 4]) -> Option<i64> {
    let [h1, h2, m1, m2] = digits;
    let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
    let east = hours * 3_600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(east),
        b'-' => Some(-east),
        _ => None,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year and months have a closed form: (153 m + 2) / 5 days lie before the m-th month.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if day < 1 || day > month_length(year, month) {
        return None;
    }
    // Shifted by 400 years, one whole cycle of 146,097 days, so that nothing becomes negative in year 0.
    let (year, month) = if month > 2 { (year + 400, month - 3) } else { (year + 399, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Some(year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468 - 146_097)
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::fmt::strtime;
    use jiff::tz::{Offset, TimeZone};
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Timestamp> {
        super::read(text.as_bytes().try_into().ok()?)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn offsets_point_either_way() {
        assert_eq!(read("01/May/2026:10:00:00 +0000"), Some(at("2026-05-01T10:00:00Z")));
        assert_eq!(read("01/May/2026:10:00:00 -0000"), Some(at("2026-05-01T10:00:00Z")));
        assert_eq!(read("01/May/2026:10:00:00 +0530"), Some(at("2026-05-01T04:30:00Z")));
        assert_eq!(read("31/Dec/2026:23:59:59 -0930"), Some(at("2027-01-01T09:29:59Z")));
    }

    #[test]
    fn a_leap_second_is_the_second_before_it() {
        assert_eq!(read("30/Jun/2026:23:59:60 +0000"), Some(at("2026-06-30T23:59:59Z")));
    }

    #[test]
    fn leap_days_are_where_the_calendar_has_them() {
        assert_eq!(read("29/Feb/2028:00:00:00 +0000"), Some(at("2028-02-29T00:00:00Z")));
        assert_eq!(read("29/Feb/2000:00:00:00 +0000"), Some(at("2000-02-29T00:00:00Z")));
        assert_eq!(read("29/Feb/2026:00:00:00 +0000"), None);
        assert_eq!(read("29/Feb/2100:00:00:00 +0000"), None);
    }

    #[test]
    fn what_cannot_be_is_no_date() {
        for text in [
            "00/May/2026:10:00:00 +0000",
            "32/May/2026:10:00:00 +0000",
            "31/Apr/2026:10:00:00 +0000",
            "01/may/2026:10:00:00 +0000",
            "01/Mai/2026:10:00:00 +0000",
            "01/May/2026:24:00:00 +0000",
            "01/May/2026:10:60:00 +0000",
            "01/May/2026:10:00:61 +0000",
            "01/May/2026:10:00:00 +2400",
            "01/May/2026:10:00:00 +0060",
            "01/May/2026:10:00:00 *0000",
            "01/May/2026 10:00:00 +0000",
            "01-May-2026:10:00:00 +0000",
            " 1/May/2026:10:00:00 +0000",
            "01/May/2026:1\u{7f}:00:00 +0000",
            "01/May/2026:10:00:00+00000",
        ] {
            assert_eq!(text.len(), super::LENGTH, "{text}");
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_beyond_what_can_be_held_is_no_date() {
        assert_eq!(read("31/Dec/9999:23:59:59 -2359"), None);
        assert_eq!(read("01/Jan/0000:00:00:00 +2359"), Some(at("-000001-12-31T00:01:00Z")));
    }

    proptest! {
        #[test]
        fn every_second_is_read_as_it_was_written(
            second in -62_000_000_000_i64..253_000_000_000,
            east in -1439_i32..=1439,
        ) {
            let time = Timestamp::from_second(second).unwrap();
            let zone = TimeZone::fixed(Offset::from_seconds(east * 60).unwrap());
            let text = strtime::format("%d/%b/%Y:%H:%M:%S %z", &time.to_zoned(zone)).unwrap();
            prop_assert_eq!(read(&text), Some(time), "{}", text);
        }
    }
}
