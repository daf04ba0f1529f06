//! Where a line's date is, and which pattern found it: one automaton finds the leftmost date of all patterns, then the
//! pattern that is there says what it means.

use std::ops::Range;

use jiff::Timestamp;
use regex::bytes::{Captures, Regex, RegexBuilder};

use super::moment::Moment;
use super::token::{self, Part};
use super::translate::translate;
use super::written::{self, Begin, Written};
use super::{choices, defaults};
use crate::filter::Problem;
use crate::record::Reference;

/// What completes a line's date, and what is known from the lines before it.
#[derive(Clone, Copy, Debug)]
pub struct DateContext<'a> {
    /// About when the line was read, and the zone of dates that name none.
    pub reference: &'a Reference,
    /// The date of an earlier line of the same file: of patterns that find a date at the same place, the one that found
    /// this comes first; and its time is that of lines that say none.
    pub last: Option<&'a FoundDate>,
}

/// A line's date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDate {
    /// What is cut out of the line before its patterns match: the date pattern's first group without a name, or all
    /// that it took. Empty where the pattern asks for no date.
    pub range: Range<usize>,
    /// The time it names. Where the pattern asks for none, or the date cannot be (30 February): that
    /// of the last line, else now.
    pub time: Timestamp,
    /// Which of [`DateDetector::patterns`] found it.
    pub pattern: usize,
}

/// Finds dates by patterns in fail2ban's language.
///
/// Of all patterns the date that begins first in the line is taken; of several that begin there the pattern that found
/// the last line's date, else the first in order. A line is read once, in time that grows with its length only.
#[derive(Clone, Debug)]
pub struct DateDetector {
    patterns: Vec<String>,
    shapes: Vec<Shape>,
    anywhere: Regex,
}

/// A pattern in one of its choices.
#[derive(Clone, Debug)]
struct Shape {
    pattern: usize,
    begin: Begin,
    regex: Regex,
    /// The groups that hold parts of the time.
    parts: Vec<(usize, Part)>,
}

impl DateDetector {
    /// Compiles patterns, several of them or several lines in one; none at all means `{DEFAULT}`. The problems name
    /// every pattern that cannot be used, and why.
    pub fn compile(patterns: &[String]) -> Result<Self, Vec<Problem>> {
        let lines = patterns.iter().flat_map(|text| text.lines()).map(str::trim);
        let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            lines.push(defaults::ALL);
        }
        let mut names = Vec::new();
        let mut drafts = Vec::new();
        let mut problems = Vec::new();
        for line in lines {
            match drafts_of(line, &mut names) {
                Ok(drafted) => drafts.extend(drafted),
                Err(message) => problems.push(problem(line, &message)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let union: Vec<String> = drafts.iter().map(|draft| nameless(&draft.regex)).collect();
        let anywhere =
            build(&union.join("|")).map_err(|message| vec![problem("all patterns together", &message)])?;
        let shapes = drafts.into_iter().map(|draft| draft.shape).collect();
        Ok(Self { patterns: names, shapes, anywhere })
    }

    /// The patterns as they were written; a known spelling that `{DEFAULT}` or `{DATE}` stands for is one of its own.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(String::as_str)
    }

    /// Finds the line's date.
    pub fn find(&self, line: &[u8], context: &DateContext<'_>) -> Option<FoundDate> {
        let start = self.anywhere.find(line)?.start();
        let last = context.last.map(|last| last.pattern);
        let first = self.shapes.iter().filter(|shape| Some(shape.pattern) == last);
        let (shape, offset, captures) =
            first.chain(&self.shapes).find_map(|shape| shape.begin_at(line, start))?;
        let group = captures.get(1).or_else(|| captures.get(0))?;
        let time = shape.time(&captures, context.reference).or(context.last.map(|last| last.time));
        Some(FoundDate {
            range: group.start() + offset..group.end() + offset,
            time: time.unwrap_or(context.reference.now),
            pattern: shape.pattern,
        })
    }
}

impl Shape {
    /// Its match that begins at a place, and how far the matched text is into the line.
    fn begin_at<'l>(&self, line: &'l [u8], start: usize) -> Option<(&Self, usize, Captures<'l>)> {
        match self.begin {
            Begin::LineStart if start > 0 => None,
            // The place is no inside of a word: these see the same as in the whole line.
            Begin::LineStart | Begin::Word => {
                let text = line.get(start..)?;
                self.regex
                    .is_match(text)
                    .then(|| self.regex.captures(text))?
                    .map(|found| (self, start, found))
            }
            Begin::Caret | Begin::Free => {
                self.regex.find_at(line, start).filter(|found| found.start() == start)?;
                self.regex.captures_at(line, start).map(|found| (self, 0, found))
            }
        }
    }

    fn time(&self, captures: &Captures<'_>, reference: &Reference) -> Option<Timestamp> {
        let mut moment = Moment::default();
        for (group, part) in &self.parts {
            if let Some(text) = captures.get(*group) {
                moment.set(*part, str::from_utf8(text.as_bytes()).ok()?)?;
            }
        }
        moment.time(reference)
    }
}

/// A shape, and its regular expression as a part of the one that finds all.
struct Draft {
    shape: Shape,
    regex: String,
}

/// The shapes of a pattern as it is written; what it stands for is added to the names.
fn drafts_of(line: &str, names: &mut Vec<String>) -> Result<Vec<Draft>, String> {
    let mut drafts = Vec::new();
    for written in written::read(line) {
        if written.is_empty() {
            return Err("it is empty; to read lines without dates write {NONE}".to_owned());
        }
        if names.last() != Some(&written.name) {
            names.push(written.name.clone());
        }
        for body in choices::resolve(&written.body)? {
            drafts.push(one_draft(names.len() - 1, &written, &body)?);
        }
    }
    Ok(drafts)
}

fn problem(pattern: &str, message: &str) -> Problem {
    Problem::new("datepattern", format!("{pattern}: {message}"))
}

fn one_draft(pattern: usize, written: &Written, body: &str) -> Result<Draft, String> {
    let translated = translate(body)?;
    let group = if translated.grouped { "(?:" } else { "(" };
    let flags = match (translated.named, body.is_ascii()) {
        (true, true) => "i-u",
        (false, true) => "-u",
        (true, false) => "iu",
        (false, false) => "u",
    };
    let end = if written.word_end { OUTSIDE_WORDS } else { "" };
    let regex = format!("(?:{}(?{flags}:{group}{}){end}))", begin(written.begin), translated.regex);
    let sliced = matches!(written.begin, Begin::Word | Begin::LineStart);
    let compiled = build(&if sliced { format!("^{regex}") } else { regex.clone() })?;
    let names = compiled.capture_names().enumerate();
    let parts = names.filter_map(|(group, name)| Some((group, token::part_of(name?)?))).collect();
    Ok(Draft { shape: Shape { pattern, begin: written.begin, regex: compiled, parts }, regex })
}

/// A place that is not between two characters of a word.
const OUTSIDE_WORDS: &str = r"(?-u:\b{start-half}|\b{end-half})";

/// At most two characters that belong to no word, or the mark that some files begin with. What is not ASCII counts as
/// part of a word here.
const LINE_START: &str = r"^(?-u:[^\w\x80-\xff]|\xef\xbb\xbf){0,2}";

fn begin(begin: Begin) -> &'static str {
    match begin {
        Begin::Word => OUTSIDE_WORDS,
        Begin::LineStart => LINE_START,
        Begin::Caret | Begin::Free => "",
    }
}

/// Python's `\s`, `\w` and `\b` are taken for ASCII: dates are.
fn build(regex: &str) -> Result<Regex, String> {
    RegexBuilder::new(regex).unicode(false).size_limit(16 << 20).build().map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        reason.strip_prefix("error: ").unwrap_or(reason).to_owned()
    })
}

/// Without the names of groups: several patterns in one expression share them.
fn nameless(regex: &str) -> String {
    let mut pieces = regex.split("(?P<");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let inside = piece.split_once('>').map_or(piece, |(_, inside)| inside);
        text + "(?:" + inside
    })
}
