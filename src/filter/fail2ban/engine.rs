//! Patterns ready to search with: linear where that can be, else backtracking behind a linear search that finds more.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::{Regex, RegexSet};

use super::python::{Hosts, Node, Style, write};
use crate::filter::pattern::{self, Pattern};

/// What stands in place of a line's client. These code points are no characters: where a line holds them they are
/// replaced.
pub(super) const MARKS: [char; 3] = ['\u{FDD0}', '\u{FDD1}', '\u{FDD2}'];
/// So many steps back are taken at most in one search of a text of so many bytes; of a longer one the last. Each may pass over
/// all of the text, so that no search costs more than 50 MB of text would.
const MOST_STEPS: [(usize, usize); 4] =
    [(1 << 10, 50_000), (4 << 10, 12_500), (16 << 10, 3_125), (64 << 10, 780)];

/// What does the matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Time grows with the line's length only.
    Linear,
    /// It looks around or back; bounded by a number of steps.
    Backtracking,
}

/// A match: where it is, and where each of its groups that has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) groups: Vec<(String, Range<usize>)>,
}

/// Patterns that are searched for in one text.
#[derive(Debug)]
pub(super) struct Patterns {
    nodes: Vec<Node>,
    lines: bool,
    /// For texts without and with a mark, each for any text and for ASCII. The first is made at once: what is wrong shows.
    made: [OnceLock<Made>; 4],
    /// How often a search was given up.
    given_up: AtomicU64,
}

#[derive(Debug)]
struct Made {
    /// Which of them may match; where there are several, and they fit together.
    set: Option<RegexSet>,
    each: Vec<Searcher>,
}

#[derive(Debug)]
enum Searcher {
    Linear(Regex),
    /// The exact ones are the same, for texts of the lengths of `MOST_STEPS`; made when such a text comes, but for the first.
    Backtracking {
        before: Regex,
        text: String,
        exact: [OnceLock<Box<fancy_regex::Regex>>; MOST_STEPS.len()],
    },
}

/// A text, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    /// The client is marked in it.
    pub(super) marked: bool,
}

impl Patterns {
    /// Compiles them; the error is the index of the pattern that cannot be, and why. `lines`: texts hold several lines.
    pub(super) fn compile(nodes: Vec<Node>, lines: bool) -> Result<Self, (usize, String)> {
        let patterns = Self { nodes, lines, made: Default::default(), given_up: AtomicU64::new(0) };
        let made = patterns.make(0)?;
        Ok(Self { made: [made.into(), OnceLock::new(), OnceLock::new(), OnceLock::new()], ..patterns })
    }

    /// The same patterns, where `<HOST>` is no name; `None` where one of them cannot be compiled so.
    pub(super) fn without_names(&self) -> Option<Self> {
        let nodes = self.nodes.iter().cloned().map(Node::without_names).collect();
        Self::compile(nodes, self.lines).ok()
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What each of them runs on.
    pub(super) fn engines(&self) -> impl Iterator<Item = Engine> {
        let engine = |node: &Node| if node.backtracks() { Engine::Backtracking } else { Engine::Linear };
        self.nodes.iter().map(engine)
    }

    /// How many searches took more steps than are allowed, and were given up as if nothing were there.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Those that are in the text, in their order.
    pub(super) fn matches<'a>(&'a self, text: Text<'a>) -> impl Iterator<Item = (usize, Found)> + 'a {
        let made = self.for_text(text);
        let set = made.and_then(|made| made.set.as_ref()).map(|set| set.matches(text.text.as_bytes()));
        let each = made.map_or(&[][..], |made| &made.each).iter().enumerate();
        let may = move |index: &usize| set.as_ref().is_none_or(|set| set.matched(*index));
        each.filter(move |(index, _)| may(index))
            .filter_map(move |(index, searcher)| Some((index, self.search(searcher, text.text)?)))
    }

    fn search(&self, searcher: &Searcher, text: &str) -> Option<Found> {
        match searcher {
            Searcher::Linear(regex) => {
                let captures = regex.captures(text.as_bytes())?;
                let named = regex.capture_names().flatten();
                let groups = named.filter_map(|name| Some((name.to_owned(), captures.name(name)?.range())));
                Some(Found { range: captures.get(0)?.range(), groups: groups.collect() })
            }
            Searcher::Backtracking { before, text: pattern, exact } => {
                // What matches exactly begins here or behind: the places before it cost no steps.
                let start = before.find(text.as_bytes())?.start();
                let start = text.floor_char_boundary(start);
                let class = MOST_STEPS.iter().position(|(length, _)| text.len() <= *length);
                let class = class.unwrap_or(MOST_STEPS.len() - 1);
                let exact = backtracking(pattern, class, exact.get(class)?).ok()?;
                let captures = exact.captures_from_pos(text, start).unwrap_or_else(|_| {
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    None
                })?;
                let named = exact.capture_names().flatten();
                let groups = named.filter_map(|name| Some((name.to_owned(), captures.name(name)?.range())));
                Some(Found { range: captures.get(0)?.range(), groups: groups.collect() })
            }
        }
    }

    /// The form for a text. The others need no more room than the first one, which could be made.
    fn for_text(&self, text: Text<'_>) -> Option<&Made> {
        let is_ascii = if text.marked {
            text.text.chars().filter(|c| !c.is_ascii()).count() == 1
        } else {
            text.text.is_ascii()
        };
        let index = usize::from(is_ascii) + 2 * usize::from(text.marked);
        let slot = self.made.get(index)?;
        if slot.get().is_none()
            && let Ok(made) = self.make(index)
        {
            let _ = slot.set(made);
        }
        slot.get()
    }

    fn make(&self, index: usize) -> Result<Made, (usize, String)> {
        let [ip4, ip6, dns] = MARKS;
        let hosts = if index >= 2 { Hosts::Marked { ip4, ip6, dns } } else { Hosts::Plain };
        let ascii = index % 2 == 1;
        let style = Style { hosts, ascii, linear: true, lines: self.lines, borderless: false };
        let each = self.nodes.iter().enumerate();
        let each = each.map(|(at, node)| searcher(node, style).map_err(|what| (at, what)));
        let each = each.collect::<Result<Vec<_>, _>>()?;
        let before: Result<Vec<Pattern>, String> =
            self.nodes.iter().map(|node| before(node, style)).collect();
        let before = before.ok().filter(|before| before.len() > 1);
        Ok(Made { each, set: before.and_then(|before| pattern::compile(&before).ok()) })
    }
}

/// What finds all texts of the pattern, and others, with the fastest of the linear engines.
fn before(node: &Node, style: Style) -> Result<Pattern, String> {
    Pattern::as_written(&write(node, Style { linear: true, borderless: !style.ascii, ..style }))
}

fn searcher(node: &Node, style: Style) -> Result<Searcher, String> {
    if !node.backtracks() {
        return Ok(Searcher::Linear(pattern::single(&Pattern::as_written(&write(node, style))?)?));
    }
    let before = pattern::single(&before(node, style)?)?;
    let style = Style { ascii: false, linear: false, ..style };
    let text = write(node, style);
    let exact: [OnceLock<_>; MOST_STEPS.len()] = Default::default();
    if let Some(first) = exact.first() {
        backtracking(&text, 0, first)?;
    }
    Ok(Searcher::Backtracking { before, text, exact })
}

/// The pattern with the limit for texts of this class.
fn backtracking<'s>(
    pattern: &str,
    class: usize,
    slot: &'s OnceLock<Box<fancy_regex::Regex>>,
) -> Result<&'s fancy_regex::Regex, String> {
    if let Some(made) = slot.get() {
        return Ok(made);
    }
    let steps = MOST_STEPS.get(class).map_or(0, |(_, steps)| *steps);
    let built = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(steps).build();
    let built = built.map_err(|error| format!("{error}\n  {pattern}"))?;
    Ok(slot.get_or_init(|| Box::new(built)))
}
