//! What container runtimes and syslog put around a server's line, and how it is taken off again.
//!
//! All of it stands before (or, as Docker writes it, around) what a client can write, so each wrapper is read from the
//! line's first byte on. Which wrapper a file has is the reader's to find out; here is one line at a time.

mod cri;
mod docker;
mod syslog;

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;

use super::date::{self, Reference};
use super::format::Format;
pub use syslog::{Header, header};

/// A container runtime's log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Docker's `json-file`.
    Docker,
    /// What Kubernetes' runtimes (containerd, CRI-O) write.
    Cri,
}

/// Where a container wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// A wrapped line: a whole line of the container, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it was written: parts are joined within one stream.
    pub stream: Stream,
    /// Whether the container's line ends here.
    pub ends: bool,
    /// Where the runtime's time stands in the wrapped line.
    pub time: Range<usize>,
}

impl Container {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Cri];

    /// As `status` and the log name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Cri => "cri",
        }
    }

    /// Takes the wrapper off `line` (without its newline) and adds what is inside to `payload`, without the newline that
    /// ends it; any other newline in it becomes a blank, so that what a program writes is never more lines than it was.
    /// `None`, and `payload` as it was, where the line does not fit.
    pub fn unwrap(self, line: &[u8], payload: &mut Vec<u8>) -> Option<Part> {
        let before = payload.len();
        let part = match self {
            Self::Docker => docker::unwrap(line, payload),
            Self::Cri => cri::unwrap(line, payload),
        };
        if part.is_none() {
            payload.truncate(before);
        }
        part
    }
}

impl Stream {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Output),
            b"stderr" => Some(Self::Error),
            _ => None,
        }
    }
}

/// The time that a wrapper names; `reference` completes what syslog leaves out.
pub fn wrapper_time(text: &[u8], reference: &Reference) -> Option<Timestamp> {
    date::at_start(text)?.time(Some(reference))
}

/// Whether syslog's header is to be taken off lines like this one, of a file in `format` (`None`: to be found out); `None`
/// where the line does not tell. Raw patterns expect the header, and its date. Else it goes where it begins with a priority, as
/// only what was sent as a message does, and where a format with fields reads what follows it and not the line as it is.
pub fn is_syslog(line: &[u8], format: Option<&Format>) -> Option<bool> {
    if format == Some(&Format::Raw) {
        return Some(false);
    }
    let header = header(line);
    if header.as_ref().is_some_and(|header| header.is_sent) {
        return Some(true);
    }
    if is_read(line, format) {
        return Some(false);
    }
    header.filter(|header| is_read(header.message(line), format)).map(|_| true)
}

/// Whether a line is of a format with fields, and names an address where that format has a place for one.
fn is_read(line: &[u8], format: Option<&Format>) -> bool {
    let found = if format.is_none() { Format::recognise(line) } else { None };
    let read = format.or(found.as_ref()).and_then(|format| format.parse(line).ok());
    read.is_some_and(|record| record.address().is_some() || record.client_range().is_none())
}

/// One line alone without what is around it: for samples. A part of a line is taken for all of it.
pub fn payload(line: &[u8]) -> Cow<'_, [u8]> {
    let mut inside = Vec::new();
    if Container::ALL.into_iter().any(|container| container.unwrap(line, &mut inside).is_some()) {
        let message = without_header(&inside).to_vec();
        return Cow::Owned(message);
    }
    Cow::Borrowed(without_header(line))
}

fn without_header(line: &[u8]) -> &[u8] {
    let header = header(line).filter(|_| is_syslog(line, None) == Some(true));
    header.map_or(line, |header| header.message(line))
}

/// The time of one line, with what completes it, for whoever looks for a place in a file: its wrapper's, which is the
/// cheapest to find, else the line's own in `format` (`None`: the one it is recognised as).
pub fn time_of(line: &[u8], format: Option<&Format>, reference: &Reference) -> Option<Timestamp> {
    let mut inside = Vec::new();
    let part = Container::ALL.into_iter().find_map(|container| container.unwrap(line, &mut inside));
    let time = part.and_then(|part| wrapper_time(line.get(part.time)?, reference));
    time.or_else(|| {
        let line = if format == Some(&Format::Raw) { line } else { without_header(line) };
        format.cloned().or_else(|| Format::recognise(line))?.time_at(line, reference)
    })
}

#[cfg(test)]
mod tests;
