//! `--since`: a time, or how long ago.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::terms::parse_duration;

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// So long before now.
    Ago(SignedDuration),
    /// A time.
    At(Timestamp),
}

/// What is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "write how long ago (\"1h\", \"7d\"), \"2026-05-01\", \"2026-05-01 10:00\" (both in this host's time zone) or \
     \"2026-05-01T10:00:00Z\""
)]
pub(super) struct SinceError;

impl Since {
    /// The time that is meant, also where logs are replayed: the last line of a stream is not known before its end.
    pub(super) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

impl FromStr for Since {
    type Err = SinceError;

    /// A date or time without a zone is meant in this host's.
    fn from_str(text: &str) -> Result<Self, SinceError> {
        if let Ok(length) = parse_duration(text) {
            return length.map(Self::Ago).ok_or(SinceError);
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let civil = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(Into::into));
        let zoned = civil.and_then(|civil| civil.to_zoned(TimeZone::system()).ok());
        zoned.map(|zoned| Self::At(zoned.timestamp())).ok_or(SinceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_can_be_told_in_several_ways() {
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
        let resolved = |text: &str| text.parse::<Since>().map(|since| since.resolve(now));
        assert_eq!(resolved("1h"), Ok("2026-05-01T09:00:00Z".parse().unwrap()));
        assert_eq!(resolved("60"), Ok("2026-05-01T09:59:00Z".parse().unwrap()));
        assert_eq!(resolved("2026-04-30T10:00:00+02:00"), Ok("2026-04-30T08:00:00Z".parse().unwrap()));
        for text in ["2026-04-30", "2026-04-30 10:00", "2026-04-30 10:00:00"] {
            assert!(resolved(text).is_ok(), "{text}");
        }
        for text in ["forever", "", "yesterday", "-1h", "10:00"] {
            assert!(resolved(text).is_err(), "{text}");
        }
    }
}
