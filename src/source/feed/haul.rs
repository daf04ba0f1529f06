//! What one turn of a feed brings: whole lines, and what is to be told.

use std::borrow::Cow;

use jiff::Timestamp;
use memchr::{memchr, memrchr};

use crate::source::Event;
use crate::source::chunker::{MAX_LINE, SAMPLE};

/// At most so much is taken in a turn, before what was judged is stored and `stop` is looked at.
pub(super) const BUDGET: usize = 1 << 20;

/// How much is read at once.
pub(super) const READ: usize = 64 << 10;

/// Lines that belong together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Where they end in the haul.
    pub(super) end: usize,
    /// When they arrived, where that was noted.
    pub(super) arrived: Option<Timestamp>,
    /// The place in a journal behind them.
    pub(super) cursor: Option<String>,
}

/// What a turn brought.
#[derive(Default)]
pub(super) struct Haul {
    /// Whole lines, each with its newline.
    pub(super) lines: Vec<u8>,
    /// In order; what follows the last one has neither time nor cursor.
    pub(super) parts: Vec<Part>,
    pub(super) events: Vec<Event>,
}

impl Haul {
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.parts.clear();
        self.events.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= BUDGET
    }

    /// The parts with their lines; the last may be all there is.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&[u8], &Part)> {
        const REST: &Part = &Part { end: 0, arrived: None, cursor: None };
        let mut begin = 0;
        let marked = self.parts.iter().map(move |part| {
            let lines = self.lines.get(begin..part.end).unwrap_or_default();
            begin = part.end;
            (lines, part)
        });
        let last = self.parts.last().map_or(0, |part| part.end);
        let rest = self.lines.get(last..).filter(|rest| !rest.is_empty());
        marked.chain(rest.map(|rest| (rest, REST)))
    }

    /// Adds one message as one line, whatever it holds: a newline inside it begins no line of its own.
    pub(super) fn message(&mut self, at: &str, message: &[u8]) {
        let message = trimmed(message);
        if message.len() >= MAX_LINE {
            return self.overlong(at, message.len() as u64, message);
        }
        if message.is_empty() {
            return;
        }
        self.lines.extend_from_slice(&one_line(message));
        self.lines.push(b'\n');
    }

    pub(super) fn overlong(&mut self, at: &str, length: u64, bytes: &[u8]) {
        let sample = bytes.get(..SAMPLE).unwrap_or(bytes).to_vec();
        self.events.push(Event::OverlongMessage { at: at.to_owned(), length, sample });
    }
}

/// Without what senders end a message with.
fn trimmed(message: &[u8]) -> &[u8] {
    let end = message.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0));
    message.get(..end.map_or(0, |at| at + 1)).unwrap_or_default()
}

fn one_line(message: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\n', message).is_none() {
        return Cow::Borrowed(message);
    }
    message.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect()
}

/// Cuts a stream into lines. Holds at most one line that is not complete yet, up to [`MAX_LINE`].
#[derive(Debug, Default)]
pub(super) struct Cutter {
    begun: Vec<u8>,
    /// So much of a line that is too long was left out, and how it begins.
    skipped: Option<(u64, Vec<u8>)>,
}

impl Cutter {
    /// Takes what was read from the stream, and adds the lines that it completes.
    pub(super) fn feed(&mut self, at: &str, mut bytes: &[u8], haul: &mut Haul) {
        if let Some((length, sample)) = self.skipped.take() {
            let newline = memchr(b'\n', bytes);
            let taken = newline.map_or(bytes.len(), |newline| newline + 1);
            let length = length + taken as u64;
            if newline.is_none() {
                self.skipped = Some((length, sample));
                return;
            }
            haul.overlong(at, length, &sample);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        let Some(last) = memrchr(b'\n', bytes) else { return self.begin(bytes) };
        let (whole, rest) = bytes.split_at(last + 1);
        haul.lines.append(&mut self.begun);
        haul.lines.extend_from_slice(whole);
        self.begin(rest);
    }

    fn begin(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        if self.begun.len() >= MAX_LINE {
            let begun = std::mem::take(&mut self.begun);
            let sample = begun.get(..SAMPLE).unwrap_or_default().to_vec();
            self.skipped = Some((begun.len() as u64, sample));
        }
    }

    /// How much there is of a line without its newline.
    pub(super) fn unfinished(&self) -> usize {
        self.skipped.as_ref().map_or(self.begun.len(), |(length, _)| *length as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_whole_however_they_are_cut(text in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..500),
                                                 pieces in prop::collection::vec(1..40_usize, 0..60)) {
            let (mut cutter, mut haul) = (Cutter::default(), Haul::default());
            let mut rest = text.as_slice();
            for piece in pieces.into_iter().chain([text.len()]) {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                cutter.feed("stdin", now, &mut haul);
                prop_assert!(haul.lines.is_empty() || haul.lines.ends_with(b"\n"));
                rest = later;
            }
            let whole = memrchr(b'\n', &text).map_or(0, |at| at + 1);
            prop_assert_eq!(&haul.lines, &text[..whole]);
            prop_assert_eq!(cutter.unfinished(), text.len() - whole);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_nothing_else() {
        let (mut cutter, mut haul) = (Cutter::default(), Haul::default());
        cutter.feed("stdin", b"first\nlong", &mut haul);
        for _ in 0..3 * MAX_LINE / READ {
            cutter.feed("stdin", &vec![b'x'; READ], &mut haul);
            assert!(cutter.begun.len() < MAX_LINE, "bounded");
        }
        cutter.feed("stdin", b"end\nlast\n", &mut haul);
        assert_eq!(haul.lines, b"first\nlast\n");
        let told: Vec<String> = haul.events.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("stdin: a line of 3145736 bytes was left out; it begins with \"longxxx"),
            "{told:?}"
        );
    }

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        let mut haul = Haul::default();
        for message in [&b"one\n"[..], b"two\0", b"", b"\n\n", b"three\n203.0.113.7 forged\r\n", b"\xff"] {
            haul.message("udp", message);
        }
        assert_eq!(haul.lines, b"one\ntwo\nthree 203.0.113.7 forged\n\xff\n");
        haul.message("udp", &vec![b'x'; MAX_LINE]);
        assert_eq!(haul.events.len(), 1);
    }

    #[test]
    fn parts_cover_all_lines_once() {
        let part = |end| Part { end, cursor: Some(end.to_string()), ..Part::default() };
        let haul = Haul { lines: b"a\nb\nc\n".to_vec(), parts: vec![part(2), part(4)], events: Vec::new() };
        let parts: Vec<(&[u8], bool)> =
            haul.parts().map(|(lines, part)| (lines, part.cursor.is_some())).collect();
        assert_eq!(parts, [(&b"a\n"[..], true), (b"b\n", true), (b"c\n", false)]);
    }
}
