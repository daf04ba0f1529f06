//! One buffer while it is read: which of its lines are parsed, and what becomes of them.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use memchr::{memchr, memchr_iter, memrchr};
use smallvec::SmallVec;

use super::clients::Around;
use super::counts::FileReading;
use super::line::Held;
use super::prefilter::{Chosen, Prefilter};
use super::scan::{Basis, Candidates, Reader, lines};
use super::unwrap::Unwrapped;
use crate::address::{Address, Prefix};
use crate::record::{Field, Format, Record, Reference, header, wrapper_time};
use crate::terms::{Crawler, Observation, Offence};

/// Every so many lines that nothing else made us parse, one is parsed.
const SAMPLE_EVERY: usize = 1024;
/// Lines are counted in blocks that stay in the first-level cache.
const BLOCK: usize = 16 * 1024;
/// So much of a file's end, and of what it grows by at once, is counted by the wrong-client guard: some hundred lines.
pub(super) const CENSUS: usize = 64 * 1024;
/// So much of the first buffer of a log that is read from its beginning, and of what grows faster: of the largest buffer a
/// fiftieth.
pub(super) const CENSUS_FIRST: usize = 16 * 1024;
/// Of a file that is caught up with the beginning of each buffer: this part of it, and one line at least.
/// To parse more would be felt: a line costs five times what it takes to see that it is no candidate.
const CENSUS_PART: usize = 256;
/// A buffer with fewer bytes ends where its file ended when it was read: what its last line belongs to is all there.
const ENDED: usize = 128 * 1024;
/// Longer evidence is cut: the beginning of a line tells who, when and what.
const EVIDENCE_BYTES: usize = 1024;

/// Whom a record without a client names, when, and the offences that this is.
type Named = (Address, Option<Timestamp>, SmallVec<[Offence; 2]>);

/// One buffer while it is read.
pub(super) struct Pass<'a> {
    pub(super) reader: &'a Reader,
    pub(super) file: &'a mut FileReading,
    /// The buffer, without wrappers.
    pub(super) buffer: &'a [u8],
    /// The buffer as it stands in the file, and what was taken off it.
    pub(super) wrapped: Option<(&'a [u8], &'a Unwrapped)>,
    pub(super) around: &'a Around,
    pub(super) basis: Basis,
    pub(super) reference: &'a Reference,
    pub(super) out: &'a mut Vec<Observation>,
}

impl Pass<'_> {
    /// How much of the buffer is counted before any of it is judged.
    fn counted(&self) -> usize {
        match self.basis {
            Basis::Arrival if self.buffer.len() <= CENSUS => CENSUS,
            Basis::Arrival => (self.buffer.len() / CENSUS_PART).max(CENSUS_FIRST),
            Basis::Logged if self.file.census.is_empty() => CENSUS_FIRST,
            Basis::Logged => self.buffer.len() / CENSUS_PART,
        }
    }

    /// Counts the first lines of the buffer for the wrong-client guard, and shows their clients to `count`; returns how many
    /// lines those are. Raw lines have no client.
    pub(super) fn census(&mut self, most: usize, mut count: impl FnMut(Address, Option<Timestamp>)) -> u64 {
        if self.file.formats.given() == Some(&Format::Raw) {
            return 0;
        }
        let (mut seen, mut looked) = (0, 0);
        for line in lines(self.buffer) {
            let format = self.file.formats.guess(line);
            let read = format.as_ref().and_then(|format| format.parse_at(line, self.reference).ok());
            if let Some(mut record) = read {
                self.reader.clients.resolve(&mut record, self.around);
                self.file.census.count(&record);
                record.address().into_iter().for_each(|address| count(address, record.time()));
            }
            (seen, looked) = (seen + line.len() + 1, looked + 1);
            if seen >= most {
                break;
            }
        }
        let majority = self.file.census.majority();
        let majority = majority.filter(|_| self.reader.clients.guard);
        self.file.crowd = majority.and_then(|address| self.reader.clients.crowd(address, self.around));
        looked
    }

    /// Counts the first lines for the guard, and the clients in them.
    fn count_clients(&mut self) -> u64 {
        let reader = self.reader;
        let (now, basis, mut clientele) = (self.reference.now, self.basis, reader.clientele());
        self.census(self.counted(), |address, logged| {
            let logged = logged.filter(|_| matches!(basis, Basis::Logged));
            clientele.count(address, logged.map_or(now, |logged| logged.min(now)));
        })
    }

    pub(super) fn run(mut self) {
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
        let given_up = self.reader.given_up();
        let (looked, before) = (self.count_clients(), self.file.lines);
        let samples = self.count_and_sample();
        self.reader.clientele().passed(looked, self.file.lines - before);
        let (mut samples, mut at) = (samples.into_iter().peekable(), 0);
        while at < self.buffer.len() {
            if self.file.formats.is_looking() {
                at = self.line_at(at, Chosen::ALL);
                continue;
            }
            let known = Arc::clone(self.file.formats.known());
            at = match &*self.reader.candidates(&known) {
                Candidates::Every => self.every(at, &known),
                Candidates::Holding(prefilter) => self.holding(prefilter, at, &mut samples, &known),
            };
        }
        self.last_line();
        self.file.given_up += self.reader.given_up().saturating_sub(given_up);
        if let Some((_, length)) = self.around_lines() {
            self.file.keep_behind(self.buffer, length);
        }
    }

    /// The format that tells by what stands around a line whether a client may have written it, and how far around.
    fn around_lines(&self) -> Option<(Format, usize)> {
        let mut known = self.file.formats.known().iter();
        known.find_map(|format| format.context().map(|length| (format.clone(), length)))
    }

    /// The logged time of the last line.
    fn last_line(&mut self) {
        let line = lines(self.buffer).next_back().unwrap_or_default();
        let mut known = self.file.formats.known().iter();
        let own = known.find_map(|format| format.time_at(line, self.reference));
        let own = if self.file.undated { Some(self.reference.now) } else { own };
        self.file.last_line = own.or_else(|| self.wrapper_time(line)).or(self.file.last_line);
    }

    /// Whether the next lines are to be searched for other things, or all of them to be looked at.
    fn is_turned(&self, known: &Arc<[Format]>) -> bool {
        self.file.formats.is_looking() || !Arc::ptr_eq(known, self.file.formats.known())
    }

    /// Parses every line from `at` on; where it stopped.
    fn every(&mut self, mut at: usize, known: &Arc<[Format]>) -> usize {
        while at < self.buffer.len() && !self.is_turned(known) {
            at = self.line_at(at, Chosen::ALL);
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
                    let chosen = if self.is_turned(known) { Chosen::ALL } else { prefilter.always() };
                    let next = self.line_at(sample, chosen);
                    if self.is_turned(known) {
                        return next;
                    }
                }
            }
            let Some(start) = start else { return self.buffer.len() };
            let end = start + line_at(buffer, start).len();
            let next = self.line_at(at + start, scan.filters(end));
            if self.is_turned(known) {
                return next;
            }
            cursor = next - at;
        }
        self.buffer.len()
    }

    /// Parses the line that begins at `start`; where the next one begins.
    fn line_at(&mut self, start: usize, chosen: Chosen) -> usize {
        let line = line_at(self.buffer, start);
        if self.is_forged(start..start + line.len()) {
            let reason = "a request near it has a line end in its path, and may have written this line";
            self.file.refuse(line, || reason.to_owned());
        } else if !line.trim_ascii().is_empty() {
            self.line(line, chosen);
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

    /// Only the `chosen` filters judge it: to the others it is no offence, in the formats that are known. A line that adds
    /// another one is judged by all.
    fn line(&mut self, line: &[u8], chosen: Chosen) {
        let (host, held) = (self.file.host.clone(), Held::default());
        let known = Arc::clone(self.file.formats.known());
        match self.file.parse(line, self.reference, &held) {
            Ok(record) => {
                self.file.accept();
                let mut record = record.about(host.as_deref());
                self.reader.clients.resolve(&mut record, self.around);
                let is_known = Arc::ptr_eq(&known, self.file.formats.known());
                self.record(&record, if is_known { chosen } else { Chosen::ALL });
            }
            Err(reason) => self.file.refuse(line, || reason),
        }
    }

    /// Whether a client may have written the line, by what stands around it. Where one log holds the lines of several
    /// formats, he may have written a line of any.
    fn is_forged(&self, line: Range<usize>) -> bool {
        let Some((format, length)) = self.around_lines() else { return false };
        let end = (line.end + length).min(self.buffer.len());
        let read = self.wrapped.map_or(self.buffer.len(), |(wrapped, _)| wrapped.len());
        let is_whole = end < self.buffer.len() || read < ENDED;
        // One byte more, which tells whether a line begins behind it.
        let Some(from) = line.start.checked_sub(length + 1) else {
            let behind = self.file.behind.len();
            let text = [&self.file.behind, self.buffer.get(..end).unwrap_or_default()].concat();
            return format.forged(&text, line.start + behind..line.end + behind, is_whole);
        };
        let text = self.buffer.get(from..end).unwrap_or_default();
        format.forged(text, line.start - from..line.end - from, is_whole)
    }

    fn record(&mut self, record: &Record<'_>, chosen: Chosen) {
        let Some(client) = record.address() else { return self.hosts(record, chosen) };
        let mut offences = SmallVec::new();
        for shared in self.reader.chosen(chosen) {
            shared.look(record, self.reference, &self.file.memories, &mut offences);
        }
        self.observe(record, client, None, offences);
    }

    /// A record without an address of its own: each filter names its host. What concerns one address is one
    /// observation, since all jails judge a record by the bans that were there before it.
    fn hosts(&mut self, record: &Record<'_>, chosen: Chosen) {
        if record.client_range().is_some() {
            self.file.nameless += 1;
            // Some formats take what a header begins with for a client's name.
            if header(record.line()).is_some() {
                self.file.relook();
            }
        }
        let mut named: SmallVec<[Named; 1]> = SmallVec::new();
        for shared in self.reader.chosen(chosen) {
            let mut offences = SmallVec::<[Offence; 2]>::new();
            let matched = shared.look(record, self.reference, &self.file.memories, &mut offences);
            let host = matched.as_ref().and_then(|matched| matched.named(record.line()));
            let Some((address, network)) = host.and_then(named_by) else { continue };
            offences.iter_mut().for_each(|offence| offence.network = network);
            let time = matched.as_ref().and_then(|matched| matched.told.as_ref()?.time);
            match named.iter_mut().find(|(known, ..)| *known == address) {
                Some((_, _, all)) => all.append(&mut offences),
                None => named.push((address, time, offences)),
            }
        }
        for (address, time, offences) in named {
            self.observe(record, address, time, offences);
        }
    }

    /// `time` is what the filter found on a line whose format has no time.
    fn observe(
        &mut self,
        record: &Record<'_>,
        address: Address,
        time: Option<Timestamp>,
        offences: SmallVec<[Offence; 2]>,
    ) {
        self.file.offences += offences.len() as u64;
        let logged = time.or(record.time()).or_else(|| self.wrapper_time(record.line()));
        let at = self.event_time(logged);
        let text = (self.reader.evidence && !offences.is_empty()).then(|| evidence(record.line()));
        let asked = offences.iter().any(|offence| self.reader.asking.contains(&offence.jail));
        let agent = asked.then(|| record.field(&Field::UserAgent)).flatten();
        let claims = agent.and_then(|agent| Crawler::claimed_by(&agent));
        self.out.push(Observation { address, at, logged, refused: record.refused(), offences, claims, text });
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

/// Whom a filter names: an address, or the first address of a network and how many bits are its.
fn named_by(host: &[u8]) -> Option<(Address, Option<u8>)> {
    let network = || std::str::from_utf8(host).ok()?.parse::<Prefix>().ok();
    let prefix = || network().map(|net| (net.first(), Some(net.length()).filter(|_| !net.is_host())));
    Address::parse(host).map(|address| (address, None)).or_else(prefix)
}

fn evidence(line: &[u8]) -> Box<str> {
    String::from_utf8_lossy(line.get(..EVIDENCE_BYTES).unwrap_or(line)).into()
}
