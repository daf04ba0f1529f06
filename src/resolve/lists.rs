//! All `file:` lists and `dns:` names of a configuration: read at start, looked at again while running.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::file::{self, Stamp};
use super::follow::{self, Following, Lookup, News};
use super::{HostName, ListEntry, ListError};
use crate::address::{Address, AllowEntry, Allowlist, Prefix};
use crate::os::clock;

/// The files and names of a configuration, each as it was last read without a problem.
#[derive(Debug, Default)]
pub struct Lists {
    files: BTreeMap<PathBuf, Followed>,
    names: BTreeMap<HostName, Named>,
}

/// What a new look at a file found.
#[derive(Debug, Default)]
pub(super) struct Refreshed {
    /// It holds other entries now.
    pub(super) changed: bool,
    /// It changed and cannot be used, so that the last good list stays in force. Each problem is told once.
    pub(super) problems: Vec<ListError>,
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// Where the configuration names it.
    named_by: Arc<str>,
    /// What was last looked at, whether it could be used or not; `None`: nothing was there.
    stamp: Option<Stamp>,
    /// Whether every later change gives another stamp; until then it is read at each look.
    settled: bool,
    /// The last good list.
    entries: Arc<Vec<AllowEntry>>,
    /// What was wrong at the last look, as it was told.
    told: Vec<String>,
}

/// One name.
#[derive(Debug)]
struct Named {
    /// Where the configuration names it.
    named_by: Arc<str>,
    /// The last good answer; none before the first.
    addresses: Vec<Address>,
}

impl Lists {
    /// Reads every file that `entries` name, or tells every problem in any of them. Names have no addresses yet.
    pub fn open<'a>(entries: impl IntoIterator<Item = &'a ListEntry>) -> Result<Self, Vec<ListError>> {
        let mut lists = Self::default();
        let mut problems = Vec::new();
        let now = clock::now();
        for entry in entries {
            match entry {
                ListEntry::File { path, origin } if !lists.files.contains_key(path) => {
                    let mut followed = Followed::new(origin.clone());
                    problems.extend(followed.look(path, now).problems);
                    lists.files.insert(path.clone(), followed);
                }
                ListEntry::Name { name, origin } => {
                    let named = || Named { named_by: origin.clone(), addresses: Vec::new() };
                    lists.names.entry(name.clone()).or_insert_with(named);
                }
                ListEntry::File { .. } | ListEntry::Prefix { .. } => {}
            }
        }
        if problems.is_empty() { Ok(lists) } else { Err(problems) }
    }

    /// Follows files and names from now on; what is found goes to `tell`, and from there into [`Lists::take`].
    pub fn follow(&self, lookup: Lookup, tell: mpsc::Sender<News>) -> io::Result<Following> {
        let names = self.names.iter().map(|(name, named)| (name.clone(), named.named_by.clone()));
        follow::start(self.files.clone(), names.collect(), lookup, tell)
    }

    /// Takes in what was found; says whether allow lists are to be resolved anew, or what is wrong.
    pub fn take(&mut self, news: News) -> Result<bool, ListError> {
        match news {
            News::File { path, entries } => {
                let file = self.files.get_mut(&path);
                Ok(file.is_some_and(|file| std::mem::replace(&mut file.entries, entries.clone()) != entries))
            }
            News::Name { name, addresses } => Ok(self.resolved(&name, addresses)),
            News::Problem(problem) => Err(problem),
        }
    }

    /// These are the addresses of a name that `entries` had; says whether they are others than before.
    pub fn resolved(&mut self, name: &HostName, addresses: Vec<Address>) -> bool {
        let Some(named) = self.names.get_mut(name) else { return false };
        let changed = named.addresses != addresses;
        named.addresses = addresses;
        changed
    }

    /// The last good answer for each name that had one.
    pub fn answers(&self) -> impl Iterator<Item = (&HostName, &[Address])> {
        let answered = self.names.iter().filter(|(_, named)| !named.addresses.is_empty());
        answered.map(|(name, named)| (name, named.addresses.as_slice()))
    }

    /// Looks every name up once, all at the same time, and waits so long for the answers. Tells of names without one.
    pub fn resolve_once(&mut self, lookup: &Lookup, within: Duration) -> Vec<ListError> {
        let (tell, answers) = crossbeam_channel::unbounded();
        for name in self.names.keys().cloned() {
            let (lookup, tell) = (lookup.clone(), tell.clone());
            // Where there is no thread there is no answer, which is told below.
            let _ = thread::Builder::new().spawn(move || tell.send((follow::look_up(&lookup, &name), name)));
        }
        drop(tell);
        let deadline = clock::monotonic() + within;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        let mut missing: BTreeMap<HostName, io::Error> =
            self.names.keys().map(|name| (name.clone(), late())).collect();
        while let Ok((found, name)) = answers.recv_deadline(deadline) {
            match found {
                Ok(addresses) => {
                    self.resolved(&name, addresses);
                    missing.remove(&name);
                }
                Err(error) => drop(missing.insert(name, error)),
            }
        }
        let told = missing.into_iter().filter_map(|(name, error)| {
            Some(ListError::name(&name, &self.names.get(&name)?.named_by, error))
        });
        told.collect()
    }

    /// The allow list that `entries` make with the files as they were last read. Files and names that were not opened hold nothing.
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
                ListEntry::Name { name, origin } => {
                    let origin: Arc<str> = format!("dns:{name}, {origin}").into();
                    let addresses = self.names.get(name).into_iter().flat_map(|named| &named.addresses);
                    resolved.extend(addresses.map(|address| AllowEntry {
                        prefix: Prefix::host(*address),
                        origin: origin.clone(),
                    }));
                }
            }
        }
        Allowlist::new(resolved)
    }
}

impl Followed {
    pub(super) fn new(named_by: Arc<str>) -> Self {
        Self { named_by, stamp: None, settled: false, entries: Arc::default(), told: Vec::new() }
    }

    /// The last good list.
    pub(super) fn entries(&self) -> Arc<Vec<AllowEntry>> {
        Arc::clone(&self.entries)
    }

    pub(super) fn look(&mut self, path: &Path, now: Timestamp) -> Refreshed {
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
        let changed = entries != *self.entries;
        self.entries = entries.into();
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

    /// What a look at the one file finds, taken into the lists.
    fn refresh(lists: &mut Lists) -> Refreshed {
        let (_, file) = lists.files.iter_mut().next().unwrap();
        let path = lists_path(&file.named_by);
        file.look(&path, clock::now())
    }

    fn lists_path(named_by: &str) -> PathBuf {
        named_by.rsplit(' ').next().unwrap().into()
    }

    #[test]
    fn a_change_is_seen_and_a_bad_one_leaves_the_last_good_list() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow.txt");
        put(&path, "192.0.2.1\n");
        let named_by = format!("here {}", path.display()).into();
        let entries = [
            ListEntry::File { path: path.clone(), origin: named_by },
            ListEntry::read("198.51.100.1", Path::new("/"), "x".into()).unwrap(),
        ];
        let mut lists = Lists::open(&entries).unwrap();
        assert_eq!(allowed(&lists, &entries), ["192.0.2.1", "198.51.100.1"]);
        assert!(!refresh(&mut lists).changed);

        // The same size and, within a kernel tick, the same time.
        put(&path, "192.0.2.2\n");
        assert!(refresh(&mut lists).changed);
        assert_eq!(allowed(&lists, &entries), ["192.0.2.2", "198.51.100.1"]);

        put(&path, "192.0.2.3\noffice\n");
        let refreshed = refresh(&mut lists);
        assert!(!refreshed.changed);
        assert!(refreshed.problems[0].to_string().ends_with("begins a comment"));
        assert_eq!(allowed(&lists, &entries), ["192.0.2.2", "198.51.100.1"]);
        assert!(refresh(&mut lists).problems.is_empty(), "told once");

        std::fs::remove_file(&path).unwrap();
        assert_eq!(refresh(&mut lists).problems.len(), 1);
        assert!(refresh(&mut lists).problems.is_empty(), "told once");
        put(&path, "192.0.2.3\n");
        assert!(refresh(&mut lists).changed);
    }

    #[test]
    fn names_have_the_addresses_of_their_last_good_answer() {
        let read = |text: &str| ListEntry::read(text, Path::new("/"), "ignoreip (/c:1)".into()).unwrap();
        let entries = [read("dns:office.example"), read("dns:home.example"), read("192.0.2.9")];
        let mut lists = Lists::open(&entries).unwrap();
        assert_eq!(allowed(&lists, &entries), ["192.0.2.9"]);
        let lookup: Lookup = Arc::new(|name| match name {
            "office.example" => Ok(vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]),
            _ => Err(io::Error::other("no answer")),
        });
        let problems = lists.resolve_once(&lookup, Duration::from_secs(20));
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, ["dns:home.example: cannot be resolved (ignoreip (/c:1)): no answer"]);
        assert_eq!(allowed(&lists, &entries), ["192.0.2.1", "192.0.2.9", "2001:db8::1"]);
        let origin = lists.allowlist(&entries).find("192.0.2.1".parse().unwrap()).unwrap().origin.clone();
        assert_eq!(&*origin, "dns:office.example, ignoreip (/c:1)");
        let failure = ListError::name(&"office.example".parse().unwrap(), "x", io::Error::other("no answer"));
        assert!(lists.take(News::Problem(failure)).is_err());
        assert_eq!(lists.answers().count(), 1, "a failure forgets nothing");
        let other = News::Name { name: "office.example".parse().unwrap(), addresses: Vec::new() };
        assert!(lists.take(other).unwrap());
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
        followed.entries = Arc::default();
        assert!(!followed.look(&path, later).changed);
    }
}
