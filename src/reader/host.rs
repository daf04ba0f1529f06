//! `host_from_path`: the host that a log is about, where its path says so and its lines do not.

use std::path::Path;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

/// Larger compiled programs are refused: no path needs one.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern whose only group is the host, somewhere in a file's path.
#[derive(Clone, Debug)]
pub struct HostFromPath(Regex);

/// A pattern that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostFromPathError {
    /// It is no regular expression.
    #[error("is no regular expression: {0}")]
    Syntax(String),
    /// It has no group, or more than one.
    #[error("has {0} groups, and exactly one must be the host")]
    Groups(usize),
}

impl HostFromPath {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, HostFromPathError> {
        let read = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).build();
        let regex = read.map_err(|error| HostFromPathError::Syntax(error.to_string()))?;
        match regex.captures_len() - 1 {
            1 => Ok(Self(regex)),
            groups => Err(HostFromPathError::Groups(groups)),
        }
    }

    /// The host in a path; `None` where it does not match.
    pub fn host_of(&self, path: &Path) -> Option<Arc<[u8]>> {
        let found = self.0.captures(path.as_os_str().as_encoded_bytes())?;
        found.get(1).map(|host| host.as_bytes().into())
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for HostFromPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for HostFromPath {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_the_host() {
        let host = HostFromPath::new("/nginx/([^/]+)/").unwrap();
        let of =
            |path: &str| host.host_of(Path::new(path)).map(|host| String::from_utf8(host.to_vec()).unwrap());
        assert_eq!(of("/var/log/nginx/shop.example/access.log").as_deref(), Some("shop.example"));
        assert_eq!(of("/var/log/nginx/access.log"), None);
        assert_eq!(of("/var/log/other/a/access.log"), None);
    }

    #[test]
    fn a_pattern_has_exactly_one_group() {
        assert_eq!(HostFromPath::new("/nginx/"), Err(HostFromPathError::Groups(0)));
        assert_eq!(HostFromPath::new("(a)(b)"), Err(HostFromPathError::Groups(2)));
        assert!(HostFromPath::new("(?:a)(b)").is_ok());
        let Err(HostFromPathError::Syntax(told)) = HostFromPath::new("(a") else { panic!("no syntax error") };
        assert!(told.contains("unclosed group"), "{told}");
    }
}
