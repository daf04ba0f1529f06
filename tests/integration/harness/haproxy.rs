//! `HAProxy` in front: the server behind it only ever sees a connection from 127.0.0.1, and an X-Forwarded-For.

use std::net::TcpStream;
use std::process::Command;

use super::place::{Place, text};
use super::process::{Process, installed, on_free_port};
use super::{Answer, Request, send};

/// Says who the client is: all real ones are on loopback. `HAProxy` appends it as `option forwardfor` appends the peer's
/// address, behind whatever X-Forwarded-For the client sent itself.
const CLIENT: &str = "X-Test-Client";

/// A running `HAProxy` in front of one server.
#[derive(Debug)]
pub(crate) struct Haproxy {
    _process: Process,
    _place: Place,
    port: u16,
}

impl Haproxy {
    /// Starts it in front of the server on `backend`.
    pub(crate) fn start(backend: u16) -> Self {
        Self::start_logging(backend, "")
    }

    /// The same, with lines of the section `frontend` about logs.
    pub(crate) fn start_logging(backend: u16, logs: &str) -> Self {
        let place = Place::new();
        let (process, port) = on_free_port(
            |port| {
                let conf = place.write("haproxy.cfg", &configuration(port, backend, logs));
                let log = std::fs::File::create(place.path("log")).unwrap();
                let mut command = Command::new(installed("haproxy", "haproxy"));
                command.arg("-db").arg("-f").arg(conf).stderr(log.try_clone().unwrap()).stdout(log);
                Process::spawn("haproxy", &mut command)
            },
            |port| TcpStream::connect(("127.0.0.1", port)).is_ok(),
            || text(&place.path("log")),
        );
        Self { _process: process, _place: place, port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sends `request` as the client `client`. A connection that nginx closes (444) comes back as 502.
    pub(crate) fn send(&self, client: &str, request: Request) -> Answer {
        send(self.port, &request.header(CLIENT, client))
    }

    /// A GET as the client `client`.
    pub(crate) fn get(&self, client: &str, path: &str) -> Answer {
        self.send(client, Request::get(path))
    }
}

fn configuration(port: u16, backend: u16, logs: &str) -> String {
    format!(
        "global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option http-server-close
    http-reuse never
frontend site
    bind 127.0.0.1:{port}
    http-request add-header X-Forwarded-For %[req.fhdr({CLIENT})] if {{ req.fhdr({CLIENT}) -m found }}
    {logs}
    http-request del-header {CLIENT}
    default_backend server
backend server
    server one 127.0.0.1:{backend}
"
    )
}
