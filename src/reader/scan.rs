//! The reader: one pass over a buffer of lines, observations out.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use memchr::{memchr, memchr_iter, memrchr};
use smallvec::SmallVec;

use super::clients::{Around, Clients};
use super::counts::FileReading;
use super::lens::{Lens, Shared};
use super::prefilter::{Chosen, Prefilter};
use crate::address::Address;
use crate::filter::Required;
use crate::record::{Format, ParseError, Record, Reference};
use crate::source::last_lines;
use crate::terms::{Observation, Offence};

/// Every so many lines that nothing else made us parse, one is parsed.
const SAMPLE_EVERY: usize = 1024;
/// Lines are counted in blocks that stay in the first-level cache.
const BLOCK: usize = 16 * 1024;
/// So much of a file's end, or of its first buffer, is counted by the wrong-client guard: some hundred lines. So are shorter
/// buffers whole, as they come while a file grows.
const CENSUS: usize = 64 * 1024;
/// So much of each longer one, where a file is caught up with: a hundredth, whatever it holds.
const CENSUS_STEADY: usize = 8 * 1024;
/// So many first lines decide on a file's format.
const DETECT_LINES: usize = 64;
/// Longer evidence is cut: the beginning of a line tells who, when and what.
const EVIDENCE_BYTES: usize = 1024;

/// Where an event's time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Basis {
    /// The file is read as it grows: the event happens now.
    Arrival,
    /// Old lines are read: the line's own time, never later than now.
    Logged,
}

/// Reads buffers for one source. Shared by all its files; what changes with a file is in its `FileReading`.
#[derive(Debug)]
pub struct Reader {
    shared: Vec<Shared>,
    evidence: bool,
    clients: Clients,
    /// For each format the search for candidates, made when it is first needed.
    searches: Mutex<Vec<(Format, Arc<Candidates>)>>,
}

/// Which lines are parsed.
#[derive(Debug)]
enum Candidates {
    Every,
    Holding(Prefilter),
}

/// One buffer while it is read.
struct Pass<'a> {
    reader: &'a Reader,
    file: &'a mut FileReading,
    format: &'a Format,
    around: &'a Around,
    basis: Basis,
    reference: &'a Reference,
    out: &'a mut Vec<Observation>,
}

impl Reader {
    /// A reader for the jails that look at one source; `evidence` keeps the text of offending lines.
    pub fn new(lenses: Vec<Lens>, evidence: bool) -> Self {
        let clients = Clients::default();
        Self { shared: Shared::group(lenses), evidence, clients, searches: Mutex::default() }
    }

    /// The same, where clients are told as `clients` says.
    #[must_use]
    pub fn telling(mut self, clients: Clients) -> Self {
        self.clients = clients;
        self
    }

    /// Reads a buffer of lines (the last one may lack its newline) and adds an observation for each parsed record that
    /// names a client. `reference` holds the present.
    pub fn read(
        &self,
        file: &mut FileReading,
        buffer: &[u8],
        basis: Basis,
        reference: &Reference,
        out: &mut Vec<Observation>,
    ) {
        file.bytes += buffer.len() as u64;
        let Some(format) = file.format.clone().or_else(|| detect(buffer)) else {
            file.lines += lines(buffer).count() as u64;
            for line in lines(buffer) {
                file.refuse(line, || "its format is not recognised; set `format` of its source".to_owned());
            }
            return;
        };
        file.format = Some(format.clone());
        let last = lines(buffer).next_back().unwrap_or_default();
        file.last_line = format.time_at(last, reference).or(file.last_line);
        let around = &*self.clients.around.now();
        let mut pass = Pass { reader: self, file, format: &format, around, basis, reference, out };
        pass.census(pass.counted(buffer));
        match &*self.candidates(&format) {
            Candidates::Every => pass.every(buffer),
            Candidates::Holding(prefilter) => pass.holding(prefilter, buffer),
        }
    }

    /// What it goes by; all that share it see a change.
    #[cfg(test)]
    pub(super) fn around(&self) -> &super::Surroundings {
        &self.clients.around
    }

    /// A file none of whose lines was read yet; the wrong-client guard has counted the last ones. Without that a few lines
    /// after a restart would prove nothing, and one whom all come through would be banned. What cannot be read is counted as
    /// it comes.
    pub fn first_look(&self, format: Option<Format>, path: &Path, reference: &Reference) -> FileReading {
        let mut file = FileReading::new(format);
        if self.clients.guard {
            self.prime(&mut file, &last_lines(path, CENSUS).unwrap_or_default(), reference);
        }
        file
    }

    fn prime(&self, file: &mut FileReading, last: &[u8], reference: &Reference) {
        let Some(format) = file.format.clone().or_else(|| detect(last)) else { return };
        let (around, basis, out) = (&*self.clients.around.now(), Basis::Logged, &mut Vec::new());
        let mut pass = Pass { reader: self, file, format: &format, around, basis, reference, out };
        pass.census(last);
    }

    fn chosen(&self, chosen: Chosen) -> impl Iterator<Item = &Shared> {
        self.shared.iter().enumerate().filter(move |(index, _)| chosen.has(*index)).map(|(_, shared)| shared)
    }

    fn candidates(&self, format: &Format) -> Arc<Candidates> {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = searches.iter().find(|(of, _)| of == format) {
            return Arc::clone(made);
        }
        let made = Arc::new(self.make_candidates(format));
        searches.push((format.clone(), Arc::clone(&made)));
        made
    }

    fn make_candidates(&self, format: &Format) -> Candidates {
        let required: Vec<Option<Required>> =
            self.shared.iter().map(|shared| shared.filter.required(format)).collect();
        let any = required.iter().any(Option::is_some);
        if any { Candidates::Holding(Prefilter::new(&required)) } else { Candidates::Every }
    }
}

/// The format of a log that begins with `buffer`; `None` where its first lines fit none.
pub fn detect(buffer: &[u8]) -> Option<Format> {
    Format::detect(lines(buffer).take(DETECT_LINES))
}

/// The lines of a buffer, without their newlines.
pub fn lines(buffer: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let whole = buffer.strip_suffix(b"\n").unwrap_or(buffer);
    (!buffer.is_empty()).then(|| whole.split(|b| *b == b'\n')).into_iter().flatten()
}

impl<'a> Pass<'a> {
    /// The part of a buffer that is counted before any of it is judged.
    fn counted<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let whole = buffer.len() <= CENSUS || self.file.census.is_empty();
        let most = if whole { CENSUS } else { CENSUS_STEADY };
        buffer.get(..most).unwrap_or(buffer)
    }

    /// Counts lines for the wrong-client guard. Raw lines have no client.
    fn census(&mut self, part: &[u8]) {
        if !self.reader.clients.guard || *self.format == Format::Raw {
            return;
        }
        for line in lines(part) {
            if let Ok(record) = self.parse(line) {
                self.file.census.count(&record);
            }
        }
        let majority = self.file.census.majority();
        self.file.crowd = majority.and_then(|address| self.reader.clients.crowd(address, self.around));
    }

    fn parse<'l>(&self, line: &'l [u8]) -> Result<Record<'l>, ParseError>
    where
        'a: 'l,
    {
        let mut record = self.format.parse_at(line, self.reference)?;
        self.reader.clients.resolve(&mut record, self.around);
        Ok(record)
    }

    fn every(&mut self, buffer: &[u8]) {
        for line in lines(buffer) {
            self.file.lines += 1;
            self.line(line, Chosen::ALL);
        }
    }

    fn holding(&mut self, prefilter: &Prefilter, buffer: &[u8]) {
        let samples = self.count_and_sample(buffer);
        let mut samples = samples.into_iter().peekable();
        let (mut scan, mut cursor) = (prefilter.scan(buffer), 0);
        while cursor < buffer.len() {
            let found = scan.find(cursor);
            let start =
                found.map(|at| memrchr(b'\n', &buffer[cursor..at]).map_or(cursor, |n| cursor + n + 1));
            while let Some(sample) = samples.next_if(|sample| *sample < start.unwrap_or(buffer.len())) {
                if sample >= cursor {
                    self.line(line_at(buffer, sample), prefilter.always());
                }
            }
            let Some(start) = start else { return };
            let line = line_at(buffer, start);
            let end = start + line.len();
            self.line(line, scan.filters(end));
            cursor = end + 1;
        }
    }

    /// Counts the lines and returns where the sampled ones begin.
    fn count_and_sample(&mut self, buffer: &[u8]) -> SmallVec<[usize; 8]> {
        let (mut starts, mut newlines, mut next) = (SmallVec::new(), 0, self.file.until_sample);
        if next == 0 {
            starts.push(0);
            next = SAMPLE_EVERY;
        }
        for (block, at) in buffer.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
            let here = memchr_iter(b'\n', block).count();
            while next <= newlines + here {
                let newline = memchr_iter(b'\n', block).nth(next - newlines - 1).unwrap_or_default();
                let start = at + newline + 1;
                if start == buffer.len() {
                    break;
                }
                starts.push(start);
                next += SAMPLE_EVERY;
            }
            newlines += here;
        }
        self.file.until_sample = next - newlines;
        self.file.lines += (newlines + usize::from(!buffer.ends_with(b"\n"))) as u64;
        starts
    }

    /// Only the `chosen` filters judge it: to the others it is no offence.
    fn line(&mut self, line: &[u8], chosen: Chosen) {
        let record = match self.parse(line) {
            Ok(record) => record,
            Err(error) => return self.file.refuse(line, || error.to_string()),
        };
        self.file.accept();
        self.record(&record, chosen);
    }

    fn record(&mut self, record: &Record<'_>, chosen: Chosen) {
        let Some(client) = record.address() else { return self.hosts(record, chosen) };
        let mut offences = SmallVec::new();
        for shared in self.reader.chosen(chosen) {
            shared.look(record, &mut offences);
        }
        self.observe(record, client, offences);
    }

    /// A record without an address of its own: each filter names its host. What concerns one address is one
    /// observation, since all jails judge a record by the bans that were there before it.
    fn hosts(&mut self, record: &Record<'_>, chosen: Chosen) {
        self.file.nameless += u64::from(record.client_range().is_some());
        let mut named: SmallVec<[(Address, SmallVec<[Offence; 2]>); 1]> = SmallVec::new();
        for shared in self.reader.chosen(chosen) {
            let mut offences = SmallVec::new();
            let host = shared.look(record, &mut offences).and_then(|matched| matched.host);
            let address = host.and_then(|range| record.line().get(range)).and_then(Address::parse);
            let Some(address) = address else { continue };
            match named.iter_mut().find(|(known, _)| *known == address) {
                Some((_, all)) => all.append(&mut offences),
                None => named.push((address, offences)),
            }
        }
        for (address, offences) in named {
            self.observe(record, address, offences);
        }
    }

    fn observe(&mut self, record: &Record<'_>, address: Address, offences: SmallVec<[Offence; 2]>) {
        self.file.offences += offences.len() as u64;
        let logged = record.time();
        let at = self.event_time(logged);
        let text = (self.reader.evidence && !offences.is_empty()).then(|| evidence(record.line()));
        self.out.push(Observation { address, at, logged, refused: record.refused(), offences, text });
    }

    fn event_time(&mut self, logged: Option<Timestamp>) -> Timestamp {
        let now = self.reference.now;
        match self.basis {
            Basis::Logged => logged.map_or(now, |time| time.min(now)),
            Basis::Arrival => {
                if let Some(time) = logged {
                    self.file.compare(time, now);
                }
                now
            }
        }
    }
}

fn line_at(buffer: &[u8], start: usize) -> &[u8] {
    let rest = &buffer[start..];
    &rest[..memchr(b'\n', rest).unwrap_or(rest.len())]
}

fn evidence(line: &[u8]) -> Box<str> {
    String::from_utf8_lossy(line.get(..EVIDENCE_BYTES).unwrap_or(line)).into()
}
