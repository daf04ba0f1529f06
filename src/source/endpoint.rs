//! Where a socket is listened at: as it is written, and why it cannot be used.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::SourceError;

/// `sun_path` of unix(7) has 108 bytes, one of them for the end.
const LONGEST_PATH: usize = 107;

/// A place to send log lines to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket that takes datagrams, each one line: what nginx, `HAProxy` and syslog clients send.
    UnixDatagram(PathBuf),
    /// A unix socket that takes connections with lines.
    UnixStream(PathBuf),
    /// A UDP port: each datagram is one line.
    Udp(SocketAddr),
}

/// Text that names no endpoint: what is wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct EndpointError {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// `unix:PATH`, `unix-stream:PATH`, `udp:ADDRESS:PORT`. A path need not be absolute yet.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text.split_once(':') {
            Some(("unix", path)) => socket_path(path).map(Self::UnixDatagram),
            Some(("unix-stream", path)) => socket_path(path).map(Self::UnixStream),
            Some(("udp", address)) => udp_address(address).map(Self::Udp),
            _ => Err(EndpointError {
                what: format!("`{text}` is no place to listen at"),
                fix: "write \"unix:/run/banmap/log.sock\", \"unix-stream:/run/banmap/log.sock\" or \"udp:127.0.0.1:5514\""
                    .to_owned(),
            }),
        }
    }
}

fn socket_path(path: &str) -> Result<PathBuf, EndpointError> {
    let wrong = |what: String, fix: &str| Err(EndpointError { what, fix: fix.to_owned() });
    if path.is_empty() || path.ends_with('/') {
        return wrong("names no socket".to_owned(), "write \"unix:/run/banmap/log.sock\"");
    }
    if path.len() > LONGEST_PATH {
        let what = format!("the path has {} bytes, and a socket's has at most {LONGEST_PATH}", path.len());
        return wrong(what, "choose a shorter one");
    }
    Ok(path.into())
}

fn udp_address(text: &str) -> Result<SocketAddr, EndpointError> {
    let address = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    address.ok_or_else(|| EndpointError {
        what: format!("`{text}` is no address with a port"),
        fix: "write an address of this host and a port: \"udp:127.0.0.1:5514\", \"udp:[::1]:5514\""
            .to_owned(),
    })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnixDatagram(path) => write!(f, "unix:{}", path.display()),
            Self::UnixStream(path) => write!(f, "unix-stream:{}", path.display()),
            Self::Udp(address) => write!(f, "udp:{address}"),
        }
    }
}

impl Endpoint {
    /// The socket's path, where it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::UnixDatagram(path) | Self::UnixStream(path) => Some(path),
            Self::Udp(_) => None,
        }
    }

    /// Whether anybody but this host's own processes can send there.
    pub fn is_public(&self) -> bool {
        matches!(self, Self::Udp(address) if !address.ip().is_loopback())
    }

    /// Why it cannot be listened at, with the fix.
    pub(super) fn refused(&self, error: &io::Error) -> SourceError {
        let fix = match (error.kind(), self) {
            (io::ErrorKind::AddrInUse, Self::Udp(address)) => format!(
                "another program listens there (`ss -lunp sport = :{}` names it): stop it, or choose another port",
                address.port()
            ),
            (io::ErrorKind::AddrInUse, _) => {
                "another program listens there: stop it, or choose another path".to_owned()
            }
            (io::ErrorKind::PermissionDenied, Self::Udp(address)) => format!(
                "ports below 1024 are for root: choose a higher one than {}, or give banmap CAP_NET_BIND_SERVICE",
                address.port()
            ),
            (io::ErrorKind::AddrNotAvailable, _) => "this host has no such address".to_owned(),
            (io::ErrorKind::AlreadyExists, _) => {
                "what stands there is no socket, and is left alone: move it away, or choose another path"
                    .to_owned()
            }
            (io::ErrorKind::NotFound, _) => "make its directory".to_owned(),
            (io::ErrorKind::PermissionDenied, _) => format!(
                "user {} must be able to write to its directory, and to give the socket its owner",
                crate::os::owner::own_user()
            ),
            _ => "choose another place".to_owned(),
        };
        SourceError::Listen { at: self.to_string(), error: error.to_string(), fix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written_alike() {
        for text in
            ["unix:/run/banmap/log.sock", "unix-stream:/run/x", "udp:127.0.0.1:5514", "udp:[::1]:5514"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_told_with_the_fix() {
        let told = |text: &str| {
            let error = text.parse::<Endpoint>().unwrap_err();
            format!("{error} | {}", error.fix)
        };
        assert!(
            told("tcp:127.0.0.1:5514")
                .starts_with("`tcp:127.0.0.1:5514` is no place to listen at | write \"unix:")
        );
        assert!(told("/run/x").contains("no place"));
        assert!(told("unix:").contains("names no socket"));
        assert!(told(&format!("unix:/{}", "x".repeat(107))).contains("108 bytes"));
        for wrong in ["udp:localhost:5514", "udp:127.0.0.1", "udp:5514", "udp:127.0.0.1:0", "udp:::1:5514:"] {
            assert!(told(wrong).contains("no address with a port"), "{wrong}");
        }
    }

    #[test]
    fn only_what_others_reach_is_public() {
        let public = |text: &str| text.parse::<Endpoint>().unwrap().is_public();
        assert!(public("udp:0.0.0.0:5514") && public("udp:[::]:5514") && public("udp:192.0.2.1:5514"));
        assert!(!public("udp:127.0.0.9:5514") && !public("udp:[::1]:5514") && !public("unix:/x"));
    }
}
