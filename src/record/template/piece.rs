//! What a format string consists of: texts, and variables with the shape of what a server writes for them.

use super::TemplateError;
use crate::record::Field;
use crate::record::slots::Role;

/// A part of a format string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// What stands in every line.
    Text(Vec<u8>),
    /// What a server puts in.
    Variable(Variable),
}

/// A variable or directive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Variable {
    /// As it was written.
    pub(super) text: String,
    /// Where, in bytes from the string's start.
    pub(super) at: usize,
    pub(super) shape: Shape,
    /// Which field it is.
    pub(super) meaning: Meaning,
    /// Where its value stands among the spans of a line; set when roles are settled.
    pub(super) slot: Option<usize>,
}

/// What a variable means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    /// A field, whose name is this where another variable of the same role is nearer to it: of several the one with
    /// the lowest rank has the role.
    Role { role: Role, rank: u8, own: String },
    /// A part of the time: the shape says which.
    Time,
}

/// What a server writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// An address, or a host name.
    Address,
    /// Digits, `-`, or nothing.
    Number,
    /// The same with a point in it.
    Decimal,
    /// Three digits or `-`.
    Status,
    /// A word of the server's without blanks and quotes, or nothing.
    Token,
    /// What several upstream servers said: words with `, ` and ` : ` between them.
    List,
    /// `20/Nov/2026:10:00:00 +0000`.
    Clf,
    /// `2026-11-20T10:00:00+00:00`.
    Iso,
    /// A part of a time.
    Part(Part),
    /// A word that a client chooses, and in which the server lets no blank pass.
    Word,
    /// A host that a client names: no blank, no slash.
    Host,
    /// Any text that a client chooses.
    Free,
    /// The same; Apache writes `""` for an empty one.
    User,
    /// Path, and query where there is a `?`, in one.
    PathAndQuery,
    /// A query with its `?`, or nothing.
    Query,
}

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Year,
    /// Two digits, of this century.
    ShortYear,
    /// `Nov`.
    MonthName,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// `+0100`.
    Zone,
    /// Three bytes that say nothing new: a weekday.
    Weekday,
    /// Since the epoch, with a fraction behind a point.
    Fractional,
    /// Since the epoch.
    Seconds,
    Milliseconds,
    Microseconds,
    /// Of the second.
    MillisecondFraction,
    MicrosecondFraction,
}

impl Shape {
    /// Whether a client can write what it likes there.
    pub(super) const fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::User | Self::PathAndQuery | Self::Query)
    }

    /// Whether a client chooses it at all.
    pub(super) const fn is_chosen(self) -> bool {
        self.is_free() || matches!(self, Self::Word | Self::Host)
    }
}

impl Piece {
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable(_) => None,
        }
    }

    pub(super) const fn variable(&self) -> Option<&Variable> {
        match self {
            Self::Text(_) => None,
            Self::Variable(variable) => Some(variable),
        }
    }

    /// Its text, where it is a variable whose value a client chooses.
    pub(super) fn chosen(&self) -> Option<&str> {
        self.variable().filter(|variable| variable.shape.is_chosen()).map(|variable| variable.text.as_str())
    }
}

impl Variable {
    pub(super) fn new(shape: Shape, meaning: Meaning) -> Self {
        Self { text: String::new(), at: 0, shape, meaning, slot: None }
    }
}

impl Meaning {
    /// A role that several variables may have.
    pub(super) fn ranked(role: Role, rank: u8, own: &str) -> Self {
        Self::Role { role, rank, own: own.to_owned() }
    }

    /// A field of its own.
    pub(super) fn named(name: &str) -> Self {
        Self::ranked(Role::Is(Field::of_format(name)), 0, name)
    }
}

/// Names that banmap gives to fields of its own, beside those of `Field::NAMES`: nothing that a client sends under such a
/// name is taken for one.
const RESERVED: [&str; 4] = ["peer", "remote_addr", "termination_state", "message"];

/// A field for what a server names freely; where the name is one of banmap's fields, it gets a word in front.
pub(super) fn own_field(name: &str, before: &str) -> Meaning {
    let plain = Field::of_format(name).to_string();
    let taken = Field::NAMES.contains(&plain.as_str()) || RESERVED.contains(&plain.as_str());
    let is_name = plain.starts_with(|first: char| first.is_ascii_lowercase());
    if taken || !is_name { Meaning::named(&format!("{before}_{plain}")) } else { Meaning::named(&plain) }
}

/// Adds to the text that the pieces end in.
pub(super) fn push_text(pieces: &mut Vec<Piece>, text: &[u8]) {
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.extend_from_slice(text);
    } else if !text.is_empty() {
        pieces.push(Piece::Text(text.to_vec()));
    }
}

/// Undoes the escape at the start of `rest` as a server's configuration has it; what it says and how long it is.
pub(super) fn escaped(rest: &str, at: usize) -> Result<u8, TemplateError> {
    match rest.as_bytes().get(1) {
        Some(byte @ (b'"' | b'\'')) => Ok(*byte),
        Some(b't') => Ok(b'\t'),
        Some(b'n' | b'r') => Err(TemplateError::new(
            at,
            "a line's end stands in it",
            "a record is one line: leave it out, or let the server write one line for each request",
        )),
        _ => Err(TemplateError::new(
            at,
            "a `\\` stands in it that escapes nothing",
            "it could not be told from those that the server writes before a quote: use another separator",
        )),
    }
}
