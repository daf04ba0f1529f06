//! What servers write for bytes that could break a log line, and back.
//!
//! nginx (`escape=default`) writes `\xXX` for `"`, `\`, controls and bytes from 7F on; Apache writes `\"`, `\\`, the
//! C names of six controls, and `\xXX` for the rest. No spelling of one means something else in the other, so both
//! are read everywhere.

use std::borrow::Cow;

use memchr::memchr;

/// The bytes that were written as `text`; nothing is copied where no backslash stands. A backslash that begins no
/// known escape stays as it is.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        plain.extend_from_slice(before);
        let (byte, length) = first(escape);
        plain.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// The byte that the escape at the start of `text` stands for, and how many bytes that escape takes.
fn first(text: &[u8]) -> (u8, usize) {
    match *text {
        [_, b'x' | b'X', high, low, ..] => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => (high << 4 | low, 4),
            _ => (b'\\', 1),
        },
        [_, b'"', ..] => (b'"', 2),
        [_, b'\\', ..] => (b'\\', 2),
        [_, b'n', ..] => (b'\n', 2),
        [_, b'r', ..] => (b'\r', 2),
        [_, b't', ..] => (b'\t', 2),
        [_, b'b', ..] => (0x08, 2),
        [_, b'v', ..] => (0x0b, 2),
        _ => (b'\\', 1),
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::unescape;

    #[test]
    fn text_without_a_backslash_is_not_copied() {
        assert!(matches!(unescape(b"GET / HTTP/1.1"), Cow::Borrowed(_)));
    }

    #[test]
    fn both_servers_spellings_are_read() {
        for (written, meant) in [
            (&br"\x22\x5C\x0A\xFF"[..], &b"\"\\\n\xff"[..]),
            (br"\xc3\xbc", b"\xc3\xbc"),
            (br#"\"\\\n\r\t\b\v"#, b"\"\\\n\r\t\x08\x0b"),
            (br"\\x41", br"\x41"),
            (br"a\\", br"a\"),
        ] {
            assert_eq!(unescape(written), meant);
        }
    }

    #[test]
    fn what_no_server_writes_stays() {
        for text in [&br"\"[..], br"\x", br"\x4", br"\xg1", br"\q", br"a\x1"] {
            assert_eq!(unescape(text), text);
        }
    }
}
