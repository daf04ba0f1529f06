//! Directives of Apache's `LogFormat`.
//!
//! <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats>. `%h`, `%u` and all that comes from the request is
//! escaped (`\"`, `\\`, `\xXX`); an empty `%u` is written as `""`.

use super::TemplateError;
use super::piece::{Meaning, Part, Piece, Shape, Variable, escaped, own_field, push_text};
use super::strftime;
use crate::record::Field;
use crate::record::slots::Role;

/// A directive as it was written.
struct Directive<'t> {
    /// `{this}`.
    argument: Option<&'t str>,
    /// `%!200,304`: with another status it is `-`.
    conditional: bool,
    /// `%<`: of the request as it came, before internal redirects; `%>` of the last.
    original: Option<bool>,
    letter: &'t str,
    /// How long all of it is.
    length: usize,
}

/// Where the first directive stands.
pub(super) fn first_directive(text: &str) -> Option<usize> {
    text.match_indices('%').map(|(at, _)| at).find(|at| {
        let rest = text.get(at + 1..).unwrap_or_default();
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "{<>!^%".contains(c))
    })
}

/// Takes a `LogFormat` string apart; quotes in it may still be escaped as in `httpd.conf`.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let next = rest.find(['%', '\\']).unwrap_or(rest.len());
        let (before, here) = rest.split_at(next);
        push_text(&mut pieces, before.as_bytes());
        at += next;
        if here.starts_with('\\') {
            push_text(&mut pieces, &[escaped(here, at)?]);
            at += 2;
        } else if here.starts_with("%%") {
            push_text(&mut pieces, b"%");
            at += 2;
        } else if !here.is_empty() {
            let directive = directive(here, at)?;
            let written = here.get(..directive.length).unwrap_or_default();
            for piece in meant(&directive, written, at)? {
                match piece {
                    Piece::Text(text) => push_text(&mut pieces, &text),
                    Piece::Variable(variable) => {
                        pieces.push(Piece::Variable(Variable { text: written.to_owned(), at, ..variable }));
                    }
                }
            }
            at += directive.length;
        }
    }
    Ok(pieces)
}

/// Reads `%`, its modifiers, and the letter.
fn directive(text: &str, at: usize) -> Result<Directive<'_>, TemplateError> {
    let mut found = Directive { argument: None, conditional: false, original: None, letter: "", length: 1 };
    loop {
        let rest = text.get(found.length..).unwrap_or_default();
        found.length += match rest.chars().next() {
            Some('!' | ',' | '0'..='9') => {
                found.conditional = true;
                1
            }
            Some(mark @ ('<' | '>')) => {
                found.original = Some(mark == '<');
                1
            }
            Some('{') => {
                let end = rest.find('}').ok_or_else(|| unknown(text, at, "its `{` is not closed"))?;
                found.argument = rest.get(1..end);
                end + 1
            }
            Some('^') => {
                found.letter = rest.get(..3).unwrap_or(rest);
                found.length += found.letter.len();
                return Ok(found);
            }
            Some(letter) if letter.is_ascii_alphabetic() => {
                found.letter = rest.get(..1).unwrap_or_default();
                found.length += 1;
                return Ok(found);
            }
            _ => return Err(unknown(text.get(..found.length).unwrap_or(text), at, "a letter is missing")),
        };
    }
}

fn unknown(written: &str, at: usize, why: &str) -> TemplateError {
    TemplateError::new(
        at,
        format!("`{written}` is no directive of LogFormat that can be read: {why}"),
        "take it out of the log, or put it behind the format's end, where anything may stand",
    )
}

/// What a directive is; a time may be several pieces.
fn meant(directive: &Directive<'_>, written: &str, at: usize) -> Result<Vec<Piece>, TemplateError> {
    if directive.letter == "t" {
        if directive.conditional {
            return Err(unknown(written, at, "a time must stand in every line"));
        }
        return strftime::pieces(directive.argument)
            .map_err(|wrong| unknown(written, at, &format!("{wrong} is not known in a time")));
    }
    let variable = variable(directive).ok_or_else(|| unknown(written, at, "it is not known"))?;
    Ok(vec![Piece::Variable(variable)])
}

fn variable(directive: &Directive<'_>) -> Option<Variable> {
    match directive.argument {
        None => plain(directive),
        Some(argument) => with_argument(directive.letter, argument),
    }
}

/// A directive without `{…}`.
fn plain(directive: &Directive<'_>) -> Option<Variable> {
    let is = |shape, field: Field, rank, own: &str| {
        Some(Variable::new(shape, Meaning::ranked(Role::Is(field), rank, own)))
    };
    let named = |shape, name: &str| Some(Variable::new(shape, Meaning::named(name)));
    let client = |rank, own| Some(Variable::new(Shape::Address, Meaning::ranked(Role::Client, rank, own)));
    match directive.letter {
        "a" => client(0, "client_addr"),
        "h" => client(1, "remote_host"),
        "A" => named(Shape::Address, "local_addr"),
        "b" => is(Shape::Number, Field::Bytes, 0, "body_bytes"),
        "B" => is(Shape::Number, Field::Bytes, 1, "body_bytes"),
        "O" => is(Shape::Number, Field::Bytes, 2, "bytes_sent"),
        "I" => named(Shape::Number, "bytes_received"),
        "S" => named(Shape::Number, "bytes_total"),
        "D" => named(Shape::Number, "request_time_us"),
        "T" => named(Shape::Number, "request_time"),
        "f" => named(Shape::Free, "filename"),
        "H" => is(Shape::Word, Field::Protocol, 0, "protocol"),
        "k" => named(Shape::Number, "keepalive_requests"),
        "l" => named(Shape::Token, "ident"),
        "L" => named(Shape::Token, "log_id"),
        "m" => is(Shape::Word, Field::Method, 0, "method"),
        "p" => named(Shape::Number, "server_port"),
        "P" => named(Shape::Number, "pid"),
        "q" => is(Shape::Query, Field::Query, 0, "args"),
        "r" => Some(Variable::new(Shape::Free, Meaning::ranked(Role::Request, 0, "request"))),
        "R" => named(Shape::Free, "handler"),
        // Without `>` it is the status before an internal redirect.
        "s" => {
            is(Shape::Status, Field::Status, u8::from(directive.original != Some(false)), "original_status")
        }
        "u" => is(Shape::User, Field::User, 0, "user"),
        "U" => is(Shape::Free, Field::Path, 0, "uri"),
        "v" => is(Shape::Token, Field::Host, 0, "server_name"),
        "V" => is(Shape::Host, Field::Host, 1, "canonical_name"),
        "X" => named(Shape::Token, "connection_status"),
        _ => None,
    }
}

/// A directive with `{…}`.
fn with_argument(letter: &str, argument: &str) -> Option<Variable> {
    let named = |shape, name: &str| Some(Variable::new(shape, Meaning::named(name)));
    let of = |kind: &str| named(Shape::Free, &format!("{kind}_{argument}"));
    match (letter, argument) {
        ("a", "c") => named(Shape::Address, "peer"),
        ("h", "c") => named(Shape::Address, "peer_host"),
        ("p", "canonical") => named(Shape::Number, "server_port"),
        ("p", "local" | "remote") => named(Shape::Number, &format!("{argument}_port")),
        ("P", "pid" | "tid") => named(Shape::Number, argument),
        ("P", "hextid") => named(Shape::Token, "tid"),
        ("T", "s") => named(Shape::Number, "request_time"),
        ("T", "ms" | "us") => named(Shape::Number, &format!("request_time_{argument}")),
        ("i", _) => Some(header(argument)),
        ("o", _) => of("sent_http"),
        ("C", _) => of("cookie"),
        ("e", _) => of("env"),
        ("n", _) => of("note"),
        ("^ti", _) => of("trailer"),
        ("^to", _) => of("sent_trailer"),
        // The others of mod_ssl hold what a client sends, and old versions do not escape it.
        ("x", "SSL_PROTOCOL" | "SSL_CIPHER") => named(Shape::Token, &argument.to_ascii_lowercase()),
        _ => None,
    }
}

/// A header of the request, under its own name.
fn header(name: &str) -> Variable {
    let role = |field| Meaning::ranked(Role::Is(field), 2, &format!("header_{name}"));
    let meaning = match name.to_ascii_lowercase().as_str() {
        "host" => role(Field::Host),
        "referer" => role(Field::Referer),
        "user-agent" => role(Field::UserAgent),
        _ => own_field(name, "header"),
    };
    Variable::new(Shape::Free, meaning)
}

/// A part of a time, for `strftime`.
pub(super) fn time(part: Part) -> Piece {
    Piece::Variable(Variable::new(Shape::Part(part), Meaning::Time))
}
