//! How the lines of a format are read: a list of steps, each beginning where the one before ended.
//!
//! A server escapes every quote that a client sends, so a raw `"` in a line is one of the format's, and quotes cut the
//! line into parts that no client can move. What clients choose in one part (`chosen`) must lie together, and only one value
//! there may be of any form: what is before it is read forwards, what is behind it backwards from the next raw quote
//! or the line's end. So the bounds of what clients choose are found by what servers choose alone.

use super::TemplateError;
use super::loose::Loose;
use super::piece::{Meaning, Piece, Shape, Variable};
use super::shape::{goes_on_before, goes_on_behind, has_a_width, is_address, runs_into};
use crate::record::Field;
use crate::record::slots::Role;

/// How a line is read.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Plan {
    /// Quotes are the format's own.
    Steps(Vec<Step>),
    /// Quotes may be a client's.
    Loose(Loose),
}

/// One step.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// This stands here.
    Text(Vec<u8>),
    /// A value that shows by itself where it ends.
    Take(Take),
    /// What a client chooses, and what is behind it up to the next raw quote (`closed`) or the line's end, in the order in
    /// which it is read: the last first.
    Free { shape: Shape, slot: Option<usize>, closed: bool, behind: Vec<Step> },
}

/// A value that is read forwards or backwards; `beside` is the text that it runs up against there.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Take {
    pub(super) shape: Shape,
    pub(super) slot: Option<usize>,
    pub(super) beside: Vec<u8>,
    /// That text is a colon, and a port follows.
    pub(super) port: bool,
}

/// Plans how pieces are read whose quotes nobody can forge.
pub(super) fn plan(pieces: &[Piece]) -> Result<Vec<Step>, TemplateError> {
    let parts = cut_at_quotes(pieces);
    let mut steps = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let closed = at + 1 < parts.len();
        let following = parts.get(at + 1).and_then(|part| part.first());
        plan_part(part, following, closed, &mut steps)?;
    }
    Ok(merged(steps))
}

/// Cuts before each quote, so that all but the first part begin with one.
fn cut_at_quotes(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut parts = vec![Vec::new()];
    let mut push = |piece, new: bool| {
        if new {
            parts.push(Vec::new());
        }
        parts.last_mut().expect("there is a first one").push(piece);
    };
    for piece in pieces {
        let Some(text) = piece.text() else {
            push(piece.clone(), false);
            continue;
        };
        for (at, text) in text.split(|byte| *byte == b'"').enumerate() {
            let quoted = if at == 0 { text.to_vec() } else { [b"\"", text].concat() };
            if !quoted.is_empty() {
                push(Piece::Text(quoted), at > 0);
            }
        }
    }
    parts
}

fn plan_part(
    part: &[Piece],
    following: Option<&Piece>,
    closed: bool,
    steps: &mut Vec<Step>,
) -> Result<(), TemplateError> {
    let next = |at: usize| part.get(at + 1).or(following);
    let Some(free) = free(part)? else {
        for (at, piece) in part.iter().enumerate() {
            steps.push(forwards(piece, next(at), part.get(at + 2..).unwrap_or_default())?);
        }
        return Ok(());
    };
    for (at, piece) in part.iter().enumerate().take(free) {
        steps.push(forwards(piece, next(at), part.get(at + 2..).unwrap_or_default())?);
    }
    let (before, behind) = part.split_at((free + 1).min(part.len()));
    let Some(Piece::Variable(Variable { shape, slot, .. })) = before.last() else { return Ok(()) };
    let mut read = Vec::new();
    for (at, piece) in behind.iter().enumerate().rev() {
        let before = |distance: usize| at.checked_sub(distance).and_then(|at| behind.get(at));
        read.push(backwards(piece, before(1), before(2))?);
    }
    steps.push(Step::Free { shape: *shape, slot: *slot, closed, behind: merged(read) });
    Ok(())
}

/// Which piece of a part is found by what is around it.
fn free(part: &[Piece]) -> Result<Option<usize>, TemplateError> {
    let chosen: Vec<(usize, &Variable)> = part
        .iter()
        .enumerate()
        .filter_map(|(at, piece)| Some((at, piece.variable().filter(|v| v.shape.is_chosen())?)))
        .collect();
    let (Some((first, one)), Some((last, other))) = (chosen.first(), chosen.last()) else { return Ok(None) };
    let mut free = chosen.iter().filter(|(_, variable)| variable.shape.is_free());
    let found = free.next();
    if let (Some((_, one)), Some((_, other))) = (found, free.next()) {
        return Err(unbounded(one, other));
    }
    let between = part.get(*first..*last).unwrap_or_default();
    if between.iter().filter_map(Piece::variable).any(|v| !v.shape.is_chosen() && !is_harmless(v)) {
        return Err(unbounded(one, other));
    }
    Ok(Some(found.map_or(*first, |(at, _)| *at)))
}

/// Whether nothing is lost where a client writes what looks like it: it names nobody, and no rule judges by it alone.
fn is_harmless(variable: &Variable) -> bool {
    matches!(variable.shape, Shape::Token | Shape::Number | Shape::Decimal)
        && match &variable.meaning {
            Meaning::Time => false,
            Meaning::Role { role, .. } => {
                matches!(role, Role::Is(Field::Named(name)) if name != "peer")
                    || matches!(role, Role::Is(Field::Protocol | Field::Host))
            }
        }
}

/// What a client writes into the one could end in the other.
pub(super) fn unbounded(one: &Variable, other: &Variable) -> TemplateError {
    TemplateError::new(
        other.at,
        format!(
            "`{}` and `{}` can hold blanks and whatever a client sends, and no quote is between them: where the one ends \
             and the other begins cannot be known",
            one.text, other.text
        ),
        format!("put quotes around one of them (\"{}\"), in the server's configuration too", one.text),
    )
}

/// A piece as it is read forwards, with `next` behind it, and `behind` behind that.
pub(super) fn forwards(piece: &Piece, next: Option<&Piece>, behind: &[Piece]) -> Result<Step, TemplateError> {
    let variable = match piece {
        Piece::Text(text) => return Ok(Step::Text(text.clone())),
        Piece::Variable(variable) => variable,
    };
    let beside = match next {
        Some(Piece::Text(text)) => text.clone(),
        // A host ends at the slash that a path begins with, a number before it.
        Some(Piece::Variable(next)) if begins_with_slash(next) && stops_at_slash(variable.shape) => {
            Vec::new()
        }
        Some(Piece::Variable(next)) if !has_a_width(variable.shape) => return Err(touching(variable, next)),
        Some(Piece::Variable(_)) | None => Vec::new(),
    };
    let after = behind.first();
    let is_number = after.and_then(Piece::variable).is_some_and(|after| after.shape == Shape::Number);
    let port = beside == b":" && is_number && ends_port(variable.shape, behind.get(1));
    // An address could go on in such a text, and in what is behind it.
    let goes_on = !port && variable.shape == Shape::Address && is_all_address(&beside)
        || goes_on_behind(variable.shape, &beside, after.is_some_and(is_chosen));
    if goes_on || beside.first().is_some_and(|byte| runs_into(variable.shape, *byte)) {
        return Err(running(variable, &beside));
    }
    Ok(Step::Take(Take { shape: variable.shape, slot: variable.slot, beside, port }))
}

/// Whether a port ends where this follows, whatever stands there: else the colon before it could be a later one.
fn ends_port(shape: Shape, following: Option<&Piece>) -> bool {
    match following {
        None => true,
        Some(Piece::Text(text)) if shape == Shape::Address => !text.first().is_some_and(|b| is_address(*b)),
        Some(Piece::Text(text)) => {
            matches!(text.first(), Some(b' ' | b'"')) || shape == Shape::Host && text.starts_with(b"/")
        }
        Some(Piece::Variable(next)) => shape == Shape::Host && begins_with_slash(next),
    }
}

fn is_all_address(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_address(*byte))
}

/// Targets and paths do.
fn begins_with_slash(variable: &Variable) -> bool {
    let is_path = |role: &Role| matches!(role, Role::Target | Role::Is(Field::Path | Field::RequestUri));
    matches!(&variable.meaning, Meaning::Role { role, .. } if is_path(role))
}

const fn stops_at_slash(shape: Shape) -> bool {
    matches!(shape, Shape::Host | Shape::Number)
}

fn is_chosen(piece: &Piece) -> bool {
    piece.chosen().is_some()
}

/// The same backwards, with `before` in front of it, and `after` before that; none is what a client chooses.
fn backwards(piece: &Piece, before: Option<&Piece>, after: Option<&Piece>) -> Result<Step, TemplateError> {
    let variable = match piece {
        Piece::Text(text) => return Ok(Step::Text(text.clone())),
        Piece::Variable(variable) => variable,
    };
    let beside = match before {
        Some(Piece::Text(text)) => text.clone(),
        _ if has_a_width(variable.shape) => Vec::new(),
        Some(Piece::Variable(before)) => return Err(touching(before, variable)),
        None => {
            return Err(TemplateError::new(
                variable.at,
                format!("`{}` follows what a client chooses with nothing between them", variable.text),
                "put a text or a quote between them, in the server's configuration too",
            ));
        }
    };
    let goes_on = variable.shape == Shape::Address && is_all_address(&beside)
        || goes_on_before(variable.shape, &beside, after.is_none_or(is_chosen));
    if goes_on || beside.last().is_some_and(|byte| runs_into(variable.shape, *byte)) {
        return Err(running(variable, &beside));
    }
    Ok(Step::Take(Take { shape: variable.shape, slot: variable.slot, beside, port: false }))
}

fn touching(one: &Variable, other: &Variable) -> TemplateError {
    TemplateError::new(
        other.at,
        format!("nothing stands between `{}` and `{}`", one.text, other.text),
        "put a blank between them, in the server's configuration too",
    )
}

fn running(variable: &Variable, beside: &[u8]) -> TemplateError {
    TemplateError::new(
        variable.at,
        format!(
            "where `{}` ends cannot be seen, with `{}` beside it",
            variable.text,
            String::from_utf8_lossy(beside)
        ),
        "put a quote between them, or a blank where none is, in the server's configuration too",
    )
}

/// Texts that follow each other are one.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match (merged.last_mut(), step) {
            (Some(Step::Text(last)), Step::Text(text)) => last.extend(text),
            (_, step) => merged.push(step),
        }
    }
    merged
}
