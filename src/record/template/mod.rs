//! A server's own format string (nginx `log_format`, Apache `LogFormat`) as a format.
//!
//! The string is taken apart by the rules of its server (`nginx`, `apache`, `strftime`) into pieces: texts and variables,
//! each with the shape of what the server writes for it. `roles` says which field each variable is, `plan` how a line is
//! read: what a client chooses is found by what is fixed on both sides of it, so that nothing it holds can move a
//! field. `reading` does it; `loose` does it for `escape=none`, where a client can write quotes too.

mod apache;
mod clock;
mod family;
mod loose;
mod nginx;
mod piece;
mod plan;
mod reading;
mod roles;
mod shape;
mod strftime;
#[cfg(test)]
mod tests;

use super::Field;
use super::access::Span;
use super::date::Reference;
use super::escape::Escape;
use super::format::Format;
use super::slots::{Reading, Role, Slot};
use clock::Clock;
use piece::Piece;
use plan::Plan;

/// How the server escapes the values of a format string (`escape=` of nginx's `log_format`; Apache has only the default).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FormatEscape {
    /// `\xXX`.
    #[default]
    Default,
    /// As in JSON strings.
    Json,
    /// Not at all: a client can write anything but a newline, quotes too.
    None,
}

/// What is wrong with a format string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at byte {at})")]
pub struct TemplateError {
    /// Where, in bytes from the string's start.
    pub at: usize,
    /// What is wrong, and with which variable.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// A compiled format string.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Template {
    text: String,
    escape: FormatEscape,
    slots: Vec<Slot>,
    /// Places that a line may not have: servers write `-` for a request that was none.
    optional: Vec<usize>,
    clock: Clock,
    plan: Plan,
    /// What stands around a status that the line always has in this form.
    status: Option<[Vec<u8>; 2]>,
    /// The variables whose values a client chooses, as written.
    chosen: Vec<String>,
}

impl TemplateError {
    fn new(at: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { at, what: what.into(), fix: fix.into() }
    }
}

impl FormatEscape {
    /// The names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("default", Self::Default), ("json", Self::Json), ("none", Self::None)];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, escape)| *escape == self).map_or("default", |(name, _)| name)
    }

    const fn undone(self) -> Escape {
        match self {
            Self::Default => Escape::Server,
            Self::Json => Escape::Json,
            Self::None => Escape::None,
        }
    }
}

impl Template {
    /// Compiles a format string; where it is exactly one of the combined family, that format is the answer.
    pub(super) fn compile(text: &str, escape: FormatEscape) -> Result<Format, TemplateError> {
        let pieces = pieces(text, escape)?;
        if escape == FormatEscape::Default
            && let Some(format) = family::named(&pieces)
        {
            return Ok(format);
        }
        let settled = roles::settle(pieces, escape)?;
        let clock = Clock::of(&settled.pieces, settled.slots.len());
        let plan = match escape {
            FormatEscape::None => Plan::Loose(loose::plan(&settled.pieces)?),
            _ => Plan::Steps(plan::plan(&settled.pieces)?),
        };
        let template = Self {
            text: text.to_owned(),
            escape,
            status: roles::around_status(&settled.pieces),
            chosen: settled.pieces.iter().filter_map(Piece::chosen).map(str::to_owned).collect(),
            optional: optional(&settled.slots),
            slots: settled.slots,
            clock,
            plan,
        };
        Ok(Format::Template(std::sync::Arc::new(template)))
    }

    /// The string as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables in which a client can write anything, quotes too: those of a format with `escape=none`.
    pub fn forgeable(&self) -> &[String] {
        if self.escape == FormatEscape::None { &self.chosen } else { &[] }
    }

    /// Whether a variable of it is the client's address (other addresses may be named by fields).
    pub fn has_client(&self) -> bool {
        self.slots.iter().any(|slot| slot.role == Role::Client)
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn escape(&self) -> Escape {
        self.escape.undone()
    }

    /// A byte string that each line with this status holds.
    pub(super) fn status_literal(&self, status: u16) -> Option<Vec<u8>> {
        let [before, after] = self.status.as_ref()?;
        Some([before, format!("{status:03}").as_bytes(), after].concat())
    }

    /// Reads one line.
    pub(super) fn read(&self, line: &[u8], reference: Option<&Reference>) -> Reading {
        let mut spans = match &self.plan {
            Plan::Steps(steps) => reading::read(line, steps, self.clock.places())?,
            Plan::Loose(loose) => loose.read(line, self.clock.places())?,
        };
        for at in &self.optional {
            if let Some(place) = spans.get_mut(*at)
                && matches!(place.of(line), b"" | b"-")
            {
                *place = Span::ABSENT;
            }
        }
        self.clock.parts(line, spans, reference)
    }
}

fn optional(slots: &[Slot]) -> Vec<usize> {
    let is_optional = |slot: &Slot| match &slot.role {
        Role::Is(field) => matches!(field, Field::Method | Field::Path | Field::Query | Field::Protocol),
        _ => false,
    };
    slots.iter().enumerate().filter(|(_, slot)| is_optional(slot)).map(|(at, _)| at).collect()
}

/// Takes a format string apart, by the rules of the server whose it is.
fn pieces(text: &str, escape: FormatEscape) -> Result<Vec<Piece>, TemplateError> {
    let nginx = nginx::first_variable(text);
    let apache = apache::first_directive(text);
    match (nginx, apache) {
        (Some(_), None) => nginx::pieces(text),
        (None, Some(_)) if escape == FormatEscape::Default => apache::pieces(text),
        (None, Some(at)) => Err(TemplateError::new(
            at,
            "Apache's LogFormat has no `escape`, that is nginx's",
            "leave `escape` out",
        )),
        (None, None) => Err(TemplateError::new(
            0,
            "there is neither a `$variable` of nginx nor a `%` directive of Apache in it",
            "give the server's own log_format or LogFormat string, or a format's name",
        )),
        (Some(nginx), Some(apache)) => Err(TemplateError::new(
            nginx.max(apache),
            "there are both `$variables` of nginx and `%` directives of Apache in it",
            "give the string exactly as it stands in the server's configuration",
        )),
    }
}
