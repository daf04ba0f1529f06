//! Which lines of a buffer have a request target that may be spelled in another way: found without reading the lines.

use memchr::{memchr, memchr2, memmem};

use super::prefilter::Chosen;
use crate::record::Targets;

/// For which filters a spelling inside a target makes its line a candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spellings {
    /// `%` and `\`.
    pub(super) encoded: Chosen,
    /// `//`.
    pub(super) slashes: Chosen,
    /// `/.`.
    pub(super) dots: Chosen,
}

/// A search for targets that hold what one of the filters cannot see through.
#[derive(Debug)]
pub(super) struct Spelled {
    place: Place,
    spellings: Spellings,
}

#[derive(Debug)]
enum Place {
    /// The line's first text in quotes that is not empty.
    FirstQuoted,
    /// The whole line.
    Line,
    /// After `] "`, up to `" `.
    AfterDate(Box<memmem::Finder<'static>>),
    /// The value of a key that ends so.
    Key(Box<memmem::Finder<'static>>),
}

impl Spellings {
    fn any(self) -> Chosen {
        self.encoded.with(self.slashes).with(self.dots)
    }

    /// For whom `text` has one of them.
    fn found(self, text: &[u8]) -> Chosen {
        let encoded = self.encoded != Chosen::NONE && memchr2(b'%', b'\\', text).is_some();
        let slashes = self.slashes != Chosen::NONE && follows(text, b'/');
        let dots = self.dots != Chosen::NONE && follows(text, b'.');
        self.encoded.when(encoded).with(self.slashes.when(slashes)).with(self.dots.when(dots))
    }
}

/// Whether a slash has this byte behind it. Without a branch in the loop: requests are short, and most hold a few slashes.
fn follows(text: &[u8], behind: u8) -> bool {
    let next = text.get(1..).unwrap_or_default();
    let here = |(a, b): (&u8, &u8)| u8::from(*a == b'/') & u8::from(*b == behind);
    text.iter().zip(next).fold(0, |any, pair| any | here(pair)) != 0
}

impl Spelled {
    /// The searches in lines of a format that has its targets there. Each key has one of its own: most of them never occur,
    /// and those are passed over faster than any search for several.
    pub(super) fn searches(targets: Targets<'_>, spellings: Spellings) -> Vec<Self> {
        let finder = |text: &[u8]| Box::new(memmem::Finder::new(text).into_owned());
        let places = match targets {
            _ if spellings.any() == Chosen::NONE => Vec::new(),
            Targets::FirstQuoted => vec![Place::FirstQuoted],
            Targets::Line => vec![Place::Line],
            Targets::AfterDate => vec![Place::AfterDate(finder(b"] \""))],
            Targets::Keys(keys) => keys.iter().map(|key| Place::Key(finder(key))).collect(),
        };
        places.into_iter().map(|place| Self { place, spellings }).collect()
    }

    /// The first place in such a line; `buffer` begins with a line.
    pub(super) fn find(&self, buffer: &[u8]) -> Option<usize> {
        match &self.place {
            Place::FirstQuoted => self.in_lines(buffer, request),
            Place::Line => self.in_lines(buffer, |line| line),
            Place::AfterDate(marks) | Place::Key(marks) => {
                marks.find_iter(buffer).find(|at| self.behind(marks, buffer, *at) != Chosen::NONE)
            }
        }
    }

    /// For whom a line is a candidate; `rest` is what follows the first place in it, which `find` found.
    pub(super) fn filters(&self, rest: &[u8]) -> Chosen {
        match &self.place {
            Place::FirstQuoted => self.spellings.found(request(rest)),
            Place::Line => self.spellings.found(rest),
            Place::AfterDate(marks) | Place::Key(marks) => {
                let found = marks.find_iter(rest).map(|at| self.behind(marks, rest, at));
                found.fold(Chosen::NONE, Chosen::with)
            }
        }
    }

    /// For whom what follows the marks at `at` counts.
    fn behind(&self, marks: &memmem::Finder<'_>, buffer: &[u8], at: usize) -> Chosen {
        let rest = buffer.get(at + marks.needle().len()..).unwrap_or_default();
        match self.place {
            Place::Key(_) => self.value(rest),
            Place::FirstQuoted | Place::Line | Place::AfterDate(_) => {
                let line = memchr(b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
                let end = memmem::find(line, b"\" ").unwrap_or(line.len());
                self.spellings.found(line.get(..end).unwrap_or(line))
            }
        }
    }

    /// The first line of which this part counts.
    fn in_lines(&self, buffer: &[u8], part: impl Fn(&[u8]) -> &[u8]) -> Option<usize> {
        let mut start = 0;
        while let Some(rest) = buffer.get(start..).filter(|rest| !rest.is_empty()) {
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            if self.spellings.found(part(rest.get(..length).unwrap_or(rest))) != Chosen::NONE {
                return Some(start);
            }
            start += length + 1;
        }
        None
    }

    /// A value behind a key whose closing quote stands before it. Of an array nothing is known.
    fn value(&self, rest: &[u8]) -> Chosen {
        let Some(value) = without_blanks(rest).strip_prefix(b":").map(without_blanks) else {
            return Chosen::NONE;
        };
        match value {
            [b'"', text @ ..] => {
                let end = memchr2(b'"', b'\n', text).unwrap_or(text.len());
                self.spellings.found(text.get(..end).unwrap_or(text))
            }
            [b'[' | b'{', ..] => self.spellings.any(),
            _ => Chosen::NONE,
        }
    }
}

/// The request is the first text in quotes that is not empty: Apache writes an empty user as `""`. Where a quote is
/// escaped this is too short a piece, but then the line holds a `\`.
fn request(line: &[u8]) -> &[u8] {
    let mut rest = line;
    while let Some(open) = memchr(b'"', rest) {
        let inside = rest.get(open + 1..).unwrap_or_default();
        let length = memchr(b'"', inside).unwrap_or(inside.len());
        if length > 0 {
            return inside.get(..length).unwrap_or_default();
        }
        rest = inside.get(1..).unwrap_or_default();
    }
    b""
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::prefilter::Chosen;
    use super::{Spelled, Spellings};
    use crate::record::Targets;

    const ALL: Spellings = Spellings { encoded: Chosen::ALL, slashes: Chosen::ALL, dots: Chosen::ALL };
    const SLASHES: Spellings = Spellings { encoded: Chosen::NONE, dots: Chosen::NONE, ..ALL };

    #[test]
    fn a_value_is_looked_at_and_what_stands_beside_it_is_not() {
        let keys = [b"uri\"".to_vec(), b"request\"".to_vec()];
        for keys in [&keys[..1], &keys[..]] {
            let searches = Spelled::searches(Targets::Keys(keys), ALL);
            let is_found = |text: &str| searches.iter().any(|search| search.find(text.as_bytes()).is_some());
            for (line, found) in [
                (r#"{"uri":"/x","referer":"https://h/%20\"","uri2":"//"}"#, false),
                (r#"{"uri":"//x"}"#, true),
                (r#"{"uri" :	"http://x"}"#, true),
                (r#"{"uri":"/a/.b"}"#, true),
                (r#"{"uri":"/%61"}"#, true),
                (r#"{"a":"\"uri\":","uri":"/\u0061"}"#, true),
                (r#"{"request_uri":"/x/%61"}"#, true),
                (r#"{"a":"uri","b":"//x","uri":null,"uri":12}"#, false),
                (r#"{"uri":["/x"]}"#, true),
                (r#"{"uri""#, false),
                (r#"{"uri":""#, false),
                (r#"{"uri":"/a"#, false),
            ] {
                assert_eq!(is_found(line), found, "{line}");
                let after = format!("{{\"uri\":\"/x\"}}\n{line}\n{{\"a\":\"//%\"}}");
                assert_eq!(is_found(&after), found, "{after}");
            }
        }
        let slashes = Spelled::searches(Targets::Keys(&keys[..1]), SLASHES);
        assert_eq!(slashes[0].find(br#"{"uri":"/%61"}"#), None);
        assert!(
            Spelled::searches(Targets::Keys(&keys), Spellings { slashes: Chosen::NONE, ..SLASHES })
                .is_empty()
        );
    }

    #[test]
    fn a_request_behind_a_date_may_have_quotes() {
        let searches = Spelled::searches(Targets::AfterDate, SLASHES);
        for (line, found) in [
            (r#"h - - [d] "GET /x HTTP/1.1" 200 1 "http://h" "a" 1 "r" "http://h" 1ms"#, false),
            (r#"h - a"b [d] "GET /x"/y//z HTTP/1.1" 200 1 "h""#, true),
            (r#"h - [x] "y [d] "GET http://x HTTP/1.1" 200 1 "h""#, true),
        ] {
            assert_eq!(searches[0].find(line.as_bytes()).is_some(), found, "{line}");
        }
    }

    #[test]
    fn anywhere_in_a_line_is_in_that_line() {
        let searches = Spelled::searches(Targets::Line, SLASHES);
        let text = b"c:1 [d] fe be/s 0/0/0 200 \"GET /a/b HTTP/1.1\"\nc:1 [d] fe be/s 0/0 200 \"GET http://h HTTP/1.1\"\n";
        let second = text.iter().position(|byte| *byte == b'\n').map(|newline| newline + 1);
        assert_eq!(searches[0].find(text), second);
        assert_eq!(searches[0].filters(&text[second.unwrap()..]), Chosen::ALL);
    }
}
