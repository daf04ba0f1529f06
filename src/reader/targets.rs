//! Which lines of a buffer have a request target that may be spelled in another way: found without reading the lines.

use memchr::{memchr, memchr_iter, memchr2, memmem};

use crate::record::Targets;

/// A search for targets that hold what one of the filters cannot see through.
#[derive(Debug)]
pub(super) struct Spelled {
    place: Place,
    /// `%` and `\` are such.
    encoded: bool,
    /// `//` and `/.` are such.
    slashes: bool,
}

#[derive(Debug)]
enum Place {
    /// The line's first text in quotes that is not empty.
    FirstQuoted,
    /// After `] "`, up to `" `.
    AfterDate,
    /// The value of a key that ends so.
    Key(Box<memmem::Finder<'static>>),
}

impl Spelled {
    /// The searches in lines of a format that has its targets there. Each key has one of its own: most of them never occur,
    /// and those are passed over faster than any search for several.
    pub(super) fn searches(targets: Targets<'_>, encoded: bool, slashes: bool) -> Vec<Self> {
        let places = match targets {
            _ if !encoded && !slashes => Vec::new(),
            Targets::FirstQuoted => vec![Place::FirstQuoted],
            Targets::AfterDate => vec![Place::AfterDate],
            Targets::Keys(keys) => {
                let finder = |key: &Vec<u8>| Place::Key(Box::new(memmem::Finder::new(key).into_owned()));
                keys.iter().map(finder).collect()
            }
        };
        places.into_iter().map(|place| Self { place, encoded, slashes }).collect()
    }

    /// The first place in such a line; `buffer` begins with a line.
    pub(super) fn find(&self, buffer: &[u8]) -> Option<usize> {
        match &self.place {
            Place::FirstQuoted => self.first_quoted(buffer),
            Place::AfterDate => memmem::find_iter(buffer, b"] \"").find(|at| self.is_request(buffer, at + 3)),
            Place::Key(key) => {
                let mut keys = key.find_iter(buffer).map(|at| at + key.needle().len());
                keys.find(|end| self.is_value(buffer, *end)).map(|end| end - 1)
            }
        }
    }

    fn first_quoted(&self, buffer: &[u8]) -> Option<usize> {
        let mut start = 0;
        while let Some(rest) = buffer.get(start..).filter(|rest| !rest.is_empty()) {
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            if self.is_line(rest.get(..length).unwrap_or(rest)) {
                return Some(start);
            }
            start += length + 1;
        }
        None
    }

    /// The request is the first text in quotes that is not empty: Apache writes an empty user as `""`. Where a quote is
    /// escaped this is too short a piece, but then the line holds a `\`.
    fn is_line(&self, line: &[u8]) -> bool {
        let mut quoted = line.split(|byte| *byte == b'"').skip(1).step_by(2);
        self.holds(quoted.find(|text| !text.is_empty()).unwrap_or_default())
    }

    /// A request that begins at `at`.
    fn is_request(&self, buffer: &[u8], at: usize) -> bool {
        let rest = buffer.get(at..).unwrap_or_default();
        let line = memchr(b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
        let end = memmem::find(line, b"\" ").unwrap_or(line.len());
        self.holds(line.get(..end).unwrap_or(line))
    }

    /// A value behind a key whose closing quote stands before `at`. Of an array nothing is known.
    fn is_value(&self, buffer: &[u8], at: usize) -> bool {
        let rest = without_blanks(buffer.get(at..).unwrap_or_default());
        let Some(value) = rest.strip_prefix(b":").map(without_blanks) else { return false };
        match value {
            [b'"', text @ ..] => {
                let end = memchr2(b'"', b'\n', text).unwrap_or(text.len());
                self.holds(text.get(..end).unwrap_or(text))
            }
            [b'[' | b'{', ..] => true,
            _ => false,
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        let slashes = || memchr_iter(b'/', text).any(|at| matches!(text.get(at + 1), Some(b'/' | b'.')));
        self.encoded && memchr2(b'%', b'\\', text).is_some() || self.slashes && slashes()
    }
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Spelled;
    use crate::record::Targets;

    #[test]
    fn a_value_is_looked_at_and_what_stands_beside_it_is_not() {
        let keys = [b"uri\"".to_vec(), b"request\"".to_vec()];
        for keys in [&keys[..1], &keys[..]] {
            let searches = Spelled::searches(Targets::Keys(keys), true, true);
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
        let slashes = Spelled::searches(Targets::Keys(&keys[..1]), false, true);
        assert_eq!(slashes[0].find(br#"{"uri":"/%61"}"#), None);
        assert!(Spelled::searches(Targets::Keys(&keys), false, false).is_empty());
    }

    #[test]
    fn a_request_behind_a_date_may_have_quotes() {
        let searches = Spelled::searches(Targets::AfterDate, false, true);
        for (line, found) in [
            (r#"h - - [d] "GET /x HTTP/1.1" 200 1 "http://h" "a" 1 "r" "http://h" 1ms"#, false),
            (r#"h - a"b [d] "GET /x"/y//z HTTP/1.1" 200 1 "h""#, true),
            (r#"h - [x] "y [d] "GET http://x HTTP/1.1" 200 1 "h""#, true),
        ] {
            assert_eq!(searches[0].find(line.as_bytes()).is_some(), found, "{line}");
        }
    }
}
