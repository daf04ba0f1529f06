//! Where a setting was written: the text it came from, and its bytes in it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// A file, by its absolute path.
    File(PathBuf),
    /// An environment variable, by its name.
    Variable(String),
    /// A filter that is embedded in the binary, by its name.
    Shipped(String),
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Shipped(name) => write!(f, "shipped filter {name}"),
        }
    }
}

/// A whole text that was read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) medium: Medium,
    pub(super) body: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Text {
    pub(super) fn new(medium: Medium, body: String) -> Arc<Self> {
        let ends = body.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Arc::new(Self { medium, body, lines })
    }

    /// What relative paths in this text are relative to: the directory of the file, else the current one.
    pub(super) fn base(&self) -> PathBuf {
        match &self.medium {
            Medium::File(path) => path.parent().map_or_else(PathBuf::new, Path::to_owned),
            Medium::Variable(_) | Medium::Shipped(_) => std::path::absolute(".").unwrap_or_default(),
        }
    }
}

/// Bytes of a text that a problem or an origin points to.
#[derive(Clone)]
pub struct Place {
    pub(super) text: Arc<Text>,
    pub(super) span: Range<usize>,
}

impl Place {
    /// The bytes `span` of `text`; bounds that lie outside, or inside a character, move to the next character before.
    pub(super) fn new(text: &Arc<Text>, span: Range<usize>) -> Self {
        let body = &text.body;
        let start = body.floor_char_boundary(span.start.min(body.len()));
        let end = body.floor_char_boundary(span.end.clamp(start, body.len()));
        Self { text: text.clone(), span: start..end }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.text.lines.partition_point(|start| *start <= self.span.start)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        let start = self.text.lines.get(self.line() - 1).copied().unwrap_or_default();
        self.text.body.get(start..self.span.start).unwrap_or_default().chars().count() + 1
    }

    /// The file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.text.medium {
            Medium::File(path) => Some(path),
            Medium::Variable(_) | Medium::Shipped(_) => None,
        }
    }

    /// The words that are pointed to.
    pub fn excerpt(&self) -> &str {
        self.text.body.get(self.span.clone()).unwrap_or_default()
    }

    /// File and line, or the variable's name: what an origin says.
    pub(super) fn origin(&self) -> String {
        match &self.text.medium {
            Medium::Variable(_) => self.text.medium.to_string(),
            Medium::File(_) | Medium::Shipped(_) => format!("{}:{}", self.text.medium, self.line()),
        }
    }

    /// From here to the end of `other` where that is on one line; else here alone.
    pub(super) fn through(&self, other: &Self) -> Self {
        let whole = self.span.start..other.span.end.max(self.span.end);
        let same = Arc::ptr_eq(&self.text, &other.text) && self.span.start <= other.span.start;
        let on_one_line = || self.text.body.get(whole.clone()).is_some_and(|text| !text.contains('\n'));
        if same && on_one_line() { Self::new(&self.text, whole) } else { self.clone() }
    }
}

impl fmt::Display for Place {
    /// `FILE:LINE:COLUMN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.text.medium, self.line(), self.column())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
