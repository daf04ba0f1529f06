//! A follower on a real directory, with a recorder that stores positions as the daemon does.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests play the web server and logrotate: they write and rename in place"
)]

mod first_look;
mod model;
mod racing;
mod restart;
mod rotation;
mod waiting;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::terms::Checkpoint;

/// What the daemon would hold: lines that were judged, and the checkpoints stored with them.
#[derive(Default)]
struct Recorder {
    /// Judged and stored with their positions.
    lines: Vec<(FileId, String)>,
    caught_up: Vec<bool>,
    stored: BTreeMap<(u64, u64), Checkpoint>,
    events: Vec<Event>,
    /// Lines that were handed out, but whose positions are not stored yet: a crash forgets them.
    judged: Vec<(FileId, String)>,
    /// Whether the store refuses first positions.
    refuses: bool,
    since: Option<Timestamp>,
    /// Stop after so many chunks.
    stop_after: Option<usize>,
}

impl Recorder {
    fn store(&mut self, positions: &mut Positions) {
        for checkpoint in positions.take() {
            let key = (checkpoint.fingerprint.device, checkpoint.fingerprint.inode);
            if checkpoint.finished {
                self.stored.remove(&key);
            } else {
                self.stored.insert(key, checkpoint);
            }
        }
        self.lines.append(&mut self.judged);
    }
}

impl Consumer for Recorder {
    fn lines(&mut self, chunk: Chunk<'_>) -> ControlFlow<()> {
        assert_eq!(chunk.bytes.last(), Some(&b'\n'), "a chunk holds whole lines");
        let text = String::from_utf8_lossy(chunk.bytes).into_owned();
        self.judged.extend(text.lines().map(|line| (chunk.file.id, line.to_owned())));
        self.caught_up.push(chunk.caught_up);
        match &mut self.stop_after {
            Some(0 | 1) => ControlFlow::Break(()),
            Some(left) => {
                *left -= 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    /// A line is `@SECONDS text`.
    fn time_of(&mut self, _: &FileInfo, line: &[u8]) -> Option<Timestamp> {
        let text = std::str::from_utf8(line).ok()?.strip_prefix('@')?;
        Timestamp::from_second(text.split(' ').next()?.parse().ok()?).ok()
    }

    fn since(&mut self, now: Timestamp) -> Timestamp {
        self.since.unwrap_or(now)
    }

    fn begin(&mut self, first: &Checkpoint) -> io::Result<()> {
        if self.refuses {
            return Err(io::Error::other("the disk is full"));
        }
        self.stored.insert((first.fingerprint.device, first.fingerprint.inode), first.clone());
        Ok(())
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// A directory of logs, and a follower on it that is driven by hand.
struct Lab {
    root: TempDir,
    patterns: Vec<&'static str>,
    read: FirstRead,
    follower: Follower,
    recorder: Recorder,
    now: Timestamp,
}

impl Lab {
    fn new(patterns: &[&'static str], read: FirstRead) -> Self {
        let root = tempfile::tempdir().unwrap();
        let follower = follower(root.path(), patterns, read, Vec::new());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        Self { root, patterns: patterns.to_vec(), read, follower, recorder: Recorder::default(), now }
    }

    /// Follows `access.log` from its beginning.
    fn beginning() -> Self {
        Self::new(&["access.log"], FirstRead::Beginning)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// What `copytruncate` does.
    fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        File::options().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    /// One turn, `seconds` later; its positions are stored.
    fn turn_after(&mut self, seconds: i64) -> Turn {
        self.now += SignedDuration::from_secs(seconds);
        let turn = self.follower.turn(self.now, &mut self.recorder);
        self.recorder.store(self.follower.positions());
        turn
    }

    /// Turns until everything there is was read.
    fn catch_up(&mut self) {
        self.turn_after(1);
        while self.turn_after(0).more {}
    }

    /// Another process starts from what was stored; nothing else survives.
    fn restart(&mut self) {
        self.recorder.judged.clear();
        let stored = self.recorder.stored.values().cloned().collect();
        self.follower = follower(self.root.path(), &self.patterns, self.read, stored);
    }

    fn lines(&self) -> Vec<&str> {
        self.recorder.lines.iter().map(|(_, line)| line.as_str()).collect()
    }

    /// The events since they were last asked for, as told.
    fn told(&mut self) -> Vec<String> {
        let root = format!("{}/", self.root.path().display());
        self.recorder.events.drain(..).map(|event| event.to_string().replace(&root, "")).collect()
    }

    fn status(&self) -> Vec<(String, FileState)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        self.follower.status().iter().map(|file| (name(&file.path), file.state)).collect()
    }
}

fn follower(root: &Path, patterns: &[&str], read: FirstRead, stored: Vec<Checkpoint>) -> Follower {
    let patterns = patterns.iter().map(|pattern| root.join(pattern).display().to_string()).collect();
    let settings = Settings { name: "site".parse().unwrap(), input: Input::Files(patterns), read };
    Follower::with_watch(settings, stored, false).unwrap()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
