//! An engine that answers snapshots from a list, a publisher beside it, and what it reported.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use banmap::address::Prefix;
use banmap::ban::Snapshot;
use banmap::publish::{Event, Feed, Kind, Publisher, Report, Settings, State, Wanted, create_missing};
use banmap::terms::{OutputName, PublishedFile};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{mpsc, watch};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(40);

/// Polls until `condition` holds.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < LONG, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls for that long that `condition` stays true.
#[allow(clippy::disallowed_methods)]
pub(crate) async fn stays(what: &str, span: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while begin.elapsed() < span {
        assert!(condition(), "no longer: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The status of an answer to a request for that client; `None` where the connection was closed without one.
pub(crate) fn status(port: u16, client: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request =
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok())
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

pub(crate) fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    let mut list: Vec<Prefix> = texts.iter().map(|text| text.parse().unwrap()).collect();
    list.sort();
    list
}

/// A process of ours, ended by its pid.
pub(crate) fn end(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The section of a snippet whose heading holds `heading`.
pub(crate) fn section(snippet: &str, heading: &str) -> String {
    let parts = format!("\n{snippet}");
    let found = parts.split("\n## ").find(|part| part.lines().next().unwrap_or_default().contains(heading));
    found.unwrap().split_once('\n').unwrap().1.to_owned()
}

type Bans = Arc<Mutex<Snapshot>>;

/// A list of bans with a publisher at work.
pub(crate) struct World {
    pub(crate) settings: Vec<Settings>,
    bans: Bans,
    wanted: watch::Sender<Wanted>,
    publisher: Option<Publisher>,
    reports: Arc<Mutex<HashMap<OutputName, Report>>>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) fetched: Arc<Mutex<usize>>,
}

impl World {
    /// Missing files are made, the publisher is not started.
    pub(crate) fn of(settings: Vec<Settings>) -> Self {
        let empty = Snapshot::empty(settings[0].name.clone(), 1);
        let world = Self {
            settings,
            bans: Arc::new(Mutex::new(empty)),
            wanted: watch::channel(Wanted { generation: 1, by_hand: 0, hold: false }).0,
            publisher: None,
            reports: Arc::default(),
            events: Arc::default(),
            fetched: Arc::default(),
        };
        world.create();
        world
    }

    pub(crate) fn create(&self) -> Vec<PublishedFile> {
        let snapshot =
            |name: &OutputName| Snapshot { output: name.clone(), ..self.bans.lock().unwrap().clone() };
        let made = create_missing(&self.settings, &snapshot, &(Arc::new(|_| ()) as _));
        made.into_iter().filter_map(|(_, made)| made.unwrap()).map(|written| written.file).collect()
    }

    pub(crate) fn start(&mut self, kept: &[PublishedFile]) {
        let (snapshots, mut requests) = mpsc::channel::<banmap::publish::SnapshotRequest>(4);
        let (reports, mut heard) = mpsc::unbounded_channel::<Report>();
        let (bans, fetched) = (Arc::clone(&self.bans), Arc::clone(&self.fetched));
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                *fetched.lock().unwrap() += 1;
                let snapshot = Snapshot { output: request.output, ..bans.lock().unwrap().clone() };
                let _ = request.reply.send(snapshot);
            }
        });
        let noted = Arc::clone(&self.reports);
        tokio::spawn(async move {
            while let Some(report) = heard.recv().await {
                noted.lock().unwrap().insert(report.output.clone(), report);
            }
        });
        let events = Arc::clone(&self.events);
        let sink = Arc::new(move |event| events.lock().unwrap().push(event));
        let feed = Feed { wanted: self.wanted.subscribe(), snapshots };
        self.publisher = Some(Publisher::start(self.settings.clone(), kept, feed, reports, sink));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.stop().await;
        }
    }

    /// Replaces the bans; returns the new generation.
    pub(crate) fn ban(&self, texts: &[&str]) -> u64 {
        self.change(|bans| bans.prefixes = prefixes(texts), false)
    }

    pub(crate) fn ban_by_hand(&self, texts: &[&str]) -> u64 {
        self.change(|bans| bans.prefixes = prefixes(texts), true)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot), by_hand: bool) -> u64 {
        let mut bans = self.bans.lock().unwrap();
        change(&mut bans);
        bans.generation += 1;
        let generation = bans.generation;
        self.wanted.send_modify(|wanted| {
            wanted.generation = generation;
            if by_hand {
                wanted.by_hand = generation;
            }
        });
        generation
    }

    pub(crate) fn hold(&self, hold: bool) {
        self.wanted.send_modify(|wanted| wanted.hold = hold);
    }

    /// The last report of the first output.
    pub(crate) fn report(&self) -> Option<Report> {
        self.reports.lock().unwrap().get(&self.settings[0].name).cloned()
    }

    pub(crate) fn kept(&self) -> Vec<PublishedFile> {
        self.reports.lock().unwrap().values().filter_map(|report| report.file.clone()).collect()
    }

    pub(crate) async fn reaches(&self, state: State, generation: u64) -> Report {
        let is_there = |report: &Report| report.state == state && report.generation >= generation;
        until(&format!("{state:?} at {generation}, is {:?}", self.report()), || {
            self.report().as_ref().is_some_and(is_there)
        })
        .await;
        self.report().unwrap()
    }
}

pub(crate) fn output(name: &str, kind: Kind, path: PathBuf) -> Settings {
    Settings { name: name.parse().unwrap(), ..Settings::plain(kind, path) }
}
