//! The reader: one pass over a buffer of lines, observations out.

use std::iter::Peekable;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use memchr::{memchr, memchr_iter, memrchr};
use smallvec::SmallVec;

use super::counts::FileReading;
use super::lens::{Lens, Shared};
use super::line::Held;
use super::prefilter::Prefilter;
use super::unwrap::Unwrapped;
use crate::address::Address;
use crate::filter::Required;
use crate::record::{Format, Record, Reference, header, wrapper_time};
use crate::terms::{Observation, Offence};

/// Every so many lines that nothing else made us parse, one is parsed.
const SAMPLE_EVERY: usize = 1024;
/// Lines are counted in blocks that stay in the first-level cache.
const BLOCK: usize = 16 * 1024;
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
    /// For each set of formats the search for candidates, made when it is first needed.
    searches: Mutex<Vec<Searched>>,
    /// What the last buffer that was wrapped held.
    unwrapped: Mutex<Unwrapped>,
}

/// Formats, and the search for candidates among lines of these.
type Searched = (Arc<[Format]>, Arc<Candidates>);

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
    /// The buffer, without wrappers.
    buffer: &'a [u8],
    /// The buffer as it stands in the file, and what was taken off it.
    wrapped: Option<(&'a [u8], &'a Unwrapped)>,
    basis: Basis,
    reference: &'a Reference,
    out: &'a mut Vec<Observation>,
}

impl Reader {
    /// A reader for the jails that look at one source; `evidence` keeps the text of offending lines.
    pub fn new(lenses: Vec<Lens>, evidence: bool) -> Self {
        let shared = Shared::group(lenses);
        Self { shared, evidence, searches: Mutex::default(), unwrapped: Mutex::default() }
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
        let mut unwrapped = self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        let wrapped = file.unwrapped(buffer, &mut unwrapped).then_some((buffer, &*unwrapped));
        let buffer = wrapped.map_or(buffer, |(_, unwrapped)| &unwrapped.lines);
        Pass { reader: self, file, buffer, wrapped, basis, reference, out }.run();
    }

    fn candidates(&self, formats: &Arc<[Format]>) -> Arc<Candidates> {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = searches.iter().find(|(of, _)| of == formats) {
            return Arc::clone(made);
        }
        let made = Arc::new(self.make_candidates(formats));
        searches.push((Arc::clone(formats), Arc::clone(&made)));
        made
    }

    /// What is required of lines of any of these formats.
    fn make_candidates(&self, formats: &[Format]) -> Candidates {
        let of = |format| self.shared.iter().map(move |shared| shared.filter.required(format));
        let required: Option<Vec<Required>> = formats.iter().flat_map(of).collect();
        required.map_or(Candidates::Every, |all| Candidates::Holding(Prefilter::new(all)))
    }
}

/// The lines of a buffer, without their newlines.
pub fn lines(buffer: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let whole = buffer.strip_suffix(b"\n").unwrap_or(buffer);
    (!buffer.is_empty()).then(|| whole.split(|b| *b == b'\n')).into_iter().flatten()
}

impl Pass<'_> {
    fn run(mut self) {
        if let Some((wrapped, unwrapped)) = self.wrapped {
            for line in &unwrapped.misfits {
                let line = wrapped.get(line.clone()).unwrap_or_default();
                self.file.lines += 1;
                self.file.refuse(line, || "it is not wrapped as the other lines of its log are".to_owned());
            }
        }
        if self.buffer.is_empty() {
            return;
        }
        let samples = self.count_and_sample();
        let (mut samples, mut at) = (samples.into_iter().peekable(), 0);
        while at < self.buffer.len() {
            if self.file.formats.is_looking() {
                at = self.line_at(at);
                continue;
            }
            let known = Arc::clone(self.file.formats.known());
            at = match &*self.reader.candidates(&known) {
                Candidates::Every => self.every(at, &known),
                Candidates::Holding(prefilter) => self.holding(prefilter, at, &mut samples, &known),
            };
        }
        self.last_line();
    }

    /// The logged time of the last line.
    fn last_line(&mut self) {
        let line = lines(self.buffer).next_back().unwrap_or_default();
        let mut known = self.file.formats.known().iter();
        let own = known.find_map(|format| format.time_at(line, self.reference));
        self.file.last_line = own.or_else(|| self.wrapper_time(line)).or(self.file.last_line);
    }

    /// Whether the next lines are to be searched for other things, or all of them to be looked at.
    fn is_turned(&self, known: &Arc<[Format]>) -> bool {
        self.file.formats.is_looking() || !Arc::ptr_eq(known, self.file.formats.known())
    }

    /// Parses every line from `at` on; where it stopped.
    fn every(&mut self, mut at: usize, known: &Arc<[Format]>) -> usize {
        while at < self.buffer.len() && !self.is_turned(known) {
            at = self.line_at(at);
        }
        at
    }

    /// Parses candidates and samples from `at` on; where it stopped.
    fn holding(
        &mut self,
        prefilter: &Prefilter,
        at: usize,
        samples: &mut Peekable<impl Iterator<Item = usize>>,
        known: &Arc<[Format]>,
    ) -> usize {
        let buffer = self.buffer.get(at..).unwrap_or_default();
        let (mut scan, mut cursor) = (prefilter.scan(buffer), 0);
        while cursor < buffer.len() {
            let found = scan.find(cursor);
            let start =
                found.map(|found| memrchr(b'\n', &buffer[cursor..found]).map_or(cursor, |n| cursor + n + 1));
            while let Some(sample) = samples.next_if(|sample| *sample < at + start.unwrap_or(buffer.len())) {
                if sample >= at + cursor {
                    self.file.formats.sample(line_at(self.buffer, sample));
                    let next = self.line_at(sample);
                    if self.is_turned(known) {
                        return next;
                    }
                }
            }
            let Some(start) = start else { return self.buffer.len() };
            let next = self.line_at(at + start);
            if self.is_turned(known) {
                return next;
            }
            cursor = next - at;
        }
        self.buffer.len()
    }

    /// Parses the line that begins at `start`; where the next one begins.
    fn line_at(&mut self, start: usize) -> usize {
        let line = line_at(self.buffer, start);
        if !line.trim_ascii().is_empty() {
            self.line(line);
        }
        start + line.len() + 1
    }

    /// Counts the lines and returns where the sampled ones begin.
    fn count_and_sample(&mut self) -> SmallVec<[usize; 8]> {
        let buffer = self.buffer;
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

    fn line(&mut self, line: &[u8]) {
        let (host, held) = (self.file.host.clone(), Held::default());
        match self.file.parse(line, self.reference, &held) {
            Ok(record) => {
                self.file.accept();
                self.record(&record.about(host.as_deref()));
            }
            Err(reason) => self.file.refuse(line, || reason),
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        let Some(client) = record.address() else { return self.hosts(record) };
        let mut offences = SmallVec::new();
        for shared in &self.reader.shared {
            shared.look(record, &mut offences);
        }
        self.observe(record, client, offences);
    }

    /// A record without an address of its own: each filter names its host. What concerns one address is one
    /// observation, since all jails judge a record by the bans that were there before it.
    fn hosts(&mut self, record: &Record<'_>) {
        if record.client_range().is_some() {
            self.file.nameless += 1;
            // Some formats take what a header begins with for a client's name.
            if header(record.line()).is_some() {
                self.file.relook();
            }
        }
        let mut named: SmallVec<[(Address, SmallVec<[Offence; 1]>); 1]> = SmallVec::new();
        for shared in &self.reader.shared {
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

    fn observe(&mut self, record: &Record<'_>, address: Address, offences: SmallVec<[Offence; 1]>) {
        self.file.offences += offences.len() as u64;
        let logged = record.time().or_else(|| self.wrapper_time(record.line()));
        let at = self.event_time(logged);
        let text = (self.reader.evidence && !offences.is_empty()).then(|| evidence(record.line()));
        self.out.push(Observation { address, at, logged, refused: record.refused(), offences, text });
    }

    /// The time that a line's wrapper names.
    fn wrapper_time(&self, line: &[u8]) -> Option<Timestamp> {
        let (wrapped, unwrapped) = self.wrapped?;
        let start = (line.as_ptr() as usize).checked_sub(self.buffer.as_ptr() as usize)?;
        wrapper_time(wrapped.get(unwrapped.mark(start)?.time.clone())?, self.reference)
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
