//! How a file begins to be followed: at its checkpoint, as the copy of another, or with a first look.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::consumer::{Consumer, FileId, FileInfo};
use super::copies::{Found, copies_of};
use super::follower::{Follower, Pass};
use super::head::{FileKey, HEAD};
use super::recent::{first_since, lines_end};
use super::rotate::Vacated;
use super::siblings::{Names, by_inode, differ_in_date, is_rotated, live_names, may_be_copy};
use super::tail::Tail;
use super::troubles::Trouble;
use super::{Event, FirstRead, Start};
use crate::terms::{Checkpoint, Fingerprint};

/// The file of a checkpoint is given up when it was not found for so long in a directory that exists.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// File times come from a clock that only moves with the kernel's tick.
const CLOCK_GRAIN: SignedDuration = SignedDuration::from_millis(10);

/// A checkpoint whose file was not found yet.
pub(super) struct Pending {
    checkpoint: Checkpoint,
    missed_since: Option<Timestamp>,
}

impl Pending {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, missed_since: None }
    }
}

/// Where and how a file begins to be followed.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) offset: u64,
    pub(super) start: Start,
    /// The path under which it was live; its own where that matches a pattern.
    pub(super) home: Option<&'a Path>,
    /// The file to finish first.
    pub(super) after: Option<FileId>,
}

impl Opening<'_> {
    pub(super) fn at(offset: u64, start: Start) -> Self {
        Self { offset, start, home: None, after: None }
    }
}

impl Follower {
    /// Follows a file from now on; `None` where it is followed already, or cannot be.
    pub(super) fn follow(
        &mut self,
        found: Found,
        opening: Opening<'_>,
        now: Timestamp,
        consumer: &mut dyn Consumer,
    ) -> Option<FileId> {
        if self.follows(found.key) || self.is_elsewhere(&found.path, found.key, consumer) {
            return None;
        }
        let Found { path, file, head, key, .. } = found;
        let rotated = !self.patterns.matches(&path);
        let home = opening.home.filter(|_| rotated).unwrap_or(&path).to_owned();
        let (id, offset, start) = (self.next_id(), opening.offset, opening.start);
        let info = FileInfo { id, path: path.clone(), home };
        let mut tail = Tail::new(info, file, head, offset, now).ok()?;
        (tail.rotated, tail.after) = (rotated, opening.after);
        if self.is_full() && !rotated {
            tail.close();
        }
        tail.record(&mut self.positions);
        consumer.event(Event::Opened { path, offset, size: tail.size, start });
        self.copies.remove(&key);
        self.tails.push(tail);
        Some(id)
    }

    /// Finds the files of the checkpoints: first by inode and leading bytes, then by leading bytes alone; last those
    /// that had no byte yet and are known by their inode alone, which may have been used again.
    pub(super) fn resume_pending(&mut self, pass: &mut Pass<'_>) {
        let pending = std::mem::take(&mut self.pending);
        let (empty, known): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|pending| pending.checkpoint.fingerprint.head_len == 0);
        let known = self.resume_by(Self::same_file, known, Start::Checkpoint, pass);
        let known = self.resume_by(Self::copy_of, known, Start::Copy, pass);
        let empty = self.resume_by(Self::same_file, empty, Start::Checkpoint, pass);
        for pending in known.into_iter().chain(empty) {
            self.not_found(pending, pass);
        }
    }

    /// Resumes those whose file is found so; the others.
    fn resume_by(
        &mut self,
        find: fn(&Self, &Checkpoint) -> Option<Found>,
        pending: Vec<Pending>,
        start: Start,
        pass: &mut Pass<'_>,
    ) -> Vec<Pending> {
        let mut others = Vec::new();
        for pending in pending {
            match find(self, &pending.checkpoint) {
                Some(found) => self.resume(&pending.checkpoint, found, start, pass),
                None => others.push(pending),
            }
        }
        others
    }

    /// The checkpoint's own file, under its path or another name beside it.
    fn same_file(&self, checkpoint: &Checkpoint) -> Option<Found> {
        let Checkpoint { path, fingerprint, offset, .. } = checkpoint;
        let key = FileKey::named_by(fingerprint);
        let real = path.canonicalize().ok();
        let directories = [path.parent(), real.as_deref().and_then(Path::parent)];
        let elsewhere = directories.into_iter().flatten().filter_map(|directory| by_inode(directory, key));
        let mut paths = [path.clone()].into_iter().chain(elsewhere);
        paths.find_map(|candidate| {
            let found = Found::open(&candidate).ok()?;
            let same = found.key == key && found.stat.is_file() && found.continues(fingerprint, *offset);
            let sure = fingerprint.head_len > 0 || self.is_surely_same(path, &found);
            (same && sure && !self.follows(found.key)).then_some(found)
        })
    }

    /// Whether a file that had no byte is this one: its inode may have been used again.
    fn is_surely_same(&self, path: &Path, found: &Found) -> bool {
        if found.path == path {
            // Where another is known to have been there last, this one succeeds that.
            return !self.vacated.contains_key(path);
        }
        let is_copy =
            || Found::open(path).is_ok_and(|now| found.is_copy_of(&now)) || self.original_of(found).is_some();
        may_have_been(path, &found.path) && !is_copy()
    }

    /// A file that begins as the checkpoint's did and is long enough.
    fn copy_of(&self, checkpoint: &Checkpoint) -> Option<Found> {
        let Checkpoint { path, fingerprint, offset, .. } = checkpoint;
        if *offset == 0 && fingerprint.head_len < HEAD as u32 {
            return None;
        }
        let itself = Found::open(path).ok().filter(|found| found.stat.is_file());
        let names = [path.clone()].into_iter().chain(live_names(path));
        let copies = names.flat_map(|name| copies_of(&name, fingerprint));
        let mut candidates = itself.into_iter().chain(copies);
        candidates.find(|found| found.continues(fingerprint, *offset) && !self.follows(found.key))
    }

    fn resume(&mut self, checkpoint: &Checkpoint, found: Found, start: Start, pass: &mut Pass<'_>) {
        let Checkpoint { path, fingerprint, offset, .. } = checkpoint;
        let home = self.home_of(path, &found.path);
        if found.key != FileKey::named_by(fingerprint) {
            self.positions.finish(path, *fingerprint, *offset);
        }
        let moved = found.path != home;
        let opening = Opening { home: Some(&home), ..Opening::at(*offset, start) };
        let Some(id) = self.follow(found, opening, pass.now, pass.consumer) else { return };
        if moved {
            self.vacate(home, id);
        }
    }

    /// The live path of a checkpoint's file: its own if that matches, else the one from which it was rotated.
    fn home_of(&self, path: &Path, found: &Path) -> PathBuf {
        let candidates = [path.to_owned()].into_iter().chain(live_names(path)).chain(live_names(found));
        candidates.into_iter().find(|path| self.patterns.matches(path)).unwrap_or_else(|| found.to_owned())
    }

    /// Of several files that were live under one path, what appears there now succeeds the one written last.
    fn vacate(&mut self, home: PathBuf, predecessor: FileId) {
        let written = |id: FileId| self.tail(id).and_then(|tail| tail.stat().ok()?.modified().ok());
        // One that had no byte is known by its inode alone: it may be another file.
        let is_sure = self.tail(predecessor).is_some_and(|tail| tail.offset > 0);
        let is_last = |known: &Vacated| is_sure && written(predecessor) >= written(known.predecessor);
        if self.vacated.get(&home).is_none_or(is_last) {
            self.vacated.insert(home, Vacated { predecessor, found: true });
        }
    }

    /// Whatever is at the path now took its place. Where nothing is, the file may come (a volume that is not mounted yet).
    fn not_found(&mut self, pending: Pending, pass: &mut Pass<'_>) {
        let Checkpoint { path, fingerprint, offset, .. } = &pending.checkpoint;
        let occupant = pass.scan.by_path.get(path).copied();
        let missed_since = pending.missed_since.unwrap_or(pass.now);
        let has_directory = path.parent().is_some_and(Path::is_dir);
        let patient = !has_directory || pass.now.duration_since(missed_since) < PATIENCE;
        if occupant.is_none() && patient {
            self.pending.push(Pending { missed_since: Some(missed_since), ..pending });
            return;
        }
        let truncated = occupant == Some(FileKey::named_by(fingerprint));
        let (path, read_to) = (path.clone(), *offset);
        if !self.follows(FileKey::named_by(fingerprint)) {
            self.positions.finish(&path, *fingerprint, read_to);
        }
        if truncated {
            pass.consumer.event(Event::Truncated { path: path.clone(), read_to, copy: None });
        } else if read_to > 0 {
            pass.consumer.event(Event::Lost { path: path.clone(), offset: read_to });
        }
        if occupant.is_some() && !self.vacated.contains_key(&path) {
            self.open_instead(&path, &pending.checkpoint.fingerprint, pass);
        }
    }

    fn open_instead(&mut self, path: &Path, fingerprint: &Fingerprint, pass: &mut Pass<'_>) {
        let Ok(found) = Found::open(path) else { return };
        if !self.follows(found.key) && !self.is_copy(&found, pass.consumer) {
            let opening = opening_instead(&found, fingerprint);
            self.follow(found, opening, pass.now, pass.consumer);
        }
    }

    /// Opens what matches and is not known in any way.
    pub(super) fn open_new(&mut self, pass: &mut Pass<'_>) {
        let followed: HashSet<FileKey> = self.tails.iter().map(|tail| tail.key).collect();
        for (path, key) in std::mem::take(&mut pass.scan.files) {
            let is_copy = self.copies.get(&key).is_some_and(|of| self.tail(*of).is_some());
            if is_copy || followed.contains(&key) || self.vacated.contains_key(&path) {
                continue;
            }
            if self.is_elsewhere(&path, key, pass.consumer) {
                continue;
            }
            if let Some(found) = self.open_scanned(&path, key, pass.consumer) {
                self.open_unknown(found, pass);
            }
        }
        self.copies.retain(|_, of| self.tails.iter().any(|tail| tail.info.id == *of));
    }

    /// Opens what the scan found at `path`. Where that is another file by now the scan is out of date: its own file is
    /// to be found first, and another scan follows soon.
    pub(super) fn open_scanned(
        &mut self,
        path: &Path,
        key: FileKey,
        consumer: &mut dyn Consumer,
    ) -> Option<Found> {
        match Found::open(path) {
            Ok(found) if found.key == key => return Some(found),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.meet_unreadable(path.to_owned(), error, consumer);
            }
            Ok(_) | Err(_) => self.names_changed = true,
        }
        None
    }

    fn open_unknown(&mut self, found: Found, pass: &mut Pass<'_>) {
        if let Some(offset) = self.read_before(&found) {
            self.follow(found, Opening::at(offset, Start::Checkpoint), pass.now, pass.consumer);
        } else if self.copies.contains_key(&found.key) {
            // What it was a copy of is read to its end and gone: only what is appended here is new.
            let end = lines_end(&found.file).unwrap_or(found.stat.len());
            self.follow(found, Opening::at(end, Start::Copy), pass.now, pass.consumer);
        } else if !self.is_copy(&found, pass.consumer) {
            self.first_look(found, pass);
        }
    }

    /// Whether it is a copy of a followed file; then it is remembered as such and not read.
    pub(super) fn is_copy(&mut self, found: &Found, consumer: &mut dyn Consumer) -> bool {
        let Some((id, of)) = self.original_of(found) else { return false };
        if self.copies.insert(found.key, id).is_none() {
            consumer.event(Event::CopySkipped { path: found.path.clone(), of });
        }
        true
    }

    /// The followed file that this one is a copy of, by name and by leading bytes: `copytruncate` copies first.
    fn original_of(&self, found: &Found) -> Option<(FileId, PathBuf)> {
        let name = found.path.file_name()?;
        let is_original = |tail: &&Tail| {
            let base = tail.info.path.file_name().filter(|_| tail.info.path.parent() == found.path.parent());
            let named = base.is_some_and(|base| may_be_copy(base, name));
            named && tail.head().identifies() && found.head.matches(&tail.fingerprint())
        };
        self.tails.iter().find(is_original).map(|tail| (tail.info.id, tail.info.path.clone()))
    }

    /// A file without a checkpoint: where it begins is made durable before its first line is handed out.
    fn first_look(&mut self, found: Found, pass: &mut Pass<'_>) {
        let opening = match self.first_position(&found, pass) {
            Ok(opening) => opening,
            Err(error) => return self.meet_unreadable(found.path, error, pass.consumer),
        };
        let fingerprint = found.head.fingerprint(found.key);
        let first = self.positions.checkpoint(&found.path, fingerprint, opening.offset);
        match pass.consumer.begin(&first) {
            Ok(()) => {
                self.follow(found, opening, pass.now, pass.consumer);
            }
            Err(error) => {
                let path = found.path;
                let event = Event::NotStored { path: path.clone(), error };
                self.troubles.meet(&path, Trouble::NotStored, pass.consumer, event);
            }
        }
    }

    fn first_position(&self, found: &Found, pass: &mut Pass<'_>) -> io::Result<Opening<'static>> {
        // A file born while we follow had no line before: its end would skip what was just written.
        let born = found.stat.created().ok().and_then(|born| Timestamp::try_from(born).ok());
        let is_new = born.is_some_and(|born| born >= self.started - CLOCK_GRAIN);
        let at_end = || {
            let end = if is_new { 0 } else { lines_end(&found.file)? };
            Ok(Opening::at(end, if is_new { Start::Beginning } else { Start::End }))
        };
        match self.settings.read {
            FirstRead::Beginning => Ok(Opening::at(0, Start::Beginning)),
            FirstRead::End => at_end(),
            FirstRead::Recent => {
                let info = FileInfo { id: FileId(0), path: found.path.clone(), home: found.path.clone() };
                let since = pass.consumer.since(pass.now);
                let recent = first_since(&found.file, since, &mut |line| pass.consumer.time_of(&info, line))?;
                recent.map_or_else(at_end, |offset| Ok(Opening::at(offset, Start::Recent)))
            }
        }
    }
}

/// The start of what took the place of a checkpoint's file: its first byte, unless it is that file, shortened by an editor.
fn opening_instead(found: &Found, fingerprint: &Fingerprint) -> Opening<'static> {
    let shortened = found.key != FileKey::named_by(fingerprint)
        && fingerprint.head_len as usize == HEAD
        && found.head.matches(fingerprint);
    let end = shortened.then(|| lines_end(&found.file).unwrap_or(0));
    end.map_or(Opening::at(0, Start::Successor), |end| Opening::at(end, Start::Copy))
}

/// Whether a log that was at `path` may be called so now.
fn may_have_been(path: &Path, now: &Path) -> bool {
    let names =
        |one: &Path, passes: Names| one.file_name().zip(now.file_name()).is_some_and(|(a, b)| passes(a, b));
    let by_date = || path.canonicalize().is_ok_and(|real| names(&real, differ_in_date));
    let live = live_names(now);
    let moved_on = || live_names(path).iter().any(|name| live.contains(name));
    names(path, is_rotated) || moved_on() || (path.is_symlink() && by_date())
}
