//! Whom `ban` and `unban` mean: addresses and prefixes from the command line, and from a file with many.

use std::collections::HashSet;
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
    /// What cannot be read or is not permitted is listed on stderr, the rest is applied, and the exit status is 1.
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
    /// Lines of the file that are no address.
    pub(super) refused: Vec<Refusal>,
    /// What is good to know before it is done.
    pub(super) remarks: Vec<String>,
}

impl Targets {
    /// Whether nobody was named, not even by a file.
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.file.is_none()
    }

    /// Reads the file, and puts all of it together.
    pub(super) fn gather(self) -> Result<Given, CliError> {
        let mut given = Given::default();
        let mut targets = self.addresses;
        if let Some(file) = &self.file {
            parse(&read(file)?, &mut targets, &mut given.refused);
        }
        let mut seen = HashSet::new();
        for target in targets {
            if seen.insert(target.prefix) {
                given.remarks.extend(target.widened());
                given.prefixes.push(target.prefix);
            }
        }
        Ok(given)
    }
}

fn parse(text: &[u8], targets: &mut Vec<Target>, refused: &mut Vec<Refusal>) {
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let wanted = line.split_once('#').map_or(line.as_ref(), |(wanted, _comment)| wanted).trim();
        if wanted.is_empty() {
            continue;
        }
        match wanted.parse() {
            Ok(target) => targets.push(target),
            Err(error) => refused.push(Refusal {
                target: format!("line {}", number + 1),
                reason: PrefixError::to_string(&error),
            }),
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let read = if file.as_os_str() == "-" {
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
            b"# list of banmap\n203.0.113.7\n\n 2001:db8::/64 # a net\r\nexample.net\n\xff\n203.0.113.7\n";
        let (mut targets, mut refused) = (Vec::new(), Vec::new());
        parse(text, &mut targets, &mut refused);
        let shown: Vec<_> = targets.iter().map(|target| target.prefix.to_string()).collect();
        assert_eq!(shown, ["203.0.113.7", "2001:db8::/64", "203.0.113.7"]);
        let lines: Vec<_> = refused.iter().map(|refusal| refusal.target.as_str()).collect();
        assert_eq!(lines, ["line 5", "line 6"]);
        assert!(refused[0].reason.contains("example.net"));
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
