//! All `file:` lists of a configuration: read at start, looked at again while running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::file::{self, Stamp};
use super::{ListEntry, ListError};
use crate::address::{AllowEntry, Allowlist};
use crate::os::clock;

/// The files that entries name, each as it was last read without a problem.
#[derive(Debug, Default)]
pub struct Lists {
    files: BTreeMap<PathBuf, Followed>,
}

/// What a new look at the files found.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// A list now holds other entries: allow lists are to be resolved anew.
    pub changed: bool,
    /// Files that changed and cannot be used, so that their last good list stays in force. Each problem is told once.
    pub problems: Vec<ListError>,
}

/// One file.
#[derive(Debug)]
struct Followed {
    /// Where the configuration names it.
    named_by: Arc<str>,
    /// What was last looked at, whether it could be used or not; `None`: nothing was there.
    stamp: Option<Stamp>,
    /// Whether every later change gives another stamp; until then it is read at each look.
    settled: bool,
    /// The last good list.
    entries: Vec<AllowEntry>,
    /// What was wrong at the last look, as it was told.
    told: Vec<String>,
}

impl Lists {
    /// Reads every file that `entries` name, or tells every problem in any of them.
    pub fn open<'a>(entries: impl IntoIterator<Item = &'a ListEntry>) -> Result<Self, Vec<ListError>> {
        let mut lists = Self::default();
        let mut problems = Vec::new();
        let now = clock::now();
        for entry in entries {
            let ListEntry::File { path, origin } = entry else { continue };
            if !lists.files.contains_key(path) {
                let mut followed = Followed::new(origin.clone());
                problems.extend(followed.look(path, now).problems);
                lists.files.insert(path.clone(), followed);
            }
        }
        if problems.is_empty() { Ok(lists) } else { Err(problems) }
    }

    /// Looks at every file again, and reads those that changed. Costs one `stat` for each file; meant for each second.
    pub fn refresh(&mut self) -> Refreshed {
        let now = clock::now();
        let mut all = Refreshed::default();
        for (path, followed) in &mut self.files {
            let one = followed.look(path, now);
            all.changed |= one.changed;
            all.problems.extend(one.problems);
        }
        all
    }

    /// The allow list that `entries` make with the files as they were last read. Files that were not opened hold nothing.
    pub fn allowlist<'a>(&self, entries: impl IntoIterator<Item = &'a ListEntry>) -> Allowlist {
        let mut resolved = Vec::new();
        for entry in entries {
            match entry {
                ListEntry::Prefix { prefix, origin } => {
                    resolved.push(AllowEntry { prefix: *prefix, origin: origin.clone() });
                }
                ListEntry::File { path, .. } => {
                    resolved.extend(
                        self.files.get(path).into_iter().flat_map(|file| file.entries.iter().cloned()),
                    );
                }
            }
        }
        Allowlist::new(resolved)
    }
}

impl Followed {
    fn new(named_by: Arc<str>) -> Self {
        Self { named_by, stamp: None, settled: false, entries: Vec::new(), told: Vec::new() }
    }

    fn look(&mut self, path: &Path, now: Timestamp) -> Refreshed {
        let stamp = Stamp::of(path);
        if self.settled && stamp == self.stamp {
            return Refreshed::default();
        }
        match file::read(path, &self.named_by) {
            Ok((stamp, entries)) => self.take(stamp, entries, now),
            Err(problems) => self.keep(stamp, problems, now),
        }
    }

    fn take(&mut self, stamp: Stamp, entries: Vec<AllowEntry>, now: Timestamp) -> Refreshed {
        self.note(Some(stamp), now);
        self.told.clear();
        let changed = entries != self.entries;
        self.entries = entries;
        Refreshed { changed, problems: Vec::new() }
    }

    fn keep(&mut self, stamp: Option<Stamp>, problems: Vec<ListError>, now: Timestamp) -> Refreshed {
        self.note(stamp, now);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let news = told != self.told;
        self.told = told;
        Refreshed { changed: false, problems: if news { problems } else { Vec::new() } }
    }

    /// A file that is missing, or that may not be opened, is looked at each time: what changes that is not in its stamp.
    fn note(&mut self, stamp: Option<Stamp>, now: Timestamp) {
        self.stamp = stamp;
        self.settled = stamp.is_some_and(|stamp| stamp.is_settled(now));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn put(path: &Path, text: &str) {
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn entry(path: &Path) -> ListEntry {
        ListEntry::File { path: path.to_owned(), origin: "ignoreip of [defaults] (/c:1)".into() }
    }

    fn allowed(lists: &Lists, entries: &[ListEntry]) -> Vec<String> {
        let allowlist = lists.allowlist(entries);
        allowlist.entries().iter().map(|entry| entry.prefix.to_string()).collect()
    }

    #[test]
    fn a_change_is_seen_and_a_bad_one_leaves_the_last_good_list() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow.txt");
        put(&path, "192.0.2.1\n");
        let entries = [entry(&path), ListEntry::read("198.51.100.1", Path::new("/"), "x".into()).unwrap()];
        let mut lists = Lists::open(&entries).unwrap();
        assert_eq!(allowed(&lists, &entries), ["192.0.2.1", "198.51.100.1"]);
        assert!(!lists.refresh().changed);

        // The same size and, within a kernel tick, the same time.
        put(&path, "192.0.2.2\n");
        assert!(lists.refresh().changed);
        assert_eq!(allowed(&lists, &entries), ["192.0.2.2", "198.51.100.1"]);

        put(&path, "192.0.2.3\noffice\n");
        let refreshed = lists.refresh();
        assert!(!refreshed.changed);
        assert!(refreshed.problems[0].to_string().ends_with("begins a comment"));
        assert_eq!(allowed(&lists, &entries), ["192.0.2.2", "198.51.100.1"]);
        assert!(lists.refresh().problems.is_empty(), "told once");

        std::fs::remove_file(&path).unwrap();
        assert_eq!(lists.refresh().problems.len(), 1);
        assert!(lists.refresh().problems.is_empty(), "told once");
        put(&path, "192.0.2.3\n");
        assert!(lists.refresh().changed);
    }

    #[test]
    fn at_start_every_problem_of_every_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let bad = directory.path().join("bad.txt");
        put(&bad, "x\ny\n");
        let entries =
            [entry(&bad), entry(&directory.path().join("none.txt")), entry(directory.path()), entry(&bad)];
        let problems = Lists::open(&entries).unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 4, "{shown:?}");
        assert!(shown[2].contains("(ignoreip of [defaults] (/c:1)): No such file"), "{}", shown[2]);
        assert!(shown[3].contains("is no regular file"), "{}", shown[3]);
    }

    #[test]
    fn a_settled_file_is_not_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow.txt");
        put(&path, "192.0.2.1\n");
        let later = clock::now() + jiff::SignedDuration::from_secs(10);
        let mut followed = Followed::new("here".into());
        assert!(followed.look(&path, later).changed);
        assert!(followed.settled);
        followed.entries.clear();
        assert!(!followed.look(&path, later).changed);
    }
}
