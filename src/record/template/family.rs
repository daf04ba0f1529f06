//! Format strings that are exactly one of the combined family: these have a reader of their own, the fastest.

use super::piece::{Meaning, Piece, Shape};
use crate::record::Field;
use crate::record::format::Format;
use crate::record::slots::Role;

/// As `log_format combined` and Debian's `LogFormat`s are, in one spelling.
const FAMILY: [(&str, Format); 4] = [
    ("<client> - <user> [<time>] \"<request>\" <status> <bytes>", Format::Common),
    (
        "<client> - <user> [<time>] \"<request>\" <status> <bytes> \"<referer>\" \"<user_agent>\"",
        Format::Combined,
    ),
    (
        "<client> - <user> [<time>] \"<request>\" <status> <bytes> \"<referer>\" \"<user_agent>\" \"<x_forwarded_for>\"",
        Format::CombinedXff,
    ),
    (
        "<host>:<server_port> <client> - <user> [<time>] \"<request>\" <status> <bytes> \"<referer>\" \"<user_agent>\"",
        Format::VhostCombined,
    ),
];

/// The format that these pieces are.
pub(super) fn named(pieces: &[Piece]) -> Option<Format> {
    let spelled: String = pieces.iter().map(spelled).collect::<Option<_>>()?;
    FAMILY.into_iter().find(|(family, _)| *family == spelled).map(|(_, format)| format)
}

fn spelled(piece: &Piece) -> Option<String> {
    let variable = match piece {
        Piece::Text(text) => return Some(String::from_utf8_lossy(text).into_owned()),
        Piece::Variable(variable) => variable,
    };
    // `%!200,304{Referer}i`: with some statuses it is another text.
    let modifiers = variable.text.chars().take_while(|c| !c.is_ascii_alphabetic() && *c != '{');
    if modifiers.into_iter().any(|c| c == '!' || c.is_ascii_digit()) {
        return None;
    }
    Some(match &variable.meaning {
        Meaning::Time if variable.shape == Shape::Clf => "<time>".to_owned(),
        Meaning::Role { role: Role::Client, .. } => "<client>".to_owned(),
        Meaning::Role { role: Role::Request, .. } => "<request>".to_owned(),
        Meaning::Role { role: Role::Is(field), .. } => match field {
            Field::Named(name) if name == "ident" => "-".to_owned(),
            // A virtual host that the server names, and not the client.
            Field::Host if variable.shape != Shape::Token => return None,
            field => format!("<{field}>"),
        },
        _ => return None,
    })
}
