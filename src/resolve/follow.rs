//! Lists while the daemon runs: files are looked at and names are looked up by threads of their own, which nothing waits
//! for. What they find is sent; who holds the lists takes it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::mpsc;

use super::lists::Followed;
use super::{HostName, ListError};
use crate::address::{Address, AllowEntry};
use crate::os::clock;

/// Between two looks at files; each costs a `stat` for each file.
const FILES_EACH: Duration = Duration::from_secs(1);
/// Between two look-ups of names, as often as the records of most names are renewed.
const NAMES_EACH: Duration = Duration::from_mins(1);
/// The same after a look-up that failed.
const NAMES_AGAIN: Duration = Duration::from_secs(15);
/// More addresses of one name are not taken: an office has a few.
const ADDRESSES: usize = 256;

/// How the addresses of a name are found; it may take long.
pub type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// What was found.
#[derive(Debug)]
pub enum News {
    /// A file holds another list now.
    File {
        /// The file.
        path: PathBuf,
        /// Its entries.
        entries: Arc<Vec<AllowEntry>>,
    },
    /// A name has these addresses now; sorted.
    Name {
        /// The name.
        name: HostName,
        /// Its addresses, IPv4 and IPv6; never none.
        addresses: Vec<Address>,
    },
    /// A list cannot be read, or a name not be resolved, and the last good one stays. Told once.
    Problem(ListError),
}

/// The threads that follow lists. They end when this is dropped; one that is in the middle of a look-up does so after it.
#[derive(Debug)]
pub struct Following {
    _stop: [Sender<()>; 2],
}

/// The system's own resolver, with its hosts file.
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        use std::net::ToSocketAddrs;
        Ok((name, 0).to_socket_addrs()?.map(|found| found.ip()).collect())
    })
}

/// The addresses of a name; none is an error.
pub(super) fn look_up(lookup: &Lookup, name: &HostName) -> io::Result<Vec<Address>> {
    let mut addresses: Vec<Address> = lookup(name.as_str())?.into_iter().map(Address::from).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES);
    if addresses.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(addresses) }
}

/// Begins to follow files and names.
pub(super) fn start(
    files: BTreeMap<PathBuf, Followed>,
    names: Vec<(HostName, Arc<str>)>,
    lookup: Lookup,
    tell: mpsc::Sender<News>,
) -> io::Result<Following> {
    let ((stop_files, files_stop), (stop_names, names_stop)) = (bounded(0), bounded(0));
    let tell_files = tell.clone();
    if !files.is_empty() {
        let run = move || follow_files(files, &files_stop, &tell_files);
        thread::Builder::new().name("banmap-lists".to_owned()).spawn(run)?;
    }
    if !names.is_empty() {
        let run = move || follow_names(&names, &lookup, &names_stop, &tell);
        thread::Builder::new().name("banmap-names".to_owned()).spawn(run)?;
    }
    Ok(Following { _stop: [stop_files, stop_names] })
}

/// Whether it is time for the next look; `false`: nobody wants it any more.
fn goes_on(stop: &Receiver<()>, after: Duration) -> bool {
    matches!(stop.recv_timeout(after), Err(RecvTimeoutError::Timeout))
}

fn follow_files(mut files: BTreeMap<PathBuf, Followed>, stop: &Receiver<()>, tell: &mpsc::Sender<News>) {
    while goes_on(stop, FILES_EACH) {
        for (path, followed) in &mut files {
            let looked = followed.look(path, clock::now());
            let changed =
                looked.changed.then(|| News::File { path: path.clone(), entries: followed.entries() });
            let news = changed.into_iter().chain(looked.problems.into_iter().map(News::Problem));
            for one in news {
                if tell.blocking_send(one).is_err() {
                    return;
                }
            }
        }
    }
}

fn follow_names(
    names: &[(HostName, Arc<str>)],
    lookup: &Lookup,
    stop: &Receiver<()>,
    tell: &mpsc::Sender<News>,
) {
    let mut told = ToldNames::new();
    let mut wait = Duration::ZERO;
    while goes_on(stop, wait) {
        wait = NAMES_EACH;
        for (name, named_by) in names {
            let found = look_up(lookup, name);
            wait = if found.is_err() { NAMES_AGAIN } else { wait };
            if let Some(news) = news_of(name, named_by, found, &mut told)
                && tell.blocking_send(news).is_err()
            {
                return;
            }
        }
    }
}

/// What was told of each name last; `None` is that it could not be looked up.
type ToldNames<'a> = BTreeMap<&'a HostName, Option<Vec<Address>>>;

/// An answer is news when it is another one, a failure when it is the first.
fn news_of<'a>(
    name: &'a HostName,
    named_by: &str,
    found: io::Result<Vec<Address>>,
    told: &mut ToldNames<'a>,
) -> Option<News> {
    let (now, news) = match found {
        Ok(addresses) => (Some(addresses.clone()), News::Name { name: name.clone(), addresses }),
        Err(error) => (None, News::Problem(ListError::name(name, named_by, error))),
    };
    let before = told.insert(name, now);
    (before.as_ref() != told.get(name)).then_some(news)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers in turn: the first, a failure, the second for ever.
    fn changing(asked: &Arc<AtomicUsize>) -> Lookup {
        let asked = Arc::clone(asked);
        Arc::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(vec!["192.0.2.1".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap()]),
            1 | 2 => Err(io::Error::other("no answer")),
            _ => Ok(vec!["2001:db8::1".parse().unwrap()]),
        })
    }

    #[test]
    fn addresses_are_told_when_they_change_and_a_failure_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let lookup = changing(&asked);
        let name: HostName = "office.example".parse().unwrap();
        let first = look_up(&lookup, &name).unwrap();
        assert_eq!(first.len(), 1, "an IPv4 address in IPv6 clothes is the same");
        let mut told = ToldNames::new();
        assert!(news_of(&name, "here", Ok(first.clone()), &mut told).is_some());
        assert!(news_of(&name, "here", Ok(first), &mut told).is_none(), "the same once more");
        // It fails twice, and then has another address.
        let news = [(); 3].map(|()| news_of(&name, "here", look_up(&lookup, &name), &mut told));
        assert!(matches!(news, [Some(News::Problem(_)), None, Some(News::Name { .. })]), "{news:?}");
        let none: Lookup = Arc::new(|_| Ok(Vec::new()));
        assert_eq!(look_up(&none, &name).unwrap_err().to_string(), "it has no address");
    }

    #[test]
    fn a_thread_tells_what_it_finds_and_ends_with_who_listens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("allow.txt");
        // Whole: half of it would be another list.
        let put = |text: &str| {
            use std::io::Write;
            let mut file = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.persist(&path).unwrap();
        };
        put("192.0.2.1\n");
        let mut followed = Followed::new("here".into());
        assert!(followed.look(&path, clock::now()).problems.is_empty());
        let names = vec![("office.example".parse().unwrap(), "here".into())];
        let (tell, mut news) = mpsc::channel(4);
        let lookup = changing(&Arc::default());
        let following = start([(path.clone(), followed)].into(), names, lookup, tell).unwrap();
        let News::Name { name, addresses } = news.blocking_recv().unwrap() else { panic!() };
        assert_eq!((name.as_str(), addresses), ("office.example", vec!["192.0.2.1".parse().unwrap()]));
        put("192.0.2.2\n");
        let News::File { entries, .. } = news.blocking_recv().unwrap() else { panic!() };
        assert_eq!(entries[0].prefix.to_string(), "192.0.2.2");
        drop(following);
        while news.blocking_recv().is_some() {}
    }
}
