//! One buffer without its wrappers, and one line as a record: what reading a log and examining it have in common.

use std::cell::OnceCell;

use super::counts::FileReading;
use super::formats::is_nameless;
use super::unwrap::Unwrapped;
use crate::record::{Format, Record, Reference};

/// The formats that a line was read in, for as long as its record lives.
#[derive(Default)]
pub(super) struct Held {
    first: OnceCell<Format>,
    other: OnceCell<Format>,
}

impl FileReading {
    /// Counts a buffer's bytes, and takes off what its lines are wrapped in; whether anything is.
    pub(super) fn unwrapped(&mut self, buffer: &[u8], out: &mut Unwrapped) -> bool {
        let read = self.bytes;
        self.bytes += buffer.len() as u64;
        self.unwrap.notice(buffer, self.formats.given());
        let is_needed = self.unwrap.is_needed();
        if is_needed {
            self.unwrap.run(buffer, read, out);
        }
        is_needed
    }

    /// The log is read to its end: lines whose end is missing are none, and are counted as such.
    pub(super) fn end(&mut self) -> Vec<Vec<u8>> {
        let begun = self.unwrap.give_up();
        for line in &begun {
            self.lines += 1;
            self.refuse(line, || "the part that ends it is missing".to_owned());
        }
        begun
    }

    /// Reads a line in one of the file's formats; the error says why that cannot be.
    pub(super) fn parse<'a>(
        &mut self,
        line: &'a [u8],
        reference: &Reference,
        held: &'a Held,
    ) -> Result<Record<'a>, String> {
        let read = self.parse_fields(line, reference, held);
        match read {
            Err(_) if self.formats.is_raw() => {
                Format::Raw.parse_at(line, reference).map_err(|error| error.to_string())
            }
            read => {
                if read.is_ok() {
                    self.formats.weigh(true);
                }
                read
            }
        }
    }

    fn parse_fields<'a>(
        &mut self,
        line: &'a [u8],
        reference: &Reference,
        held: &'a Held,
    ) -> Result<Record<'a>, String> {
        let Some(format) = self.formats.of(line) else {
            return Err("its format is not recognised; set `format` of its source".to_owned());
        };
        let read = held.first.get_or_init(|| format).parse_at(line, reference);
        let read = read.map(|record| if self.undated { record.undated() } else { record });
        if read.as_ref().is_ok_and(|record| !is_nameless(record)) {
            return read.map_err(|error| error.to_string());
        }
        let other = self.formats.another(line).map(|format| held.other.get_or_init(|| format));
        match other.map(|format| format.parse_at(line, reference)) {
            Some(Ok(record)) if read.is_err() || !is_nameless(&record) => Ok(record),
            _ => read.map_err(|error| error.to_string()),
        }
    }
}
