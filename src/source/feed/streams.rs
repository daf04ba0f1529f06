//! Connections to a unix socket, each a stream of lines.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::socket::{self, Backlog, SockType};

use super::haul::{Cutter, Haul, READ};
use super::socket::Name;
use crate::source::{Listen, SourceError};

/// So many connections at once; others wait until one ends.
const CONNECTIONS: usize = 32;

/// So many connections may wait.
const BACKLOG: i32 = 128;

/// A listening socket and its connections.
pub(in crate::source) struct Streams {
    listen: Listen,
    /// As it is called in events.
    at: String,
    listener: UnixListener,
    name: Name,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: UnixStream,
    cutter: Cutter,
}

impl Streams {
    /// Binds the socket. Mode and owner are not given yet.
    pub(super) fn bind(listen: &Listen) -> Result<Self, SourceError> {
        let (listener, name) = bind(listen).map_err(|error| listen.at.refused(&error))?;
        let (at, connections) = (listen.at.to_string(), Vec::new());
        Ok(Self { listen: listen.clone(), at, listener, name, connections, buffer: vec![0; READ] })
    }

    /// Gives the socket mode and owner; says what they are.
    pub(super) fn admit(&mut self, listen: &Listen) -> Result<Option<String>, SourceError> {
        self.listen = listen.clone();
        self.name.admit(listen).map(Some)
    }

    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let listener = (self.connections.len() < CONNECTIONS).then(|| self.listener.as_fd());
        self.connections.iter().map(|connection| connection.stream.as_fd()).chain(listener).collect()
    }

    /// Takes what is there; whether there may be more.
    pub(super) fn read(&mut self, haul: &mut Haul) -> io::Result<bool> {
        self.accept()?;
        let Self { at, connections, buffer, .. } = self;
        let mut more = false;
        connections.retain_mut(|connection| match connection.read(at, buffer, haul) {
            Ok(Some(rest)) => {
                more |= rest;
                true
            }
            // The rest of a line whose writer is gone is no line: half an address would be another one.
            Ok(None) | Err(_) => false,
        });
        Ok(more)
    }

    fn accept(&mut self) -> io::Result<()> {
        while self.connections.len() < CONNECTIONS {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    self.connections.push(Connection { stream, cutter: Cutter::default() });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Binds the socket anew whose name was taken from it; its connections stay.
    pub(super) fn rebind(&mut self) -> Result<bool, SourceError> {
        if self.name.stands() {
            return Ok(false);
        }
        let fresh = Self::bind(&self.listen)?;
        (self.listener, self.name) = (fresh.listener, fresh.name);
        self.admit(&self.listen.clone())?;
        Ok(true)
    }
}

impl Connection {
    /// Reads once, so that each has its turn. `None`: it has ended; else whether there may be more.
    fn read(&mut self, at: &str, buffer: &mut [u8], haul: &mut Haul) -> io::Result<Option<bool>> {
        if haul.is_full() {
            return Ok(Some(true));
        }
        match self.stream.read(buffer) {
            Ok(0) => Ok(None),
            Ok(read) => {
                self.cutter.feed(at, &buffer[..read], haul);
                Ok(Some(true))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(Some(false))
            }
            Err(error) => Err(error),
        }
    }
}

fn bind(listen: &Listen) -> io::Result<(UnixListener, Name)> {
    let path = listen.at.path().ok_or(ErrorKind::InvalidInput)?;
    let (socket, name) = Name::bind(path, SockType::Stream)?;
    socket::listen(&socket, Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN))?;
    Ok((UnixListener::from(socket), name))
}
