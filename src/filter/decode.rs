//! The spellings that a client can wrap an attack in, undone one round at a time.
//!
//! An application behind the server may decode a value that the server already decoded, so a condition with
//! `decoded` looks at the value as logged and after each of `ROUNDS` rounds.

use std::borrow::Cow;

/// So many rounds are undone: what is wrapped deeper is not unwrapped by any application that we know of.
pub(super) const ROUNDS: usize = 3;

/// One round: `%2e`, `%u002e` (IIS), `\x2e` and `\u002e` (log and JSON escapes) become the byte or character they
/// stand for; overlong UTF-8 (`%c0%ae`) and full-width forms (`%uff0e`) become the ASCII character that lenient
/// decoders make of them. Borrowed where there is nothing to undo.
pub(super) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    match unescape(value) {
        Cow::Owned(value) => Cow::Owned(shorten(&value).unwrap_or(value)),
        Cow::Borrowed(value) => shorten(value).map_or(Cow::Borrowed(value), Cow::Owned),
    }
}

fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'%', b'\\', value) else { return Cow::Borrowed(value) };
    let mut plain = Vec::with_capacity(value.len());
    plain.extend_from_slice(&value[..first]);
    let mut rest = &value[first..];
    while let Some(byte) = rest.first() {
        let taken = escape(rest, &mut plain);
        if taken == 0 {
            plain.push(*byte);
        }
        rest = &rest[taken.max(1)..];
    }
    // Every escape is longer than what it stands for.
    if plain.len() == value.len() { Cow::Borrowed(value) } else { Cow::Owned(plain) }
}

/// Undoes the escape at the start of `text`; tells how many bytes it took, 0 where there is none.
fn escape(text: &[u8], decoded: &mut Vec<u8>) -> usize {
    match text {
        [b'%', b'u' | b'U', a, b, c, d, ..] | [b'\\', b'u', a, b, c, d, ..] => {
            hex(&[*a, *b, *c, *d]).map_or(0, |code| push_char(code, decoded))
        }
        [b'%', a, b, ..] => hex(&[*a, *b]).map_or(0, |byte| push_byte(byte, 3, decoded)),
        [b'\\', b'x' | b'X', a, b, ..] => hex(&[*a, *b]).map_or(0, |byte| push_byte(byte, 4, decoded)),
        _ => 0,
    }
}

fn push_byte(byte: u32, taken: usize, decoded: &mut Vec<u8>) -> usize {
    decoded.extend(u8::try_from(byte));
    taken
}

/// A UTF-16 unit: full-width forms and the look-alike slashes become ASCII, halves of a pair a replacement character.
fn push_char(code: u32, decoded: &mut Vec<u8>) -> usize {
    let folded = match code {
        0xFF01..=0xFF5E => code - 0xFEE0,
        0x2044 | 0x2215 => u32::from(b'/'),
        0x2216 => u32::from(b'\\'),
        _ => code,
    };
    let character = char::from_u32(folded).unwrap_or(char::REPLACEMENT_CHARACTER);
    decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    6
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

/// Overlong UTF-8 sequences of ASCII characters become these characters (RFC 3629 forbids them, old decoders took
/// them); `None` where there are none.
fn shorten(bytes: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr3(0xC0, 0xC1, 0xE0, bytes)?;
    let mut short = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(byte) = rest.first() {
        let (character, taken) = match rest {
            [lead @ 0xC0..=0xC1, tail @ 0x80..=0xBF, ..] => ((lead & 1) << 6 | (tail & 0x3F), 2),
            [0xE0, middle @ 0x80..=0x81, tail @ 0x80..=0xBF, ..] => ((middle & 1) << 6 | (tail & 0x3F), 3),
            _ => (*byte, 1),
        };
        short.push(character);
        rest = &rest[taken..];
    }
    (short.len() < bytes.len()).then_some(short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str) -> String {
        String::from_utf8_lossy(&decode(text.as_bytes())).into_owned()
    }

    #[test]
    fn one_round_undoes_every_spelling_once() {
        for (spelled, plain) in [
            ("plain", "plain"),
            ("%2e%2E/", "../"),
            ("%252e", "%2e"),
            ("%25252e", "%252e"),
            ("%u002e%u002E", ".."),
            ("%uff0e%uFF0F", "./"),
            ("%u2215x%u2216", "/x\\"),
            (r"\x2e\x2E", ".."),
            (r"\u0024{jndi", "${jndi"),
            ("%c0%ae%c0%af", "./"),
            ("%e0%80%ae", "."),
            ("%c3%a9", "é"),
            ("%ud83d", "\u{fffd}"),
        ] {
            assert_eq!(decoded(spelled), plain, "{spelled}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100%", "%", "%2", "%zz", "%u12", "%u12g4", r"\", r"\x", r"\x4", r"\n", "50% off\\"] {
            assert_eq!(decoded(text), text);
        }
        assert!(matches!(decode(b"100% sure"), Cow::Borrowed(_)));
    }

    #[test]
    fn raw_overlong_bytes_are_undone_too() {
        assert_eq!(decode(b"\xC0\xAE\xC0\xAE/").as_ref(), b"../");
    }

    proptest! {
        #[test]
        fn never_longer_and_never_panics(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&value).len() <= value.len());
        }

        #[test]
        fn percent_encoding_is_undone(value in proptest::collection::vec(0_u8..0x80, 0..60)) {
            let spelled = value.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(decode(spelled.as_bytes()).into_owned(), value);
        }
    }
}
