//! Whom `ban` and `unban` mean: addresses and prefixes from the command line, and from a file with many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::exit::CliError;
use crate::address::{Prefix, PrefixError};
use crate::control::Refusal;

/// The largest file that is read.
const LARGEST: u64 = 256 << 20;

/// Addresses, however they are given.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Targets {
    /// Addresses or prefixes: 203.0.113.7, 2001:db8::/64
    #[arg(value_name = "ADDR")]
    addresses: Vec<Target>,
    /// A file with an address or prefix a line (# begins a comment); - is stdin
    ///
    /// All of it is one step, up to a million lines. What cannot be read or is not permitted is listed on stderr with its
    /// line, the rest is applied, and the exit status is 1.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// An address or prefix as it was typed, and as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    written: String,
    prefix: Prefix,
}

impl FromStr for Target {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        Ok(Self { written: text.to_owned(), prefix: text.parse()? })
    }
}

impl Target {
    /// The range, where it is wider than what was typed: `192.0.2.77/24` names 256 addresses, not one.
    fn widened(&self) -> Option<String> {
        let (address, _) = self.written.split_once('/')?;
        let typed: Prefix = address.parse().ok()?;
        (typed.first() != self.prefix.first())
            .then(|| format!("{} means all of {}", self.written, self.prefix))
    }
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// In the order given, each once.
    pub(super) prefixes: Vec<Prefix>,
    /// Lines of the file that are no address; their target is the place.
    pub(super) refused: Vec<Refusal>,
    /// Who was named, and in which line of the file, if not on the command line.
    lines: HashMap<Prefix, Option<usize>>,
    /// The file's name.
    file: String,
    /// What is good to know before it is done.
    pub(super) remarks: Vec<String>,
}

impl Given {
    /// Where a target was written, if in the file: `list.txt:7`.
    pub(super) fn place(&self, target: &str) -> Option<String> {
        let line = (*self.lines.get(&target.parse().ok()?)?)?;
        Some(format!("{}:{line}", self.file))
    }

    fn add(&mut self, target: &Target, line: Option<usize>) {
        if let Entry::Vacant(place) = self.lines.entry(target.prefix) {
            place.insert(line);
            self.remarks.extend(target.widened());
            self.prefixes.push(target.prefix);
        }
    }

    fn parse(&mut self, text: &[u8]) {
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            let wanted = line.split_once('#').map_or(line.as_ref(), |(wanted, _comment)| wanted);
            // Some editors begin a file with a byte order mark.
            let wanted = wanted.trim_start_matches('\u{feff}').trim();
            if wanted.is_empty() {
                continue;
            }
            match wanted.parse() {
                Ok(target) => self.add(&target, Some(number + 1)),
                Err(error) => self.refused.push(Refusal {
                    target: format!("{}:{}", self.file, number + 1),
                    reason: PrefixError::to_string(&error),
                }),
            }
        }
    }
}

impl Targets {
    /// Whether nobody was named, not even by a file.
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.file.is_none()
    }

    /// Reads the file, and puts all of it together.
    pub(super) fn gather(self) -> Result<Given, CliError> {
        let mut given = Given::default();
        self.addresses.iter().for_each(|target| given.add(target, None));
        if let Some(file) = &self.file {
            given.file = if is_stdin(file) { "stdin".to_owned() } else { file.display().to_string() };
            given.parse(&read(file)?);
        }
        Ok(given)
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let read = if is_stdin(file) {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut text)
    } else {
        File::open(file).and_then(|open| open.take(LARGEST + 1).read_to_end(&mut text))
    };
    let checked = read.and_then(|count| {
        if count as u64 > LARGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    });
    checked.map_err(|error| CliError::Read { path: file.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_comments_blanks_and_mistakes() {
        let text =
            b"\xef\xbb\xbf# list of banmap\n203.0.113.7\n\n 2001:db8::/64 # a net\r\nexample.net\n\xff\n203.0.113.7\n";
        let mut given = Given { file: "list".to_owned(), ..Given::default() };
        given.parse(text);
        let shown: Vec<_> = given.prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["203.0.113.7", "2001:db8::/64"]);
        let places: Vec<_> = given.refused.iter().map(|refusal| refusal.target.as_str()).collect();
        assert_eq!(places, ["list:5", "list:6"]);
        assert!(given.refused[0].reason.contains("example.net"));
        assert_eq!(given.place("203.0.113.7").as_deref(), Some("list:2"));
        assert_eq!((given.place("203.0.113.8"), given.place("output x")), (None, None));
    }

    #[test]
    fn addresses_count_once_and_a_wider_range_is_remarked() {
        let addresses = ["203.0.113.7", "::ffff:203.0.113.7", "192.0.2.77/24", "198.51.100.0/24"];
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let given = Targets { addresses, file: None }.gather().unwrap();
        assert_eq!(given.prefixes.len(), 3);
        assert_eq!(given.remarks, ["192.0.2.77/24 means all of 192.0.2.0/24"]);
    }
}
