//! Syslog's header: RFC 3164 as nginx and `HAProxy` send it (`<190>Nov 20 12:00:00 host nginx: `) and as files have it
//! (without the priority, also with the ISO times of rsyslog and systemd), RFC 5424 with structured data, and a bare
//! priority (`HAProxy`'s `format short`).
//!
//! Where a time is followed by no tag the line does not fit: a search for the message's begin would find one that a client
//! wrote.

use std::ops::Range;

use super::cri::token;

/// A syslog header at the beginning of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How long it is.
    pub length: usize,
    /// Where its time stands; empty where it has none.
    pub time: Range<usize>,
    /// It begins with a priority (`<190>`), as what is sent does and what stands in files does not.
    pub is_sent: bool,
}

impl Header {
    /// What follows it in its line.
    pub fn message<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        line.get(self.length..).unwrap_or_default()
    }
}

/// The header that a line begins with; `None` where it has none.
pub fn header(line: &[u8]) -> Option<Header> {
    let sent = after_priority(line);
    let rest = sent.unwrap_or(line);
    let at = |rest: &[u8]| line.len() - rest.len();
    let is_sent = sent.is_some();
    let (time, message) = if let Some(rest) = rest.strip_prefix(b"1 ").filter(|_| is_sent) {
        let (time, rest) = token(rest)?;
        (time, after_structured_data(rest)?)
    } else if let Some((time, rest)) = stamp(rest) {
        (time, after_tag(rest)?)
    } else {
        return is_sent.then(|| Header { length: at(rest), time: 0..0, is_sent });
    };
    let start = time.as_ptr() as usize - line.as_ptr() as usize;
    Some(Header { length: at(message), time: start..start + time.len(), is_sent })
}

/// What follows `<190>`.
fn after_priority(line: &[u8]) -> Option<&[u8]> {
    let body = line.strip_prefix(b"<")?;
    let digits = body.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    body.get(digits..)?.strip_prefix(b">").filter(|_| (1..=3).contains(&digits))
}

/// A time, and what follows the blank behind it: `Nov  3 12:00:00`, or an ISO one.
fn stamp(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = token(text)?;
    if is_iso(first) {
        return Some((first, rest));
    }
    let [month @ .., b' ', d1, d2, b' '] = text.first_chunk::<7>()? else { return None };
    let is_day = matches!(d1, b' ' | b'0'..=b'3') && d2.is_ascii_digit();
    let (clock, rest) = token(text.get(7..)?)?;
    let is_time = is_day && month.iter().all(u8::is_ascii_alphabetic) && is_clock(clock);
    is_time.then(|| text.split_at(7 + clock.len()).0).map(|time| (time, rest))
}

/// Whether a word begins as `2026-11-20T15:51:57` does.
pub(super) fn is_iso(word: &[u8]) -> bool {
    let Some(([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T'], clock)) = word.split_first_chunk::<11>()
    else {
        return false;
    };
    [y1, y2, y3, y4, m1, m2, d1, d2].into_iter().all(u8::is_ascii_digit)
        && is_clock(clock)
        && word.len() <= 40
}

const CLOCK: &[u8] = b"00:00:00";

/// `12:00:00`, and what may follow that: a fraction, a zone.
fn is_clock(text: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    text.len() >= CLOCK.len() && text.iter().zip(CLOCK).all(fits)
}

/// What follows `tag: ` or `host tag: `.
fn after_tag(text: &[u8]) -> Option<&[u8]> {
    let (first, rest) = token(text)?;
    if is_tag(first) {
        return Some(rest);
    }
    let (second, rest) = token(rest)?;
    (!first.is_empty() && is_tag(second)).then_some(rest)
}

/// `nginx:`, `haproxy[123]:`, `postfix/smtpd[4]:`.
fn is_tag(word: &[u8]) -> bool {
    let Some(tag) = word.strip_suffix(b":") else { return false };
    let bracket = tag.iter().position(|byte| *byte == b'[').unwrap_or(tag.len());
    let (name, process) = tag.split_at(bracket);
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@".contains(byte);
    let number = process.strip_prefix(b"[").map(|rest| rest.strip_suffix(b"]").unwrap_or_default());
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    !name.is_empty() && name.iter().all(in_name) && number.is_none_or(is_number)
}

/// What follows host, application, process, message identifier and structured data of RFC 5424, and the byte order mark.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    for _ in 0..4 {
        rest = token(rest)?.1;
    }
    rest = match rest.strip_prefix(b"-") {
        Some(none) => none,
        None => after_elements(rest)?,
    };
    let message = if rest.is_empty() { rest } else { rest.strip_prefix(b" ")? };
    Some(message.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(message))
}

/// What follows `[id name="value"][…]`; in a value a backslash takes the next byte with it.
fn after_elements(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"[")?;
    let mut quoted = false;
    loop {
        rest = match rest {
            [b'\\', _, after @ ..] if quoted => after,
            [b']', b'[', after @ ..] if !quoted => after,
            [b']', after @ ..] if !quoted => return Some(after),
            [byte, after @ ..] => {
                quoted ^= *byte == b'"';
                after
            }
            [] => return None,
        };
    }
}
