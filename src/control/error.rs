//! What can go wrong at the socket, in words that name it and the fix.

use std::io;
use std::path::PathBuf;

/// Why the socket cannot be served, or the daemon not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The operating system holds no longer path in a socket's address.
    #[error("the socket path {path} has {length} bytes, at most {limit} are possible: set a shorter `socket` in [daemon]", path = path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// What fits.
        limit: usize,
    },
    /// Something else stands where the socket belongs; it is never removed.
    #[error("{path} is no socket: move it away, or set another `socket` in [daemon]", path = .0.display())]
    NotASocket(PathBuf),
    /// Another process answers there.
    #[error("another banmap listens on {path}: stop it, or set another `socket` in [daemon]", path = .0.display())]
    InUse(PathBuf),
    /// A step of serving failed.
    #[error("cannot {step} {path}: {error}", path = path.display())]
    Serve {
        /// What was tried: `create the directory of`, `bind` …
        step: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody listens: the socket is missing, or its process is gone.
    #[error(
        "no banmap daemon answers on {path}: start it with `systemctl start banmap`, or in the foreground with `banmap run` \
         (if it uses another configuration, name that with -c)",
        path = .0.display()
    )]
    NotRunning(PathBuf),
    /// The socket's permissions keep us out.
    #[error("you may not use {path}{holder}", path = path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
        /// Whose it is, and what to do; empty or a text that continues the sentence.
        holder: String,
    },
    /// The daemon took the request and said nothing.
    #[error("the daemon on {path} did not answer within {seconds} s; `systemctl status banmap` shows what it does", path = path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The daemon hung up before it answered.
    #[error("the daemon on {path} hung up before it answered: see its log", path = .0.display())]
    HungUp(PathBuf),
    /// What it answered is no reply of this version.
    #[error("cannot read what the daemon on {path} answered ({detail}): after an upgrade restart it", path = path.display())]
    Garbled {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A step of asking failed in another way.
    #[error("cannot ask the daemon on {path}: {error}", path = path.display())]
    Ask {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}
