//! A date pattern as it is written: its special words and prefixes taken off, and the bounds that they ask for.

use super::{defaults, token};

/// What must stand before a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Not the inside of a word: a date is not found in the middle of a number.
    Word,
    /// The line's start, or at most two characters that belong to no word.
    LineStart,
    /// The pattern says itself that it begins at the line's start.
    Caret,
    /// Anything.
    Free,
}

/// A pattern without its words and prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// As a person knows it: the pattern itself, or the known spelling that a special word stands for.
    pub(super) name: String,
    pub(super) begin: Begin,
    /// Whether no word may go on after the date.
    pub(super) word_end: bool,
    /// The regular expression, with `%` fields.
    pub(super) body: String,
}

/// Takes a pattern apart. Special words become several patterns: `{DEFAULT}` and `{^LN-BEG}` alone all known
/// spellings, `{DATE}` inside a pattern one for each of them; the words among these only where nothing else stands.
pub(super) fn read(pattern: &str) -> Vec<Written> {
    match pattern {
        defaults::ALL => {
            return defaults::anywhere().iter().flat_map(|known| read(known)).collect();
        }
        defaults::LINE_START => {
            return defaults::at_line_start().iter().flat_map(|known| read(known)).collect();
        }
        "{NONE}" => return vec![Written::new(pattern, Begin::Caret, false, "()")],
        _ => {}
    }
    if let Some(special) = special(pattern) {
        return special;
    }
    if !pattern.contains("{DATE}") {
        return vec![plain(pattern)];
    }
    let inside = |known: &str| {
        let pattern = pattern.replace("{DATE}", known);
        special(&pattern)
            .unwrap_or_else(|| if defaults::is_word(known) { vec![] } else { vec![plain(&pattern)] })
    };
    defaults::inside().flat_map(inside).collect()
}

/// `Epoch`, `LEPOCH`, `TAI64N`, `ISO8601` as the whole pattern, in any case; `{^LN-BEG}` or `^` may stand before.
fn special(pattern: &str) -> Option<Vec<Written>> {
    let bare = pattern.strip_prefix(defaults::LINE_START).or_else(|| pattern.strip_prefix('^'));
    let name = bare.unwrap_or(pattern).to_ascii_uppercase();
    let begin = if bare.is_some() { Begin::LineStart } else { Begin::Word };
    match name.as_str() {
        "EPOCH" | "LEPOCH" => {
            let field = format!("({{{name}}})");
            Some(match bare {
                Some(_) => vec![Written::new(pattern, begin, true, &field)],
                None => vec![
                    Written::new(pattern, Begin::Caret, true, &format!(r"^\[?{field}")),
                    // SELinux: `audit(1763632800.123:45)`.
                    Written::new(pattern, begin, true, &format!(r"audit\({field}")),
                ],
            })
        }
        "TAI64N" => Some(vec![Written::new(pattern, begin, true, "{TAI64N}")]),
        "ISO8601" => Some(vec![Written::new(pattern, begin, true, defaults::COMMON[0])]),
        _ => None,
    }
}

fn plain(pattern: &str) -> Written {
    let (begin, body) = match pattern.strip_prefix(defaults::LINE_START) {
        Some(rest) => (Some(Begin::LineStart), rest),
        None => match pattern.strip_prefix("{UNB}") {
            Some(rest) => (Some(Begin::Free), rest),
            None => (None, pattern),
        },
    };
    let word_end = begin != Some(Begin::Free) && !ends_itself(body);
    let begin = begin.unwrap_or_else(|| own_begin(body));
    let body = body.strip_prefix("**").unwrap_or(body);
    Written::new(pattern, begin, word_end, body.strip_suffix("**").unwrap_or(body))
}

/// The begin that the pattern writes itself: `^`, `\b` or fail2ban's `**`, also as the first of a group.
fn own_begin(body: &str) -> Begin {
    let first = inside_groups(body);
    match first {
        _ if first.starts_with('^') => Begin::Caret,
        _ if first.starts_with("**") || first.starts_with(r"\b") => Begin::Free,
        _ => Begin::Word,
    }
}

/// What stands behind the opening brackets that a pattern begins with.
fn inside_groups(body: &str) -> &str {
    let mut rest = body;
    while let Some(inner) = rest.strip_prefix('(') {
        rest = match inner.strip_prefix('?') {
            // Flags, or `(?:`.
            Some(flags) => {
                flags.trim_start_matches(|c: char| c.is_ascii_lowercase()).trim_start_matches([':', ')'])
            }
            None => inner,
        };
    }
    rest
}

fn ends_itself(body: &str) -> bool {
    let body = body.trim_end_matches(')');
    ["$", r"\b", r"\s", "**"].into_iter().any(|end| body.ends_with(end))
}

impl Written {
    fn new(name: &str, begin: Begin, word_end: bool, body: &str) -> Self {
        Self { name: name.to_owned(), begin, word_end, body: body.to_owned() }
    }

    /// Whether the pattern cannot be a date pattern at all: it would match any line with nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// The text of a field in braces inside a pattern (`{EPOCH}`), and what follows it.
pub(super) fn braced(rest: &str) -> Option<(&'static str, &str)> {
    let (name, after) = rest.strip_prefix('{')?.split_once('}')?;
    Some((token::braced(name)?, after))
}
