//! What the neighbours of a log are called: rotated, copied, compressed.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use super::head::FileKey;

/// Endings of compressed files, which are never followed: they are written once, from a log that was read already.
const COMPRESSED: [&str; 10] = ["gz", "bz2", "xz", "zst", "lz4", "lzma", "lzo", "br", "zip", "Z"];

/// Whether the name says that the file is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| COMPRESSED.iter().any(|known| ending == *known))
}

/// Whether `name` is what a rotation makes of `base`: `access.log.1`, `access.log-20261120`, `access-20261120.log`.
pub(super) fn is_rotated(base: &OsStr, name: &OsStr) -> bool {
    let (base, name) = (base.as_bytes(), name.as_bytes());
    name.strip_prefix(base).is_some_and(is_stamp) || is_dated(base, name)
}

/// Whether `name` may be a copy of `base`: a rotated name, or any longer one (`access.log.bak`).
pub(super) fn may_be_copy(base: &OsStr, name: &OsStr) -> bool {
    let (base, name) = (base.as_bytes(), name.as_bytes());
    (name.len() > base.len() && name.starts_with(base)) || is_dated(base, name)
}

/// Whether two names differ in nothing but a date or a time: `access.20261119.log` and `access.20261120.log`.
pub(super) fn differ_in_date(one: &OsStr, other: &OsStr) -> bool {
    let undated = |name: &OsStr| {
        let (digits, rest): (Vec<u8>, Vec<u8>) =
            name.as_bytes().iter().partition(|byte| byte.is_ascii_digit());
        (digits.len(), rest)
    };
    one != other && undated(one).0 >= 8 && undated(one) == undated(other)
}

/// A separator, then digits and separators: a number or a date.
fn is_stamp(suffix: &[u8]) -> bool {
    let [first, rest @ ..] = suffix else { return false };
    let stamp = |byte: &u8| byte.is_ascii_digit() || is_separator(*byte);
    is_separator(*first) && rest.iter().all(stamp) && rest.last().is_some_and(u8::is_ascii_digit)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_')
}

/// A whole date between the stem and the ending, as logrotate's `extension` puts it.
fn is_dated(base: &[u8], name: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', base) else { return false };
    let (stem, ending) = base.split_at(dot);
    let stamp = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    stamp.is_some_and(|stamp| {
        is_stamp(stamp) && stamp.iter().filter(|byte| byte.is_ascii_digit()).count() >= 8
    })
}

/// The live names from which a rotation may have made this path.
pub fn live_names(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().map(OsStr::as_bytes) else { return Vec::new() };
    let stamped = |byte: &u8| byte.is_ascii_digit() || is_separator(*byte);
    let unstamped = |bytes: &[u8]| bytes.len() - bytes.iter().rev().take_while(|byte| stamped(byte)).count();
    let mut names = vec![name[..unstamped(name)].to_vec()];
    if let Some(dot) = memchr::memrchr(b'.', name) {
        let (stem, ending) = name.split_at(dot);
        names.push([&stem[..unstamped(stem)], ending].concat());
    }
    let rotated = |base: &Vec<u8>| is_rotated(OsStr::from_bytes(base), OsStr::from_bytes(name));
    names
        .iter()
        .filter(|base| rotated(base))
        .map(|base| path.with_file_name(OsStr::from_bytes(base)))
        .collect()
}

/// So often a directory is read until two readings agree; a rename that is under way takes microseconds.
const READINGS: usize = 256;

/// A name in a directory, and the inode behind it; `None` for a link, which has one of its own.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) inode: Option<u64>,
}

/// Reads a directory until two readings agree: one alone misses a file, or meets it twice, that is renamed meanwhile.
fn settled(directory: &Path, wanted: &dyn Fn(&DirEntry) -> bool) -> Vec<Named> {
    let mut last = read(directory, wanted);
    for _ in 1..READINGS {
        let again = read(directory, wanted);
        if again == last {
            break;
        }
        last = again;
    }
    last
}

fn read(directory: &Path, wanted: &dyn Fn(&DirEntry) -> bool) -> Vec<Named> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = |entry: DirEntry| {
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        Named { path: entry.path(), inode: (!is_link).then(|| entry.ino()) }
    };
    let mut found: Vec<Named> = entries.filter(wanted).map(named).collect();
    found.sort_unstable();
    found
}

/// The file with this identity in a directory, by whatever name.
pub(super) fn by_inode(directory: &Path, key: FileKey) -> Option<PathBuf> {
    // Once more where it had gone on from the name under which it was found.
    (0..READINGS).find_map(|_| {
        let named = settled(directory, &|entry| entry.ino() == key.inode);
        let gone_on = !named.is_empty();
        let mut paths = named.into_iter().map(|named| named.path);
        let path = paths.find(|path| path.metadata().is_ok_and(|stat| FileKey::of(&stat) == key));
        (path.is_some() || !gone_on).then_some(path)
    })?
}

/// Whether a name is one that is looked for, given the log's.
pub(super) type Names = fn(&OsStr, &OsStr) -> bool;

/// The uncompressed entries of a log's directory whose names pass.
pub(super) fn of(log: &Path, passes: Names) -> Vec<Named> {
    let (Some(directory), Some(base)) = (log.parent(), log.file_name()) else { return Vec::new() };
    let wanted = |entry: &DirEntry| {
        let name = entry.file_name();
        passes(base, &name) && !is_compressed(Path::new(&name))
    };
    settled(directory, &wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_are_told_from_other_logs() {
        let rotated = |name: &str| is_rotated("access.log".as_ref(), name.as_ref());
        for name in
            ["access.log.1", "access.log-20261120", "access.log.2026-11-20", "access.log-20261120-1795132800"]
        {
            assert!(rotated(name), "{name}");
        }
        assert!(rotated("access-20261120.log") && rotated("access_2026-11-20.log"));
        for name in [
            "access.log",
            "access.log.bak",
            "access.log1",
            "access-1.log",
            "access_ssl.log",
            "access.log.1.gz",
        ] {
            assert!(!rotated(name), "{name}");
        }
    }

    #[test]
    fn dates_are_the_only_difference() {
        let differ = |one: &str, other: &str| differ_in_date(one.as_ref(), other.as_ref());
        assert!(differ("access.20261119.log", "access.20261120.log"));
        assert!(differ("access-2026-11-19", "access-2026-11-20"));
        assert!(!differ("access.20261119.log", "access.20261119.log"));
        assert!(!differ("access.20261119.log", "errors.20261120.log"));
        assert!(!differ("site1.log", "site2.log"));
    }

    #[test]
    fn a_rotated_name_leads_back_to_the_live_one() {
        for name in ["/l/access.log.1", "/l/access.log-20261120", "/l/access-20261120.log"] {
            assert_eq!(live_names(Path::new(name)), [Path::new("/l/access.log")], "{name}");
        }
        assert!(live_names(Path::new("/l/access.log")).is_empty());
    }
}
