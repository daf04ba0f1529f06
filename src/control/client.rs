//! Asks the daemon: one connection, requests and replies in order, each with a limit in time and size.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};

use super::{ControlError, Reply, Request, listener};

/// The longest reply that is read: a list of a million bans has about 200 MB.
const MAX_REPLY: u64 = 1 << 29;

/// For questions. `ping` waits through the daemon's start.
const PATIENCE: Duration = Duration::from_secs(30);

/// For changes, which wait until outputs are verified.
const PATIENCE_CHANGE: Duration = Duration::from_secs(130);

/// A connection to the daemon. Calls block; meant for a command, not for the daemon's own threads.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects to the daemon's socket, at once or not at all.
    pub fn connect(path: &Path) -> Result<Self, ControlError> {
        match listener::dial(path)? {
            Ok(stream) => Ok(Self { stream: BufReader::new(stream), path: path.to_owned() }),
            Err(error) => Err(refused(path, error)),
        }
    }

    /// Has a command carried out, however many targets it has: those that one request cannot hold are sent before it.
    pub fn order(&mut self, mut request: Request) -> Result<Reply, ControlError> {
        for part in request.split_off() {
            let reply = self.ask(&part)?;
            if !matches!(reply, Reply::Done { .. }) {
                return Ok(reply);
            }
        }
        self.ask(&request)
    }

    /// Sends one request and waits for its reply.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ControlError> {
        let patience = if request.is_question() { PATIENCE } else { PATIENCE_CHANGE };
        self.ask_within(request, patience)
    }

    /// The same with another limit for each wait.
    pub fn ask_within(&mut self, request: &Request, patience: Duration) -> Result<Reply, ControlError> {
        self.send(request, patience).map_err(|error| self.failed(error, patience))?;
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_REPLY);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(|error| self.failed(error, patience))?;
        self.understand(&line)
    }

    fn send(&mut self, request: &Request, patience: Duration) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_write_timeout(Some(patience))?;
        stream.set_read_timeout(Some(patience))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        match stream.write_all(&line) {
            // It hung up while we were speaking: why, it may have said before.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn understand(&self, line: &[u8]) -> Result<Reply, ControlError> {
        if line.is_empty() {
            return Err(ControlError::HungUp(self.path.clone()));
        }
        let detail = match line.strip_suffix(b"\n").map(serde_json::from_slice) {
            Some(Ok(reply)) => return Ok(reply),
            Some(Err(error)) => error.to_string(),
            None => "it ends in the middle".to_owned(),
        };
        Err(ControlError::Garbled { path: self.path.clone(), detail })
    }

    fn failed(&self, error: io::Error, patience: Duration) -> ControlError {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ControlError::NoAnswer { path, seconds: patience.as_secs() }
            }
            io::ErrorKind::ConnectionReset => ControlError::HungUp(path),
            _ => ControlError::Ask { path, error },
        }
    }
}

fn refused(path: &Path, error: io::Error) -> ControlError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning(path),
        io::ErrorKind::PermissionDenied => ControlError::Forbidden { holder: holder(&path), path },
        io::ErrorKind::WouldBlock => ControlError::NoAnswer { path, seconds: 0 },
        _ => ControlError::Ask { path, error },
    }
}

/// Whose the socket is, and how to become one of them.
fn holder(path: &Path) -> String {
    let Ok(found) = std::fs::metadata(path) else {
        return ": its directory may not be searched; run the command as root".to_owned();
    };
    let (user, group) = (user_name(found.uid()), group_name(found.gid()));
    let mode = found.mode() & 0o7777;
    let join = if found.gid() == 0 || mode & 0o020 == 0 {
        String::new()
    } else {
        format!(", or join the group `{group}` (`usermod -aG {group} USER`, then log in again)")
    };
    format!(" (it belongs to {user}:{group}, mode {mode:04o}): run the command as root{join}")
}

fn user_name(uid: u32) -> String {
    let found = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    found.map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_name(gid: u32) -> String {
    let found = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    found.map_or_else(|| gid.to_string(), |group| group.name)
}
