//! The first look: where in a file without a checkpoint the lines begin that still matter.

use std::fs::File;
use std::io;

use jiff::{SignedDuration, Timestamp};
use memchr::{memchr, memchr_iter, memrchr};

use super::head::read_full_at;

/// How much is read for one probe, and where bisection ends and reading on begins.
const BLOCK: usize = 64 << 10;

/// A probe gives up after so many bytes without a time.
const PROBE: u64 = 1 << 20;

/// How many lines with a time make a probe: their latest counts, so that one late line does not mislead it.
const LINES: usize = 8;

/// How far lines may be out of order (Apache logs a request's start when it ends): bisection aims so much earlier, then
/// reads on to the first line that is recent enough.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Asks for a line's time.
pub(super) type TimeOf<'a> = dyn FnMut(&[u8]) -> Option<Timestamp> + 'a;

/// Where the first line starts whose time is `since` or later; the end of the last whole line where none is. `None`
/// where the lines have no times.
///
/// Reads about 64 KiB for each halving of the file, and at most 1 MiB where the lines have no time.
pub fn first_since(file: &File, since: Timestamp, time_of: &mut TimeOf<'_>) -> io::Result<Option<u64>> {
    let end = lines_end(file)?;
    let mut search = Search { file, time_of, buffer: vec![0; BLOCK] };
    let timed_start = search.probe(0, end)?.is_some();
    if !timed_start && search.probe(end.saturating_sub(BLOCK as u64), end)?.is_none() {
        return Ok(None);
    }
    let aim = since.checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
    let start = search.bisect(end, aim)?;
    search.scan(start, end, since).map(Some)
}

/// The end of the last whole line: 0 where there is none.
pub fn lines_end(file: &File) -> io::Result<u64> {
    let mut buffer = vec![0; BLOCK];
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let read = read_full_at(file, &mut buffer[..(end - start) as usize], start)?;
        if let Some(newline) = memrchr(b'\n', &buffer[..read]) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

struct Search<'a, 'b> {
    file: &'a File,
    time_of: &'a mut TimeOf<'b>,
    buffer: Vec<u8>,
}

impl Search<'_, '_> {
    /// A line start before which all lines are earlier than `aim`, as far as probes tell; near the first that is not.
    fn bisect(&mut self, end: u64, aim: Timestamp) -> io::Result<u64> {
        let (mut low, mut high) = (0, end);
        while high - low > BLOCK as u64 {
            let middle = low + (high - low) / 2;
            match self.probe(middle, high)? {
                Some((start, time)) if time < aim => low = start,
                // Without a time on this side, the earlier half is the safe one.
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Of the first lines with a time that begin behind `from` (or at 0): where the first begins, and their latest time.
    fn probe(&mut self, from: u64, end: u64) -> io::Result<Option<(u64, Timestamp)>> {
        let stop = end.min(from + PROBE);
        let Some(start) = self.line_start(from, stop)? else { return Ok(None) };
        let mut found: Option<(u64, Timestamp)> = None;
        let mut lines = 0;
        self.each_time(start, stop, &mut |at, time| {
            found = Some(found.map_or((at, time), |(first, latest)| (first, latest.max(time))));
            lines += 1;
            lines == LINES
        })?;
        Ok(found)
    }

    /// Where the first line begins whose time is `since` or later; `end` where none is.
    fn scan(&mut self, start: u64, end: u64, since: Timestamp) -> io::Result<u64> {
        let mut found = end;
        self.each_time(start, end, &mut |at, time| {
            found = if time >= since { at } else { end };
            time >= since
        })?;
        Ok(found)
    }

    /// The first start of a line at 0 or behind `from`.
    fn line_start(&mut self, from: u64, stop: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at > 0 && at < stop {
            let read = read_full_at(self.file, &mut self.buffer, at)?;
            match memchr(b'\n', &self.buffer[..read]) {
                Some(newline) => return Ok(Some(at + newline as u64 + 1)),
                None if read == 0 => return Ok(None),
                None => at += read as u64,
            }
        }
        Ok((at == 0).then_some(0))
    }

    /// Shows each line with a time from the line start `start` on, until `stop` or until `enough` says so. A line
    /// longer than the buffer is passed over.
    fn each_time(
        &mut self,
        start: u64,
        stop: u64,
        enough: &mut dyn FnMut(u64, Timestamp) -> bool,
    ) -> io::Result<()> {
        let mut at = start;
        while at < stop {
            let read = read_full_at(self.file, &mut self.buffer, at)?;
            let mut line = 0;
            for newline in memchr_iter(b'\n', &self.buffer[..read]) {
                let time = (self.time_of)(&self.buffer[line..newline]);
                if time.is_some_and(|time| enough(at + line as u64, time)) {
                    return Ok(());
                }
                line = newline + 1;
                if at + line as u64 >= stop {
                    return Ok(());
                }
            }
            match line {
                0 => match self.line_start(at.max(1), stop)? {
                    Some(next) => at = next,
                    None => return Ok(()),
                },
                _ => at += line as u64,
            }
        }
        Ok(())
    }
}
