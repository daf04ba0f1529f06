//! Every record of the last part of a log, for `top`: found by bisection, so that a long log costs no more than a short one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use super::counts::FileReading;
use super::line::Held;
use super::scan::lines;
use super::unwrap::Unwrapped;
use super::whole::GZIP;
use super::{Clients, Lines, Meter, ReadError};
use crate::record::{Format, Record, Reference, time_of, wrapper_time};
use crate::source::{first_since, last_lines, lines_end};

/// So much of a log's end is read where its lines have no times.
const TIMELESS: u64 = 8 << 20;

/// So much of a log's end is looked at for its last time.
const LAST: usize = 64 << 10;

/// Where the lines that matter begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the first line of the time that was asked for, or later.
    Found,
    /// The log has none; its last line is of this time, as far as that is known.
    Nothing(Option<Timestamp>),
    /// Its lines have no times: at most its last 8 MiB are read.
    Timeless,
    /// It is no file and can be read from its beginning only.
    Stream,
}

/// Looks at every line of one log.
pub struct Survey {
    clients: Clients,
    reading: FileReading,
    reference: Reference,
    since: Timestamp,
    unwrapped: Unwrapped,
}

impl Survey {
    /// Looks at records from `since` on.
    pub fn new(clients: Clients, reading: FileReading, since: Timestamp, reference: Reference) -> Self {
        Self { clients, reading, reference, since, unwrapped: Unwrapped::default() }
    }

    /// What was read so far.
    pub fn reading(&self) -> &FileReading {
        &self.reading
    }

    /// Opens the log that it is about where its lines begin to matter. Compressed logs are refused: they have to be read
    /// whole.
    pub fn open(&self, path: &Path, meter: &Meter) -> Result<(Lines, Begin), ReadError> {
        let failed = |error| ReadError { path: path.to_owned(), error };
        if path == Path::new("-") || path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            return Ok((Lines::open_metered(path, meter)?, Begin::Stream));
        }
        let (input, begin) = self.tail(path).map_err(failed)?;
        Ok((Lines::over(path, Box::new(meter.over(input))), begin))
    }

    fn tail(&self, path: &Path) -> io::Result<(impl Read + 'static, Begin)> {
        let mut file = File::open(path)?;
        let mut magic = [0; 2];
        if file.read(&mut magic)? == magic.len() && magic == GZIP {
            let told = "it is compressed: have it unpacked, `zcat LOG | banmap top -`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
        }
        let end = lines_end(&file)?;
        let format = self.reading.given();
        let mut time = |line: &[u8]| time_of(line, format, &self.reference);
        let (start, begin) = match first_since(&file, self.since, &mut time)? {
            None => (end.saturating_sub(TIMELESS), Begin::Timeless),
            Some(start) if start >= end => (end, Begin::Nothing(self.last_time(path, format))),
            Some(start) => (start, Begin::Found),
        };
        file.seek(SeekFrom::Start(start))?;
        Ok((file.take(end - start), begin))
    }

    fn last_time(&self, path: &Path, format: Option<&Format>) -> Option<Timestamp> {
        let last = last_lines(&std::path::absolute(path).ok()?, LAST).ok()?;
        lines(&last).rev().find_map(|line| time_of(line, format, &self.reference))
    }

    /// Shows each record of a buffer of lines (the last one may lack its newline) that has no time, or one that matters.
    pub fn buffer(&mut self, buffer: &[u8], show: &mut dyn FnMut(&Record<'_>)) {
        let mut unwrapped = std::mem::take(&mut self.unwrapped);
        if self.reading.unwrapped(buffer, &mut unwrapped) {
            for line in &unwrapped.misfits {
                self.reading.lines += 1;
                let line = buffer.get(line.clone()).unwrap_or_default();
                self.reading
                    .refuse(line, || "it is not wrapped as the other lines of its log are".to_owned());
            }
            for (line, mark) in lines(&unwrapped.lines).zip(&unwrapped.marks) {
                let time = buffer.get(mark.time.clone());
                let time = time.and_then(|time| wrapper_time(time, &self.reference));
                self.line(line, time, show);
            }
        } else {
            lines(buffer).for_each(|line| self.line(line, None, show));
        }
        self.unwrapped = unwrapped;
    }

    fn line(&mut self, line: &[u8], wrapper: Option<Timestamp>, show: &mut dyn FnMut(&Record<'_>)) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let (host, held) = (self.reading.host.clone(), Held::default());
        let mut record = match self.reading.parse(line, &self.reference, &held) {
            Ok(record) => record.about(host.as_deref()),
            Err(reason) => {
                self.reading.lines += 1;
                return self.reading.refuse(line, || reason);
            }
        };
        if record.time().or(wrapper).is_some_and(|time| time < self.since) {
            return;
        }
        self.reading.lines += 1;
        self.reading.accept();
        self.clients.resolve(&mut record, &self.clients.around.now());
        show(&record);
    }
}

#[cfg(test)]
mod tests;
