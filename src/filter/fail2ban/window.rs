//! The last lines of a log, for patterns that span several.

use std::collections::VecDeque;

use super::engine::Found;

/// More bytes than these are not looked at together, but for a single longer line.
const MOST_BYTES: usize = 64 << 10;

/// Lines without their dates, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    lines: VecDeque<String>,
}

impl Window {
    /// Adds a line; of more than `most` the oldest goes.
    pub(super) fn push(&mut self, line: String, most: usize) {
        self.lines.push_back(line);
        let mut bytes: usize = self.lines.iter().map(|line| line.len() + 1).sum();
        while self.lines.len() > most || (bytes > MOST_BYTES && self.lines.len() > 1) {
            bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
        }
    }

    /// The lines as one text.
    pub(super) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Takes out the lines that a match in that text took; those that it skipped stay.
    pub(super) fn take(&mut self, found: &Found) {
        let is_skipped = |start: usize, end: usize| {
            let mut skipped = found.groups.iter().filter(|(name, _)| name.starts_with("skiplines"));
            skipped.any(|(_, range)| range.start <= start && end <= range.end)
        };
        let mut at = 0;
        self.lines.retain(|line| {
            let (start, end) = (at, at + line.len() + 1);
            at = end;
            let is_apart = end <= found.range.start || start >= found.range.end;
            is_apart || is_skipped(start, end)
        });
    }
}
