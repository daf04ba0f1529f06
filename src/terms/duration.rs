//! Durations as an operator writes them: `10m`, `1h30m`, `30d`, plain seconds, `forever`.

use std::fmt::Write as _;

use jiff::SignedDuration;

/// Units and their milliseconds, longest first. A month or a year has no fixed length, so there is none.
const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration that can be written: 100 years. A time that far from any log line is still a valid timestamp.
const LONGEST_MS: i64 = 36_525 * 86_400_000;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not of the form that durations have.
    #[error(
        "`{0}` is no duration: write \"10m\", \"1h30m\", \"30d\", plain seconds, or \"forever\" (units: w d h m s ms)"
    )]
    Malformed(String),
    /// It is negative; fail2ban writes a permanent ban so.
    #[error("`{0}` is negative: for a time without end write \"forever\"")]
    Negative(String),
    /// It is longer than 100 years.
    #[error("`{0}` is longer than 100 years: for a time without end write \"forever\"")]
    TooLong(String),
}

/// Reads a duration: numbers with units (`1h30m`, blanks between the parts allowed), plain seconds, or `forever` (`None`).
/// Never negative, never above 100 years.
pub fn parse_duration(text: &str) -> Result<Option<SignedDuration>, DurationError> {
    let trimmed = text.trim();
    if trimmed == "forever" {
        return Ok(None);
    }
    if trimmed.starts_with('-') {
        return Err(DurationError::Negative(text.to_owned()));
    }
    let total = milliseconds(trimmed).ok_or_else(|| DurationError::Malformed(text.to_owned()))?;
    if total > LONGEST_MS {
        return Err(DurationError::TooLong(text.to_owned()));
    }
    Ok(Some(SignedDuration::from_millis(total)))
}

/// A duration that was written as an integer: seconds. The same limits as for texts.
pub fn seconds_duration(seconds: i64) -> Result<SignedDuration, DurationError> {
    match seconds {
        ..0 => Err(DurationError::Negative(seconds.to_string())),
        _ if seconds > LONGEST_MS / 1_000 => Err(DurationError::TooLong(seconds.to_string())),
        _ => Ok(SignedDuration::from_secs(seconds)),
    }
}

/// The sum of the parts; saturates, so that a number of any length is found too long.
fn milliseconds(text: &str) -> Option<i64> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(number(text).saturating_mul(1_000));
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (digits, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after.trim_start(), |c| !c.is_ascii_alphabetic());
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        if digits.is_empty() {
            return None;
        }
        total = total.saturating_add(number(digits).saturating_mul(*scale));
        rest = after.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

/// Digits only; what does not fit is the largest number.
fn number(digits: &str) -> i64 {
    digits.parse().unwrap_or(i64::MAX)
}

/// The shortest text that `parse_duration` reads back as this duration, to the millisecond: `1h30m`, `30d`, `0s`.
/// Weeks are written as days. A negative duration has a `-` before it.
pub fn show_duration(duration: SignedDuration) -> String {
    let mut rest = duration.as_millis().unsigned_abs();
    let mut text = String::from(if duration.is_negative() && rest > 0 { "-" } else { "" });
    for (unit, scale) in UNITS.iter().skip(1) {
        let scale = u128::from(scale.unsigned_abs());
        if rest >= scale {
            write!(text, "{}{unit}", rest / scale).expect("a String takes any text");
        }
        rest %= scale;
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> i64 {
        parse_duration(text).unwrap().unwrap().as_secs()
    }

    #[test]
    fn reads_what_operators_write() {
        for (text, expected) in [
            ("10m", 600),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("30d", 2_592_000),
            ("2w", 1_209_600),
            ("600", 600),
            (" 5s ", 5),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Some(SignedDuration::from_millis(250))));
        assert_eq!(parse_duration("forever"), Ok(None));
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", " ", "m", "10x", "10 minutes", "1.5h", "h1", "10m5", "١m", "1d-2h", "10M"] {
            assert!(matches!(parse_duration(text), Err(DurationError::Malformed(_))), "{text}");
        }
        assert!(matches!(parse_duration("-1"), Err(DurationError::Negative(_))));
        for text in ["101000w", "99999999999999999999", "99999999999999999999d1s"] {
            assert!(matches!(parse_duration(text), Err(DurationError::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn integers_are_seconds_with_the_same_limits() {
        assert_eq!(seconds_duration(90), Ok(SignedDuration::from_secs(90)));
        assert!(matches!(seconds_duration(-1), Err(DurationError::Negative(_))));
        assert!(matches!(seconds_duration(i64::MAX), Err(DurationError::TooLong(_))));
    }

    #[test]
    fn shows_the_shortest_text() {
        for (millis, text) in
            [(0, "0s"), (5_400_000, "1h30m"), (2_592_000_000, "30d"), (1_500, "1s500ms"), (-60_000, "-1m")]
        {
            assert_eq!(show_duration(SignedDuration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_shows(millis in 0..=LONGEST_MS) {
            let duration = SignedDuration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(Some(duration)));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_duration(&text);
        }
    }
}
