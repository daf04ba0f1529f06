//! fail2ban's files that are no filter, merged: its jails, and `fail2ban.conf`.

use std::path::PathBuf;

use super::expand::Expander;
use super::files::{DEFAULT, Merged, ReadFile};
use super::trouble::Trouble;

/// Sections of `key = value` from several files.
#[derive(Debug)]
pub struct Sections {
    merged: Merged,
}

impl Sections {
    /// Reads files in this order, each with what it includes: what a later one sets holds. One that is not there says nothing.
    pub fn read(paths: &[PathBuf], read: ReadFile<'_>) -> Result<Self, Trouble> {
        Ok(Self { merged: Merged::read_all(paths, read)? })
    }

    /// The files that were there, in the order of reading.
    pub fn files(&self) -> &[PathBuf] {
        &self.merged.files
    }

    /// The sections that set something, without `[DEFAULT]`, in the order of the files.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for setting in &self.merged.settings {
            if setting.section != DEFAULT && !names.contains(&setting.section.as_str()) {
                names.push(&setting.section);
            }
        }
        names
    }

    /// The keys that a section sets itself, in lower case.
    pub fn keys(&self, section: &str) -> Vec<&str> {
        let own = self.merged.settings.iter().filter(|setting| setting.section == section);
        own.map(|setting| setting.key.as_str()).collect()
    }

    /// What a key of a section says, or of `[DEFAULT]` where the section does not set it, with its `%(name)s` replaced:
    /// first by what is `given`, then by the section's values, then by those of `[DEFAULT]`. `None` where nobody sets it.
    pub fn value(
        &self,
        section: &str,
        key: &str,
        given: &[(String, String)],
    ) -> Result<Option<String>, Trouble> {
        Expander { merged: &self.merged, parameters: given }.in_its_section(section, key)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(files: &[(&str, &str)]) -> Sections {
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| PathBuf::from(path)).collect();
        let text = |path: &Path| {
            Ok(files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned()))
        };
        Sections::read(&paths, &text).unwrap()
    }

    #[test]
    fn later_files_hold_and_defaults_are_read_in_the_section_that_asks() {
        let first = "[DEFAULT]\nfilter = %(__name__)s[mode=%(mode)s]\nmode = normal\n[a]\nlog = /x\n[b]\nmode = more\n";
        let read = read(&[("a.conf", first), ("b.conf", "[a]\nlog = %(known/log)s /y\n")]);
        let given = |name: &str| vec![("__name__".to_owned(), name.to_owned())];
        let value = |section, key| read.value(section, key, &given(section)).unwrap();
        assert_eq!(value("a", "filter").as_deref(), Some("a[mode=normal]"));
        assert_eq!(value("b", "filter").as_deref(), Some("b[mode=more]"));
        assert_eq!(value("a", "log").as_deref(), Some("/x /y"));
        assert_eq!(value("b", "log"), None);
        assert_eq!(read.names(), ["a", "b"]);
        assert_eq!(read.keys("b"), ["mode"]);
    }

    #[test]
    fn a_name_without_value_is_told_with_its_place() {
        let trouble = read(&[("a.conf", "[a]\n\nx = %(y)s\n")]).value("a", "x", &[]).unwrap_err();
        assert_eq!((trouble.file, trouble.line), (PathBuf::from("a.conf"), 3));
    }
}
