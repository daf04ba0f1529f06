//! What a filter in fail2ban's language says, read from its files and with every name replaced; nothing is compiled yet.

use std::path::{Path, PathBuf};

use super::expand::Expander;
use super::files::{Merged, ReadFile};
use super::trouble::Trouble;

/// The most lines that are looked at together.
const MOST_LINES: usize = 1000;

/// A filter's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// What every line must match first, and what of it the other patterns see.
    pub prefregex: Option<String>,
    /// Any makes an offence.
    pub failregex: Vec<String>,
    /// Any makes it none after all.
    pub ignoreregex: Vec<String>,
    /// How dates are written; lines are alternatives.
    pub datepattern: Option<String>,
    /// So many lines are looked at together; 1: each by itself.
    pub maxlines: usize,
    /// What of the journal is read.
    pub journalmatch: Option<String>,
    /// The filter's own `usedns`, as it is written.
    pub usedns: Option<String>,
    /// The files it is read from.
    pub files: Vec<PathBuf>,
    /// Where its patterns are set: `prefregex`, `failregex`, `ignoreregex`, `datepattern`; and `usedns`.
    places: Vec<(&'static str, PathBuf, usize)>,
}

impl Recipe {
    /// Reads the filter whose `.conf` is (or would be) `path`, used with these parameters. `read` reads files.
    pub fn read(path: &Path, parameters: &[(String, String)], read: ReadFile<'_>) -> Result<Self, Trouble> {
        let merged = Merged::read(path, read)?;
        let expander = Expander { merged: &merged, parameters };
        let lines = |key| Ok(expander.value(key)?.map(|text| lines(&text)).unwrap_or_default());
        let recipe = Self {
            prefregex: expander.value("prefregex")?.filter(|text| !text.is_empty()),
            failregex: lines("failregex")?,
            ignoreregex: lines("ignoreregex")?,
            datepattern: expander.value("datepattern")?.filter(|text| !text.is_empty()),
            maxlines: maxlines(&expander)?,
            journalmatch: expander.value("journalmatch")?.filter(|text| !text.is_empty()),
            usedns: expander.value("usedns")?.filter(|text| !text.is_empty()),
            files: merged.files.clone(),
            places: places(&expander),
        };
        if recipe.failregex.is_empty() {
            return Err(recipe.trouble("failregex", "nothing is an offence: there is no failregex"));
        }
        Ok(recipe)
    }

    /// Something wrong with a key's value, at the place where it is set.
    pub(super) fn trouble(&self, key: &str, message: &str) -> Trouble {
        let place = self.places.iter().find(|(known, ..)| *known == key);
        let file = || self.files.first().cloned().unwrap_or_default();
        let (file, line) = place.map_or_else(|| (file(), 1), |(_, file, line)| (file.clone(), *line));
        Trouble::new(&file, line, message)
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn maxlines(expander: &Expander<'_>) -> Result<usize, Trouble> {
    let Some(text) = expander.value("maxlines")?.filter(|text| !text.is_empty()) else { return Ok(1) };
    let number = text.trim().parse().ok().filter(|number| (1..=MOST_LINES).contains(number));
    number.ok_or_else(|| {
        let message = format!("`maxlines`: a number from 1 to {MOST_LINES} expected, not `{text}`");
        match expander.place("maxlines") {
            Some(value) => Trouble::new(&value.file, value.line, &message),
            None => Trouble::new(Path::new(""), 1, &message),
        }
    })
}

fn places(expander: &Expander<'_>) -> Vec<(&'static str, PathBuf, usize)> {
    let keys = ["prefregex", "failregex", "ignoreregex", "datepattern", "usedns"];
    let place = |key| expander.place(key).map(|value| (key, value.file.to_path_buf(), value.line));
    keys.into_iter().filter_map(place).collect()
}
