//! How long a ban by hand lasts, on the wire as operators write it.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::wire;
use crate::terms::{DurationError, parse_duration, show_duration};

/// How long a ban by hand lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanLength {
    /// Until it is ended by hand.
    Forever,
    /// So long.
    For(SignedDuration),
}

impl From<BanLength> for Option<SignedDuration> {
    /// As bantimes are kept: `None` is forever.
    fn from(length: BanLength) -> Self {
        match length {
            BanLength::Forever => None,
            BanLength::For(length) => Some(length),
        }
    }
}

impl FromStr for BanLength {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse_duration(text).map(|length| length.map_or(Self::Forever, Self::For))
    }
}

impl fmt::Display for BanLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::For(length) => f.write_str(&show_duration(*length)),
        }
    }
}

impl Serialize for BanLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BanLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::parsed(deserializer)
    }
}
