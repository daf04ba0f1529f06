//! Takes wrappers off whole buffers, before anything is searched: container logs, syslog headers, and both in each other.
//!
//! Which a file has is found out from its lines, and a header or wrapper is taken off only where a line fits. A line of a
//! container's log that does not is no line of the server's and is refused; what follows no syslog header is read as it is.

use std::ops::Range;

use super::scan::lines;
use crate::record::{Container, Format, Part, Stream, header, is_syslog};
use crate::source::MAX_LINE;

/// So many lines that tell something decide.
const ENOUGH: usize = 64;

/// What a file's lines are wrapped in, and the lines that are not complete yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwrap {
    container: Option<Container>,
    syslog: bool,
    /// They are sent to a socket: what begins with a priority loses its header whatever the other lines are.
    sent: bool,
    /// A line that no format reads may be a raw one, and keeps its header: raw patterns expect it.
    pub(super) raw: bool,
    /// Lines that told something: provisional until they are enough.
    looked: usize,
    /// Lines that had a syslog header, and lines that had none.
    votes: (usize, usize),
    /// One for each stream.
    begun: [Begun; 2],
    /// Lines that were cut since they were too long.
    pub(super) cut: u64,
}

/// A line whose end has not come yet; at most `MAX_LINE` of it is kept.
#[derive(Clone, Debug, Default)]
struct Begun {
    text: Vec<u8>,
    /// How many bytes of the file were read before its first part; `None` while there is none.
    since: Option<u64>,
    overlong: bool,
}

/// A buffer without wrappers: used again for each.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    /// The lines that were inside, each with its newline.
    pub(super) lines: Vec<u8>,
    /// One for each of them.
    pub(super) marks: Vec<Mark>,
    /// Lines of the wrapped buffer that do not fit.
    pub(super) misfits: Vec<Range<usize>>,
}

/// Where a line came from.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Where it begins.
    pub(super) start: usize,
    /// Which line of the wrapped buffer ended it, from 0.
    pub(super) number: usize,
    /// Where the wrapper's time stands in the wrapped buffer.
    pub(super) time: Range<usize>,
}

impl Unwrap {
    /// Of messages that are sent to a socket.
    pub(super) fn of_messages() -> Self {
        Self { sent: true, ..Self::default() }
    }

    /// Looks at a buffer's first lines, while it is not decided what they are wrapped in.
    pub(super) fn notice(&mut self, buffer: &[u8], format: Option<&Format>) {
        if self.looked >= ENOUGH {
            return;
        }
        let (mut inside, mut fitting, mut plain) = (Vec::new(), [0; 2], 0);
        for line in lines(buffer).filter(|line| !line.trim_ascii().is_empty()).take(ENOUGH) {
            inside.clear();
            let fits = |container: &Container| container.unwrap(line, &mut inside).is_some();
            let container = Container::ALL.iter().position(fits);
            match container {
                Some(which) => fitting[which] += 1,
                None => plain += 1,
            }
            let vote = is_syslog(if container.is_some() { &inside } else { line }, format);
            let vote = vote.or(self.raw.then_some(false));
            self.votes.0 += usize::from(vote == Some(true));
            self.votes.1 += usize::from(vote == Some(false));
            self.looked += usize::from(container.is_some() || vote.is_some());
        }
        let most = Container::ALL.into_iter().zip(fitting).max_by_key(|(_, count)| *count);
        self.container = most.filter(|(_, count)| *count > 0 && *count >= plain).map(|(which, _)| which);
        self.syslog = self.votes.0 > self.votes.1;
    }

    /// Looks at the next lines anew.
    pub(super) fn relook(&mut self) {
        (self.looked, self.votes) = (0, (0, 0));
    }

    /// Whether there is something to take off, or to join.
    pub(super) fn is_needed(&self) -> bool {
        self.container.is_some() || self.syslog || self.sent
    }

    /// What lines are wrapped in, outermost first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.container.map(Container::name).into_iter().chain(self.syslog.then_some("syslog"))
    }

    /// How many bytes lie between the first part of a line that is not complete and `read`, the bytes read so far.
    pub(super) fn held(&self, read: u64) -> Option<u64> {
        self.begun.iter().filter_map(|begun| begun.since).min().map(|since| read.saturating_sub(since))
    }

    /// Goes on with the lines that its predecessor began: a runtime may rotate its log between two parts.
    pub(super) fn go_on(&mut self, predecessor: &mut Self) {
        self.begun = std::mem::take(&mut predecessor.begun);
        for begun in self.begun.iter_mut().filter(|begun| begun.since.is_some()) {
            begun.since = Some(0);
        }
    }

    /// The beginnings of lines that have no end.
    pub(super) fn give_up(&mut self) -> Vec<Vec<u8>> {
        let begun = std::mem::take(&mut self.begun);
        begun.into_iter().filter(|begun| begun.since.is_some()).map(|begun| begun.text).collect()
    }

    /// Takes the wrappers off. `read`: how many bytes of the file were read before this buffer.
    pub(super) fn run(&mut self, buffer: &[u8], read: u64, out: &mut Unwrapped) {
        out.clear();
        let mut at = 0;
        for (number, line) in lines(buffer).enumerate() {
            if let Some(container) = self.container {
                self.contained(container, line, (number, at, read), out);
            } else {
                let start = out.lines.len();
                out.lines.extend_from_slice(line);
                self.finish(Mark { start, number, time: at..at }, out);
            }
            at += line.len() + 1;
        }
    }

    fn contained(
        &mut self,
        container: Container,
        line: &[u8],
        (number, at, read): (usize, usize, u64),
        out: &mut Unwrapped,
    ) {
        let start = out.lines.len();
        let Some(Part { stream, ends, time }) = container.unwrap(line, &mut out.lines) else {
            if !line.trim_ascii().is_empty() {
                out.misfits.push(at..at + line.len());
            }
            return;
        };
        let begun = match stream {
            Stream::Output => &mut self.begun[0],
            Stream::Error => &mut self.begun[1],
        };
        if begun.since.is_some() || !ends {
            begun.add(out.lines.get(start..).unwrap_or_default());
            out.lines.truncate(start);
            begun.since.get_or_insert(read + at as u64);
            if !ends {
                return;
            }
            out.lines.extend_from_slice(&begun.text);
            self.cut += u64::from(begun.overlong);
            *begun = Begun::default();
        }
        self.finish(Mark { start, number, time: at + time.start..at + time.end }, out);
    }

    /// Ends the line that begins at the mark, and takes its syslog header off.
    fn finish(&self, mut mark: Mark, out: &mut Unwrapped) {
        let line = out.lines.get(mark.start..).unwrap_or_default();
        let header = if self.syslog || self.sent { header(line) } else { None };
        if let Some(header) = header.filter(|header| self.syslog || header.is_sent) {
            // A container's time has a year and a zone.
            if mark.time.is_empty() {
                mark.time = mark.time.start + header.time.start..mark.time.start + header.time.end;
            }
            out.lines.drain(mark.start..mark.start + header.length);
        }
        out.lines.push(b'\n');
        out.marks.push(mark);
    }
}

impl Begun {
    fn add(&mut self, part: &[u8]) {
        let room = (MAX_LINE - 1).saturating_sub(self.text.len());
        self.overlong |= part.len() > room;
        self.text.extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

/// A buffer that one long line made larger than this is given back.
const KEPT: usize = 2 * MAX_LINE;

impl Unwrapped {
    fn clear(&mut self) {
        self.lines.clear();
        self.lines.shrink_to(KEPT);
        self.marks.clear();
        self.misfits.clear();
    }

    /// The mark of the line that begins at `start`.
    pub(super) fn mark(&self, start: usize) -> Option<&Mark> {
        self.marks.binary_search_by_key(&start, |mark| mark.start).ok().and_then(|at| self.marks.get(at))
    }
}

#[cfg(test)]
mod tests;
