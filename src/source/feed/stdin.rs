//! Standard input: lines until it ends.

use std::io::{self, Stdin as Input, stdin};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use super::alarm::is_ready;
use super::haul::{Cutter, Haul, READ};
use crate::source::Event;

/// Standard input, read without the buffer of the standard library.
pub(in crate::source) struct Stdin {
    input: Input,
    cutter: Cutter,
    buffer: Vec<u8>,
    pub(super) ended: bool,
}

impl Stdin {
    pub(super) fn new() -> Self {
        Self { input: stdin(), cutter: Cutter::default(), buffer: vec![0; READ], ended: false }
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.input.as_fd())
    }

    /// Takes what is there; whether there may be more. Never waits, however the descriptor is shared with others.
    pub(super) fn read(&mut self, at: &str, haul: &mut Haul) -> io::Result<bool> {
        while !haul.is_full() && !self.ended && is_ready(self.input.as_fd()) {
            match nix::unistd::read(self.input.as_fd(), &mut self.buffer) {
                Ok(0) => {
                    self.ended = true;
                    let unfinished = self.cutter.unfinished();
                    haul.events.push(Event::Ended { at: at.to_owned(), unfinished });
                }
                Ok(read) => self.cutter.feed(at, &self.buffer[..read], haul),
                Err(Errno::EINTR | Errno::EAGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(haul.is_full())
    }
}
