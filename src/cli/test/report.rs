//! What a run over lines came to: how often each pattern held, what found the dates, which lines nothing matched.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::cli::screen::{BOLD, many};
use crate::filter::{Engine, Filter, Listed};
use crate::reader::{Examined, Outcome};
use crate::terms::escape;

/// So many missed lines are shown where not all are asked for, and so much of each.
const MISSED_SHOWN: usize = 5;
const MISSED_BYTES: usize = 500;

/// The totals, and the JSON of the last line.
#[derive(Serialize)]
pub(super) struct Report {
    event: &'static str,
    lines: u64,
    matched: u64,
    ignored: u64,
    missed: u64,
    /// Missed lines that could not be parsed.
    unparsed: u64,
    format: Option<String>,
    /// Seconds.
    elapsed: f64,
    lines_per_second: u64,
    rules: Vec<Count>,
    exceptions: Vec<Count>,
    dates: Vec<Dates>,
    /// Why the first line that could not be parsed could not.
    #[serde(skip)]
    doubt: Option<String>,
    /// The first lines that nothing matched.
    #[serde(skip)]
    examples: Vec<(u64, String)>,
    /// Lines with a time.
    #[serde(skip)]
    timed: u64,
    /// Show the patterns that never held, too.
    #[serde(skip)]
    whole: bool,
}

/// How often a rule or pattern decided.
#[derive(Serialize)]
struct Count {
    /// Its number among those of its kind, from 1.
    rule: usize,
    text: String,
    hits: u64,
}

/// How many dates a date pattern found.
#[derive(Serialize)]
struct Dates {
    /// `null`: the time that the format has a place for.
    pattern: Option<String>,
    found: u64,
}

impl Report {
    /// `whole`: with the patterns that never hold.
    pub(super) fn new(filter: &Filter, whole: bool) -> Self {
        let listed = filter.listed();
        let counts = |exceptions| {
            let of_kind = listed.iter().filter(|one| one.is_exception() == Some(exceptions));
            let count =
                |(index, one): (usize, &Listed)| Count { rule: index + 1, text: one.text.clone(), hits: 0 };
            of_kind.enumerate().map(count).collect()
        };
        Self {
            event: "summary",
            lines: 0,
            matched: 0,
            ignored: 0,
            missed: 0,
            unparsed: 0,
            format: None,
            elapsed: 0.0,
            lines_per_second: 0,
            rules: counts(false),
            exceptions: counts(true),
            dates: Vec::new(),
            doubt: None,
            examples: Vec::new(),
            timed: 0,
            whole,
        }
    }

    /// Counts a line. Of one that is ignored only the exception counts.
    pub(super) fn count(&mut self, examined: &Examined<'_>) {
        self.lines += 1;
        self.timed += u64::from(examined.time.is_some());
        match examined.outcome {
            Outcome::Match => {
                self.matched += 1;
                hit(&mut self.rules, examined.rule);
            }
            Outcome::Ignored => {
                self.ignored += 1;
                hit(&mut self.exceptions, examined.exception);
            }
            Outcome::Missed => self.count_missed(examined),
        }
    }

    fn count_missed(&mut self, examined: &Examined<'_>) {
        self.missed += 1;
        self.unparsed += u64::from(examined.error.is_some());
        self.doubt = self.doubt.take().or_else(|| examined.error.clone());
        if self.examples.len() < MISSED_SHOWN {
            let text = examined.text.get(..MISSED_BYTES).unwrap_or(examined.text);
            self.examples.push((examined.number, String::from_utf8_lossy(text).into_owned()));
        }
    }

    /// All lines were seen: in this format, and in so long; `found` are the dates that each date pattern of the filter found.
    pub(super) fn finish(
        &mut self,
        filter: &Filter,
        format: Option<String>,
        elapsed: Duration,
        found: &[u64],
    ) {
        self.format = format;
        self.elapsed = elapsed.as_secs_f64();
        self.lines_per_second = (self.lines as f64 / self.elapsed.max(1e-9)) as u64;
        let patterns = filter.language().into_iter().flat_map(|language| language.dates().patterns());
        let found = patterns.zip(found).filter(|(_, found)| **found > 0);
        let dates = found.map(|(pattern, found)| Dates { pattern: Some(pattern.to_owned()), found: *found });
        self.dates = dates.collect();
        if self.dates.is_empty() && self.timed > 0 {
            self.dates.push(Dates { pattern: None, found: self.timed });
        }
    }

    /// Whether a line is an offence.
    pub(super) fn any(&self) -> bool {
        self.matched > 0
    }

    /// What to say of lines that could not be parsed.
    pub(super) fn doubt(&self) -> Option<String> {
        let doubt = self.doubt.as_ref()?;
        let lines = many(self.unparsed, "line");
        Some(format!("{lines} could not be parsed: {}", escape::line(doubt)))
    }

    /// The first missed lines are told only where not all were.
    pub(super) fn without_examples(mut self) -> Self {
        self.examples.clear();
        self
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>, what: &str, counts: &[Count]) -> fmt::Result {
        let shown = |count: &&Count| self.whole || count.hits > 0;
        if counts.iter().any(|count| shown(&count)) {
            writeln!(f, "{BOLD}{what}{BOLD:#}")?;
        }
        for Count { rule, text, hits } in counts.iter().filter(shown) {
            writeln!(f, "{hits:>9}  {rule:>3}  {}", escape::line(text))?;
        }
        Ok(())
    }
}

fn hit(counts: &mut [Count], index: Option<usize>) {
    if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
        count.hits += 1;
    }
}

/// The patterns of a filter, and the JSON of the first line where they are asked for.
#[derive(Serialize)]
pub(super) struct Listing {
    event: &'static str,
    patterns: Vec<Pattern>,
    dates: Vec<String>,
}

#[derive(Serialize)]
struct Pattern {
    /// What it stands under in the filter.
    key: &'static str,
    text: String,
    /// Whether it looks around or back, and so runs on the engine that goes back.
    backtracking: bool,
}

impl Listing {
    pub(super) fn of(filter: &Filter) -> Self {
        let pattern = |Listed { key, text, engine }| Pattern {
            key,
            text,
            backtracking: engine == Some(Engine::Backtracking),
        };
        let dates = filter.language().into_iter().flat_map(|language| language.dates().patterns());
        Self {
            event: "patterns",
            patterns: filter.listed().into_iter().map(pattern).collect(),
            dates: dates.map(str::to_owned).collect(),
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for same in self.patterns.chunk_by(|a, b| a.key == b.key) {
            writeln!(f, "{BOLD}{}{BOLD:#}", same.first().map_or("", |one| one.key))?;
            for (index, Pattern { text, backtracking, .. }) in same.iter().enumerate() {
                let engine = if *backtracking { " (backtracking)" } else { "" };
                writeln!(f, "{:>5}{engine}  {}", index + 1, escape::line(text))?;
            }
        }
        if !self.dates.is_empty() {
            writeln!(f, "{BOLD}datepattern{BOLD:#}")?;
        }
        for (index, pattern) in self.dates.iter().enumerate() {
            writeln!(f, "{:>5}  {}", index + 1, escape::line(pattern))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts(f, "hits", &self.rules)?;
        self.counts(f, "ignored by", &self.exceptions)?;
        if !self.dates.is_empty() {
            writeln!(f, "{BOLD}dates{BOLD:#}")?;
        }
        for Dates { pattern, found } in &self.dates {
            let pattern = pattern.as_deref().unwrap_or("the format's own time");
            writeln!(f, "{found:>9}       {}", escape::line(pattern))?;
        }
        if !self.examples.is_empty() {
            let all =
                if self.missed as usize > self.examples.len() { ", the first (--missed: all)" } else { "" };
            writeln!(f, "{BOLD}missed{all}{BOLD:#}")?;
        }
        for (number, text) in &self.examples {
            writeln!(f, "{number:>9}       {}", escape::line(text))?;
        }
        let format = self.format.as_deref().unwrap_or("no known format");
        let Self { matched, ignored, missed, .. } = self;
        write!(
            f,
            "{} ({format}): {matched} matched, {ignored} ignored, {missed} missed",
            many(self.lines, "line")
        )?;
        write!(f, "; {:.3} s, {} lines per second", self.elapsed, self.lines_per_second)
    }
}
