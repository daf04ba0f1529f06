//! A filter's files, merged: `NAME.conf` and `NAME.local`, and what they include before and after themselves.
//!
//! Of a value that several files set every one is kept: `%(known/…)s` asks for the one before.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ini;
use super::trouble::Trouble;

/// Reads files for us: the text, or `None` where there is no such file.
pub type ReadFile<'r> = &'r dyn Fn(&Path) -> std::io::Result<Option<String>>;

/// The section that names other files.
const INCLUDES: &str = "INCLUDES";
/// The section whose values all others have.
pub(super) const DEFAULT: &str = "DEFAULT";
/// More files than this belong to no filter and to no directory of jails.
const MOST_FILES: usize = 1000;

/// A value as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) file: Rc<Path>,
    /// Where its key stands, from 1.
    pub(super) line: usize,
}

/// A key's values, in the order of the files: the last one holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) section: String,
    /// Of `[Init?family=inet6]`: `family=inet6`.
    pub(super) condition: Option<String>,
    pub(super) key: String,
    pub(super) values: Vec<Value>,
}

/// Everything that a filter's files say.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) settings: Vec<Setting>,
    /// The files, in the order of reading.
    pub(super) files: Vec<PathBuf>,
    /// Files that are named and are not there.
    pub(super) absent: Vec<PathBuf>,
}

impl Merged {
    /// Reads the filter whose `.conf` is (or would be) `path`.
    pub(super) fn read(path: &Path, read: ReadFile<'_>) -> Result<Self, Trouble> {
        let mut merged = Self::default();
        merged.with_local(path, read, &[])?;
        if merged.files.is_empty() {
            return Err(Trouble::new(path, 1, "cannot be read"));
        }
        Ok(merged)
    }

    /// Reads files that are independent of each other, each with what it includes: what a later one sets holds.
    pub(super) fn read_all(paths: &[PathBuf], read: ReadFile<'_>) -> Result<Self, Trouble> {
        let mut merged = Self::default();
        for path in paths {
            merged.with_includes(path, read, &[])?;
        }
        Ok(merged)
    }

    /// The values of a key in a section.
    pub(super) fn setting(&self, section: &str, key: &str) -> Option<&Setting> {
        let found = |s: &&Setting| s.section == section && s.key == key && s.condition.is_none();
        self.settings.iter().find(found)
    }

    /// A file, and the `.local` beside it.
    fn with_local(&mut self, path: &Path, read: ReadFile<'_>, above: &[&Path]) -> Result<(), Trouble> {
        self.with_includes(path, read, above)?;
        let local = path.with_extension("local");
        if local == path { Ok(()) } else { self.with_includes(&local, read, above) }
    }

    /// A file after those that it wants before itself, and before those that it wants after; `above` are the files that
    /// include it: a file that includes itself is read once.
    fn with_includes(&mut self, path: &Path, read: ReadFile<'_>, above: &[&Path]) -> Result<(), Trouble> {
        let Some(text) = read(path).map_err(|error| Trouble::new(path, 1, &error.to_string()))? else {
            self.absent.push(path.to_owned());
            return Ok(());
        };
        let sections = ini::read(&text).map_err(|(line, what)| Trouble::new(path, line, &what))?;
        let above: Vec<&Path> = above.iter().copied().chain([path]).collect();
        self.included(&sections, "before", path, read, &above)?;
        if self.files.len() >= MOST_FILES {
            return Err(Trouble::new(path, 1, &format!("more than {MOST_FILES} files belong together")));
        }
        self.files.push(path.to_owned());
        self.merge(&sections, path);
        self.included(&sections, "after", path, read, &above)
    }

    fn included(
        &mut self,
        sections: &[ini::Section],
        key: &str,
        path: &Path,
        read: ReadFile<'_>,
        above: &[&Path],
    ) -> Result<(), Trouble> {
        let includes = sections.iter().filter(|section| section.name == INCLUDES);
        let named = includes.flat_map(|section| &section.entries).filter(|entry| entry.key == key);
        let lines =
            named.flat_map(|entry| entry.value.lines()).map(str::trim).filter(|name| !name.is_empty());
        let directory = path.parent().unwrap_or(Path::new(""));
        for line in lines {
            let other = directory.join(line);
            if !above.contains(&other.as_path()) {
                self.with_local(&other, read, above)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, sections: &[ini::Section], path: &Path) {
        let file: Rc<Path> = Rc::from(path);
        for section in sections.iter().filter(|section| section.name != INCLUDES) {
            let (name, condition) = match section.name.split_once('?') {
                Some((name, condition)) => (name, Some(condition)),
                None => (section.name.as_str(), None),
            };
            for entry in &section.entries {
                let value = Value { text: entry.value.clone(), file: Rc::clone(&file), line: entry.line };
                self.add(name, condition, &entry.key, value);
            }
        }
    }

    fn add(&mut self, section: &str, condition: Option<&str>, key: &str, value: Value) {
        let known = self
            .settings
            .iter_mut()
            .find(|s| s.section == section && s.key == key && s.condition.as_deref() == condition);
        match known {
            Some(setting) => setting.values.push(value),
            None => self.settings.push(Setting {
                section: section.to_owned(),
                condition: condition.map(str::to_owned),
                key: key.to_owned(),
                values: vec![value],
            }),
        }
    }
}
