//! Regular expressions: one dialect for rules and raw patterns, with limits, and errors that show the place.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::ParserBuilder;
use regex_syntax::ast::{self, ErrorKind};
use regex_syntax::hir::{Hir, HirKind, Look};

/// The longest pattern that is read, in bytes. Long lists of words stay far below it.
const LONGEST: usize = 32 * 1024;
/// The largest compiled program of one condition or filter, in bytes: a repetition like `(a{1000}){1000}` exceeds it.
const SIZE_LIMIT: usize = 8 << 20;
/// The cache of each lazy automaton, in bytes; when it is full it is emptied, and matching goes on.
const DFA_LIMIT: usize = 1 << 20;
/// The same of patterns whose classes are of all characters: a set of them has no such automaton where less is allowed than
/// it needs to begin with, and is searched for ten times slower.
const WIDE_LIMIT: usize = 16 << 20;
/// What a pattern begins with whose classes are of bytes.
const BYTES: &str = "(?-u)";

/// One pattern that was read: the text to compile, and its structure.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    hir: Hir,
}

impl Pattern {
    /// Reads a pattern. Classes mean ASCII (`\w`, `\d`, `.` is any byte) unless it names other characters:
    /// that is several times faster, and log lines are bytes. The error shows the pattern and what is wrong.
    pub(super) fn read(pattern: &str) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err(format!("the pattern is longer than {LONGEST} bytes: split it into a list"));
        }
        let bytes = format!("{BYTES}{pattern}");
        if pattern.is_ascii()
            && let Ok(hir) = parse(&bytes)
        {
            return Ok(Self { text: bytes, hir });
        }
        let hir = parse(pattern).map_err(|error| explain(pattern, &error))?;
        Ok(Self { text: pattern.to_owned(), hir })
    }

    /// Reads a pattern that says itself what its classes mean.
    pub(super) fn as_written(pattern: &str) -> Result<Self, String> {
        let hir = parse(pattern).map_err(|error| explain(pattern, &error))?;
        Ok(Self { text: pattern.to_owned(), hir })
    }

    /// Its structure.
    pub(super) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// What is compiled.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Patterns one of which a text matches: whether, not where.
#[derive(Debug)]
pub(super) enum Patterns {
    /// Whole texts, `^POST$`: compared.
    Texts(Vec<Box<[u8]>>),
    /// A single one: searches for its literals first.
    One(Regex),
    /// Several, as one: which of them matches is not asked.
    Any(meta::Regex),
}

impl Patterns {
    /// Compiles them; the error is the index of the pattern that is too large, with a message.
    pub(super) fn compile(patterns: &[Pattern]) -> Result<Self, (usize, String)> {
        if let Some(texts) = patterns.iter().map(|pattern| whole_text(&pattern.hir)).collect() {
            return Ok(Self::Texts(texts));
        }
        match patterns {
            [only] => single(only).map(Self::One).map_err(|message| (0, message)),
            _ => any_of(patterns)
                .map(Self::Any)
                .ok_or_else(|| too_large_of(patterns, |one| any_of(one).is_none())),
        }
    }

    /// Whether one of them matches.
    pub(super) fn match_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Texts(texts) => texts.iter().any(|wanted| **wanted == *text),
            Self::One(pattern) => pattern.is_match(text),
            Self::Any(patterns) => patterns.is_match(text),
        }
    }
}

/// The only text that a pattern matches, from its start to its end.
fn whole_text(hir: &Hir) -> Option<Box<[u8]>> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let parts: Vec<&HirKind> = parts.iter().map(Hir::kind).collect();
    match parts.as_slice() {
        [HirKind::Look(Look::Start), HirKind::Literal(text), HirKind::Look(Look::End)] => {
            Some(text.0.clone())
        }
        _ => None,
    }
}

fn parse(pattern: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    Ok(ParserBuilder::new().utf8(false).build().parse(pattern)?)
}

/// Compiles patterns into one set; the error is the index of the pattern that is too large, with a message.
pub(super) fn compile(patterns: &[Pattern]) -> Result<RegexSet, (usize, String)> {
    let cache = cache(patterns);
    let compiled =
        |texts: &[&str]| RegexSetBuilder::new(texts).size_limit(SIZE_LIMIT).dfa_size_limit(cache).build();
    let built = |patterns: &[Pattern]| compiled(&patterns.iter().map(Pattern::text).collect::<Vec<_>>());
    built(patterns).map_err(|_| too_large_of(patterns, |one| built(one).is_err()))
}

/// How large the cache of their automaton may be.
fn cache(patterns: &[Pattern]) -> usize {
    let are_bytes = patterns.iter().all(|pattern| pattern.text.starts_with(BYTES));
    if are_bytes { DFA_LIMIT } else { WIDE_LIMIT }
}

/// One automaton for all patterns. It has no search for literals before it: who asks it has found some in the line, and
/// that search would take more memory than the patterns. `None` where it is too large.
fn any_of(patterns: &[Pattern]) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .auto_prefilter(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(SIZE_LIMIT))
        .hybrid_cache_capacity(cache(patterns));
    let any = Hir::alternation(patterns.iter().map(|pattern| pattern.hir.clone()).collect());
    meta::Builder::new().configure(config).build_from_hir(&any).ok()
}

/// Compiles one pattern by itself, to capture groups with it.
pub(super) fn single(pattern: &Pattern) -> Result<Regex, String> {
    let cache = cache(std::slice::from_ref(pattern));
    let build = RegexBuilder::new(pattern.text()).size_limit(SIZE_LIMIT).dfa_size_limit(cache).build();
    build.map_err(|_| too_large(true))
}

/// The index of the pattern that is too large by itself, with a message; where none is, all together are.
fn too_large_of(patterns: &[Pattern], is_too_large: impl Fn(&[Pattern]) -> bool) -> (usize, String) {
    let alone = patterns.iter().position(|pattern| is_too_large(std::slice::from_ref(pattern)));
    (alone.unwrap_or(0), too_large(alone.is_some()))
}

fn too_large(alone: bool) -> String {
    let what = if alone { "the pattern needs" } else { "the patterns of this list together need" };
    format!("compiled, {what} more than {} MB: make the counted repetitions smaller", SIZE_LIMIT >> 20)
}

fn explain(pattern: &str, error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => pointed(pattern, &parse_message(error), error.span()),
        regex_syntax::Error::Translate(error) => pointed(pattern, &error.kind().to_string(), error.span()),
        other => format!("`{pattern}`: {other}"),
    }
}

fn parse_message(error: &ast::Error) -> String {
    match error.kind() {
        ErrorKind::UnsupportedLookAround => {
            "this version has no look-around ((?=…) (?!…) (?<=…) (?<!…)): write what may stand there, or put exceptions \
             into ignore conditions"
                .to_owned()
        }
        ErrorKind::UnsupportedBackreference => {
            "this version has no backreferences: write the repeated part out".to_owned()
        }
        kind => kind.to_string(),
    }
}

/// The message, and on lines of their own the pattern with a mark under the place. The place is counted in
/// characters: patterns of several lines are shown without a mark.
fn pointed(pattern: &str, message: &str, span: &ast::Span) -> String {
    if pattern.contains('\n') {
        return format!(
            "{message}, at line {} of the pattern, column {}",
            span.start.line, span.start.column
        );
    }
    let before = span.start.column.saturating_sub(1);
    format!("{message}\n  {pattern}\n  {}^", " ".repeat(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pattern: &str) -> String {
        Pattern::read(pattern).unwrap_err()
    }

    #[test]
    fn ascii_patterns_are_bytes_and_others_are_characters() {
        let set = compile(&[Pattern::read(r"^\w.$").unwrap(), Pattern::read("^é.$").unwrap()]).unwrap();
        assert!(set.is_match(b"a\xFF"));
        assert!(!set.is_match("éa".as_bytes().get(..2).unwrap()));
        assert!(set.is_match("éé".as_bytes()));
        assert!(compile(&[Pattern::read(r"\p{Greek}").unwrap()]).unwrap().is_match("α".as_bytes()));
    }

    #[test]
    fn patterns_of_every_kind_match_as_the_set_does() {
        let kinds: [(&[&str], &str); 6] = [
            (&["^POST$"], "Texts"),
            (&["^POST$", "^a.c$"], "Any"),
            (&["^GET$", "^a\\.c$"], "Texts"),
            (&["(?m)^POST$"], "One"),
            (&["(?i)^POST$"], "One"),
            (&["^$", "x"], "Any"),
        ];
        for (texts, kind) in kinds {
            let patterns: Vec<Pattern> = texts.iter().map(|text| Pattern::read(text).unwrap()).collect();
            let (patterns, set) = (Patterns::compile(&patterns).unwrap(), compile(&patterns).unwrap());
            assert!(format!("{patterns:?}").starts_with(kind), "{texts:?}");
            for text in ["POST", "post", "POST\n", "x\nPOST", "POSTx", "xPOST", "GET", "a.c", "abc", ""] {
                assert_eq!(
                    patterns.match_in(text.as_bytes()),
                    set.is_match(text.as_bytes()),
                    "{texts:?} {text:?}"
                );
            }
        }
    }

    #[test]
    fn errors_show_the_pattern_and_the_place() {
        assert_eq!(error("a(b"), "unclosed group\n  a(b\n   ^");
        assert!(error("(?<!x)y").contains("no look-around"));
        assert!(error(r"(a)\1").contains("no backreferences"));
        assert!(error("x{2,1}").contains("x{2,1}"));
        assert!(error(&"a".repeat(LONGEST + 1)).contains("split it"));
    }

    #[test]
    fn a_pattern_that_grows_too_large_is_named() {
        let patterns = [Pattern::read("a").unwrap(), Pattern::read("(?:[ab]{500}){500}").unwrap()];
        let (index, message) = compile(&patterns).unwrap_err();
        assert_eq!(index, 1);
        assert!(message.contains("8 MB"), "{message}");
        assert_eq!(Patterns::compile(&patterns).unwrap_err(), (index, message));
    }
}
