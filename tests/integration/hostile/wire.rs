//! Raw bytes over a connection from any address on loopback, and what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use memchr::memmem;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What one request led to, as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None`: the connection was closed without a byte.
    pub(super) status: Option<u16>,
    /// Whom the server took for the client, in its header `X-Client`: it was told by the server, and not by its log.
    pub(super) client: Option<IpAddr>,
    pub(super) body: String,
}

/// Sends `bytes` from `peer` to a port on loopback and reads to the end. `half_close` says that nothing more comes.
pub(super) fn exchange(peer: Ipv4Addr, port: u16, bytes: &[u8], half_close: bool) -> Vec<Answer> {
    let mut stream = connect_from(peer, port);
    let mut response = Vec::new();
    let sent = stream.write_all(bytes);
    if half_close {
        // It may have been closed on us already.
        let _ = stream.shutdown(Shutdown::Write);
    }
    let received = stream.read_to_end(&mut response);
    for error in [sent.err(), received.err()].into_iter().flatten() {
        let closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(closed, "{error}: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
    }
    answers(&response)
}

fn connect_from(peer: Ipv4Addr, port: u16) -> TcpStream {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(peer, 0))).unwrap();
    connect(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))).unwrap();
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Takes the responses of a connection apart. HTTP/0.9 has a body and nothing else; it is the last, then.
fn answers(mut rest: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let Some(head) = memmem::find(rest, b"\r\n\r\n").filter(|_| rest.starts_with(b"HTTP/")) else {
            answers.push(bare(rest));
            break;
        };
        let (head, body) = (String::from_utf8_lossy(&rest[..head]), &rest[head + 4..]);
        let header = |name: &str| {
            let mut headers = head.lines().filter_map(|line| line.split_once(": "));
            headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let length = header("Content-Length").map_or(body.len(), |length| length.parse().unwrap());
        let (body, after) = body.split_at(length.min(body.len()));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let client = header("X-Client").map(|text| text.parse().unwrap());
        answers.push(Answer { status, client, body: String::from_utf8_lossy(body).into_owned() });
        rest = after;
    }
    answers
}

/// A response of HTTP/0.9: its status only shows in the pages that servers make for errors. Frames of HTTP/2, which
/// `HAProxy` answers without being asked, are none.
fn bare(body: &[u8]) -> Answer {
    let is_text = body.first().is_some_and(|byte| *byte >= b' ');
    let body = String::from_utf8_lossy(body).into_owned();
    let title = body.split("<title>").nth(1).and_then(|title| title.get(..3)?.parse().ok());
    Answer { status: is_text.then(|| title.unwrap_or(200)), client: None, body }
}

impl Answer {
    /// The connection was closed without a byte.
    pub(super) fn none() -> Self {
        Self { status: None, client: None, body: String::new() }
    }
}
