//! Where a value ends, or begins, by the shape of what the server writes.

use memchr::{memchr2, memchr3, memmem, memrchr, memrchr2};

use super::piece::{Part, Shape};
use super::plan::Take;
use crate::record::clf;

/// How long an `Iso` is.
const ISO: usize = 25;
/// Nothing that a server writes of its own is longer: so looking for it at many places takes no longer for what else a line
/// holds.
const LONGEST: usize = 4096;
/// So many upstream servers are asked for one request at most.
const MOST_ITEMS: usize = 64;

/// The end of the value that begins at `at`.
pub(super) fn end(take: &Take, line: &[u8], at: usize) -> Option<usize> {
    let Take { shape, port, ref beside, .. } = *take;
    let rest = line.get(at..)?;
    let rest = if shape.is_chosen() { rest } else { rest.get(..LONGEST).unwrap_or(rest) };
    let length = match shape {
        Shape::Address => {
            let run = rest.get(..run(rest, is_address))?;
            let length = cut_forwards(run, beside, is_address, port)?;
            (length > 0).then_some(length)?
        }
        Shape::Number => number(rest, digits(rest)),
        Shape::Decimal | Shape::Part(Part::Fractional) => number(rest, decimal(rest)),
        Shape::Status => match rest {
            [a, b, c, ..] if [a, b, c].into_iter().all(u8::is_ascii_digit) => 3,
            [b'-', ..] => 1,
            _ => return None,
        },
        Shape::List => list(rest),
        Shape::Token | Shape::Word | Shape::Host => word(rest, beside, shape == Shape::Host, port)?,
        Shape::Part(Part::Seconds | Part::Milliseconds | Part::Microseconds) => digits(rest),
        Shape::Clf | Shape::Iso | Shape::Part(_) => {
            let length = width(shape)?;
            fits(shape, rest.get(..length)?).then_some(length)?
        }
        Shape::Free | Shape::User | Shape::PathAndQuery | Shape::Query => return None,
    };
    Some(at + length)
}

/// The start of the value that ends at `end`, not before `floor`.
pub(super) fn start(take: &Take, line: &[u8], floor: usize, end: usize) -> Option<usize> {
    let Take { shape, ref beside, .. } = *take;
    let text = line.get(floor..end)?;
    let length = match shape {
        Shape::Address => {
            let run = text.get(text.len() - back(text, is_address)..)?;
            let length = cut_backwards(run, beside, is_address)?;
            (length > 0).then_some(length)?
        }
        Shape::Number => back_number(text, back(text, |b| b.is_ascii_digit())),
        Shape::Decimal | Shape::Part(Part::Fractional) => {
            back_number(text, back(text, |b| b.is_ascii_digit() || b == b'.'))
        }
        Shape::Status => match text {
            [.., a, b, c] if [a, b, c].into_iter().all(u8::is_ascii_digit) => 3,
            [.., b'-'] => 1,
            _ => return None,
        },
        Shape::List => back_list(text),
        Shape::Token | Shape::Word | Shape::Host => {
            let run = text.get(memrchr2(b' ', b'"', text).map_or(0, |at| at + 1)..)?;
            cut_backwards(run, beside, is_word)?
        }
        Shape::Part(Part::Seconds | Part::Milliseconds | Part::Microseconds) => {
            back(text, |b| b.is_ascii_digit())
        }
        Shape::Clf | Shape::Iso | Shape::Part(_) => {
            let length = width(shape)?;
            fits(shape, text.get(text.len().checked_sub(length)?..)?).then_some(length)?
        }
        Shape::Free | Shape::User | Shape::PathAndQuery | Shape::Query => return None,
    };
    Some(end - length)
}

/// How long what always has one length is.
const fn width(shape: Shape) -> Option<usize> {
    Some(match shape {
        Shape::Clf => clf::LENGTH,
        Shape::Iso => ISO,
        Shape::Part(part) => match part {
            Part::Year => 4,
            Part::Zone => 5,
            Part::MonthName | Part::Weekday | Part::MillisecondFraction => 3,
            Part::MicrosecondFraction => 6,
            Part::Fractional | Part::Seconds | Part::Milliseconds | Part::Microseconds => return None,
            Part::ShortYear | Part::Month | Part::Day | Part::Hour | Part::Minute | Part::Second => 2,
        },
        _ => return None,
    })
}

/// Whether a text of that length is of the shape.
fn fits(shape: Shape, text: &[u8]) -> bool {
    match shape {
        // Read when the time is.
        Shape::Clf | Shape::Iso => true,
        Shape::Part(Part::MonthName | Part::Weekday) => text.iter().all(u8::is_ascii_alphabetic),
        Shape::Part(Part::Zone) => {
            matches!(text, [b'+' | b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit))
        }
        Shape::Part(Part::Day) => matches!(text, [b' ' | b'0'..=b'9', b'0'..=b'9']),
        _ => text.iter().all(u8::is_ascii_digit),
    }
}

/// Whether nothing is needed behind such a value to see where it ends, and before it where it begins.
pub(super) const fn has_a_width(shape: Shape) -> bool {
    width(shape).is_some() || matches!(shape, Shape::Status)
}

/// Whether a list can go on in the text behind it, and in what a client chooses where that is `open` to one.
pub(super) fn goes_on_behind(shape: Shape, text: &[u8], open: bool) -> bool {
    let goes_on = |between: &&[u8]| text.starts_with(between) || (open && between.starts_with(text));
    shape == Shape::List && BETWEEN_ITEMS.iter().any(goes_on)
}

/// The same in the text before it.
pub(super) fn goes_on_before(shape: Shape, text: &[u8], open: bool) -> bool {
    let goes_on = |between: &&[u8]| text.ends_with(between) || (open && between.ends_with(text));
    shape == Shape::List && BETWEEN_ITEMS.iter().any(goes_on)
}

/// What stands between the words of a list.
const BETWEEN_ITEMS: [&[u8]; 2] = [b", ", b" : "];

/// Whether a value can hold this byte, so that it cannot stand beside it.
pub(super) fn runs_into(shape: Shape, byte: u8) -> bool {
    match shape {
        Shape::Number | Shape::Part(Part::Seconds | Part::Milliseconds | Part::Microseconds) => {
            byte.is_ascii_digit()
        }
        Shape::Decimal | Shape::Part(Part::Fractional) => byte.is_ascii_digit() || byte == b'.',
        Shape::List => is_item(byte),
        // A word ends where the text behind it first stands.
        _ => false,
    }
}

pub(super) fn is_address(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'%' | b'_' | b'-')
}

fn is_item(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'[' | b']' | b'/' | b'_' | b'-')
}

fn run(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| is(**byte)).count()
}

fn back(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().rev().take_while(|byte| is(**byte)).count()
}

fn digits(text: &[u8]) -> usize {
    run(text, |byte| byte.is_ascii_digit())
}

fn decimal(text: &[u8]) -> usize {
    let whole = digits(text);
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix(b".")).map_or(0, digits);
    if fraction > 0 { whole + 1 + fraction } else { whole }
}

/// A number, `-` where there is none, or nothing.
fn number(text: &[u8], digits: usize) -> usize {
    if digits == 0 && text.first() == Some(&b'-') { 1 } else { digits }
}

fn back_number(text: &[u8], digits: usize) -> usize {
    if digits == 0 && text.last() == Some(&b'-') { 1 } else { digits }
}

/// A word ends at a blank, a quote, or where the text behind it stands; a host at a slash, too, where nothing else is
/// behind it.
fn word(rest: &[u8], next: &[u8], is_host: bool, port: bool) -> Option<usize> {
    let end = if is_host && (next.is_empty() || port) {
        memchr3(b' ', b'"', b'/', rest)
    } else {
        memchr2(b' ', b'"', rest)
    };
    cut_forwards(rest.get(..end.unwrap_or(rest.len()))?, next, is_word, port)
}

fn is_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'"')
}

/// How much of a run of such bytes is the value, where the text `next` is behind it. What `next` begins with may be such
/// bytes, too: then the run ends in them, or, where all of it is, the value ends where it first stands. Only before a port a
/// colon is the last, since IPv6 addresses hold colons themselves.
fn cut_forwards(run: &[u8], next: &[u8], is: impl Fn(u8) -> bool, port: bool) -> Option<usize> {
    let within = next.iter().take_while(|byte| is(**byte)).count();
    let (shared, rest) = next.split_at(within);
    match (shared, rest) {
        ([], _) => Some(run.len()),
        (_, [_, ..]) => run.strip_suffix(shared).map(<[u8]>::len),
        (_, []) if port => memrchr(b':', run),
        (_, []) => memmem::find(run, shared),
    }
}

/// The same from behind: how much of the run that a value ends in is the value, where the text `before` is in front.
fn cut_backwards(run: &[u8], before: &[u8], is: impl Fn(u8) -> bool) -> Option<usize> {
    let within = before.iter().rev().take_while(|byte| is(**byte)).count();
    let (rest, shared) = before.split_at(before.len() - within);
    match (rest, shared) {
        (_, []) => Some(run.len()),
        ([_, ..], _) => run.strip_prefix(shared).map(<[u8]>::len),
        ([], _) => memmem::rfind(run, shared).map(|at| run.len() - at - shared.len()),
    }
}

/// Words with `, ` or ` : ` between them.
fn list(text: &[u8]) -> usize {
    let mut length = run(text, is_item);
    for _ in 0..MOST_ITEMS {
        let rest = text.get(length..).unwrap_or_default();
        let between = if rest.starts_with(b", ") {
            2
        } else if rest.starts_with(b" : ") {
            3
        } else {
            return length;
        };
        match run(rest.get(between..).unwrap_or_default(), is_item) {
            0 => return length,
            item => length += between + item,
        }
    }
    length
}

fn back_list(text: &[u8]) -> usize {
    let mut start = text.len() - back(text, is_item);
    for _ in 0..MOST_ITEMS {
        let before = text.get(..start).unwrap_or_default();
        let rest = before.strip_suffix(b", ").or_else(|| before.strip_suffix(b" : "));
        let item = rest.map_or(0, |rest| back(rest, is_item));
        match rest {
            Some(rest) if item > 0 => start = rest.len() - item,
            _ => break,
        }
    }
    text.len() - start
}
