//! Waiting for descriptors: until one can be read, a time is over, or another thread rings.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pair of sockets, of which the feed waits for one and others write to the other.
pub(super) struct Alarm {
    heard: UnixStream,
    bell: Bell,
}

/// The end that rings; cheap to clone.
#[derive(Clone)]
pub(in crate::source) struct Bell(Arc<UnixStream>);

impl Bell {
    /// Ends a wait, or the next one.
    pub(in crate::source) fn ring(&self) {
        // A full buffer holds more rings than are needed.
        let _ = (&*self.0).write(&[1]);
    }
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        let (heard, bell) = UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok(Self { heard, bell: Bell(Arc::new(bell)) })
    }

    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Sleeps until one of `inputs` can be read (or has ended), the bell rings, or `at_most` is over.
    pub(super) fn wait(&self, inputs: &[BorrowedFd<'_>], at_most: Duration) {
        let all = inputs.iter().copied().chain([self.heard.as_fd()]);
        let mut polled: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // An interrupted wait is a short one.
        let _ = poll(&mut polled, timeout(at_most));
        let mut rings = [0; 64];
        while let Ok(1..) = (&self.heard).read(&mut rings) {}
    }
}

fn timeout(at_most: Duration) -> PollTimeout {
    PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX)
}

/// Whether a read would not wait: there is something, or the end.
pub(super) fn is_ready(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(fd, PollFlags::POLLIN)];
    matches!(poll(&mut polled, PollTimeout::ZERO), Ok(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock::monotonic;

    #[test]
    fn a_ring_before_the_wait_ends_it_and_is_used_up() {
        let alarm = Alarm::new().unwrap();
        alarm.bell().ring();
        let began = monotonic();
        alarm.wait(&[], Duration::from_secs(20));
        assert!(began.elapsed() < Duration::from_secs(10));
        let began = monotonic();
        alarm.wait(&[], Duration::from_millis(50));
        assert!(began.elapsed() >= Duration::from_millis(40));
    }

    #[test]
    fn what_can_be_read_ends_the_wait() {
        let alarm = Alarm::new().unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(!is_ready(ours.as_fd()));
        theirs.write_all(b"x").unwrap();
        let began = monotonic();
        alarm.wait(&[ours.as_fd()], Duration::from_secs(20));
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(is_ready(ours.as_fd()));
    }
}
