//! What is wrong with a configuration, told with a pointed snippet of it.

use std::fmt;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::text::Place;

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but is hardly what was meant.
    Warning,
}

/// One problem: what is wrong, where, and the fix.
#[derive(Clone, Debug)]
pub struct Problem {
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, the key included: `[jail.wordpress] maxretry: …`.
    pub what: String,
    /// What to do, where that is not plain from `what`.
    pub fix: Option<String>,
    /// Where it was written; `None` where something is missing altogether.
    pub place: Option<Place>,
    /// The file it is about, where it has no place inside (it cannot be read).
    pub path: Option<PathBuf>,
}

impl Problem {
    pub(super) fn error(what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, what: what.into(), fix: None, place: None, path: None }
    }

    pub(super) fn warning(what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what) }
    }

    pub(super) fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.place = place.into();
        self
    }

    pub(super) fn in_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<Option<String>>) -> Self {
        self.fix = fix.into();
        self
    }

    /// The problem as an operator reads it, with the lines it is about; with terminal colours where `styled`.
    pub fn render(&self, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let what = normalize_untrusted_str(&self.what);
        let fix = self.fix.as_deref().map(normalize_untrusted_str);
        let excerpt = self.place.as_ref().map(Excerpt::around);
        let mut group: Group<'_> = Group::with_title(level.primary_title(what));
        if let Some(excerpt) = &excerpt {
            let mark = AnnotationKind::Primary.span(excerpt.mark.clone());
            let lines = Snippet::source(&excerpt.lines).line_start(excerpt.first).path(&excerpt.name);
            group = group.element(lines.annotation(mark));
        } else if let Some(path) = &self.path {
            group = group.element(Origin::path(path.display().to_string()));
        }
        if let Some(fix) = fix {
            group = group.element(Level::HELP.message(fix));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The first line that a problem points to.
struct Excerpt {
    name: String,
    lines: String,
    first: usize,
    mark: std::ops::Range<usize>,
}

impl Excerpt {
    /// One line is enough to find it again, and keeps a report short whatever the file holds.
    fn around(place: &Place) -> Self {
        let body = &place.text.body;
        let start = body[..place.span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = body[place.span.start..].find('\n').map_or(body.len(), |at| place.span.start + at);
        let line = body[start..end].trim_end_matches('\r');
        let from = (place.span.start - start).min(line.len());
        let to = (place.span.end - start).clamp(from, line.len());
        Self {
            name: place.text.medium.to_string(),
            lines: line.to_owned(),
            first: place.line(),
            mark: from..to,
        }
    }
}

/// Everything that is wrong, in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Each problem, in the order of the files.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them keeps the configuration from being used.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them as an operator reads them; with terminal colours where `styled`.
    pub fn render(&self, styled: bool) -> String {
        let rendered: Vec<String> = self.0.iter().map(|problem| problem.render(styled)).collect();
        rendered.join("\n\n")
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
