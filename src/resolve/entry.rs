//! One entry of `ignoreip` or `trusted_proxies`, as it was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::name::{HostName, HostNameError};
use crate::address::{Prefix, PrefixError};

/// An address, a range, a file of them, or a name that has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// An address or a prefix.
    Prefix {
        /// The range; a single address is a range of one.
        prefix: Prefix,
        /// Where it was written: `ignoreip of [defaults] (/etc/banmap/banmap.toml:12)`.
        origin: Arc<str>,
    },
    /// `file:PATH`: one address or prefix a line.
    File {
        /// An absolute path.
        path: PathBuf,
        /// Where the file was named.
        origin: Arc<str>,
    },
    /// `dns:NAME`: the addresses that a name has.
    Name {
        /// The name.
        name: HostName,
        /// Where it was written.
        origin: Arc<str>,
    },
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No address, no prefix, and no list.
    #[error("{0}: write an address, a prefix such as \"192.0.2.0/24\", \"file:PATH\" or \"dns:NAME\"")]
    Prefix(#[from] PrefixError),
    /// Several addresses in one text, as fail2ban has them.
    #[error(
        "`{0}` holds several entries: write each as a text of its own, [\"192.0.2.1\", \"198.51.100.0/24\"]"
    )]
    Several(String),
    /// `dns:` with something that is no name.
    #[error("{0}: write \"dns:office.example\"")]
    Name(#[from] HostNameError),
    /// `file:` alone.
    #[error("`file:` names no file: write \"file:/etc/banmap/allow.txt\"")]
    NoPath,
}

impl ListEntry {
    /// Reads an entry; the path of a `file:` list is relative to `base`.
    pub fn read(text: &str, base: &Path, origin: Arc<str>) -> Result<Self, EntryError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("file:") {
            let path = path.trim();
            let named = if path.is_empty() { Err(EntryError::NoPath) } else { Ok(base.join(path)) };
            return named.map(|path| Self::File { path, origin });
        }
        if let Some(name) = text.strip_prefix("dns:") {
            return Ok(Self::Name { name: name.trim().parse()?, origin });
        }
        if text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';')) {
            return Err(EntryError::Several(text.to_owned()));
        }
        Ok(Self::Prefix { prefix: text.parse()?, origin })
    }

    /// Where it was written.
    pub fn origin(&self) -> &Arc<str> {
        match self {
            Self::Prefix { origin, .. } | Self::File { origin, .. } | Self::Name { origin, .. } => origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ListEntry, EntryError> {
        ListEntry::read(text, Path::new("/etc/banmap"), "here".into())
    }

    #[test]
    fn addresses_prefixes_and_files() {
        let prefix = |text: &str| ListEntry::Prefix { prefix: text.parse().unwrap(), origin: "here".into() };
        let file = |path: &str| ListEntry::File { path: path.into(), origin: "here".into() };
        assert_eq!(read("192.0.2.1"), Ok(prefix("192.0.2.1")));
        assert_eq!(read(" 2001:db8::/32 "), Ok(prefix("2001:db8::/32")));
        assert_eq!(read("file:/srv/allow.txt"), Ok(file("/srv/allow.txt")));
        let name = ListEntry::Name { name: "office.example".parse().unwrap(), origin: "here".into() };
        assert_eq!(read("dns: Office.example"), Ok(name));
        assert_eq!(read("file:lists/allow.txt"), Ok(file("/etc/banmap/lists/allow.txt")));
    }

    #[test]
    fn everything_else_says_what_to_write() {
        for (text, expected) in [
            ("localhost", "`localhost` is not an IP address: write an address"),
            ("192.0.2.0/33", "the prefix length must be a number from 0 to 32: write an address"),
            ("127.0.0.1/8 ::1", "write each as a text of its own"),
            ("dns:192.0.2.1", "`192.0.2.1` is no host name"),
            ("dns:", "write \"dns:office.example\""),
            ("file:", "names no file"),
            ("", "`` is not an IP address"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
