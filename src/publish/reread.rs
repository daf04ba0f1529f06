//! A geo file read again, strictly in the form that we write: what differs by a byte is refused.
//!
//! nginx takes much more than this (`default 1;`, `0.0.0.0/0 1;`, a list cut after a line), and then lets everybody in
//! or nobody; so a file that is not exactly ours never reaches it.

use super::banned::floor;
use super::settings::Style;
use crate::address::Prefix;
use crate::terms::Measure;

/// Where the form is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct RereadError {
    line: usize,
    what: &'static str,
}

/// The entries of a geo file of that variable and style.
pub(super) fn geo(bytes: &[u8], variable: &str, style: Style) -> Result<Vec<(Prefix, Measure)>, RereadError> {
    let mut reading = Reading::of(bytes)?;
    reading.skip_header();
    if style == Style::Block {
        reading.expect(&format!("geo ${variable} {{"), "the block does not begin here")?;
        reading.expect("    default 0;", "the default is missing")?;
    }
    let prefixes = reading.entries(style)?;
    if style == Style::Block {
        reading.expect("}", "the block does not end here")?;
    }
    match reading.lines.next() {
        None => Ok(prefixes),
        Some(_) => Err(reading.broken("something follows the list")),
    }
}

struct Reading<'a> {
    lines: std::iter::Peekable<std::str::Split<'a, char>>,
    /// The number of the line last taken.
    line: usize,
}

impl<'a> Reading<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, RereadError> {
        let first = |what| RereadError { line: 1, what };
        let is_odd = |b: &u8| *b != b'\n' && !(b' '..=b'~').contains(b);
        let text = std::str::from_utf8(bytes).ok().filter(|_| !bytes.iter().any(is_odd));
        let text = text.ok_or_else(|| first("it holds control or other odd characters"))?;
        let whole = text.strip_suffix('\n').ok_or_else(|| first("it does not end with a whole line"))?;
        Ok(Self { lines: whole.split('\n').peekable(), line: 0 })
    }

    fn broken(&self, what: &'static str) -> RereadError {
        RereadError { line: self.line, what }
    }

    fn take(&mut self) -> Option<&'a str> {
        self.line += 1;
        self.lines.next()
    }

    fn skip_header(&mut self) {
        while self.lines.next_if(|line| line.starts_with("# ")).is_some() {
            self.line += 1;
        }
    }

    fn expect(&mut self, expected: &str, what: &'static str) -> Result<(), RereadError> {
        if self.take() == Some(expected) { Ok(()) } else { Err(self.broken(what)) }
    }

    /// Entries in order, none inside another, until the line that closes the block or the end.
    fn entries(&mut self, style: Style) -> Result<Vec<(Prefix, Measure)>, RereadError> {
        let indent = if style == Style::Block { "    " } else { "" };
        let (mut prefixes, mut canonical) = (Vec::<(Prefix, Measure)>::new(), Vec::new());
        while self.lines.peek().is_some_and(|line| *line != "}") {
            let line = self.take().unwrap_or_default();
            let (prefix, value) = entry(line, indent, &mut canonical).map_err(|what| self.broken(what))?;
            if prefixes.last().is_some_and(|(last, _)| *last >= prefix || last.covers(prefix)) {
                return Err(self.broken("it is not behind the entry before it"));
            }
            prefixes.push((prefix, value));
        }
        Ok(prefixes)
    }
}

/// `PREFIX 1;` or `PREFIX 2;` in its canonical spelling, which is printed into `canonical`.
fn entry(line: &str, indent: &str, canonical: &mut Vec<u8>) -> Result<(Prefix, Measure), &'static str> {
    let text = line.strip_prefix(indent).ok_or("it is no entry of ours")?;
    let entry = |value| Some((text.strip_suffix(super::render::geo_value(value))?, value));
    let found = entry(Measure::Ban).or_else(|| entry(Measure::Challenge));
    let (text, value) = found.ok_or("it is no entry of ours")?;
    let prefix: Prefix = text.parse().map_err(|_| "it is no address and no prefix")?;
    if prefix.length() < floor(prefix) {
        return Err("the prefix is too wide");
    }
    canonical.clear();
    super::render::push_prefix(canonical, prefix);
    if canonical == text.as_bytes() {
        Ok((prefix, value))
    } else {
        Err("the prefix is not in its canonical form")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::geo;
    use crate::publish::settings::Style;

    const WHOLE: &str =
        "# made\n# at\ngeo $bad {\n    default 0;\n    192.0.2.0/31 1;\n    2001:db8::/64 2;\n}\n";

    #[test]
    fn our_own_form_is_read() {
        let read = geo(WHOLE.as_bytes(), "bad", Style::Block).unwrap();
        assert_eq!(
            read.iter().map(|(prefix, value)| format!("{prefix} {}", value.word())).collect::<Vec<_>>(),
            ["192.0.2.0/31 ban", "2001:db8::/64 challenge"]
        );
        assert_eq!(geo(b"# made\n", "bad", Style::Include), Ok(vec![]));
        assert_eq!(geo(b"192.0.2.1 1;\n", "bad", Style::Include).unwrap().len(), 1);
    }

    #[test]
    fn what_nginx_would_take_and_we_never_write_is_refused() {
        for (from, to) in [
            ("192.0.2.0/31", "192.0.2.1/31"),
            ("192.0.2.0/31", "192.0.2.0/7"),
            ("192.0.2.0/31", "0.0.0.0/0"),
            ("192.0.2.0/31", "::ffff:192.0.2.1"),
            ("2001:db8::/64", "2001:DB8::/64"),
            ("2001:db8::/64", "192.0.2.1"),
            ("2001:db8::/64", "192.0.2.0/31"),
            ("192.0.2.0/31 1;", "default 1;"),
            ("192.0.2.0/31 1;", "include /etc/passwd;"),
            ("192.0.2.0/31 1;", "192.0.2.0/31 0;"),
            ("192.0.2.0/31 1;", "192.0.2.0/31 3;"),
            ("192.0.2.0/31 1;", "192.0.2.0/31 1; "),
            ("192.0.2.0/31 1;", "192.0.2.0/31 -"),
            ("192.0.2.0/31 1;", "\r"),
            ("    default 0;\n", ""),
            ("default 0", "default 1"),
            ("$bad ", "$good "),
            ("}\n", "}"),
            ("}\n", ""),
            ("}\n", "}\nuser root;\n"),
            ("}\n", "}\n}\n"),
            ("# made", "\u{feff}# made"),
        ] {
            let changed = WHOLE.replace(from, to);
            assert_ne!(changed, WHOLE);
            assert!(geo(changed.as_bytes(), "bad", Style::Block).is_err(), "{changed}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_block_is_always_noticed(cut in 0..WHOLE.len()) {
            prop_assert!(geo(&WHOLE.as_bytes()[..cut], "bad", Style::Block).is_err());
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = geo(&bytes, "bad", Style::Block);
            let _ = geo(&bytes, "bad", Style::Include);
        }
    }
}
