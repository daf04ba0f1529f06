//! An HTTP/1.1 client that is just enough: one request a connection, and what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// No answer for so long fails the test: a gate that hangs is no gate that refuses.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a request led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A response with this status.
    Status(u16),
    /// The connection was closed without a byte: nginx's 444.
    Closed,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header; the same name may be added again.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let pairs = self.headers.iter();
        let headers: String = pairs.flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        let length = if self.method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let (method, target) = (&self.method, &self.target);
        let first = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        [&first, &*headers, length, "\r\n"].concat().into_bytes()
    }
}

/// Sends `request` to a port on loopback and reads what comes.
pub(crate) fn send(port: u16, request: &Request) -> Answer {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    let mut response = Vec::new();
    let exchanged = stream.write_all(&request.bytes()).and_then(|()| stream.read_to_end(&mut response));
    match exchanged {
        Err(error) if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            panic!("{address}: {request:?}: {error}");
        }
        _ if response.is_empty() => Answer::Closed,
        _ => Answer::Status(status(&response)),
    }
}

/// Sends `bytes` as they are to a port on loopback, and reads until the other side closes or has nothing more to say.
pub(crate) fn send_raw(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut response = Vec::new();
    // A server may close before it has read everything.
    let _ = stream.write_all(bytes).and_then(|()| stream.read_to_end(&mut response));
    response
}

fn status(response: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(response);
    let word = text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no HTTP response: {text}"))
}
