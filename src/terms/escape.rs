//! Text that came from a log, a server or another host, made safe for a terminal.
//!
//! What a client wrote into a request may hold sequences that move the cursor, rewrite what stands on the screen, or
//! turn the direction of text (Unicode TR 36). The escaped form is for eyes: a backslash in the text stays one, since
//! servers write `\x22` into their logs themselves.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text: every control, direction and invisible character becomes `\xNN` or `\u{…}`; newlines too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !is_harmless(c))
}

/// Text of several lines: the same, but newlines stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && !is_harmless(c))
}

/// Bytes that may be no UTF-8: those that are none become `\xNN`.
pub fn bytes(raw: &[u8]) -> String {
    let mut safe = String::with_capacity(raw.len());
    for chunk in raw.utf8_chunks() {
        safe.push_str(&line(chunk.valid()));
        for byte in chunk.invalid() {
            push_byte(&mut safe, *byte);
        }
    }
    safe
}

/// JSON in which dangerous characters that JSON itself permits are written as `\uXXXX`: still the same value.
pub fn json(text: &str) -> Cow<'_, str> {
    // Most is ASCII, and looked through without a branch.
    let is_plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if is_plain || text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmless(c) {
            safe.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(safe, "\\u{unit:04x}").expect("a String takes any text");
            }
        }
    }
    Cow::Owned(safe)
}

fn escaped(text: &str, dangerous: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match u8::try_from(c) {
            _ if !dangerous(c) => safe.push(c),
            Ok(byte) if byte.is_ascii() => push_byte(&mut safe, byte),
            _ => write!(safe, "\\u{{{:x}}}", u32::from(c)).expect("a String takes any text"),
        }
    }
    Cow::Owned(safe)
}

fn push_byte(safe: &mut String, byte: u8) {
    write!(safe, "\\x{byte:02x}").expect("a String takes any text");
}

/// Whether a character shows as itself, in its place, and does nothing else: no control (C0, DEL, C1), no format
/// character (category Cf: direction marks, joiners, tags), no invisible filler, no line or paragraph separator,
/// nothing for private use.
fn is_harmless(c: char) -> bool {
    // Most text is ASCII; the list below is for the rest.
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1345f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        for (text, shown) in [
            ("GET /\u{1b}[2J\u{1b}]0;x\u{7}", "GET /\\x1b[2J\\x1b]0;x\\x07"),
            ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("\u{e0041}", "\\u{e0041}"),
            ("Zürich 東京 \\x22", "Zürich 東京 \\x22"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(lines("a\nb\u{1b}"), "a\nb\\x1b");
        assert_eq!(bytes(b"\xffa\xc3\xbc\x1b"), "\\xffaü\\x1b");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(bytes(&raw).chars().all(|c| is_harmless(c) && !c.is_control()));
        }

        #[test]
        fn text_without_dangers_stays(text in "[ -~äöü東]*") {
            prop_assert_eq!(line(&text), text.as_str());
        }

        #[test]
        fn json_keeps_its_value_and_loses_its_dangers(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let safe = json(&written);
            prop_assert!(safe.chars().all(is_harmless));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
