//! Datagrams, each one line: what nginx's `access_log syslog:` and `HAProxy`'s `log` send. Their headers are the reader's.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockType, recvmsg, setsockopt};

use super::haul::Haul;
use super::socket::Name;
use crate::source::chunker::MAX_LINE;
use crate::source::{Endpoint, Event, Listen, SourceError};

/// How many bytes the system is asked to hold for us: some 20,000 lines. Without privilege it gives
/// `net.core.rmem_max`.
const KERNEL_BUFFER: usize = 8 << 20;

/// At most so many are taken in a turn, also where they are empty.
const MESSAGES: usize = 16_384;

/// A socket that takes datagrams.
pub(in crate::source) struct Datagrams {
    listen: Listen,
    /// As it is called in events.
    at: String,
    socket: OwnedFd,
    /// Of a unix socket.
    name: Option<Name>,
    buffer: Vec<u8>,
    control: Vec<u8>,
    /// The system's count of datagrams it dropped since the socket was made; it wraps around.
    seen_dropped: u32,
    /// All of them.
    dropped: u64,
}

impl Datagrams {
    /// Binds the socket. Mode and owner are not given yet.
    pub(super) fn bind(listen: &Listen) -> Result<Self, SourceError> {
        let (socket, name) = bind(&listen.at).map_err(|error| listen.at.refused(&error))?;
        Ok(Self {
            listen: listen.clone(),
            at: listen.at.to_string(),
            socket,
            name,
            buffer: vec![0; MAX_LINE],
            control: nix::cmsg_space!(u32),
            seen_dropped: 0,
            dropped: 0,
        })
    }

    /// Gives a unix socket mode and owner; says what they are.
    pub(super) fn admit(&mut self, listen: &Listen) -> Result<Option<String>, SourceError> {
        self.listen = listen.clone();
        self.name.as_ref().map(|name| name.admit(listen)).transpose()
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes what is there; whether there may be more.
    pub(super) fn read(&mut self, haul: &mut Haul) -> io::Result<bool> {
        let before = self.dropped;
        let more = self.read_all(haul);
        if self.dropped > before {
            haul.events.push(Event::Dropped { at: self.at.clone(), count: self.dropped - before });
        }
        more
    }

    fn read_all(&mut self, haul: &mut Haul) -> io::Result<bool> {
        for _ in 0..MESSAGES {
            match self.receive() {
                Err(Errno::EAGAIN) => return Ok(false),
                Ok(length) if length > self.buffer.len() => {
                    haul.overlong(&self.at, length as u64, &self.buffer);
                }
                Ok(length) => haul.message(&self.at, &self.buffer[..length]),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            if haul.is_full() {
                break;
            }
        }
        Ok(true)
    }

    /// The next datagram's length, which may be more than fits.
    fn receive(&mut self) -> nix::Result<usize> {
        let mut into = [IoSliceMut::new(&mut self.buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut into, Some(&mut self.control), flags)?;
        let length = message.bytes;
        let told = message.cmsgs().into_iter().flatten().find_map(|control| match control {
            ControlMessageOwned::RxqOvfl(count) => Some(count),
            _ => None,
        });
        if let Some(count) = told {
            self.dropped += u64::from(count.wrapping_sub(self.seen_dropped));
            self.seen_dropped = count;
        }
        Ok(length)
    }

    /// Binds a unix socket anew whose name was taken from it.
    pub(super) fn rebind(&mut self) -> Result<bool, SourceError> {
        if self.name.as_ref().is_none_or(Name::stands) {
            return Ok(false);
        }
        let fresh = Self::bind(&self.listen)?;
        (self.socket, self.name) = (fresh.socket, fresh.name);
        self.admit(&self.listen.clone())?;
        Ok(true)
    }
}

fn bind(at: &Endpoint) -> io::Result<(OwnedFd, Option<Name>)> {
    let (socket, name) = match at {
        Endpoint::Udp(address) => (OwnedFd::from(UdpSocket::bind(address)?), None),
        Endpoint::UnixDatagram(path) | Endpoint::UnixStream(path) => {
            let (socket, name) = Name::bind(path, SockType::Datagram)?;
            (socket, Some(name))
        }
    };
    // Without these it works all the same: less is held, and what is dropped is not told.
    let _ = setsockopt(&socket, RcvBufForce, &KERNEL_BUFFER)
        .or_else(|_| setsockopt(&socket, RcvBuf, &KERNEL_BUFFER));
    let _ = setsockopt(&socket, RxqOvfl, &1);
    Ok((socket, name))
}
