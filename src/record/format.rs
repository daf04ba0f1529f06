//! The log formats by name, and how a line of each is read.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::access::{self, Layout, Stop};
use super::apache_error;
use super::date::{self, Reference};
use super::escape::Escape;
use super::parsed::Record;
use super::slots::{Reading, Slot};

/// How a server wrote its lines. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// nginx and Apache `combined`.
    Combined,
    /// Apache `common` (CLF).
    Common,
    /// Apache `vhost_combined`: `%v:%p` first.
    VhostCombined,
    /// Apache's error log (2.4).
    ApacheError,
    /// No fields: only raw patterns look at it, and the date is searched.
    Raw,
}

/// A line that is not of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no {format} line: {expected} expected at byte {at}")]
pub struct ParseError {
    /// The format it was read as.
    pub format: &'static str,
    /// Where reading stopped.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

/// A name that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log format; formats are {list}", list = Format::NAMES.join(", "))]
pub struct FormatError(pub String);

impl Format {
    /// All formats that need no more than their name, in the order of `NAMES`.
    pub const ALL: [Self; 5] =
        [Self::Combined, Self::Common, Self::VhostCombined, Self::ApacheError, Self::Raw];

    /// Their names in the configuration.
    pub const NAMES: [&'static str; 5] = ["combined", "common", "vhost_combined", "apache_error", "raw"];

    /// Its name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Common => "common",
            Self::VhostCombined => "vhost_combined",
            Self::ApacheError => "apache_error",
            Self::Raw => "raw",
        }
    }

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether this format's servers write `byte` as it is, wherever it stands in a field.
    pub fn never_escapes(&self, byte: u8) -> bool {
        self.escape().never_escapes(byte)
    }

    /// Whether they write it with a backslash, wherever it stands in a field.
    pub fn always_escapes(&self, byte: u8) -> bool {
        self.escape().always_escapes(byte)
    }

    const fn escape(&self) -> Escape {
        match self {
            Self::Combined | Self::Common | Self::VhostCombined | Self::ApacheError => Escape::Server,
            Self::Raw => Escape::None,
        }
    }

    /// Whether the request line is the first text in quotes that is not empty, and the date stands in brackets
    /// before it: so in all of the combined family.
    pub const fn is_combined(&self) -> bool {
        self.layout().is_some()
    }

    /// Reads one line (without its newline; a `\r` at its end is no part of a field). A raw line is never an error;
    /// a date of it that lacks zone or year is found, and its time is not known: that takes `parse_at`.
    pub fn parse<'a>(&'a self, line: &'a [u8]) -> Result<Record<'a>, ParseError> {
        self.read(line, None)
    }

    /// The same, with what completes the dates of raw lines that name no zone or no year.
    pub fn parse_at<'a>(&'a self, line: &'a [u8], reference: &Reference) -> Result<Record<'a>, ParseError> {
        self.read(line, Some(reference))
    }

    fn read<'a>(&'a self, line: &'a [u8], reference: Option<&Reference>) -> Result<Record<'a>, ParseError> {
        let read = match self {
            Self::Combined | Self::Common | Self::VhostCombined => self.layout().map_or_else(
                || Ok(raw(line, reference)),
                |layout| {
                    access::read(line, layout).map(|(head, access)| Record::access(line, &head, Some(access)))
                },
            ),
            Self::ApacheError => slotted(line, &apache_error::SLOTS, apache_error::read(line, reference)),
            Self::Raw => Ok(raw(line, reference)),
        };
        read.map_err(|Stop { at, expected }| ParseError { format: self.name(), at, expected })
    }

    const fn layout(&self) -> Option<Layout> {
        match self {
            Self::Combined => Some(Layout { vhost: false, agents: true }),
            Self::Common => Some(Layout { vhost: false, agents: false }),
            Self::VhostCombined => Some(Layout { vhost: true, agents: true }),
            Self::ApacheError | Self::Raw => None,
        }
    }

    /// The format that reads most of these lines; `None` when none reads more than half. Empty lines do not count.
    /// Where several read a line, the one with more fields wins. `Raw`, which reads everything, is never detected.
    pub fn detect<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut total = 0_usize;
        let mut readers: Vec<(Self, usize)> = Self::DETECTED.into_iter().map(|format| (format, 0)).collect();
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            total += 1;
            let richest = Self::richest(line);
            // A combined line is a common one too, so both kinds together make a file readable as common.
            let also = (richest == Some(Self::Combined)).then_some(Self::Common);
            for (_, count) in
                readers.iter_mut().filter(|(of, _)| Some(of) == richest.as_ref() || Some(of) == also.as_ref())
            {
                *count += 1;
            }
        }
        readers.into_iter().find(|(_, lines)| *lines > total / 2).map(|(format, _)| format)
    }

    /// Those that a line can be recognised as, those with most fields first.
    const DETECTED: [Self; 4] = [Self::VhostCombined, Self::Combined, Self::Common, Self::ApacheError];

    /// The format that finds most fields in a line.
    fn richest(line: &[u8]) -> Option<Self> {
        Self::DETECTED.into_iter().find(|format| match format {
            // With a virtual host before it a line still reads as combined, with the host as client: so a line whose
            // second token is an address, or whose first is `name:port`, is one with a virtual host.
            Self::VhostCombined => format
                .parse(line)
                .is_ok_and(|record| record.address().is_some() || starts_with_name_and_port(line)),
            _ => format.parse(line).is_ok(),
        })
    }

    /// The line's own time alone, as cheaply as can be: used to bisect a file. Of raw lines only a complete one.
    pub fn time(&self, line: &[u8]) -> Option<Timestamp> {
        self.head_time(line, None)
    }

    /// The same, with what completes the dates of raw lines.
    pub fn time_at(&self, line: &[u8], reference: &Reference) -> Option<Timestamp> {
        self.head_time(line, Some(reference))
    }

    fn head_time(&self, line: &[u8], reference: Option<&Reference>) -> Option<Timestamp> {
        match self.layout() {
            Some(layout) => access::head(line, layout.vhost).ok().map(|head| head.time),
            None => self.read(line, reference).ok()?.time(),
        }
    }

    /// The byte strings one of which a line of this format must hold where its status is `status`;
    /// `None` where the format does not say (`" 404 ` for the combined family: the closing quote, blanks around the number).
    pub fn status_literal(&self, status: u16) -> Option<Vec<u8>> {
        self.layout().map(|_| format!("\" {status:03} ").into_bytes())
    }
}

/// A line of a format with slots.
fn slotted<'a>(line: &'a [u8], slots: &'a [Slot], reading: Reading) -> Result<Record<'a>, Stop> {
    reading.map(|parts| Record::slots(line, slots, parts))
}

/// Reads a line without fields. Where it is one of the combined family, its date is found by position, since a
/// search would find the one that a client wrote into the user.
fn raw<'a>(line: &'a [u8], reference: Option<&Reference>) -> Record<'a> {
    match access::head(line, false) {
        Ok(head) => Record::access(line, &head, None),
        Err(_) => Record::raw(line, date::find(line).as_ref(), reference),
    }
}

fn starts_with_name_and_port(line: &[u8]) -> bool {
    let token = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let port = token.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = token.len().saturating_sub(port + 1);
    port > 0 && name > 0 && token.get(name) == Some(&b':') && crate::address::Address::parse(token).is_none()
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::named(text).ok_or_else(|| FormatError(text.to_owned()))
    }
}
