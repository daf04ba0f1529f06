//! Reading on: what is there is checked to be what was appended, and handed out as whole lines.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;

use memchr::{memchr, memrchr};

use super::{Hands, Look, RECENT, Tail};
use crate::source::chunker::{MAX_LINE, READ, SAMPLE};
use crate::source::head::{Head, read_full_at, starts_line};
use crate::source::{Chunk, Event};

/// At most so much is read from one file before the others have their turn.
const BUDGET: usize = 1 << 20;

/// How one read ended.
enum Step {
    Moved { bytes: usize, end: bool },
    Stopped,
    Changed,
}

/// A line that is too long, while it is skipped. The offset stays at its start until its newline is found.
pub(super) struct Overlong {
    length: u64,
    sample: Vec<u8>,
}

impl Tail {
    /// Hands out whole lines up to the budget.
    pub(super) fn read(&mut self, hands: &mut Hands<'_>) -> io::Result<Look> {
        let caught_up = self.ended_at.is_some_and(|at| hands.now.duration_since(at).abs() <= RECENT);
        let mut spent = 0;
        while spent < BUDGET {
            match self.step(hands, caught_up)? {
                Step::Moved { end: true, .. } => return Ok(Look::End),
                Step::Moved { bytes, .. } => spent += bytes,
                Step::Stopped => return Ok(Look::Stopped),
                Step::Changed => return Ok(Look::Changed),
            }
        }
        Ok(Look::More)
    }

    /// Reads once. The bytes are handed out only if *afterwards* the file still begins as it did, and has a line
    /// starting where they begin: so they are what was appended, not what a truncation put in its place.
    fn step(&mut self, hands: &mut Hands<'_>, caught_up: bool) -> io::Result<Step> {
        let (offset, skipped) = (self.offset, self.overlong.as_ref().map_or(0, |line| line.length));
        let file = self.opened()?;
        let read = read_long_line_at(file, hands.buffer, offset + skipped, skipped == 0)?;
        let now = Head::read(file)?;
        if !starts_line(file, offset)? || !self.head.follows(&now) {
            return Ok(Step::Changed);
        }
        let end = read < READ;
        if self.overlong.is_some() {
            return Ok(self.skip(read, end, hands));
        }
        let zeros = leading_zeros(&hands.buffer[..read]);
        if zeros > 0 {
            return Ok(self.step_over(zeros, read, end, hands));
        }
        match memrchr(b'\n', &hands.buffer[..read]) {
            Some(newline) => Ok(self.hand_out(newline + 1, end, caught_up, hands)),
            None if read == MAX_LINE => Ok(self.begin_to_skip(hands)),
            None => Ok(Step::Moved { bytes: read, end: true }),
        }
    }

    fn hand_out(&mut self, len: usize, end: bool, caught_up: bool, hands: &mut Hands<'_>) -> Step {
        let offset = self.offset;
        self.offset += len as u64;
        self.record(hands.positions);
        let Hands { buffer, positions, consumer, .. } = hands;
        let chunk =
            Chunk { file: &self.info, bytes: &buffer[..len], offset, caught_up, arrived: None, positions };
        match consumer.lines(chunk) {
            ControlFlow::Continue(()) => Step::Moved { bytes: len, end },
            ControlFlow::Break(()) => Step::Stopped,
        }
    }

    /// A hole of NUL bytes is no line: a server that does not append leaves one behind a truncation, a crash another.
    /// One that nothing follows may still be filled: it is waited for, up to the length of a line.
    fn step_over(&mut self, zeros: usize, read: usize, end: bool, hands: &mut Hands<'_>) -> Step {
        if zeros == read && read < MAX_LINE {
            return Step::Moved { bytes: read, end: true };
        }
        self.offset += zeros as u64;
        self.record(hands.positions);
        Step::Moved { bytes: zeros, end: end && zeros == read }
    }

    fn begin_to_skip(&mut self, hands: &mut Hands<'_>) -> Step {
        let sample = hands.buffer[..SAMPLE].to_vec();
        self.overlong = Some(Overlong { length: MAX_LINE as u64, sample });
        Step::Moved { bytes: MAX_LINE, end: false }
    }

    fn skip(&mut self, read: usize, end: bool, hands: &mut Hands<'_>) -> Step {
        let newline = memchr(b'\n', &hands.buffer[..read]);
        let bytes = newline.map_or(read, |at| at + 1);
        let Some(mut line) = self.overlong.take() else { return Step::Moved { bytes: 0, end } };
        line.length += bytes as u64;
        if newline.is_none() {
            self.overlong = Some(line);
            return Step::Moved { bytes, end };
        }
        let (path, offset) = (self.info.path.clone(), self.offset);
        self.offset += line.length;
        self.record(hands.positions);
        hands.consumer.event(Event::Overlong { path, offset, length: line.length, sample: line.sample });
        Step::Moved { bytes, end: false }
    }
}

/// Reads [`READ`] bytes; where they hold no newline and a line may begin here, as many as a line may have.
fn read_long_line_at(file: &File, buffer: &mut [u8], offset: u64, is_line: bool) -> io::Result<usize> {
    let (first, rest) = buffer.split_at_mut(READ);
    let read = read_full_at(file, first, offset)?;
    if read < READ || !is_line || memrchr(b'\n', first).is_some() {
        return Ok(read);
    }
    Ok(READ + read_full_at(file, rest, offset + READ as u64)?)
}

fn leading_zeros(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())
}
