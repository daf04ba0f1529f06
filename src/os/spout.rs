//! A child process whose output is read while it runs: a program that follows something and prints it.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::child::{ChildError, command, ending, start_error};

/// A running child with both of its streams; killed with its process group when dropped.
#[derive(Debug)]
pub struct Spout {
    child: Child,
    out: ChildStdout,
    err: ChildStderr,
}

impl Spout {
    /// Starts a program with arguments that no shell sees; search path and environment are those of
    /// [`Runner`](super::child::Runner).
    pub fn start(program: &str, arguments: &[String]) -> Result<Self, ChildError> {
        let started = command(program, arguments).spawn();
        let mut child = started.map_err(|error| start_error(program, error))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (out, err) = out.zip(err).expect("`command` asks for both streams");
        Ok(Self { child, out, err })
    }

    /// Its standard output, to wait for.
    pub fn out(&self) -> BorrowedFd<'_> {
        self.out.as_fd()
    }

    /// Its standard error, to wait for.
    pub fn err(&self) -> BorrowedFd<'_> {
        self.err.as_fd()
    }

    /// Reads its standard output; waits until there is something, or the end (0).
    pub fn read_out(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.out.read(into)
    }

    /// Reads its standard error; waits until there is something, or the end (0).
    pub fn read_err(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.err.read(into)
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<Ending> {
        self.child.try_wait().ok().flatten().map(Ending)
    }

    fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Spout {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending(ExitStatus);

impl Ending {
    /// Whether it ended with exit code 0.
    pub fn success(self) -> bool {
        self.0.success()
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ending(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> Spout {
        Spout::start("sh", &["-c".to_owned(), script.to_owned()]).unwrap()
    }

    #[test]
    fn what_it_prints_is_read_while_it_runs() {
        let mut spout = start("echo one; echo problem >&2; read wait </dev/zero");
        let mut bytes = [0; 16];
        assert_eq!(spout.read_out(&mut bytes).unwrap(), 4);
        assert_eq!(&bytes[..4], b"one\n");
        assert_eq!(spout.read_err(&mut bytes).unwrap(), 8);
        assert!(spout.ended().is_none());
    }

    #[test]
    fn its_end_is_told() {
        let mut spout = start("exit 3");
        assert_eq!(spout.read_out(&mut [0; 16]).unwrap(), 0);
        let ending = std::iter::repeat_with(|| spout.ended()).find_map(|ended| ended).unwrap();
        assert_eq!((ending.to_string().as_str(), ending.success()), ("exit code 3", false));
    }

    #[test]
    fn dropped_it_is_gone_with_what_it_started() {
        let mut spout = start("sleep 600 & echo $!; wait");
        let mut bytes = [0; 16];
        let read = spout.read_out(&mut bytes).unwrap();
        let grandchild = std::str::from_utf8(&bytes[..read]).unwrap().trim().parse().unwrap();
        drop(spout);
        let gone = || crate::os::process::find(grandchild).is_none_or(|found| found.is_zombie());
        let began = crate::os::clock::monotonic();
        while !gone() {
            assert!(began.elapsed().as_secs() < 10, "the grandchild outlived the kill");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_missing_program_is_named() {
        assert!(matches!(Spout::start("banmap-no-such-program", &[]), Err(ChildError::Missing(_))));
    }
}
