//! What reading a configuration finds: values with their origins, problems, and what `--effective` shows.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Serialize;

use super::problem::Problem;
use super::text::Place;
use crate::terms::show_duration;

/// What reading a configuration collects.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// A file could not be read to its end: what seems to be missing may stand where reading stopped.
    incomplete: bool,
    problems: RefCell<Vec<Problem>>,
    shown: RefCell<Vec<Shown>>,
}

/// A setting as it holds, for `check --effective`.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The table, as its header names it; empty for the top.
    pub(super) table: String,
    pub(super) key: String,
    pub(super) value: ShownValue,
}

/// Its value, with the words that say where it comes from.
#[derive(Clone, Debug)]
pub(super) enum ShownValue {
    /// The words say what happens then.
    Unset(String),
    /// One value.
    One(toml::Value, String),
    /// A list whose items come from several places.
    List(Vec<(toml::Value, String)>),
}

/// A setting as it holds, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveValue<'a> {
    /// The table, as its header names it; empty for the top.
    pub table: &'a str,
    /// The key.
    pub key: &'a str,
    /// What holds; `None` where nothing is set and nothing holds by default.
    pub value: Option<toml::Value>,
    /// Where that comes from: `default`, `suggested by …`, or file and line; for a list each place once.
    pub origin: String,
}

impl Shown {
    pub(super) fn effective(&self) -> EffectiveValue<'_> {
        let (value, origin) = match &self.value {
            ShownValue::Unset(origin) => (None, origin.clone()),
            ShownValue::One(value, origin) => (Some(value.clone()), origin.clone()),
            ShownValue::List(items) => {
                let values = items.iter().map(|(value, _)| value.clone()).collect();
                let mut origins: Vec<&str> = items.iter().map(|(_, origin)| origin.as_str()).collect();
                origins.dedup();
                (Some(toml::Value::Array(values)), origins.join(", "))
            }
        };
        EffectiveValue { table: &self.table, key: &self.key, value, origin }
    }
}

impl Reading {
    pub(super) fn new(incomplete: bool) -> Self {
        Self { incomplete, ..Self::default() }
    }

    /// Reports that something is missing; not where it may only be unreadable.
    pub(super) fn report_missing(&self, problem: Problem) {
        if !self.incomplete {
            self.report(problem);
        }
    }

    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn report_all(&self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.borrow_mut().extend(problems);
    }

    pub(super) fn show(&self, table: &str, key: &str, value: ShownValue) {
        self.shown.borrow_mut().push(Shown { table: table.to_owned(), key: key.to_owned(), value });
    }

    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<Shown>) {
        (self.problems.into_inner(), self.shown.into_inner())
    }
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// It was written there.
    Written(Place),
    /// The filter of that name suggests it.
    Suggested(String),
    /// Nobody said anything; the words say what the default is about.
    Default(&'static str),
}

impl Origin {
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Written(place) => Some(place),
            Self::Suggested(_) | Self::Default(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(place) => f.write_str(&place.origin()),
            Self::Suggested(filter) => write!(f, "suggested by filter {filter}"),
            Self::Default("") => f.write_str("default"),
            Self::Default(about) => write!(f, "default: {about}"),
        }
    }
}

/// A value that was found, and where.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) from: Origin,
}

impl<T> Found<T> {
    pub(super) fn written(value: T, place: &Place) -> Self {
        Self { value, from: Origin::Written(place.clone()) }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        Found { value: change(self.value), from: self.from }
    }
}

/// A value as TOML.
pub(super) trait Show {
    fn shown(&self) -> toml::Value;
}

impl Show for bool {
    fn shown(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

impl Show for u32 {
    fn shown(&self) -> toml::Value {
        toml::Value::Integer((*self).into())
    }
}

impl Show for String {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Show for PathBuf {
    fn shown(&self) -> toml::Value {
        toml::Value::String(self.to_string_lossy().into_owned())
    }
}

impl Show for SignedDuration {
    fn shown(&self) -> toml::Value {
        toml::Value::String(show_duration(*self))
    }
}

/// A duration that may be forever.
impl Show for Option<SignedDuration> {
    fn shown(&self) -> toml::Value {
        self.map_or_else(|| toml::Value::String("forever".to_owned()), |duration| duration.shown())
    }
}
