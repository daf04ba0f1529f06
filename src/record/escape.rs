//! What servers write for bytes that could break a log line, and back.
//!
//! Text logs: nginx (`escape=default`) writes `\xXX` for `"`, `\`, controls and bytes from 7F on; Apache writes `\"`, `\\`, the
//! C names of six controls, and `\xXX` for the rest. No spelling of one means something else in the other, so both
//! are read everywhere. JSON has the escapes of RFC 8259, and nginx's `\xXX` where its log has the shape of JSON and no
//! `escape=json`: no encoder writes that otherwise. `HAProxy` has `#XX`.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// How a value was escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Escape {
    /// Not at all.
    None,
    /// As nginx (`escape=default`) and Apache do.
    Server,
    /// As in a JSON string; several strings of an array become one, with commas between them.
    Json,
    /// As `HAProxy` does: `#XX`.
    Haproxy,
}

impl Escape {
    /// The bytes that were written as `text`; nothing is copied where nothing is escaped. What is no escape stays.
    pub(super) fn undo(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::None {
            return Cow::Borrowed(text);
        }
        let (marks, read) = self.marks();
        replace(text, marks, read)
    }

    /// Where in `text` the byte stands that is the one at `plain` once escapes are undone; the end, where there is none.
    pub(super) fn place_of(self, text: &[u8], plain: usize) -> usize {
        if self == Self::None {
            return plain.min(text.len());
        }
        let (marks, read) = self.marks();
        let (mut at, mut passed, mut written) = (0, 0, Vec::new());
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let before = memchr2(marks[0], marks[1], rest).unwrap_or(rest.len());
            if passed + before > plain {
                return at + plain - passed;
            }
            (at, passed) = (at + before, passed + before);
            let Some(escape) = rest.get(before..).filter(|escape| !escape.is_empty()) else { break };
            written.clear();
            let length = read(escape, &mut written);
            if passed + written.len() > plain {
                return at;
            }
            (at, passed) = (at + length, passed + written.len());
        }
        text.len()
    }

    /// The bytes with which escapes begin, and what reads one.
    fn marks(self) -> ([u8; 2], Read) {
        match self {
            Self::None | Self::Server => ([b'\\'; 2], server),
            Self::Json => ([b'\\', b'"'], json),
            Self::Haproxy => ([b'#'; 2], haproxy),
        }
    }

    /// Whether `byte` is never written in another way.
    pub(super) fn never_escapes(self, byte: u8) -> bool {
        matches!(byte, b' '..0x7F)
            && match self {
                Self::None => true,
                Self::Server => !matches!(byte, b'"' | b'\\'),
                // What could be HTML: Go's encoding/json, Gson (`=` too), .NET (`+` and the backquote too). The slash:
                // PHP, Lua's cjson. And the comma that stands between strings of an array has the line's quotes around it.
                Self::Json => !matches!(
                    byte,
                    b'"' | b'\\' | b'/' | b'<' | b'>' | b'&' | b'\'' | b'=' | b'+' | b'`' | b','
                ),
                Self::Haproxy => !matches!(byte, b'"' | b'#' | b'{' | b'|' | b'}'),
            }
    }

    /// Whether `byte`, where it is written in another way, is written with the escape's own mark: a backslash, `#`.
    pub(super) fn escapes_with_mark(self, byte: u8) -> bool {
        match self {
            Self::Json => matches!(byte, b' '..0x7F) && byte != b',',
            Self::Haproxy => true,
            Self::None | Self::Server => false,
        }
    }

    /// Whether `byte` is always written with that mark.
    pub(super) fn always_escapes(self, byte: u8) -> bool {
        match self {
            Self::None => false,
            Self::Server => !self.never_escapes(byte),
            Self::Json => matches!(byte, b'"' | b'\\' | 0..b' '),
            Self::Haproxy => matches!(byte, b'"' | b'#' | 0..b' ' | 0x7F..),
        }
    }

    /// One of these stands wherever a byte is escaped, unless `\` does.
    pub(super) fn marks_of_its_own(self) -> &'static [&'static [u8]] {
        match self {
            Self::None | Self::Server | Self::Json => &[],
            // No printable byte but these: `"`, `#`, `{`, `|`, `}`.
            Self::Haproxy => {
                &[b"#0", b"#1", b"#2", b"#7", b"#8", b"#9", b"#A", b"#B", b"#C", b"#D", b"#E", b"#F"]
            }
        }
    }
}

/// The bytes that were written as `text`; nothing is copied where no backslash stands. A backslash that begins no
/// known escape stays as it is.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    replace(text, [b'\\'; 2], server)
}

/// The escapes of nginx and Apache.
fn server(text: &[u8], plain: &mut Vec<u8>) -> usize {
    let (byte, length) = first(text);
    plain.push(byte);
    length
}

/// Is given the text from a mark on, adds what it means, and says how long it is.
type Read = fn(&[u8], &mut Vec<u8>) -> usize;

/// Replaces each escape, which begins with one of the marks.
fn replace(text: &[u8], marks: [u8; 2], read: Read) -> Cow<'_, [u8]> {
    let find = |text| memchr2(marks[0], marks[1], text);
    if find(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest) {
        let (before, escape) = rest.split_at(at);
        plain.extend_from_slice(before);
        let length = read(escape, &mut plain);
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// `#XX`.
fn haproxy(text: &[u8], plain: &mut Vec<u8>) -> usize {
    if let [_, high, low, ..] = *text
        && let (Some(high), Some(low)) = (hex(high), hex(low))
    {
        plain.push(high << 4 | low);
        return 3;
    }
    plain.push(b'#');
    1
}

/// The escapes of a JSON string, half of a surrogate pair being U+FFFD; and what stands between two strings, from the
/// closing quote of the one to the opening quote of the other.
pub(super) fn json(text: &[u8], plain: &mut Vec<u8>) -> usize {
    if let Some(between) = text.strip_prefix(b"\"") {
        plain.push(b',');
        return memchr(b'"', between).map_or(text.len(), |quote| quote + 2);
    }
    let byte = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'u') => {
            if let Some((character, length)) = unicode(text) {
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return length;
            }
            plain.push(b'\\');
            return 1;
        }
        _ => {
            let (byte, length) = first(text);
            plain.push(byte);
            return length;
        }
    };
    plain.push(byte);
    2
}

/// `\uXXXX`, or two of them, and how long that is.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
        digits.iter().try_fold(0, |value, digit| Some(value << 4 | u32::from(hex(*digit)?)))
    };
    let first = unit(0)?;
    let second = || unit(6).filter(|second| (0xDC00..0xE000).contains(second));
    if (0xD800..0xDC00).contains(&first)
        && let Some(second) = second()
    {
        let character = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(character)?, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
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

    use super::{Escape, unescape};

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
    fn json_and_haproxy_have_escapes_of_their_own() {
        for (written, meant) in [
            (&br#"a\"b\\c\/d\n\r\t\b\f"#[..], &b"a\"b\\c/d\n\r\t\x08\x0c"[..]),
            (br"\u003cscript\u003E", b"<script>"),
            (br"\u00e9", "\u{e9}".as_bytes()),
            (br"\ud83d\ude00", "\u{1f600}".as_bytes()),
            (br"\ud83dx\ude00", "\u{fffd}x\u{fffd}".as_bytes()),
            (br"\u12", br"\u12"),
            (br"\x22\x5C", br#""\"#),
            (br"\q\", br"\q\"),
            (br#"a\"","b", "c"#, b"a\",b,c"),
        ] {
            assert_eq!(Escape::Json.undo(written), meant);
        }
        assert_eq!(Escape::Haproxy.undo(b"/#22x#5C#zz#7"), &b"/\"x\\#zz#7"[..]);
        assert_eq!(Escape::None.undo(br"a\x22#22"), &br"a\x22#22"[..]);
    }

    #[test]
    fn what_no_server_writes_stays() {
        for text in [&br"\"[..], br"\x", br"\x4", br"\xg1", br"\q", br"a\x1"] {
            assert_eq!(unescape(text), text);
        }
    }
}
