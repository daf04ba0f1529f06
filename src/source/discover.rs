//! Which files the patterns match now.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::SourceError;
use super::head::FileKey;
use super::siblings::is_compressed;

/// As a shell does it: wildcards cross no `/` and find no hidden files (editors' swap files).
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The patterns of a source.
pub(super) struct Patterns(Vec<Pattern>);

/// What a look at the directories found.
#[derive(Default)]
pub(super) struct Scan {
    /// Every regular file that is to be followed, each device and inode once, in the order of their paths.
    pub(super) files: Vec<(PathBuf, FileKey)>,
    /// Which file each matching path names: also the second name of a file.
    pub(super) by_path: BTreeMap<PathBuf, FileKey>,
    /// Matching, but no regular file; whether it is a directory.
    pub(super) irregular: Vec<(PathBuf, bool)>,
    /// Matching, but compressed.
    pub(super) compressed: Vec<PathBuf>,
    /// Directories that cannot be read, and links that lead nowhere one may go.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
    /// Patterns without a match, and the first part of their path that does not exist.
    pub(super) unmatched: Vec<(String, Option<PathBuf>)>,
}

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Self, SourceError> {
        patterns.iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, path: &Path) -> bool {
        self.0.iter().any(|pattern| pattern.matches_path_with(path, OPTIONS))
    }

    /// The directories of the patterns, as far as they have no wildcard: a log that appears shows there.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.0.iter().map(literal_directory).collect()
    }

    pub(super) fn scan(&self) -> Scan {
        let mut scan = Scan::default();
        for pattern in &self.0 {
            if !scan.add(pattern) {
                scan.explain_nothing(pattern);
            }
        }
        let mut taken = HashSet::new();
        let paths = scan.by_path.iter().filter(|(_, key)| taken.insert(**key));
        scan.files = paths.map(|(path, key)| (path.clone(), *key)).collect();
        scan
    }
}

/// A file by device and inode, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity(FileKey);

/// The files that these patterns match now, each once. A pattern that is none matches nothing.
pub fn matching(patterns: &[String]) -> Vec<(PathBuf, FileIdentity)> {
    let files = Patterns::new(patterns).map(|patterns| patterns.scan().files).unwrap_or_default();
    files.into_iter().map(|(path, key)| (path, FileIdentity(key))).collect()
}

impl Scan {
    /// Whether anything matched.
    fn add(&mut self, pattern: &Pattern) -> bool {
        let mut any = false;
        // The pattern was compiled before, so the same text is a pattern.
        for entry in glob::glob_with(pattern.as_str(), OPTIONS).into_iter().flatten() {
            match entry {
                Ok(path) => any |= self.add_path(path),
                Err(error) => {
                    any = true;
                    self.unreadable.push((error.path().to_owned(), error.into()));
                }
            }
        }
        any
    }

    fn add_path(&mut self, path: PathBuf) -> bool {
        match path.metadata() {
            Ok(_) if is_compressed(&path) => self.compressed.push(path),
            Ok(stat) if stat.is_file() => {
                self.by_path.insert(path, FileKey::of(&stat));
            }
            Ok(stat) if stat.is_dir() => return false,
            Ok(_) => self.irregular.push((path, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
            Err(error) => self.unreadable.push((path, error)),
        }
        true
    }

    /// A pattern may match nothing since a directory on the way cannot be entered, or since it names a directory: then that
    /// is to be told.
    fn explain_nothing(&mut self, pattern: &Pattern) {
        let whole = Path::new(pattern.as_str());
        let literal =
            if has_wildcard(whole.as_os_str()) { literal_directory(pattern) } else { whole.to_owned() };
        let mut parts: Vec<&Path> = literal.ancestors().collect();
        parts.reverse();
        let failed = parts.iter().find_map(|part| part.symlink_metadata().err().map(|error| (*part, error)));
        match failed {
            Some((_, error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.unreadable.push((literal, error));
            }
            Some((part, _)) => self.unmatched.push((pattern.to_string(), Some(part.to_owned()))),
            None if literal == whole => self.irregular.push((literal, true)),
            None => self.unmatched.push((pattern.to_string(), None)),
        }
    }
}

fn compile(text: &str) -> Result<Pattern, SourceError> {
    if !text.starts_with('/') {
        return Err(SourceError::Relative { pattern: text.to_owned() });
    }
    Pattern::new(text)
        .map_err(|error| SourceError::Pattern { pattern: text.to_owned(), message: error.msg.to_owned() })
}

/// The directory up to the first part with a wildcard.
fn literal_directory(pattern: &Pattern) -> PathBuf {
    let whole = Path::new(pattern.as_str());
    let parts = whole.parent().into_iter().flat_map(Path::components);
    parts.take_while(|part| !has_wildcard(part.as_os_str())).collect()
}

fn has_wildcard(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    fn scan(root: &Path, patterns: &[&str]) -> Scan {
        let patterns: Vec<String> =
            patterns.iter().map(|pattern| root.join(pattern).display().to_string()).collect();
        Patterns::new(&patterns).unwrap().scan()
    }

    #[test]
    fn a_file_with_several_names_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("access.log");
        File::create(&log).unwrap();
        fs::hard_link(&log, root.path().join("hard.log")).unwrap();
        symlink(&log, root.path().join("soft.log")).unwrap();
        let scan = scan(root.path(), &["*.log", "access.log"]);
        assert_eq!(scan.files.len(), 1);
        assert_eq!(scan.by_path.len(), 3);
    }

    #[test]
    fn what_cannot_be_followed_is_sorted_out() {
        let root = tempfile::tempdir().unwrap();
        File::create(root.path().join("access.log.2.gz")).unwrap();
        File::create(root.path().join(".access.log.swp")).unwrap();
        fs::create_dir(root.path().join("access.log.d")).unwrap();
        symlink("/dev/null", root.path().join("access.log")).unwrap();
        let scan = scan(root.path(), &["*access.log*", "none/x.log", "none-*"]);
        assert!(scan.files.is_empty());
        assert_eq!(scan.compressed, [root.path().join("access.log.2.gz")]);
        assert_eq!(scan.irregular, [(root.path().join("access.log"), false)]);
        let absent: Vec<_> = scan.unmatched.into_iter().map(|(_, absent)| absent).collect();
        assert_eq!(absent, [Some(root.path().join("none")), None]);
    }

    #[test]
    fn a_pattern_that_is_a_directory_is_told_as_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("nginx")).unwrap();
        let scan = scan(root.path(), &["nginx", "ngin?"]);
        assert_eq!(scan.irregular, [(root.path().join("nginx"), true)]);
        assert_eq!(scan.unmatched.len(), 1, "a wildcard may match a file later");
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        let refused = |text: &str| Patterns::new(&[text.to_owned()]).map(|_| ()).unwrap_err().to_string();
        assert!(refused("logs/*.log").contains("begin it with `/`"));
        assert!(refused("/logs/***.log").contains("`/logs/***.log` is no pattern"));
    }
}
