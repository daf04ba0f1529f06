//! The log formats, and the record that each makes of a line.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;

use super::Field;
use crate::address::Address;

/// How a server wrote its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// nginx and Apache `combined`.
    Combined,
    /// Apache `common` (CLF).
    Common,
    /// Apache `vhost_combined`: `%v:%p` first.
    VhostCombined,
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

/// One parsed line. Fields are found by position when the line is parsed, and decoded when they are asked for.
#[derive(Debug)]
pub struct Record<'a> {
    line: &'a [u8],
}

impl Format {
    /// Reads one line (without its newline).
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, ParseError> {
        let _ = line;
        todo!()
    }

    /// The format that reads most of these lines; `None` when none reads more than half.
    pub fn detect<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let _ = lines;
        todo!()
    }

    /// The line's own time alone, as cheaply as can be: used to bisect a file.
    pub fn time(&self, line: &[u8]) -> Option<Timestamp> {
        let _ = line;
        todo!()
    }

    /// The byte strings one of which a line of this format must hold where its status is `status`;
    /// `None` where the format does not say (`" 404 ` for the combined family: the closing quote, blanks around the number).
    pub fn status_literal(&self, status: u16) -> Option<Vec<u8>> {
        let _ = status;
        todo!()
    }
}

impl<'a> Record<'a> {
    /// The whole line.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The client's address; `None` where the field holds a name or nothing, or the format has no such field.
    pub fn address(&self) -> Option<Address> {
        todo!()
    }

    /// Where the client field stands in the line; `None` where the format has none.
    pub fn client_range(&self) -> Option<Range<usize>> {
        todo!()
    }

    /// The line's own time.
    pub fn time(&self) -> Option<Timestamp> {
        todo!()
    }

    /// Where the date stands in the line, without brackets or quotes around it.
    pub fn time_range(&self) -> Option<Range<usize>> {
        todo!()
    }

    /// A field's value, unescaped by the server's rules; `-` stays `-`. `None` where the record has no such field.
    /// The normalised path is computed once for a record.
    pub fn field(&self, field: &Field) -> Option<Cow<'_, [u8]>> {
        let _ = field;
        todo!()
    }

    /// A numeric field: status or bytes (`-` bytes are 0).
    pub fn number(&self, field: &Field) -> Option<u64> {
        let _ = field;
        todo!()
    }

    /// Whether a gate refused it: 403 or 444.
    pub fn refused(&self) -> bool {
        todo!()
    }
}
