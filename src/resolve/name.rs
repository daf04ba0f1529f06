//! The name of a host, as a `dns:` entry holds it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A host name in lower case, without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

/// Something that can be no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host name: letters, digits, `-` and `_`, with dots between parts of at most 63 of them")]
pub struct HostNameError(String);

/// RFC 1035, 2.3.4.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

impl HostName {
    /// As it is asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    /// Reads a name; one whose last part is a number could be an address, and is refused.
    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && label.chars().all(is_letter)
                && !label.starts_with('-')
        };
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let fits = name.len() <= LONGEST && name.split('.').all(is_label);
        if !fits || name.rsplit('.').next().is_none_or(is_number) {
            return Err(HostNameError(text.chars().take(80).collect()));
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::HostName;

    #[test]
    fn names_of_hosts_and_nothing_else() {
        for (text, read) in [
            ("Office.Example.", "office.example"),
            ("host", "host"),
            ("a-1.b_2.example", "a-1.b_2.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), read);
        }
        let long = "a".repeat(64);
        for text in
            ["", ".", "a..b", "-a.example", "192.0.2.1", "a b", "bücher.example", &long, "a.example:53"]
        {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_as_the_same(text in "[a-zA-Z0-9._-]{0,70}") {
            if let Ok(name) = text.parse::<HostName>() {
                prop_assert_eq!(name.as_str().parse::<HostName>().unwrap(), name);
            }
        }
    }
}
