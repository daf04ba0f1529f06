//! Names of jails, sources and outputs, each a type of its own.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no usable name: letters, digits, `-`, `_` and `.` are, at most 64 of them, not beginning with `-` or `.`"
)]
pub struct NameError(String);

fn check(text: &str) -> Result<Arc<str>, NameError> {
    let usable = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = !text.is_empty() && text.len() <= 64 && !text.starts_with(['-', '.']);
    if fits && text.bytes().all(usable) { Ok(text.into()) } else { Err(NameError(text.to_owned())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as written in the configuration.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

name! {
    /// A jail's name, `[jail.NAME]`.
    JailName
}
name! {
    /// A source's name, `[source.NAME]`.
    SourceName
}
name! {
    /// An output's name, `[output.NAME]`.
    OutputName
}

impl JailName {
    /// The built-in jail of bans that were made by hand without naming one.
    pub fn manual() -> Self {
        Self("manual".into())
    }

    /// Whether it is the built-in jail.
    pub fn is_manual(&self) -> bool {
        self.as_str() == "manual"
    }
}
