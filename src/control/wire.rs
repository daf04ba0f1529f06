//! How values stand in JSON where their type does not say it: times as RFC 3339 UTC to the second, lengths as texts.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// The time without its fraction: what `jq`'s `fromdate` and every other reader of RFC 3339 takes.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A time.
pub(super) mod time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, whole};
    use serde::de::Error as _;

    pub(in crate::control) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&whole(*at))
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// A time, or `null`.
pub(super) mod optional_time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, whole};
    use serde::de::Error as _;

    #[allow(clippy::ref_option, reason = "serde hands the field by reference")]
    pub(in crate::control) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.collect_str(&whole(*at)),
            None => to.serialize_none(),
        }
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
    }
}

/// A length of time, as operators write it (`"1h30m"`), or `null`.
pub(super) mod optional_length {
    use super::{Deserialize, Deserializer, Serializer};
    use crate::terms::{parse_duration, show_duration};
    use jiff::SignedDuration;
    use serde::de::Error as _;

    #[allow(clippy::ref_option, reason = "serde hands the field by reference")]
    pub(in crate::control) fn serialize<S: Serializer>(
        length: &Option<SignedDuration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => to.serialize_str(&show_duration(*length)),
            None => to.serialize_none(),
        }
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SignedDuration>, D::Error> {
        match Option::<String>::deserialize(from)? {
            Some(text) => parse_duration(&text).map_err(D::Error::custom),
            None => Ok(None),
        }
    }
}

/// A jail's window, in seconds.
pub(super) mod seconds {
    use super::{Deserialize, Deserializer, Serializer};
    use jiff::SignedDuration;

    pub(in crate::control) fn serialize<S: Serializer>(
        length: &SignedDuration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_i64(length.as_secs())
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SignedDuration, D::Error> {
        i64::deserialize(from).map(SignedDuration::from_secs)
    }
}

/// A length in seconds, or `null`.
pub(super) mod optional_seconds {
    use super::{Deserialize, Deserializer, Serializer};
    use jiff::SignedDuration;

    #[allow(clippy::ref_option, reason = "serde hands the field by reference")]
    pub(in crate::control) fn serialize<S: Serializer>(
        length: &Option<SignedDuration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => to.serialize_i64(length.as_secs()),
            None => to.serialize_none(),
        }
    }

    pub(in crate::control) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SignedDuration>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(SignedDuration::from_secs))
    }
}

/// Reads a value from its text, for types that are written with `Display`.
pub(super) fn parsed<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}
