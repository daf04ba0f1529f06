//! The formats of one file: the one that its source names, or those that its lines are recognised as.
//!
//! The first lines are all looked at, each for the format that finds most in it: while they are few, what they were is
//! provisional. After that a line is read by the known formats; one that all refuse is looked at anew and may add its own, and
//! so may the steady samples. A server writes what it is told to, so lines of several formats in one file are normal where
//! its outputs are joined, as in a container's log.
//!
//! Where a filter looks at raw lines, those that no format with fields reads are such, in a log most of whose lines are:
//! among the lines of a web server one that is read by no format may be a client's work, and is read by nobody.

use std::sync::Arc;

use crate::record::{Format, Record};

/// So many lines are looked at before the known formats are searched for what their filters require.
const ENOUGH: usize = 64;
/// So many formats one file may have.
const MOST: usize = 4;
/// After so many lines the older ones count half: what a log is now is what it was lately.
const LATELY: u32 = 512;

/// What a file's lines are read as.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats {
    given: bool,
    /// In the order in which they are tried: of two that read the same line, the one that finds more in it is first.
    known: Arc<[Format]>,
    /// How many lines were recognised as each of them.
    lines: [u64; MOST],
    /// Lines read since the first that was recognised.
    looked: usize,
    /// Some filter looks at raw lines.
    raw: bool,
    /// Lately: lines that a format with fields reads, and lines that none does.
    shares: (u32, u32),
}

impl Formats {
    /// The format that the source names; `None`: to be found out.
    pub(super) fn new(given: Option<Format>) -> Self {
        Self { given: given.is_some(), known: given.into_iter().collect(), ..Self::default() }
    }

    /// As after the first lines: these are known, and searched for.
    #[cfg(test)]
    pub(super) fn settled(given: bool, known: &[Format]) -> Self {
        Self { given, known: known.into(), looked: ENOUGH, ..Self::default() }
    }

    /// Whether raw lines are of use to anybody.
    pub(super) fn let_raw(&mut self, raw: bool) {
        self.raw = raw && !self.given;
    }

    /// Counts a line that a format with fields reads, or none does.
    pub(super) fn weigh(&mut self, is_read: bool) {
        let (read, unread) = &mut self.shares;
        if *read + *unread >= LATELY {
            (*read, *unread) = (*read / 2, *unread / 2);
        }
        *if is_read { read } else { unread } += 1;
    }

    /// Counts the lines of a log that were not looked at for their own sake.
    pub(super) fn survey<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>) {
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            self.weigh(Format::recognise(line).is_some());
        }
    }

    /// Goes on with what its predecessor was.
    pub(super) fn go_on(&mut self, before: &Self) {
        self.shares = before.shares;
    }

    /// Whether a line that no format with fields reads is a raw line.
    pub(super) fn is_raw(&mut self) -> bool {
        if !self.raw {
            return false;
        }
        self.weigh(false);
        let (read, unread) = self.shares;
        unread > read && {
            self.add(&Format::Raw);
            true
        }
    }

    /// Without raw lines, where these are no more than what is left.
    fn with_fields(&self) -> &[Format] {
        match self.known.split_last() {
            Some((Format::Raw, fields)) if !self.given => fields,
            _ => &self.known,
        }
    }

    /// What the source says they are.
    pub(super) fn given(&self) -> Option<&Format> {
        self.known.first().filter(|_| self.given)
    }

    pub(super) fn known(&self) -> &Arc<[Format]> {
        &self.known
    }

    /// The one that most lines were recognised as comes first.
    pub(super) fn by_share(&self) -> Vec<&Format> {
        let mut all: Vec<(&Format, u64)> = self.known.iter().zip(self.lines).collect();
        all.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
        all.into_iter().map(|(format, _)| format).collect()
    }

    /// Whether each line is to be looked at. The first lines are also where the format is given: that it is wrong is known
    /// soon then.
    pub(super) fn is_looking(&self) -> bool {
        self.known.is_empty() || self.looked < ENOUGH
    }

    /// Looks at the next lines anew: what was known stays only if they are of it, too.
    pub(super) fn relook(&mut self) {
        if !self.given && self.looked >= ENOUGH {
            (self.looked, self.lines) = (0, [0; MOST]);
        }
    }

    /// The format to read a line in; `None` where none is known that could.
    pub(super) fn of(&mut self, line: &[u8]) -> Option<Format> {
        if self.is_looking() && !self.given {
            return self.look(line);
        }
        self.looked = self.looked.saturating_add(1);
        match self.with_fields() {
            [only] => Some(only.clone()),
            several => reading(several, line).or(several.first()).cloned(),
        }
    }

    /// The format that a line seems to have; nothing is learnt from it.
    pub(super) fn guess(&self, line: &[u8]) -> Option<Format> {
        match &*self.known {
            [only] if self.given || !self.is_looking() => Some(only.clone()),
            several => reading(several, line).cloned().or_else(|| Format::recognise(line)),
        }
    }

    /// The format of a line that the known ones refuse, or that names nobody in them.
    pub(super) fn another(&mut self, line: &[u8]) -> Option<Format> {
        if self.given { None } else { Format::recognise(line).filter(|found| self.add(found)) }
    }

    /// Looks at a line that was not looked at for its own sake.
    pub(super) fn sample(&mut self, line: &[u8]) {
        self.another(line);
    }

    fn look(&mut self, line: &[u8]) -> Option<Format> {
        let found = self.another(line);
        self.looked += usize::from(!self.known.is_empty());
        if self.looked == ENOUGH {
            self.forget_unseen();
        }
        found
    }

    /// Whether it is known now.
    fn add(&mut self, found: &Format) -> bool {
        let at = self.known.iter().position(|known| known == found);
        if at.is_none() && self.known.len() == MOST {
            return false;
        }
        let at = at.unwrap_or_else(|| self.insert(found));
        if let Some(lines) = self.lines.get_mut(at) {
            *lines += 1;
        }
        true
    }

    fn insert(&mut self, found: &Format) -> usize {
        // Raw lines are what is left.
        let rank = |format: &Format| Format::DETECTED.iter().position(|f| f == format).unwrap_or(usize::MAX);
        let at = self.known.iter().take_while(|known| rank(known) < rank(found)).count();
        let mut known = self.known.to_vec();
        known.insert(at, found.clone());
        self.known = known.into();
        self.lines.get_mut(at..).unwrap_or_default().rotate_right(1);
        if let Some(lines) = self.lines.get_mut(at) {
            *lines = 0;
        }
        at
    }

    fn forget_unseen(&mut self) {
        let seen: Vec<(Format, u64)> =
            self.known.iter().cloned().zip(self.lines).filter(|(_, lines)| *lines > 0).collect();
        if seen.is_empty() || seen.len() == self.known.len() {
            return;
        }
        self.lines = [0; MOST];
        self.lines.iter_mut().zip(&seen).for_each(|(lines, (_, seen))| *lines = *seen);
        self.known = seen.into_iter().map(|(format, _)| format).collect();
    }
}

/// The first format that reads a line and names a client; else the first that reads it. Any object can be read as any kind of
/// JSON, but names a client in its own kind only.
fn reading<'f>(formats: &'f [Format], line: &[u8]) -> Option<&'f Format> {
    let mut nameless = None;
    for format in formats {
        match format.parse(line) {
            Ok(record) if record.address().is_some() => return Some(format),
            Ok(_) => nameless = nameless.or(Some(format)),
            Err(_) => {}
        }
    }
    nameless
}

/// Whether a record's client field holds no address.
pub(super) fn is_nameless(record: &Record<'_>) -> bool {
    record.client_range().is_some() && record.address().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x""#;
    const COMMON: &str = r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5"#;
    const VHOST: &str =
        r#"h.example:80 203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x""#;
    const ERROR: &str =
        "[Fri Nov 20 15:51:57.123456 2026] [core:error] [pid 7:tid 140] [client 203.0.113.7:5] AH1: x";

    fn names(formats: &Formats) -> Vec<&'static str> {
        formats.by_share().into_iter().map(Format::name).collect()
    }

    fn looked_at(lines: &[(&str, usize)]) -> Formats {
        let mut formats = Formats::new(None);
        for (line, count) in lines {
            for _ in 0..*count {
                formats.of(line.as_bytes());
            }
        }
        formats
    }

    #[test]
    fn a_file_has_the_formats_of_its_first_lines_the_most_frequent_first() {
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[("junk", 500)], &[]),
            (&[(COMMON, 1)], &["common"]),
            (&[(&COMBINED[20..], 1), (COMBINED, 2)], &["combined"]),
            (&[("start-up", 100), (ERROR, 3), (COMBINED, 5)], &["combined", "apache_error"]),
            (&[(COMMON, 3), (COMBINED, 2), (VHOST, 1)], &["common", "combined", "vhost_combined"]),
        ] {
            assert_eq!(names(&looked_at(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn of_two_formats_that_read_a_line_the_richer_one_does() {
        let mut formats = looked_at(&[(COMMON, 60), (COMBINED, 2), (VHOST, 2)]);
        assert!(!formats.is_looking());
        for (line, expected) in
            [(COMMON, Format::Common), (COMBINED, Format::Combined), (VHOST, Format::VhostCombined)]
        {
            assert_eq!(formats.of(line.as_bytes()), Some(expected));
        }
        // A user with blanks makes a virtual host of the client: that names nobody.
        let user = COMBINED.replace("- -", "- 9.9.9.9 x y");
        assert_eq!(formats.of(user.as_bytes()), Some(Format::Combined));
    }

    #[test]
    fn what_a_client_puts_into_a_header_hides_no_field() {
        for list in ["-", "198.51.100.7", "8.8.8.8, <junk>, 198.51.100.7, 10.0.0.9", "\\x22, 198.51.100.7"] {
            let line = format!("{COMBINED} \"{list}\"");
            assert_eq!(names(&looked_at(&[(&line, 1)])), ["combined_xff"], "{line}");
        }
        let other = format!("{COMBINED} \"198.51.100.7, no address\"");
        assert_eq!(names(&looked_at(&[(&other, 1)])), ["combined"]);
    }

    #[test]
    fn what_all_refuse_adds_its_format_and_another_look_forgets_what_is_gone() {
        let mut formats = looked_at(&[(COMBINED, 64)]);
        assert_eq!(formats.another(ERROR.as_bytes()), Some(Format::ApacheError));
        assert_eq!(names(&formats), ["combined", "apache_error"]);
        assert_eq!(formats.another(b"junk"), None);
        formats.relook();
        assert!(formats.is_looking());
        (0..64).for_each(|_| assert!(formats.of(ERROR.as_bytes()).is_some()));
        assert_eq!((names(&formats), formats.is_looking()), (vec!["apache_error"], false));
    }

    #[test]
    fn what_no_format_reads_is_raw_where_most_lines_are() {
        let mut formats = Formats::new(None);
        assert!(!formats.is_raw(), "nobody wants it");
        formats.let_raw(true);
        assert_eq!((formats.of(b"Failed password"), formats.is_raw()), (None, true));
        assert_eq!(names(&formats), ["raw"]);
        (0..ENOUGH).for_each(|_| assert!(formats.of(b"junk").is_none() && formats.is_raw()));
        assert!(!formats.is_looking());
        // A line of a format with fields joins, and then they are most.
        formats.sample(COMBINED.as_bytes());
        assert_eq!(formats.of(COMBINED.as_bytes()), Some(Format::Combined));
        assert!(formats.is_raw());
        (0..LATELY).for_each(|_| formats.weigh(true));
        assert!(!formats.is_raw());
        let mut given = Formats::new(Some(Format::Combined));
        given.let_raw(true);
        assert!(!given.is_raw(), "the format is given");
    }

    #[test]
    fn a_log_of_known_lines_is_not_raw_from_its_first_line_on() {
        let mut formats = Formats::new(None);
        formats.let_raw(true);
        formats.survey([COMBINED.as_bytes(), b"junk", b"", COMBINED.as_bytes()].into_iter());
        let mut successor = Formats::new(None);
        successor.let_raw(true);
        successor.go_on(&formats);
        assert!(!formats.is_raw() && !successor.is_raw());
    }

    #[test]
    fn a_given_format_is_the_only_one() {
        let mut formats = Formats::new(Some(Format::Common));
        assert!(formats.is_looking());
        assert_eq!((formats.of(b"junk"), formats.another(ERROR.as_bytes())), (Some(Format::Common), None));
        assert_eq!((names(&formats), formats.given()), (vec!["common"], Some(&Format::Common)));
    }
}
