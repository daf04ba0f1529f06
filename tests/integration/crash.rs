//! `kill -9` at any moment: after a restart every ban is known, no line counts twice, and none is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::scene::{LOG, MARKS, SITE, SOON, append, request};
use crate::harness::{Daemon, Scene, wait_until};

/// Offences that ban.
const MAXRETRY: usize = 3;
/// So many clients offend as often, and so many once less: if one line counted twice, one of them would be banned.
const CLIENTS: usize = 160;
/// So often the daemon is killed.
const ROUNDS: usize = 15;

/// Numbers that are different in each run; the seed is told when a test fails, and `BANMAP_TEST_SEED` sets it.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let set = std::env::var("BANMAP_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
        Self(set.unwrap_or_else(|| RandomState::new().hash_one("seed")) | 1)
    }

    /// Below `limit` (xorshift64).
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

fn bad(n: usize) -> String {
    format!("203.0.113.{n}")
}

fn good(n: usize) -> String {
    format!("192.0.2.{n}")
}

/// Every offence of every client once, mixed.
fn offences(random: &mut Random) -> Vec<String> {
    let clients = 0..CLIENTS;
    let mut all: Vec<String> =
        clients.flat_map(|n| [vec![bad(n); MAXRETRY], vec![good(n); MAXRETRY - 1]]).flatten().collect();
    for last in (1..all.len()).rev() {
        all.swap(last, random.below(last + 1));
    }
    all
}

/// Writes the offences while the daemon is killed and started again, a few at a time; some with two writes.
struct Writer {
    log: PathBuf,
    done: AtomicBool,
    /// Whether the log is rotated meanwhile.
    rotates: bool,
}

impl Writer {
    fn write(&self, offences: &[String], mut random: Random) {
        let mut rotations = 0;
        for (n, client) in offences.iter().enumerate() {
            let line = request(client, &format!("POST /login?n={n}"), 401);
            let half = if random.below(8) == 0 { random.below(line.len()) } else { 0 };
            append(&self.log, &line.as_bytes()[..half]);
            std::thread::park_timeout(Duration::from_micros(if half > 0 { 500 } else { 0 }));
            append(&self.log, &line.as_bytes()[half..]);
            if self.rotates && n % 60 == 59 {
                rotations += 1;
                self.rotate(rotations);
            }
            if random.below(2) == 0 {
                std::thread::park_timeout(Duration::from_millis(16));
            }
        }
        self.done.store(true, Ordering::Relaxed);
    }

    /// Keeps every old log, under ever higher numbers, as logrotate does.
    fn rotate(&self, rotations: usize) {
        let name = |n: usize| self.log.with_extension(format!("log.{n}"));
        for n in (1..rotations).rev() {
            fs::rename(name(n), name(n + 1)).unwrap();
        }
        fs::rename(&self.log, name(1)).unwrap();
    }
}

/// When the daemon is killed.
#[derive(Clone, Copy)]
enum Moment {
    /// After so long: at its start, at its first look, or amid its work.
    After(Duration),
    /// Another ban has just been published, and is hardly stored.
    Published,
    /// It has just begun to store what happened in a second.
    Stored,
}

/// Kills the daemon at such a moment; returns its log.
fn kill_at(moment: Moment, scene: &Scene, config: &Path) -> String {
    let stored =
        || fs::metadata(scene.path("state/banmap.sqlite3-wal")).and_then(|stat| stat.modified()).ok();
    let (daemon, began) = (Daemon::spawn(config), Instant::now());
    let (listed, mut last_stored) = (scene.listed(), None);
    let mut is_time = |after: Duration| match moment {
        Moment::After(pause) => after >= pause,
        Moment::Published => scene.listed() != listed,
        // The first second's: a start stores too.
        Moment::Stored => {
            let now = stored();
            let before = last_stored.replace(now);
            after > Duration::from_millis(700) && before.is_some_and(|before| before != now)
        }
    };
    while !is_time(began.elapsed()) && began.elapsed() < Duration::from_millis(1500) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    daemon.kill()
}

fn survives(rotates: bool) {
    let mut random = Random::new();
    let seed = random.0;
    let scene = Scene::new();
    let jail = format!("[jail.login]\nmaxretry = {MAXRETRY}\nbantime = \"1d\"\n");
    let config = scene.configure(&format!("{jail}{SITE}"));
    let offences = offences(&mut random);
    let writer = Writer { log: scene.path(LOG), done: AtomicBool::new(false), rotates };
    // A log that is rotated away before the first look was never known.
    scene.append(LOG, request("192.0.2.255", "GET /", 200));
    let mut logs = Daemon::start(&config).kill();
    std::thread::scope(|scope| {
        let for_writer = Random(random.0 ^ 0x5555);
        scope.spawn(|| writer.write(&offences, for_writer));
        for round in 0..ROUNDS {
            let moment = match round % 4 {
                0 => Moment::Stored,
                1 => Moment::Published,
                _ => Moment::After(Duration::from_millis(random.below(300) as u64)),
            };
            logs += &kill_at(moment, &scene, &config);
            logs += "- killed -\n";
        }
        wait_until(SOON, "everything is written", || writer.done.load(Ordering::Relaxed));
    });
    let daemon = Daemon::start(&config);
    scene.wait_read(&daemon, LOG);
    let expected: BTreeSet<String> = (0..CLIENTS).map(bad).collect();
    let listed = scene.listed();
    let missed: Vec<_> = expected.difference(&listed).collect();
    let wrong: Vec<_> = listed.difference(&expected).collect();
    let fine = missed.is_empty() && wrong.is_empty();
    assert!(fine, "seed {seed}: missed {missed:?}, wrong {wrong:?}\n{logs}{}", daemon.log());
    let bans: BTreeMap<String, serde_json::Value> = daemon
        .json(&["list"])
        .into_iter()
        .map(|ban| (ban["address"].as_str().unwrap().to_owned(), ban))
        .filter(|(address, _)| !address.starts_with(MARKS))
        .collect();
    assert_eq!(bans.keys().cloned().collect::<BTreeSet<_>>(), expected, "seed {seed}");
    assert!(bans.values().all(|ban| ban["offences"] == MAXRETRY), "seed {seed}: {bans:?}");
    for n in (0..CLIENTS).step_by(8) {
        evidence_is_right(&daemon, n, &offences, seed);
    }
}

/// The lines of a ban are the client's own, each once (those that counted before a kill count on, without their text);
/// who was one short has its count.
fn evidence_is_right(daemon: &Daemon, n: usize, offences: &[String], seed: u64) {
    let (code, why) = daemon.ask(&["why", &bad(n)]);
    assert_eq!(code, 0, "seed {seed}: {why}");
    let mut texts: Vec<&str> =
        why["evidence"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    let client = bad(n);
    let written = offences.iter().enumerate().filter(|(_, of)| **of == client);
    let marks: Vec<String> = written.map(|(number, _)| format!("?n={number} ")).collect();
    let of_client = |text: &&str| text.starts_with(&client) && marks.iter().any(|mark| text.contains(mark));
    assert!(texts.iter().all(of_client), "seed {seed}: {marks:?} in {texts:?}");
    let shown = texts.len();
    texts.sort_unstable();
    texts.dedup();
    assert!(texts.len() == shown && (1..=MAXRETRY).contains(&shown), "seed {seed}: {texts:?}");
    assert_eq!(daemon.offences(&good(n), "login"), MAXRETRY as u64 - 1, "seed {seed}");
}

#[test]
fn killed_at_any_moment_it_bans_exactly_whom_it_should() {
    survives(false);
}

#[test]
fn killed_at_any_moment_while_logs_rotate_it_bans_exactly_whom_it_should() {
    survives(true);
}
