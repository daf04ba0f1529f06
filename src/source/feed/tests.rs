//! Feeds on real sockets and pipes, driven by hand. The journal has a test of the whole daemon, with a journalctl that
//! prints what was recorded.
#![allow(clippy::disallowed_methods, reason = "the tests play the servers")]

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::os::clock;
use crate::source::MAX_LINE;

/// What came.
#[derive(Default)]
struct Taker {
    lines: Vec<String>,
    told: Vec<String>,
}

impl Consumer for Taker {
    fn lines(&mut self, chunk: Chunk<'_>) -> ControlFlow<()> {
        assert!(chunk.caught_up && chunk.bytes.ends_with(b"\n"));
        self.lines.extend(String::from_utf8_lossy(chunk.bytes).lines().map(str::to_owned));
        ControlFlow::Continue(())
    }

    fn time_of(&mut self, _: &FileInfo, _: &[u8]) -> Option<Timestamp> {
        None
    }

    fn since(&mut self, now: Timestamp) -> Timestamp {
        now
    }

    fn begin(&mut self, _: &Checkpoint) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: Event) {
        self.told.push(event.to_string());
    }
}

fn settings(listen: Listen) -> Settings {
    Settings { name: "site".parse().unwrap(), input: Input::Listen(listen), read: FirstRead::Recent }
}

struct Lab {
    root: TempDir,
    registry: Registry,
    taker: Taker,
}

impl Lab {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), registry: Registry::default(), taker: Taker::default() }
    }

    fn open(&self, listen: Listen) -> Result<Feed, SourceError> {
        Feed::open(&settings(listen), &[], &self.registry)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.root.path().join("log.sock")
    }

    fn datagrams(&self) -> Listen {
        Listen::new(Endpoint::UnixDatagram(self.socket()))
    }

    fn streams(&self) -> Listen {
        Listen::new(Endpoint::UnixStream(self.socket()))
    }

    /// Turns until nothing more is there at once.
    fn read(&mut self, feed: &mut Feed) {
        while feed.turn(clock::now(), &mut self.taker).more {}
    }
}

fn on_free_port() -> Listen {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Listen::new(Endpoint::Udp(free))
}

fn port_of(listen: &Listen) -> SocketAddr {
    match listen.at {
        Endpoint::Udp(address) => address,
        _ => panic!("no port"),
    }
}

#[test]
fn each_datagram_is_a_line() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.datagrams()).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    for message in [&b"one"[..], b"two\n", b"three\nforged", b""] {
        sender.send_to(message, lab.socket()).unwrap();
    }
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines, ["one", "two", "three forged"]);
    let status = feed.status().remove(0);
    assert_eq!(
        (status.state, status.path),
        (FileState::Live, format!("unix:{}", lab.socket().display()).into())
    );
}

#[test]
fn udp_is_read_and_what_the_system_drops_is_counted() {
    let mut lab = Lab::new();
    let listen = on_free_port();
    let mut feed = lab.open(listen.clone()).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let message = vec![b'x'; 60_000];
    for _ in 0..1000 {
        sender.send_to(&message, port_of(&listen)).unwrap();
    }
    lab.read(&mut feed);
    let taken = lab.taker.lines.len() as u64;
    assert!((1..1000).contains(&taken), "{taken}: the system's buffer is smaller than 60 MB");
    // The count comes with the next datagram that is not dropped.
    sender.send_to(b"last", port_of(&listen)).unwrap();
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines.last().unwrap(), "last");
    assert_eq!(feed.status()[0].dropped, 1000 - taken);
    let told = format!("{}: the system dropped {} datagrams", listen.at, 1000 - taken);
    assert!(lab.taker.told.iter().any(|one| one.starts_with(&told)), "{:?}", lab.taker.told);
}

#[test]
fn a_turn_is_bounded() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.streams()).unwrap();
    let mut sender = UnixStream::connect(lab.socket()).unwrap();
    let lines = b"0123456789abcdef0123456789abcde\n".repeat(3 * haul::BUDGET / 32);
    let writer = std::thread::spawn(move || sender.write_all(&lines));
    while lab.taker.lines.len() < 3 * haul::BUDGET / 32 {
        let before = lab.taker.lines.len();
        feed.turn(clock::now(), &mut lab.taker);
        assert!((lab.taker.lines.len() - before) * 32 <= haul::BUDGET + haul::READ);
    }
    writer.join().unwrap().unwrap();
}

#[test]
fn lines_of_connections_are_kept_apart_and_an_unfinished_one_is_none() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.streams()).unwrap();
    let connect = || UnixStream::connect(lab.socket()).unwrap();
    let (mut one, mut two) = (connect(), connect());
    one.write_all(b"one be").unwrap();
    two.write_all(b"two\ntwo 203.0.113.1").unwrap();
    while feed.turn(clock::now(), &mut lab.taker).more {}
    one.write_all(b"gun\n").unwrap();
    drop(two);
    while feed.turn(clock::now(), &mut lab.taker).more {}
    assert_eq!(lab.taker.lines, ["two", "one begun"]);
}

#[test]
fn more_connections_than_are_taken_at_once_wait_for_their_turn() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.streams()).unwrap();
    let senders: Vec<UnixStream> = (0..40)
        .map(|n| {
            let mut sender = UnixStream::connect(lab.socket()).unwrap();
            writeln!(sender, "{n}").unwrap();
            sender
        })
        .collect();
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines.len(), 32);
    drop(senders);
    lab.read(&mut feed);
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines.len(), 40);
}

#[test]
fn a_socket_has_the_mode_it_should_and_goes_with_the_feed() {
    let mut lab = Lab::new();
    let listen = Listen { mode: 0o622, ..lab.datagrams() };
    let mut feed = lab.open(listen).unwrap();
    lab.read(&mut feed);
    assert_eq!(lab.socket().metadata().unwrap().permissions().mode() & 0o777, 0o622);
    assert!(lab.taker.told[0].contains("log.sock (mode 0622, "), "{:?}", lab.taker.told);
    drop(feed);
    assert!(lab.socket().exists(), "it stays open while the configuration is read again");
    lab.registry.sweep();
    assert!(!lab.socket().exists());
}

#[test]
fn what_was_sent_between_two_feeds_is_not_lost() {
    let mut lab = Lab::new();
    let sender = UnixDatagram::unbound().unwrap();
    let mut feed = lab.open(lab.datagrams()).unwrap();
    sender.connect(lab.socket()).unwrap();
    sender.send(b"one").unwrap();
    lab.read(&mut feed);
    drop(feed);
    sender.send(b"two").unwrap();
    let mut feed = lab.open(lab.datagrams()).unwrap();
    lab.registry.sweep();
    sender.send(b"three").unwrap();
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines, ["one", "two", "three"]);
}

#[test]
fn a_stale_socket_is_replaced_and_anything_else_is_not() {
    let lab = Lab::new();
    let refused = |listen: Listen| lab.open(listen).map(drop).unwrap_err().to_string();
    drop(UnixListener::bind(lab.socket()).unwrap());
    drop(lab.open(lab.datagrams()).unwrap());
    lab.registry.sweep();
    let theirs = UnixDatagram::bind(lab.socket()).unwrap();
    assert!(
        refused(lab.datagrams()).contains("another program listens there: stop it, or choose another path")
    );
    assert!(refused(lab.streams()).contains("another program listens there"));
    drop(theirs);
    std::fs::remove_file(lab.socket()).unwrap();
    std::fs::write(lab.socket(), "precious").unwrap();
    assert!(refused(lab.datagrams()).contains("no socket, and is left alone"));
    assert_eq!(std::fs::read_to_string(lab.socket()).unwrap(), "precious");
    let nowhere = Listen::new(Endpoint::UnixDatagram(lab.root.path().join("none/log.sock")));
    assert!(refused(nowhere).contains("make its directory"));
    let nobody = Listen { owner: Some("no-such-user".to_owned()), ..lab.datagrams() };
    std::fs::remove_file(lab.socket()).unwrap();
    assert!(refused(nobody).contains("there is no user `no-such-user`"));
}

#[test]
fn a_port_that_is_taken_is_told_with_the_fix() {
    let lab = Lab::new();
    let listen = on_free_port();
    let _theirs = UdpSocket::bind(port_of(&listen)).unwrap();
    let told = lab.open(listen.clone()).map(drop).unwrap_err().to_string();
    let fix = format!(
        "(`ss -lunp sport = :{}` names it): stop it, or choose another port",
        port_of(&listen).port()
    );
    assert!(
        told.contains(&format!("`listen`: cannot listen at {}: ", listen.at)) && told.contains(&fix),
        "{told}"
    );
    let foreign = Listen::new("udp:192.0.2.1:5514".parse().unwrap());
    assert!(lab.open(foreign).map(drop).unwrap_err().to_string().contains("this host has no such address"));
    let at: Endpoint = "udp:127.0.0.1:514".parse().unwrap();
    let told = at.refused(&io::ErrorKind::PermissionDenied.into()).to_string();
    assert!(told.contains("ports below 1024 are for root: choose a higher one than 514"), "{told}");
}

#[test]
fn a_socket_whose_name_was_taken_is_bound_anew() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.datagrams()).unwrap();
    lab.read(&mut feed);
    let inode = |path: &Path| path.metadata().unwrap().ino();
    let before = inode(&lab.socket());
    std::fs::remove_file(lab.socket()).unwrap();
    let later = clock::now() + SignedDuration::from_secs(2);
    feed.turn(later, &mut lab.taker);
    assert!(lab.socket().exists() && feed.status()[0].state == FileState::Live, "{before}");
    assert!(lab.taker.told.last().unwrap().contains("was removed or replaced by another program"));
    UnixDatagram::unbound().unwrap().send_to(b"again", lab.socket()).unwrap();
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines, ["again"]);
    std::fs::remove_file(lab.socket()).unwrap();
    std::fs::write(lab.socket(), "precious").unwrap();
    for seconds in 4..8 {
        feed.turn(later + SignedDuration::from_secs(seconds), &mut lab.taker);
    }
    let complaints = lab.taker.told.iter().filter(|one| one.contains("no socket, and is left alone")).count();
    assert_eq!((complaints, feed.status()[0].state), (1, FileState::Unreadable), "{:?}", lab.taker.told);
}

#[test]
fn a_datagram_that_is_too_long_is_told_and_left_out() {
    let mut lab = Lab::new();
    let mut feed = lab.open(lab.datagrams()).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    nix::sys::socket::setsockopt(&sender, nix::sys::socket::sockopt::SndBufForce, &(8 << 20)).ok();
    if sender.send_to(&vec![b'x'; MAX_LINE + 7], lab.socket()).is_err() {
        // Without privilege the system takes none so long.
        return;
    }
    sender.send_to(b"next", lab.socket()).unwrap();
    lab.read(&mut feed);
    assert_eq!(lab.taker.lines, ["next"]);
    assert!(
        lab.taker.told.iter().any(|one| one.contains("a line of 1048583 bytes was left out")),
        "{:?}",
        lab.taker.told
    );
}
