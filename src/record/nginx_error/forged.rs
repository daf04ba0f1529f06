//! Whether a line of nginx's error log may have been written inside of an entry, by a path with a line end in it.
//!
//! nginx writes an entry whole, and none has more than 2,047 bytes. One that holds a decoded path with line ends ends with
//! the request as it came, which then has `%0A`; or it is cut there, and has exactly so many bytes. So a line can only be
//! forged where an entry with a path, or another message that is not its own, begins less than that before it, and such
//! an end follows.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use super::{Kind, LONGEST, head, kind};

/// So many bytes on either side of a line tell: the longest entry and its line end.
pub(in crate::record) const WINDOW: usize = LONGEST + 1;

/// Whether the line at `at` of `text` may be part of an entry that began before it or goes on after it. `text` holds what
/// stands around it, as much as `WINDOW` on either side where there is so much; `is_whole` says whether the writer has
/// nothing more behind it.
pub(in crate::record) fn is_forgeable(text: &[u8], at: Range<usize>, is_whole: bool) -> bool {
    let from = at.start.saturating_sub(WINDOW);
    let newlines = memchr_iter(b'\n', text.get(from..at.start).unwrap_or_default());
    let starts = newlines.map(|newline| from + newline + 1).filter(|start| *start < at.start);
    let first = (from == 0).then_some(0);
    first.into_iter().chain(starts).chain([at.start]).any(|start| reaches(text, start, &at, is_whole))
}

/// Whether an entry that begins at `start` may reach the line at `at`, or, if it is this line, beyond it.
fn reaches(text: &[u8], start: usize, at: &Range<usize>, is_whole: bool) -> bool {
    let line = line_at(text, start);
    let Some(head) = head(line) else { return false };
    match kind(line.get(head.message..).unwrap_or_default()) {
        _ if !head.numbered => false,
        Kind::Fixed | Kind::Named | Kind::Single => false,
        Kind::Other => start < at.start,
        Kind::Path => ends_behind(text, start, at.end, is_whole),
    }
}

/// Whether an entry that began at `start` may end at the end of the line that ends at `from`, or of a later one.
fn ends_behind(text: &[u8], start: usize, from: usize, is_whole: bool) -> bool {
    let limit = start + LONGEST;
    let mut line = text.get(..from).map_or(0, |before| memrchr(b'\n', before).map_or(0, |n| n + 1));
    loop {
        let end = line + line_at(text, line).len();
        if end > limit {
            return false;
        }
        if end == limit || has_line_end(line_at(text, line)) {
            return true;
        }
        if end + 1 >= text.len() {
            return !is_whole;
        }
        line = end + 1;
    }
}

/// The line that begins at `start`.
fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = text.get(start..).unwrap_or_default();
    rest.get(..memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default()
}

/// Whether a line end is spelled in it: `%0A`, also encoded again.
fn has_line_end(line: &[u8]) -> bool {
    memchr_iter(b'%', line).any(|at| {
        let mut rest = line.get(at + 1..).unwrap_or_default();
        while let Some(decoded) = rest.strip_prefix(b"25") {
            rest = decoded;
        }
        matches!(rest, [b'0', b'a' | b'A', ..])
    })
}
