//! Names come and go: which path each followed file has now, who succeeds one that lost its path, and when a rotated
//! file is let go.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::consumer::{Consumer, FileId, FileInfo};
use super::copies::{Found, copies_of, rotated_since};
use super::follower::{Follower, Pass};
use super::head::{FileKey, holds};
use super::recent::lines_end;
use super::siblings::{by_inode, differ_in_date, is_rotated, live_names};
use super::start::Opening;
use super::tail::Tail;
use super::{Event, Start};
use crate::terms::Fingerprint;

/// A rotated file is let go when it did not grow for so long.
const SILENT: SignedDuration = SignedDuration::from_secs(60);

/// So many files that were let go are remembered.
const REMEMBERED: usize = 64;

/// What is known of a path whose file went.
#[derive(Clone, Copy)]
pub(super) struct Vacated {
    /// The file that was there last.
    pub(super) predecessor: FileId,
    /// Whether that was found under another name: then what appears is surely not itself.
    pub(super) found: bool,
}

impl Follower {
    /// Brings the followed files' paths up to date.
    pub(super) fn settle_names(&mut self, pass: &mut Pass<'_>) {
        for index in 0..self.tails.len() {
            let Some(tail) = self.tails.get_mut(index) else { continue };
            let known = pass.scan.by_path.get(&tail.info.path);
            tail.succeeded = pass.scan.by_path.get(&tail.info.home).is_some_and(|key| *key != tail.key);
            // A directory that could not be read for a moment does not mean that the file went.
            let in_place = || self.patterns.matches(&tail.info.path) && may_be_at(&tail.info.path, tail.key);
            if known == Some(&tail.key) || (known.is_none() && in_place()) {
                tail.rotated = false;
            } else if let Some((path, _)) = pass.scan.files.iter().find(|(_, key)| *key == tail.key) {
                let path = path.clone();
                self.renamed(index, path, pass);
            } else {
                self.left(index, pass);
            }
        }
    }

    /// The file has another path that matches the patterns too: it goes on there as any other.
    fn renamed(&mut self, index: usize, path: PathBuf, pass: &mut Pass<'_>) {
        let Some(tail) = self.tails.get_mut(index) else { return };
        let from = tail.info.path.clone();
        if !tail.rotated {
            self.vacated.insert(from.clone(), Vacated { predecessor: tail.info.id, found: true });
        }
        tail.moved(&path, &mut self.positions);
        tail.info.home.clone_from(&path);
        tail.rotated = false;
        pass.consumer.event(Event::Rotated { from, to: Some(path) });
    }

    /// No path that matches leads to the file any more.
    fn left(&mut self, index: usize, pass: &mut Pass<'_>) {
        let Some(tail) = self.tails.get_mut(index) else { return };
        if tail.rotated && is_at(&tail.info.path, tail.key) {
            return;
        }
        let (from, to) = (tail.info.path.clone(), whereabouts(tail));
        if let Some(path) = to.as_ref().filter(|path| **path != from) {
            tail.moved(path, &mut self.positions);
        }
        if !std::mem::replace(&mut tail.rotated, true) {
            let vacated = Vacated { predecessor: tail.info.id, found: to.is_some() };
            self.vacated.insert(from.clone(), vacated);
            pass.consumer.event(Event::Rotated { from, to });
        }
    }

    /// Opens what appeared where a file went: first what was live there in between, then what is there now.
    pub(super) fn fill_vacated(&mut self, pass: &mut Pass<'_>) {
        for (home, vacated) in self.vacated.clone() {
            if self.tail(vacated.predecessor).is_none() {
                self.vacated.remove(&home);
                continue;
            }
            let occupant = pass.scan.by_path.get(&home).copied();
            let is_followed = occupant.is_some_and(|key| self.follows(key));
            let between = if is_followed { Vec::new() } else { self.live_between(&home, vacated, occupant) };
            if occupant.is_some_and(|key| !is_at(&home, key)) {
                // It was rotated away since the scan, and its own successors may be among those in between.
                self.names_changed = true;
            } else if is_followed {
                self.vacated.remove(&home);
            } else {
                self.fill(home, vacated, (between, occupant), pass);
            }
        }
    }

    /// Follows what was live in between, and then what is there now.
    fn fill(
        &mut self,
        home: PathBuf,
        vacated: Vacated,
        (between, occupant): (Vec<Found>, Option<FileKey>),
        pass: &mut Pass<'_>,
    ) {
        let first = Some(vacated.predecessor);
        let last = self.open_in_turn(&home, between, first, pass.now, pass.consumer);
        let vacated = Vacated { predecessor: last.unwrap_or(vacated.predecessor), ..vacated };
        if occupant.is_some_and(|key| self.open_successor(&home, key, vacated, pass)) {
            self.vacated.remove(&home);
        } else {
            self.vacated.insert(home, vacated);
        }
    }

    /// The logs that came and were rotated away between two looks, oldest first.
    fn live_between(&self, home: &Path, vacated: Vacated, occupant: Option<FileKey>) -> Vec<Found> {
        let Some(tail) = self.tail(vacated.predecessor) else { return Vec::new() };
        let Ok(since) = tail.stat() else { return Vec::new() };
        // Where the predecessor was not found, a sibling that begins as it did is its copy.
        let original = (!vacated.found && tail.head().identifies()).then(|| tail.fingerprint());
        // Where the path is a link, the logs themselves are called by their dates.
        let mut between = if home.is_symlink() {
            rotated_since(&tail.real, &since, differ_in_date)
        } else {
            rotated_since(home, &since, is_rotated)
        };
        // A restart may fall between the copying of what is there now and its truncation.
        let now_there = Found::open(home).ok().filter(|now| occupant == Some(now.key));
        between.retain(|found| {
            let is_copy = original.is_some_and(|original| found.head.matches(&original));
            let is_copy = is_copy || now_there.as_ref().is_some_and(|now| found.is_copy_of(now));
            Some(found.key) != occupant && !is_copy
        });
        between
    }

    /// Opens successors, each after the one before it; the last that was new, or `first`.
    fn open_in_turn(
        &mut self,
        home: &Path,
        between: Vec<Found>,
        first: Option<FileId>,
        now: Timestamp,
        consumer: &mut dyn Consumer,
    ) -> Option<FileId> {
        between.into_iter().fold(first, |last, found| {
            if self.follows(found.key) || self.read_before(&found).is_some() || self.is_copy(&found, consumer)
            {
                return last;
            }
            let opening = Opening { home: Some(home), after: last, ..Opening::at(0, Start::Successor) };
            self.follow(found, opening, now, consumer).or(last)
        })
    }

    /// Opens the file `key` that took the place of another; whether it could be.
    fn open_successor(&mut self, home: &Path, key: FileKey, vacated: Vacated, pass: &mut Pass<'_>) -> bool {
        let Some(found) = self.open_scanned(home, key, pass.consumer) else { return false };
        if self.is_copy(&found, pass.consumer) {
            return true;
        }
        let opening = match self.read_before(&found) {
            Some(offset) => Opening::at(offset, Start::Checkpoint),
            None => self.opening_of_successor(&found, vacated),
        };
        let opening = Opening { after: Some(vacated.predecessor), ..opening };
        self.follow(found, opening, pass.now, pass.consumer).is_some()
    }

    /// At the first byte; but a file that begins as its lost predecessor did is that file, edited or restored: what
    /// the predecessor holds is read there, and only what follows it here.
    fn opening_of_successor(&self, found: &Found, vacated: Vacated) -> Opening<'static> {
        let lost = self.tail(vacated.predecessor).filter(|_| !vacated.found);
        let same = lost.filter(|tail| tail.head().is_full() && found.head.matches(&tail.fingerprint()));
        match same.map(Tail::lines_end) {
            Some(end) if holds(&found.file, end).unwrap_or(false) => Opening::at(end, Start::Copy),
            Some(_) => Opening::at(lines_end(&found.file).unwrap_or(0), Start::Copy),
            None => Opening::at(0, Start::Successor),
        }
    }

    /// A file holds other bytes than were read: it begins again, after what its siblings have of the old ones.
    pub(super) fn truncated(&mut self, index: usize, now: Timestamp, consumer: &mut dyn Consumer) {
        let Some(tail) = self.tails.get_mut(index) else { return };
        let (info, read_to, fingerprint) = (tail.info.clone(), tail.offset, tail.fingerprint());
        let (identified, written) = (tail.head().identifies(), tail.written);
        if let Err(error) = tail.begin_again(now, &mut self.positions) {
            return tail.fail(error, consumer);
        }
        let mut copies = copies_beside(&info, &fingerprint);
        // Less than a line may be what other logs begin with too: then only a newer file is the copy.
        copies
            .retain(|copy| identified || (fingerprint.head_len > 0 && copy.stat.modified().ok() >= written));
        let rest = self.open_copies(&info.home, copies, (&fingerprint, read_to), now, consumer);
        let copy = rest.and_then(|id| self.tail(id)).map(|tail| tail.info.path.clone());
        consumer.event(Event::Truncated { path: info.path, read_to, copy });
        let Some(rest) = rest else { return };
        let since = self.tail(rest).and_then(|tail| tail.stat().ok());
        let between = since.map_or_else(Vec::new, |since| rotated_since(&info.home, &since, is_rotated));
        let last = self.open_in_turn(&info.home, between, Some(rest), now, consumer);
        if let Some(tail) = self.tails.get_mut(index) {
            tail.after = last;
        }
    }

    /// Opens what may hold the first lines of a file, truncated before they were seen there.
    pub(super) fn open_copies_of_filled(&mut self, pass: &mut Pass<'_>) {
        for (id, since) in std::mem::take(&mut self.filled) {
            let Some(home) = self.tail(id).map(|tail| tail.info.home.clone()) else { continue };
            let mut copies = rotated_since(&home, &since, is_rotated);
            // The copy of the truncation that made it empty was written before that.
            copies.retain(|copy| copy.stat.modified().ok() > since.modified().ok());
            let last = self.open_in_turn(&home, copies, None, pass.now, pass.consumer);
            if let Some(tail) = self.tails.iter_mut().find(|tail| tail.info.id == id && last.is_some()) {
                tail.after = last;
            }
        }
    }

    /// Opens the copy that holds what was not read; also those without, where a pattern matches them: they would be
    /// read as new files.
    fn open_copies(
        &mut self,
        home: &Path,
        copies: Vec<Found>,
        (fingerprint, read_to): (&Fingerprint, u64),
        now: Timestamp,
        consumer: &mut dyn Consumer,
    ) -> Option<FileId> {
        let mut rest = None;
        for copy in copies.into_iter().filter(|copy| copy.key != FileKey::named_by(fingerprint)) {
            let holds_rest = rest.is_none() && copy.continues(fingerprint, read_to);
            if !holds_rest && !self.patterns.matches(&copy.path) {
                continue;
            }
            let offset = if holds_rest { read_to } else { lines_end(&copy.file).unwrap_or(copy.stat.len()) };
            let opening = Opening { home: Some(home), ..Opening::at(offset, Start::Copy) };
            let opened = self.follow(copy, opening, now, consumer);
            rest = rest.or(opened.filter(|_| holds_rest));
        }
        rest
    }

    /// Lets go of rotated files that were silent for a minute and have a successor, and of deleted ones.
    pub(super) fn let_go_of_silent(&mut self, now: Timestamp, consumer: &mut dyn Consumer) {
        let patterns = &self.patterns;
        let is_over = |tail: &mut Tail| {
            let read = (tail.rotated || tail.deleted) && (tail.is_at_end() || tail.failed);
            let silent = now.duration_since(tail.grown_at) >= SILENT && (tail.deleted || tail.succeeded);
            // A checkpoint of what no pattern means any more: its rest is read, no more.
            read && (silent || !patterns.matches(&tail.info.home))
        };
        let gone: Vec<Tail> = self.tails.extract_if(.., is_over).collect();
        for tail in gone {
            let (path, fingerprint, offset) = (tail.info.path.clone(), tail.fingerprint(), tail.offset);
            self.positions.finish(&path, fingerprint, offset);
            if offset > 0 {
                self.let_go.push_back((fingerprint, offset));
            }
            if self.let_go.len() > REMEMBERED {
                self.let_go.pop_front();
            }
            consumer.event(Event::LetGo { path, offset });
        }
    }

    /// How far a file was read that was let go before.
    pub(super) fn read_before(&self, found: &Found) -> Option<u64> {
        let same = |(fingerprint, offset): &&(_, u64)| {
            FileKey::named_by(fingerprint) == found.key && found.continues(fingerprint, *offset)
        };
        self.let_go.iter().rev().find(same).map(|(_, offset)| *offset)
    }
}

fn is_at(path: &Path, key: FileKey) -> bool {
    path.metadata().is_ok_and(|stat| FileKey::of(&stat) == key)
}

/// Also where a directory on the way may not be entered for now.
fn may_be_at(path: &Path, key: FileKey) -> bool {
    let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    path.metadata().map_or_else(denied, |stat| FileKey::of(&stat) == key)
}

/// Where a file went: still at its real path (a link was switched), or under another name in either directory.
fn whereabouts(tail: &Tail) -> Option<PathBuf> {
    if is_at(&tail.real, tail.key) {
        return Some(tail.real.clone());
    }
    let directories = [tail.real.parent(), tail.info.path.parent()];
    directories.into_iter().flatten().find_map(|directory| by_inode(directory, tail.key))
}

/// The copies of a file that is known by its former leading bytes, under all the names it may have had.
fn copies_beside(info: &FileInfo, fingerprint: &Fingerprint) -> Vec<Found> {
    let mut names = vec![info.home.clone(), info.path.clone()];
    names.extend(live_names(&info.path));
    names.sort();
    names.dedup();
    names.iter().flat_map(|name| copies_of(name, fingerprint)).collect()
}
