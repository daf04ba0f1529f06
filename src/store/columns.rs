//! How our values stand in columns.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::ban::{Ended, Origin};
use crate::terms::{HistoryKind, Mark, Measure, Tracked};

/// A value in a row that cannot be what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    Column(#[from] rusqlite::Error),
    #[error("{0}")]
    Prefix(#[from] crate::address::PrefixError),
    #[error("{0}")]
    Name(#[from] crate::terms::NameError),
    #[error("`{0}` is no known {1}")]
    Word(String, &'static str),
    #[error("`{0}` is no list of marks")]
    Marks(String),
    #[error("a number below 0 or too large")]
    Number(#[from] std::num::TryFromIntError),
}

/// Nanoseconds since 1970; times outside 1677 to 2262, which a 64-bit column cannot hold, become its first or last.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The time that `nanos` stands for.
pub(super) fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos))
        .expect("64 bits reach from 1677 to 2262, a timestamp further")
}

/// A path as text where it is UTF-8, so that it is readable; else its bytes.
pub(super) fn path_column(path: &Path) -> ToSqlOutput<'_> {
    let bytes = path.as_os_str().as_bytes();
    ToSqlOutput::Borrowed(match std::str::from_utf8(bytes) {
        Ok(_) => ValueRef::Text(bytes),
        Err(_) => ValueRef::Blob(bytes),
    })
}

/// The path in a column.
pub(super) fn path(column: Value) -> Result<PathBuf, Unreadable> {
    match column {
        Value::Text(text) => Ok(text.into()),
        Value::Blob(bytes) => Ok(OsStr::from_bytes(&bytes).into()),
        other => Err(Unreadable::Word(format!("{other:?}"), "path")),
    }
}

/// `TIME TIME:VALUE TIMExWEIGHT …`: nanoseconds, the distinct value in hexadecimal where it is not 0, and the weight where it
/// is not 1.
pub(super) fn marks_text(marks: &[Mark]) -> String {
    let mut text = String::with_capacity(marks.len() * 20);
    for mark in marks {
        let gap = if text.is_empty() { "" } else { " " };
        let written = match mark.distinct {
            0 => write!(text, "{gap}{}", nanos(mark.at)),
            value => write!(text, "{gap}{}:{value:x}", nanos(mark.at)),
        };
        written.expect("writing to a string does not fail");
        if mark.weight != 1 {
            write!(text, "x{}", mark.weight).expect("writing to a string does not fail");
        }
    }
    text
}

/// The marks that `marks_text` wrote.
pub(super) fn marks(text: &str) -> Result<Vec<Mark>, Unreadable> {
    let mark = |word: &str| {
        let (word, weight) = word.split_once('x').unwrap_or((word, "1"));
        let (at, distinct) = word.split_once(':').unwrap_or((word, "0"));
        let (distinct, weight) = (u64::from_str_radix(distinct, 16).ok()?, weight.parse().ok()?);
        Some(Mark { at: time(at.parse().ok()?), distinct, weight })
    };
    text.split(' ').map(mark).collect::<Option<_>>().ok_or_else(|| Unreadable::Marks(text.to_owned()))
}

/// How it is written what the marks of a window are.
pub(super) fn tracked_word(what: Tracked) -> &'static str {
    match what {
        Tracked::Offences => "offences",
        Tracked::Bans => "bans",
        Tracked::Groups => "groups",
        Tracked::Rate => "rate",
    }
}

/// What the marks are that `word` names.
pub(super) fn tracked(word: &str) -> Result<Tracked, Unreadable> {
    [Tracked::Offences, Tracked::Bans, Tracked::Groups, Tracked::Rate]
        .into_iter()
        .find(|what| tracked_word(*what) == word)
        .ok_or_else(|| Unreadable::Word(word.to_owned(), "kind of window"))
}

/// How a ban's origin is written.
pub(super) fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Log => "log",
        Origin::Hand => "hand",
    }
}

/// The origin that `word` names.
pub(super) fn origin(word: &str) -> Result<Origin, Unreadable> {
    [Origin::Log, Origin::Hand]
        .into_iter()
        .find(|origin| origin_word(*origin) == word)
        .ok_or_else(|| Unreadable::Word(word.to_owned(), "origin"))
}

/// The measure that `word` names.
pub(super) fn measure(word: &str) -> Result<Measure, Unreadable> {
    let named = Measure::NAMED.into_iter().find(|(name, _)| *name == word);
    named.map(|(_, measure)| measure).ok_or_else(|| Unreadable::Word(word.to_owned(), "value of a ban"))
}

impl From<Ended> for HistoryKind {
    fn from(why: Ended) -> Self {
        match why {
            Ended::Expired => Self::Expired,
            Ended::Unbanned => Self::Unbanned,
            Ended::Allowed => Self::Allowed,
            Ended::Simulation => Self::Simulation,
        }
    }
}
