//! Reading one `file:` list: an address or prefix a line, `#` begins a comment, blank lines are skipped. Or, as Google, Bing
//! and others publish the ranges of their crawlers, JSON: `{"prefixes": [{"ipv4Prefix": "192.0.2.0/27"}, …]}`.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::name::HostName;
use crate::address::{AllowEntry, Prefix, PrefixError};

/// Larger files are refused: a list of a million prefixes is smaller.
const LARGEST: u64 = 32 << 20;

/// So many bad lines of one file are told; more of them say nothing new.
const TOLD: usize = 20;

/// A file changed less than this before it was read may change again without a visible trace.
const SETTLED_AFTER_SECONDS: i64 = 2;

/// Why a list is not used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read as a list of addresses ({named_by}): {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Where the configuration names it.
        named_by: String,
        /// What the system said.
        error: io::Error,
    },
    /// A directory, a device, a pipe.
    #[error("{path}: is no regular file ({named_by})")]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// Where the configuration names it.
        named_by: String,
    },
    /// More than 32 MiB.
    #[error("{path}: is larger than 32 MiB, too large for a list of addresses ({named_by})")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Where the configuration names it.
        named_by: String,
    },
    /// A line that holds neither an address nor a prefix.
    #[error("{path}:{line}: {error}: a line holds one address or prefix, `#` begins a comment")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The text, and what is wrong with it.
        error: PrefixError,
    },
    /// JSON without a list of prefixes.
    #[error("{path}: {error}: as JSON a list is {{\"prefixes\": [{{\"ipv4Prefix\": \"192.0.2.0/27\"}}]}}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: String,
    },
    /// A name has no address, or the resolver did not answer.
    #[error("dns:{name}: cannot be resolved ({named_by}): {error}")]
    Name {
        /// The name.
        name: HostName,
        /// Where the configuration names it.
        named_by: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// There are more bad lines than were told.
    #[error("{path}: {count} more lines hold no address")]
    More {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
}

impl ListError {
    pub(super) fn name(name: &HostName, named_by: &str, error: io::Error) -> Self {
        Self::Name { name: name.clone(), named_by: named_by.to_owned(), error }
    }
}

/// What changes when a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Stamp {
    /// The stamp of the file that `path` leads to now; `None` where there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::from)
    }

    /// Whether a later change is sure to give another stamp: file times are no finer than a kernel tick.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        now.as_second() - self.changed.0 >= SETTLED_AFTER_SECONDS
    }
}

/// Reads the whole list with the stamp it had when it was opened, or tells every problem in it.
pub(super) fn read(path: &Path, named_by: &str) -> Result<(Stamp, Vec<AllowEntry>), Vec<ListError>> {
    let (stamp, text) = load(path, named_by).map_err(|error| vec![error])?;
    parse(path, &text).map(|entries| (stamp, entries))
}

fn load(path: &Path, named_by: &str) -> Result<(Stamp, Vec<u8>), ListError> {
    let (owned, named_by) = (path.to_owned(), named_by.to_owned());
    let io = |error| ListError::Io { path: owned.clone(), named_by: named_by.clone(), error };
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(ListError::NotAFile { path: owned, named_by });
    }
    let file = File::open(path).map_err(io)?;
    let stamp = Stamp::from(&file.metadata().map_err(io)?);
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(io)?;
    if text.len() as u64 > LARGEST {
        return Err(ListError::TooLarge { path: owned, named_by });
    }
    Ok((stamp, text))
}

fn parse(path: &Path, text: &[u8]) -> Result<Vec<AllowEntry>, Vec<ListError>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.trim_ascii_start().starts_with(b"{") {
        return parse_json(path, text)
            .map_err(|error| vec![ListError::Json { path: path.to_owned(), error }]);
    }
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    let mut untold = 0;
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line_number = at + 1;
        match parse_line(line) {
            Ok(None) => {}
            Ok(Some(prefix)) => {
                let origin = format!("file:{}:{line_number}", path.display()).into();
                entries.push(AllowEntry { prefix, origin });
            }
            Err(error) if problems.len() < TOLD => {
                problems.push(ListError::Line { path: path.to_owned(), line: line_number, error });
            }
            Err(_) => untold += 1,
        }
    }
    if untold > 0 {
        problems.push(ListError::More { path: path.to_owned(), count: untold });
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

/// Published ranges: <https://developers.google.com/static/search/apis/ipranges/googlebot.json>,
/// <https://www.bing.com/toolbox/bingbot.json>, <https://search.developer.apple.com/applebot.json>.
#[derive(Deserialize)]
struct Published {
    prefixes: Vec<PublishedPrefix>,
}

#[derive(Deserialize)]
enum PublishedPrefix {
    #[serde(rename = "ipv4Prefix")]
    V4(String),
    #[serde(rename = "ipv6Prefix")]
    V6(String),
}

fn parse_json(path: &Path, text: &[u8]) -> Result<Vec<AllowEntry>, String> {
    let published: Published = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if published.prefixes.is_empty() {
        return Err("`prefixes` is empty".to_owned());
    }
    let origin: Arc<str> = format!("file:{}", path.display()).into();
    let entry = |published: PublishedPrefix| {
        let (PublishedPrefix::V4(text) | PublishedPrefix::V6(text)) = published;
        let prefix = text.parse().map_err(|error: PrefixError| error.to_string())?;
        Ok(AllowEntry { prefix, origin: origin.clone() })
    };
    published.prefixes.into_iter().map(entry).collect()
}

fn parse_line(line: &[u8]) -> Result<Option<Prefix>, PrefixError> {
    let line = String::from_utf8_lossy(line);
    let entry = line.split('#').next().unwrap_or_default().trim();
    if entry.is_empty() {
        return Ok(None);
    }
    // A line of a wrong file (a database, an HTML page) is told by its beginning.
    entry.parse().map(Some).map_err(|error| match error {
        PrefixError::NotAnAddress(_) => PrefixError::NotAnAddress(entry.chars().take(80).collect()),
        PrefixError::BadLength(_, max) => PrefixError::BadLength(entry.chars().take(80).collect(), max),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &[u8]) -> Result<Vec<String>, Vec<String>> {
        let show = |entry: &AllowEntry| format!("{} {}", entry.prefix, entry.origin);
        parse(Path::new("/l"), text)
            .map(|entries| entries.iter().map(show).collect())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn comments_blanks_and_line_ends() {
        let text = b"\xef\xbb\xbf# ours\r\n192.0.2.1\r\n\n  198.51.100.0/24 # office\n2001:db8::/32";
        let expected = ["192.0.2.1 file:/l:2", "198.51.100.0/24 file:/l:4", "2001:db8::/32 file:/l:5"];
        assert_eq!(shown(text), Ok(expected.map(String::from).to_vec()));
        assert_eq!(shown(b""), Ok(Vec::new()));
    }

    #[test]
    fn every_bad_line_is_told_and_the_rest_is_not_used() {
        let problems = shown(b"192.0.2.1\n192.0.2.0/24 office\n192.0.2.2/64\n\xff\n").unwrap_err();
        assert_eq!(problems.len(), 3);
        assert!(problems[0].starts_with("/l:2: "), "{}", problems[0]);
        assert!(problems[1].starts_with("/l:3: `192.0.2.2/64`: the prefix length"), "{}", problems[1]);
        assert!(problems[2].starts_with("/l:4: "), "{}", problems[2]);
    }

    #[test]
    fn published_ranges_are_json() {
        let text = br#"{"creationTime": "2026-05-01T10:00:00.000000",
            "prefixes": [{"ipv6Prefix": "2001:db8:4801:10::/64"}, {"ipv4Prefix": "192.0.2.0/27"}]}"#;
        assert_eq!(shown(text).unwrap(), ["2001:db8:4801:10::/64 file:/l", "192.0.2.0/27 file:/l"]);
        for wrong in [r#"{"prefixes": []}"#, "{}", r#"{"prefixes": [{"ipv4Prefix": "x"}]}"#, "{<html>"] {
            let problems = shown(wrong.as_bytes()).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains("as JSON a list is"), "{problems:?}");
        }
    }

    #[test]
    fn a_wrong_file_is_told_in_few_words() {
        let page = "<html>".repeat(1_000) + "\n" + &"x\n".repeat(1_000);
        let problems = shown(page.as_bytes()).unwrap_err();
        assert_eq!(problems.len(), TOLD + 1);
        assert!(problems.iter().all(|problem| problem.len() < 250));
        assert_eq!(problems[TOLD], "/l: 981 more lines hold no address");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_list_or_problems(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = shown(&text);
        }
    }
}
