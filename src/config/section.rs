//! Reading one table with typed getters that collect problems instead of stopping at the first.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::found::{Found, Origin, Reading, Show, ShownValue};
use super::keys::{self, Keys};
use super::node::{Entry, Node, Table, Value};
use super::problem::Problem;
use super::text::Place;
use crate::terms::{nearest, parse_duration, seconds_duration};

/// A list for an operator: `a`, `b` or `c`.
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// One table of the configuration, present or not.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) reading: &'a Reading,
    /// As its header names it: `jail.wordpress`; empty for the top.
    pub(super) name: &'a str,
    table: Option<&'a Table>,
    /// Where it begins.
    pub(super) place: Option<&'a Place>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        reading: &'a Reading,
        name: &'a str,
        table: &'a Table,
        place: Option<&'a Place>,
    ) -> Self {
        Self { reading, name, table: Some(table), place }
    }

    /// A table that was not written; `place` is where something else names it.
    pub(super) fn absent(reading: &'a Reading, name: &'a str, place: &'a Place) -> Self {
        Self { reading, name, table: None, place: Some(place) }
    }

    /// The table that `entry` holds; something else is reported, and read as an empty table.
    pub(super) fn of(reading: &'a Reading, name: &'a str, entry: Option<&'a Entry>) -> Self {
        let place = entry.map(|entry| &entry.key);
        let absent = Self { reading, name, table: None, place };
        match entry.map(|entry| &entry.node) {
            None => absent,
            Some(Node { value: Value::Table(table), .. }) => Self { table: Some(table), ..absent },
            Some(node) => {
                let what = format!("`{name}` must be a table, not {}", node.value.kind());
                reading
                    .report(Problem::error(what).at(node.place.clone()).fix(format!("write it as [{name}]")));
                absent
            }
        }
    }

    /// The table of one source, jail or output; `None`, and reported, where something else was written.
    pub(super) fn of_one(reading: &'a Reading, name: &'a str, entry: &'a Entry) -> Option<Self> {
        let section = Self::of(reading, name, Some(entry));
        section.table.is_some().then_some(section)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Entry)> + use<'a> {
        self.table.into_iter().flatten()
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.and_then(|table| table.get(key))
    }

    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A message with the table and the key in front.
    fn about(&self, key: &str, what: impl fmt::Display) -> String {
        if self.name.is_empty() { format!("{key}: {what}") } else { format!("[{}] {key}: {what}", self.name) }
    }

    /// Reports what is wrong with a key's value, at that value.
    pub(super) fn wrong(
        &self,
        key: &str,
        what: impl fmt::Display,
        place: &Place,
        fix: impl Into<Option<String>>,
    ) {
        self.reading.report(Problem::error(self.about(key, what)).at(place.clone()).fix(fix));
    }

    /// Reports that a key is missing, at the table.
    pub(super) fn missing(&self, key: &str, what: impl fmt::Display, fix: impl Into<Option<String>>) {
        self.reading.report_missing(Problem::error(self.about(key, what)).at(self.place.cloned()).fix(fix));
    }

    pub(super) fn warn(&self, key: &str, what: impl fmt::Display, place: Option<&Place>, fix: &str) {
        let problem = Problem::warning(self.about(key, what)).at(place.cloned());
        self.reading.report(problem.fix(fix.to_owned()));
    }

    fn mistyped(&self, key: &str, node: &Node, expected: &str) {
        self.wrong(key, format_args!("must be {expected}, not {}", node.value.kind()), &node.place, None);
    }

    /// Reports every key that is not one of `keys`.
    pub(super) fn only(&self, keys: Keys) {
        for (key, entry) in self.entries().filter(|(key, _)| !keys.known.contains(&key.as_str())) {
            self.reading.report(self.unknown(key, keys).at(entry.key.clone()));
        }
    }

    fn unknown(&self, key: &str, keys: Keys) -> Problem {
        let place = if self.name.is_empty() { String::new() } else { format!(" of [{}]", self.name) };
        if keys.later.contains(&key) {
            let what = format!("`{key}`{place} is not supported by this version");
            return Problem::error(what).fix("remove it".to_owned());
        }
        let known = keys.known.iter().chain(keys.later).copied();
        let meant = nearest(key, known).map(|meant| format!("did you mean `{meant}`?"));
        let fix = meant.or_else(|| keys::instead(key).map(str::to_owned));
        let fix = fix.unwrap_or_else(|| format!("the keys here are {}", keys.known.join(", ")));
        Problem::error(format!("unknown key `{key}`{place}")).fix(fix)
    }

    /// The key under whichever of its names it was written; under several is a problem.
    pub(super) fn either<'k>(&self, names: [&'k str; 2]) -> Option<(&'k str, &'a Entry)> {
        let mut present = names.into_iter().filter_map(|name| Some((name, self.entry(name)?)));
        let first = present.next();
        if let (Some((one, _)), Some((other, entry))) = (first, present.next()) {
            let what = format_args!("is the same setting as `{one}`, and both are given");
            self.wrong(other, what, &entry.key, format!("remove one of them, or join both in `{one}`"));
        }
        first
    }

    pub(super) fn string(&self, key: &str) -> Option<Found<String>> {
        let node = self.node(key)?;
        self.text(key, node)
    }

    /// One text of a key's value.
    pub(super) fn text(&self, key: &str, node: &Node) -> Option<Found<String>> {
        match &node.value {
            Value::String(text) if text.trim().is_empty() => {
                self.wrong(key, "is empty", &node.place, None);
                None
            }
            Value::String(text) if text.contains(|c: char| c.is_control()) => {
                self.wrong(key, "holds a control character", &node.place, None);
                None
            }
            Value::String(text) => Some(Found::written(text.clone(), &node.place)),
            _ => {
                self.mistyped(key, node, "a text in quotes");
                None
            }
        }
    }

    /// A list of texts; a single text stands for a list of one.
    pub(super) fn strings(&self, key: &str) -> Option<Vec<Found<String>>> {
        let node = self.node(key)?;
        Some(node.items().iter().filter_map(|item| self.text(key, item)).collect())
    }

    pub(super) fn boolean(&self, key: &str) -> Option<Found<bool>> {
        let node = self.node(key)?;
        if let Value::Boolean(value) = &node.value {
            return Some(Found::written(*value, &node.place));
        }
        self.mistyped(key, node, "true or false, without quotes");
        None
    }

    pub(super) fn integer(&self, key: &str, range: RangeInclusive<u32>) -> Option<Found<u32>> {
        let node = self.node(key)?;
        let Value::Integer(number) = &node.value else {
            self.mistyped(key, node, "a whole number");
            return None;
        };
        let fits = u32::try_from(*number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let what = format_args!("must be from {} to {}, not {number}", range.start(), range.end());
            self.wrong(key, what, &node.place, None);
        }
        fits.map(|number| Found::written(number, &node.place))
    }

    /// A duration; `None` is forever.
    pub(super) fn duration(&self, key: &str) -> Option<Found<Option<SignedDuration>>> {
        self.duration_of(key, self.node(key)?)
    }

    /// A list of durations; a single one stands for a list of one. `None` where one of them is wrong.
    pub(super) fn durations(&self, key: &str) -> Option<Vec<Found<Option<SignedDuration>>>> {
        let items: Vec<_> = self.node(key)?.items().iter().map(|item| self.duration_of(key, item)).collect();
        items.into_iter().collect()
    }

    fn duration_of(&self, key: &str, node: &Node) -> Option<Found<Option<SignedDuration>>> {
        let read = match &node.value {
            Value::String(text) => parse_duration(text),
            Value::Integer(seconds) => seconds_duration(*seconds).map(Some),
            _ => {
                self.mistyped(key, node, "a duration such as \"10m\", or seconds");
                return None;
            }
        };
        match read {
            Ok(duration) => Some(Found::written(duration, &node.place)),
            Err(error) => {
                self.wrong(key, error, &node.place, None);
                None
            }
        }
    }

    /// A duration that ends, above zero.
    pub(super) fn span(&self, key: &str) -> Option<Found<SignedDuration>> {
        let found = self.duration(key)?;
        let place = found.from.place();
        match (found.value, place) {
            (Some(span), _) if !span.is_zero() => Some(found.map(|_| span)),
            (None, Some(place)) => {
                self.wrong(key, "cannot be \"forever\"", place, None);
                None
            }
            (_, Some(place)) => {
                self.wrong(key, "must be longer than 0", place, None);
                None
            }
            (_, None) => None,
        }
    }

    /// An absolute path; one that is not is relative to the directory of the file it stands in.
    pub(super) fn path(&self, key: &str) -> Option<Found<PathBuf>> {
        self.string(key).map(absolute)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<Found<T>> {
        let node = self.node(key)?;
        let found = self.text(key, node)?;
        let chosen = choices.iter().find(|(word, _)| *word == found.value).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let meant = nearest(&found.value, words.iter().copied());
            let what = format!("must be {}, not \"{}\"", one_of(&words), found.value);
            self.wrong(key, what, &node.place, meant.map(|meant| format!("did you mean \"{meant}\"?")));
        }
        chosen.map(|choice| found.map(|_| choice))
    }

    /// Takes what was found, else the default, and keeps it for `--effective`.
    pub(super) fn settle<T: Show>(&self, key: &str, found: Option<Found<T>>, default: T) -> T {
        let found = found.unwrap_or(Found { value: default, from: Origin::Default("") });
        self.keep(key, found.value.shown(), &found.from);
        found.value
    }

    /// The same for a setting that may be unset; `about` says what happens then.
    pub(super) fn settle_optional<T: Show>(
        &self,
        key: &str,
        found: Option<Found<T>>,
        about: &'static str,
    ) -> Option<T> {
        let origin = found.as_ref().map_or(Origin::Default(about), |found| found.from.clone());
        let value = found.map(|found| found.value);
        let shown = value.as_ref().map(Show::shown);
        match shown {
            Some(shown) => self.keep(key, shown, &origin),
            None => self.reading.show(self.name, key, ShownValue::Unset(origin.to_string())),
        }
        value
    }

    /// The same for a list; the default comes with the words about it.
    pub(super) fn settle_list<T: Show>(
        &self,
        key: &str,
        found: Option<Vec<Found<T>>>,
        default: impl FnOnce() -> (Vec<T>, &'static str),
    ) -> Vec<T> {
        let Some(found) = found else {
            let (values, about) = default();
            let shown = values.iter().map(Show::shown).collect();
            self.keep(key, toml::Value::Array(shown), &Origin::Default(about));
            return values;
        };
        self.show_list(key, found.iter().map(|item| (item.value.shown(), item.from.to_string())));
        found.into_iter().map(|item| item.value).collect()
    }

    /// Keeps a list whose items have origins of their own.
    pub(super) fn show_list(&self, key: &str, items: impl Iterator<Item = (toml::Value, String)>) {
        self.reading.show(self.name, key, ShownValue::List(items.collect()));
    }

    pub(super) fn keep(&self, key: &str, value: toml::Value, origin: &Origin) {
        self.reading.show(self.name, key, ShownValue::One(value, origin.to_string()));
    }
}

/// A path made absolute against the directory of the text it stands in.
pub(super) fn absolute(found: Found<String>) -> Found<PathBuf> {
    let base = found.from.place().map(|place| place.text.base()).unwrap_or_default();
    found.map(|path| clean(&base.join(path)))
}

/// Without `.` in it; `..` stays, since what it leads to depends on links.
pub(super) fn clean(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
