//! Which field each variable of a format string is.

use super::piece::{Meaning, Piece, Shape, Variable};
use super::{FormatEscape, TemplateError};
use crate::record::Field;
use crate::record::slots::{Role, Slot};

/// Pieces whose variables know their places, and the slots of these places. The places of times follow them.
pub(super) struct Settled {
    pub(super) pieces: Vec<Piece>,
    pub(super) slots: Vec<Slot>,
}

/// So much text on either side of a status is looked for.
const AROUND: usize = 12;

/// Gives each variable its place.
pub(super) fn settle(pieces: Vec<Piece>, escape: FormatEscape) -> Result<Settled, TemplateError> {
    let mut pieces = joined(pieces);
    let ranks = ranks(&pieces);
    let mut slots = Vec::new();
    for piece in &mut pieces {
        let Piece::Variable(variable) = piece else { continue };
        let Some(role) = settled_role(variable, &ranks) else { continue };
        variable.slot = Some(slots.len());
        let slot = |role| Slot::new(role, escape.undone());
        if variable.shape == Shape::PathAndQuery {
            let parts = if role == Role::Is(Field::RequestUri) {
                [Field::RequestUri, Field::Path, Field::Query]
            } else {
                ["uri_and_args", "uri", "args"].map(Field::of_format)
            };
            slots.extend(parts.map(|field| slot(Role::Is(field))));
        } else {
            slots.push(slot(role));
        }
    }
    let times = pieces.iter_mut().filter_map(|piece| match piece {
        Piece::Variable(variable) if variable.meaning == Meaning::Time => Some(variable),
        _ => None,
    });
    for (place, time) in (slots.len()..).zip(times) {
        time.slot = Some(place);
    }
    if slots.iter().any(|slot| names_an_address(&slot.role)) {
        return Ok(Settled { pieces, slots });
    }
    Err(TemplateError::new(
        0,
        "no variable of it holds the client's address",
        "add `$remote_addr` (nginx) or `%a` (Apache) to the format, in the server's configuration too",
    ))
}

/// Whether clients can be told by it: addresses, and headers that proxies write them into.
fn names_an_address(role: &Role) -> bool {
    match role {
        Role::Client => true,
        Role::Is(Field::Named(name)) => {
            matches!(&**name, "peer" | "x_forwarded_for" | "forwarded" | "proxy_protocol_addr")
                || name.ends_with("_ip")
                || name.ends_with("_for")
        }
        _ => false,
    }
}

/// Of each role that several variables have, the lowest rank that one of them has.
fn ranks(pieces: &[Piece]) -> Vec<(Role, u8)> {
    let mut ranks: Vec<(Role, u8)> = Vec::new();
    for variable in pieces.iter().filter_map(Piece::variable) {
        let Meaning::Role { role, rank, .. } = &variable.meaning else { continue };
        match ranks.iter_mut().find(|(known, _)| known == role) {
            Some((_, lowest)) => *lowest = (*lowest).min(*rank),
            None => ranks.push((role.clone(), *rank)),
        }
    }
    ranks
}

/// The role that a variable has among the others.
fn settled_role(variable: &Variable, ranks: &[(Role, u8)]) -> Option<Role> {
    let Meaning::Role { role, rank, own } = &variable.meaning else { return None };
    let has = |role: &Role| ranks.iter().find(|(known, _)| known == role).map(|(_, lowest)| *lowest);
    // After a rewrite `$uri` is what the server made of the request, which stands in the request itself.
    let asked = matches!(role, Role::Is(Field::Path | Field::Query | Field::RequestUri));
    let is_told = asked && (has(&Role::Request).is_some() || has(&Role::Target).is_some());
    let wins = has(role).is_some_and(|lowest| lowest == *rank) && !is_told;
    Some(if wins { role.clone() } else { Role::Is(Field::of_format(own)) })
}

/// Joins a path with the query behind it: `%U%q`, `$uri?$args`, `$uri$is_args$args`.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let is_query = matches!(&piece, Piece::Variable(variable) if is(variable, &Field::Query));
        if is_query && join_with_path(&mut joined, &piece) {
            continue;
        }
        joined.push(piece);
    }
    joined
}

fn is(variable: &Variable, field: &Field) -> bool {
    matches!(&variable.meaning, Meaning::Role { role: Role::Is(of), .. } if of == field)
}

/// Makes the path that `before` ends in one with the query that follows; whether there was one.
fn join_with_path(before: &mut Vec<Piece>, query: &Piece) -> bool {
    let mark = match before.as_slice() {
        [.., Piece::Variable(path), mark] if is(path, &Field::Path) => match mark {
            Piece::Text(text) => text == b"?",
            Piece::Variable(variable) => variable.text.contains("is_args"),
        },
        _ => false,
    };
    let path = before.len().checked_sub(if mark { 2 } else { 1 });
    let Some(Piece::Variable(path)) = path.and_then(|at| before.get_mut(at)) else { return false };
    let is_next = mark || query.variable().is_some_and(|query| query.shape == Shape::Query);
    if !is(path, &Field::Path) || !is_next {
        return false;
    }
    path.shape = Shape::PathAndQuery;
    path.meaning = Meaning::ranked(Role::Is(Field::RequestUri), 0, "uri_and_args");
    if mark {
        before.pop();
    }
    true
}

/// What stands before and behind the status; `None` where that is nothing.
pub(super) fn around_status(pieces: &[Piece]) -> Option<[Vec<u8>; 2]> {
    let is_status =
        |piece: &Piece| piece.variable().is_some_and(|v| v.shape == Shape::Status && is(v, &Field::Status));
    let mut all = pieces.iter().enumerate().filter(|(_, piece)| is_status(piece));
    // Of two, the one that counts is not told from the other here.
    let (at, None) = (all.next()?.0, all.next()) else { return None };
    let text = |at: Option<usize>| at.and_then(|at| pieces.get(at)?.text()).unwrap_or_default();
    let (before, after) = (text(at.checked_sub(1)), text(Some(at + 1)));
    let before = before.get(before.len().saturating_sub(AROUND)..).unwrap_or_default().to_vec();
    let after = after.get(..after.len().min(AROUND)).unwrap_or_default().to_vec();
    (before.len() + after.len() > 0).then_some([before, after])
}
