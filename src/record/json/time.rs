//! Times in JSON lines, known by what they look like: `2026-05-01T10:00:00.123Z`, `2026-05-01 10:00:00`,
//! `01/May/2026:10:00:00 +0000`, and seconds, milliseconds, microseconds or nanoseconds since the epoch.

use jiff::Timestamp;

use crate::record::Reference;
use crate::record::clf;
use crate::record::date;

/// The time that a value names; `None` where it names none, or lacks a zone or a year and there is no reference.
pub(super) fn read(value: &[u8], reference: Option<&Reference>) -> Option<Timestamp> {
    if let Ok(text) = value.try_into()
        && let Some(time) = clf::read(text)
    {
        return Some(time);
    }
    since_epoch(value).or_else(|| date::at_start(value)?.time(reference))
}

/// Digits, and a fraction of the last. Seconds have ten digits from 2001 to 2286: so the number of digits tells the
/// unit.
fn since_epoch(value: &[u8]) -> Option<Timestamp> {
    let dot = value.iter().position(|byte| *byte == b'.').unwrap_or(value.len());
    let (whole, fraction) = value.split_at(dot);
    let fraction = fraction.get(1..).unwrap_or_default();
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let decimals = match whole.len() {
        9..=11 => 0,
        12..=14 => 3,
        15..=17 => 6,
        18..=19 => 9,
        _ => return None,
    };
    // As nanoseconds: the digits, and as many of the fraction as fit, filled up with zeros.
    let digits = whole.iter().chain(fraction).copied().chain(std::iter::repeat(b'0'));
    let digits = digits.take(whole.len() + 9 - decimals);
    let nanoseconds = digits.fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    Timestamp::from_nanosecond(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};

    use super::read;
    use crate::record::Reference;

    fn at(value: &str) -> Option<String> {
        let zone = TimeZone::fixed(Offset::from_seconds(3_600).unwrap());
        let reference = Reference { now: "2026-05-01T12:00:00Z".parse().unwrap(), zone };
        Some(read(value.as_bytes(), Some(&reference))?.to_string())
    }

    #[test]
    fn a_time_is_known_by_its_look() {
        for (value, time) in [
            ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"),
            ("2026-05-01T10:00:00.123456789Z", "2026-05-01T10:00:00.123456789Z"),
            ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00Z"),
            ("01/May/2026:10:00:00 +0000", "2026-05-01T10:00:00Z"),
            ("2026-05-01 11:00:00", "2026-05-01T10:00:00Z"),
            ("2026/05/01 11:00:00", "2026-05-01T10:00:00Z"),
            ("1777629600", "2026-05-01T10:00:00Z"),
            ("1777629600.5241024", "2026-05-01T10:00:00.5241024Z"),
            ("1777629600524", "2026-05-01T10:00:00.524Z"),
            ("1777629600524.25", "2026-05-01T10:00:00.52425Z"),
            ("1777629600524102", "2026-05-01T10:00:00.524102Z"),
            ("1777629600524102407", "2026-05-01T10:00:00.524102407Z"),
            ("1777629600.12345678901234", "2026-05-01T10:00:00.123456789Z"),
        ] {
            assert_eq!(at(value).as_deref(), Some(time), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        let long = "9".repeat(40);
        for value in ["", "-", ".", "12", "1777629600.x", "x1777629600", "-1777629600", &long] {
            assert_eq!(at(value), None, "{value}");
        }
    }
}
