//! Whole lines from any stream: a file read once from its start, a decompressor, standard input.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

/// Longest line that is handed out, newline included: 1 MiB. A request line, Referer, User-Agent and other headers at the
/// servers' own limits (nginx: 4 × 8 KiB, each byte written as `\xHH`) stay far below, so no client can hide an offence by
/// making its line too long.
pub const MAX_LINE: usize = 1 << 20;

/// How much of a line that is too long is shown.
pub(super) const SAMPLE: usize = 200;

/// How much is read at once.
pub(super) const READ: usize = 256 << 10;

/// Cuts a stream into chunks of whole lines.
///
/// Lines longer than [`MAX_LINE`] are left out up to their newline and counted. The last line is handed out even without
/// its newline.
pub struct Chunker<R> {
    input: R,
    /// Grows from [`READ`] up to [`MAX_LINE`] when a line needs it.
    buffer: Vec<u8>,
    /// What was handed out and is dropped by the next call.
    given: usize,
    /// How much of the buffer is filled.
    filled: usize,
    ended: bool,
    /// Inside a line that is too long.
    discarding: bool,
    overlong: u64,
}

impl<R: Read> Chunker<R> {
    /// A chunker over `input`, which needs no buffer of its own.
    pub fn new(input: R) -> Self {
        let buffer = vec![0; READ];
        Self { input, buffer, given: 0, filled: 0, ended: false, discarding: false, overlong: 0 }
    }

    /// How many lines were too long so far.
    pub fn overlong(&self) -> u64 {
        self.overlong
    }

    /// The next whole lines; `None` at the end. After an error the stream is where it was: ask again, or give up.
    pub fn next_chunk(&mut self) -> io::Result<Option<&[u8]>> {
        self.drop_given();
        loop {
            // What was left over holds no newline: only new bytes can.
            let searched = self.filled;
            self.fill()?;
            if let Some(end) = self.lines_end(searched) {
                self.given = end;
                return Ok(Some(&self.buffer[..end]));
            }
            if self.ended {
                return Ok(None);
            }
        }
    }

    fn drop_given(&mut self) {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.given = 0;
    }

    /// Reads once; makes room first where a line fills the whole buffer.
    fn fill(&mut self) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize((self.buffer.len() * 2).min(MAX_LINE), 0);
        }
        while self.filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(read) => {
                    self.ended = read == 0;
                    self.filled += read;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where the whole lines in the buffer end, looking for newlines from `searched` on.
    fn lines_end(&mut self, searched: usize) -> Option<usize> {
        if self.discarding {
            self.discard()?;
            return memrchr(b'\n', &self.buffer[..self.filled]).map(|at| at + 1).or_else(|| self.rest());
        }
        let newline = memrchr(b'\n', &self.buffer[searched..self.filled]).map(|at| searched + at + 1);
        newline.or_else(|| self.rest())
    }

    /// The unfinished line: handed out at the end of the stream, given up when it is too long.
    fn rest(&mut self) -> Option<usize> {
        if self.filled == MAX_LINE {
            (self.discarding, self.filled) = (true, 0);
            self.overlong += 1;
        }
        (self.ended && self.filled > 0).then_some(self.filled)
    }

    /// Drops what belongs to the line that is too long; `None` while its newline is not reached.
    fn discard(&mut self) -> Option<()> {
        let newline = memchr(b'\n', &self.buffer[..self.filled]);
        self.given = newline.map_or(self.filled, |at| at + 1);
        self.drop_given();
        self.discarding = newline.is_none();
        newline.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hands out its bytes in pieces of the given sizes.
    struct Pieces<'a>(&'a [u8], Vec<usize>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.1.pop().unwrap_or(usize::MAX).max(1);
            let n = piece.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(n);
            buffer[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    fn chunks(input: impl Read) -> (Vec<Vec<u8>>, u64) {
        let mut chunker = Chunker::new(input);
        let mut all = Vec::new();
        while let Some(chunk) = chunker.next_chunk().unwrap() {
            all.push(chunk.to_vec());
        }
        (all, chunker.overlong())
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_cut(bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..2000),
                                              pieces in prop::collection::vec(1..300_usize, 0..40)) {
            let (all, overlong) = chunks(Pieces(&bytes, pieces));
            prop_assert_eq!(overlong, 0);
            for chunk in all.iter().rev().skip(1) {
                prop_assert_eq!(chunk.last(), Some(&b'\n'));
            }
            prop_assert_eq!(all.concat(), bytes);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_up_to_its_newline() {
        let fits = [vec![b'f'; MAX_LINE - 1], vec![b'\n']].concat();
        let long = [vec![b'x'; MAX_LINE * 2 + 5], vec![b'\n']].concat();
        let bytes =
            [b"first\n".to_vec(), fits.clone(), long.clone(), b"next\n".to_vec(), long, b"last".to_vec()]
                .concat();
        let (all, overlong) = chunks(&bytes[..]);
        assert!(all.concat() == [b"first\n".to_vec(), fits, b"next\nlast".to_vec()].concat());
        assert_eq!(overlong, 2);
    }

    #[test]
    fn the_end_of_the_stream_ends_a_line_that_is_too_long() {
        let (all, overlong) = chunks(&vec![b'x'; MAX_LINE + 5][..]);
        assert!(all.is_empty());
        assert_eq!(overlong, 1);
    }
}
