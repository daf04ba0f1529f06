//! How far a long reading is, on a terminal: one line on stderr that is written over, and goes in the end.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::reader::Meter;

/// Nothing is shown of what takes no longer.
const AT_FIRST: Duration = Duration::from_millis(500);
const EACH: Duration = Duration::from_millis(200);

/// Clears to the end of the line. The line ends with a return, so that whatever is printed next begins where it began.
const CLEAR: &str = "\x1b[K";

/// Shows a line until it is dropped.
pub(super) struct Progress {
    /// Closed to end the thread.
    open: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows how much of `size` bytes was read; nothing where stderr is no terminal.
    pub(super) fn show(meter: Meter, size: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self { open: None, thread: None };
        }
        let (open, closed) = mpsc::channel();
        // Without a thread nothing is shown, and all else goes on.
        let thread = thread::Builder::new().spawn(move || write(&meter, size, &closed)).ok();
        Self { open: Some(open), thread }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.open.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(meter: &Meter, size: Option<u64>, closed: &mpsc::Receiver<()>) {
    let mut wait = AT_FIRST;
    let mut stderr = io::stderr();
    while let Err(RecvTimeoutError::Timeout) = closed.recv_timeout(wait) {
        // Nobody can be told that stderr is gone.
        let _ = write!(stderr, "{}{CLEAR}\r", text(meter.bytes(), size));
        wait = EACH;
    }
    if wait == EACH {
        let _ = write!(stderr, "{CLEAR}");
    }
}

fn text(read: u64, size: Option<u64>) -> String {
    match size {
        Some(size) if size > 0 => {
            let percent = read.min(size) as f64 / size as f64 * 100.0;
            format!("read {} of {} ({percent:.0} %)", megabytes(read), megabytes(size))
        }
        _ => format!("read {}", megabytes(read)),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_is_shown() {
        assert_eq!(text(1_250_000, Some(10_000_000)), "read 1.2 MB of 10.0 MB (12 %)");
        assert_eq!(text(0, Some(5)), "read 0.0 MB of 0.0 MB (0 %)");
        assert_eq!(text(7, Some(5)), "read 0.0 MB of 0.0 MB (100 %)", "a log that grows");
        assert_eq!(text(3_000_000, None), "read 3.0 MB");
        assert_eq!(text(3_000_000, Some(0)), "read 3.0 MB");
    }
}
