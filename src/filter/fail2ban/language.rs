//! A filter in fail2ban's language, ready to judge lines as fail2ban does: the date cut out, `prefregex` first, then the first
//! `failregex` that matches, then `ignoreregex`.
//!
//! Texts end with a newline, as there. On a format with a client field the client's text is a mark that only the host tags
//! match, as in `raw`.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use jiff::Timestamp;
use memchr::memchr3;

use super::date::{DateContext, DateDetector, FoundDate};
use super::engine::{Engine, Found, MARKS, Patterns, Text};
use super::python::{Hosts, Style, parse, write};
use super::recipe::Recipe;
use super::session::{Said, Sessions};
use super::trouble::Trouble;
use super::window::Window;
use crate::filter::raw::{self, is_whole_word};
use crate::filter::{Judgement, Match, Problem, Told};
use crate::record::{Record, Reference};

/// The groups that name whom, the one that counts first.
const WHOM: [&str; 4] = ["fid", "ip4", "ip6", "dns"];
/// What `<F-CONTENT>` makes.
const CONTENT: &str = "content";

/// A compiled filter.
#[derive(Debug)]
pub struct Language {
    recipe: Recipe,
    prefregex: Option<Patterns>,
    failregex: Patterns,
    ignoreregex: Patterns,
    /// The failregexes where `<HOST>` is no name, for lines in which it took one. Made when it first does; `None`: they
    /// cannot be made so.
    addresses: OnceLock<Option<Patterns>>,
    dates: DateDetector,
}

/// What a filter remembers of the lines before.
#[derive(Debug, Default)]
pub struct Memory {
    sessions: Sessions,
    window: Window,
    /// The last date that was found.
    date: Option<FoundDate>,
    /// How many dates each pattern of the detector has found.
    dates: Vec<u64>,
}

/// A line without its date.
struct Line {
    text: String,
    marked: bool,
    /// Where the date was.
    cut: Option<usize>,
    /// What it says.
    time: Option<Timestamp>,
}

/// Named groups and what they took.
type Groups = Vec<(String, String)>;

impl Language {
    /// Compiles it.
    pub fn compile(recipe: Recipe) -> Result<Self, Vec<Trouble>> {
        let multiline = recipe.maxlines > 1;
        let names = recipe.usedns.as_ref().is_none_or(|usedns| usedns.trim() != "no");
        let compile = |key: &str, patterns: &[String], lines: bool| {
            patterns_of(patterns, lines, names)
                .map_err(|what| vec![recipe.trouble(key, &format!("{key}: {what}"))])
        };
        let pref: Vec<String> = recipe.prefregex.iter().cloned().collect();
        let prefregex = compile("prefregex", &pref, false)?;
        let failregex = compile("failregex", &recipe.failregex, multiline)?;
        let ignoreregex = compile("ignoreregex", &recipe.ignoreregex, multiline)?;
        let prefregex = (!pref.is_empty()).then_some(prefregex);
        let dates = dates(&recipe)?;
        let addresses = OnceLock::new();
        let language = Self { recipe, prefregex, failregex, ignoreregex, addresses, dates };
        language.nameless().map_or(Ok(()), |problem| Err(vec![problem]))?;
        Ok(language)
    }

    /// What it was compiled from.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What finds the dates of its lines.
    pub fn dates(&self) -> &DateDetector {
        &self.dates
    }

    /// Its patterns, with the engine that each runs on: `prefregex` first, then `failregex`, then `ignoreregex`.
    pub fn engines(&self) -> Vec<(&'static str, &str, Engine)> {
        let pref = self.prefregex.iter().flat_map(Patterns::engines).zip(self.recipe.prefregex.iter());
        let fail = self.failregex.engines().zip(&self.recipe.failregex);
        let ignore = self.ignoreregex.engines().zip(&self.recipe.ignoreregex);
        let pref = pref.map(|(engine, text)| ("prefregex", text.as_str(), engine));
        let fail = fail.map(|(engine, text)| ("failregex", text.as_str(), engine));
        let ignore = ignore.map(|(engine, text)| ("ignoreregex", text.as_str(), engine));
        pref.chain(fail).chain(ignore).collect()
    }

    /// Whether it joins lines: what it makes of one depends on those before.
    pub fn remembers(&self) -> bool {
        let mut nodes = self.prefregex.iter().flat_map(Patterns::nodes).chain(self.failregex.nodes());
        self.recipe.maxlines > 1 || nodes.any(|node| node.has_group("mlfid"))
    }

    /// What its author asks for and does not get, and why.
    pub fn remarks(&self) -> Vec<Trouble> {
        let usedns = self.recipe.usedns.as_deref().map(str::trim).filter(|usedns| *usedns != "no");
        let what = |usedns| {
            format!(
                "usedns = {usedns} is not acted on: a name in a log belongs to whoever owns the reverse zone of an \
                 address, who would choose by it whom to ban. Lines that name no address ban nobody"
            )
        };
        usedns.map(|usedns| self.recipe.trouble("usedns", &what(usedns))).into_iter().collect()
    }

    /// How many searches took more steps than are allowed, and were given up.
    pub fn given_up(&self) -> u64 {
        let pref = self.prefregex.as_ref().map_or(0, Patterns::given_up);
        let addresses = self.addresses.get().and_then(Option::as_ref).map_or(0, Patterns::given_up);
        pref + self.failregex.given_up() + self.ignoreregex.given_up() + addresses
    }

    /// The prefregex and each failregex as patterns that match whatever these do, and more: to find what a line must hold.
    pub(in crate::filter) fn least(&self) -> (Option<String>, Vec<String>) {
        let style = Style { hosts: Hosts::Opaque, ascii: false, linear: true, lines: true, borderless: true };
        let least = |patterns: &Patterns| patterns.nodes().iter().map(|node| write(node, style)).collect();
        let prefix = self.prefregex.as_ref().and_then(|patterns| Vec::pop(&mut least(patterns)));
        (prefix, least(&self.failregex))
    }

    /// A failregex that says nothing of whom, where the prefregex does not either.
    fn nameless(&self) -> Option<Trouble> {
        let groups = ["fid", "ip4", "ip6", "dns", "mlfid"];
        let in_prefix = self.prefregex.iter().flat_map(Patterns::nodes).any(|node| node.names(&groups));
        let nameless = self.failregex.nodes().iter().position(|node| !in_prefix && !node.names(&groups))?;
        let pattern = self.recipe.failregex.get(nameless).map_or("", String::as_str);
        let what =
            format!("nothing says who is to be banned: put <HOST> where the address stands\n  {pattern}");
        Some(self.recipe.trouble("failregex", &format!("failregex: {what}")))
    }

    /// Judges one line; `memory` is of the lines before it.
    pub(in crate::filter) fn judge(
        &self,
        record: &Record<'_>,
        memory: &mut Memory,
        reference: Option<&Reference>,
    ) -> Judgement {
        let Some(line) = self.line(record, memory, reference) else { return Judgement::Missed };
        if self.recipe.maxlines > 1 && !line.marked {
            return self.judge_lines(record, &line, memory);
        }
        let mut before = Groups::new();
        let text = match &self.prefregex {
            None => Cow::Borrowed(line.text.as_str()),
            Some(prefix) => match prefix.matches(line.text()).next() {
                None => return Judgement::Missed,
                Some((_, found)) => {
                    before = groups(&line.text, &found);
                    content(&line.text, &found)
                }
            },
        };
        let text = Text { text: &text, marked: line.marked && text.contains(MARKS) };
        // A host that is part of a longer word is none: the next pattern may know better.
        let cut = line.cut.filter(|_| self.prefregex.is_none());
        let Some((rule, found)) = self.first(text, cut) else { return Judgement::Missed };
        let exception = self.ignoreregex.matches(text).next().map(|(index, _)| index);
        let groups = merged(before, groups(text.text, &found));
        judgement(record, &line, (rule, groups), exception, memory)
    }

    /// The first failregex that holds, where it holds. Names are never resolved: where it takes one for the host, and any does
    /// with an address in that place, that one counts. So nobody who has a name written before his address is hidden by it.
    fn first(&self, text: Text<'_>, cut: Option<usize>) -> Option<(usize, Found)> {
        let is_host = |(_, found): &(usize, Found)| is_host(text.text, found, cut);
        let first = self.failregex.matches(text).find(is_host)?;
        let is_name = |(name, range): &(String, Range<usize>)| name == "dns" && !range.is_empty();
        if text.marked || !first.1.groups.iter().any(is_name) {
            return Some(first);
        }
        let addresses = self.addresses.get_or_init(|| self.failregex.without_names());
        addresses.as_ref().and_then(|patterns| patterns.matches(text).find(is_host)).or(Some(first))
    }

    /// The line without its date; `None` where its client field holds nobody.
    fn line(&self, record: &Record<'_>, memory: &mut Memory, reference: Option<&Reference>) -> Option<Line> {
        // A format's own time is the record's, unless the filter says where dates stand.
        let says = record.client_range().is_none() || self.recipe.datepattern.is_some();
        let reference = reference.filter(|_| says && !record.is_undated());
        let found = reference.and_then(|reference| self.date(record, memory, reference));
        memory.count(found.as_ref());
        match record.client_range() {
            None if reference.is_none() => {
                Some(Line::plain(record.line(), record.time_range(), record.time()))
            }
            None => {
                let time = found.as_ref().or(memory.date.as_ref()).map(|date| date.time);
                let range = found.as_ref().map(|found| found.range.clone());
                memory.date = found.or(memory.date.take());
                Some(Line::plain(record.line(), range, time))
            }
            Some(client) => {
                let own = record.time_range().unwrap_or(0..0);
                let found = found.map(|found| found.range);
                // The filter may want more or less of the date cut out, but nobody shows it another one.
                let meets = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
                let found = found.filter(|found| meets(found, &own) && !meets(found, &client));
                Line::marked(record, &client, found.unwrap_or(own))
            }
        }
    }

    fn date(&self, record: &Record<'_>, memory: &Memory, reference: &Reference) -> Option<FoundDate> {
        let line = record.line();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.dates.find(line, &DateContext { reference, last: memory.date.as_ref() })
    }

    /// Judges the last lines together.
    fn judge_lines(&self, record: &Record<'_>, line: &Line, memory: &mut Memory) -> Judgement {
        memory.window.push(line.text.trim_end_matches('\n').to_owned(), self.recipe.maxlines);
        let joined = memory.window.text();
        let text = Text { text: &joined, marked: false };
        let Some((rule, found)) = self.first(text, None) else { return Judgement::Missed };
        let matched = joined.get(found.range.clone()).unwrap_or_default();
        let exceptions = self.ignoreregex.matches(Text { text: matched, marked: false });
        let exception = { exceptions }.next().map(|(index, _)| index);
        memory.window.take(&found);
        judgement(record, line, (rule, groups(&joined, &found)), exception, memory)
    }
}

/// Whom a match blames, once its session is known.
fn judgement(
    record: &Record<'_>,
    line: &Line,
    (rule, groups): (usize, Groups),
    exception: Option<usize>,
    memory: &mut Memory,
) -> Judgement {
    let client = record.client_range().and_then(|range| record.line().get(range));
    let client = client.map(String::from_utf8_lossy);
    let host = match (whom(&groups), &client) {
        // What stands in the client's place is the client, and nobody else.
        (Some(host), Some(client)) if is_mark(host) => Some(client.clone().into_owned()),
        (Some(_), Some(_)) => return Judgement::Missed,
        (host, _) => host.map(|host| with_length(host, &groups)),
    };
    let host = match group(&groups, "mlfid") {
        Some(id) if exception.is_none() => memory.sessions.add(id, said(&groups, host)),
        _ if group(&groups, "nofail").is_some() => None,
        _ => host,
    };
    let Some(host) = host.filter(|host| client.as_ref().is_none_or(|client| client == host)) else {
        return Judgement::Missed;
    };
    let groups = unmarked(groups, client.as_deref().unwrap_or_default());
    let told = Some(Box::new(Told { address: host, time: line.time, groups }));
    let found = Match { rule, host: record.client_range(), weight: 1, told, exception: None };
    found.unless(exception)
}

/// The host, with what `<SUBNET>` or `<CIDR>` took as the length of its prefix. An identity is what it is.
fn with_length(host: &str, groups: &Groups) -> String {
    let of = |name: &str, most: u8| {
        let bits = group(groups, "cidr")?.parse().ok().filter(|bits: &u8| *bits <= most)?;
        (group(groups, name) == Some(host) && group(groups, "fid").is_none()).then_some(bits)
    };
    let bits = of("ip4", 32).or_else(|| of("ip6", 128));
    bits.map_or_else(|| host.to_owned(), |bits| format!("{host}/{bits}"))
}

/// Groups as the line has them: with the client where its mark is.
fn unmarked(mut groups: Groups, client: &str) -> Groups {
    for (_, text) in groups.iter_mut().filter(|(_, text)| text.contains(MARKS)) {
        for mark in MARKS {
            *text = text.replace(&format!("0{mark}0"), client);
        }
    }
    groups
}

/// The dates of a filter that names none are the usual ones.
fn dates(recipe: &Recipe) -> Result<DateDetector, Vec<Trouble>> {
    let patterns: Vec<String> = recipe.datepattern.iter().cloned().collect();
    DateDetector::compile(&patterns).map_err(|problems| {
        let trouble =
            |problem: &Problem| recipe.trouble("datepattern", &format!("datepattern: {}", problem.message));
        problems.iter().map(trouble).collect()
    })
}

fn patterns_of(patterns: &[String], lines: bool, names: bool) -> Result<Patterns, String> {
    let node = |pattern: &String| Ok(if names { parse(pattern)? } else { parse(pattern)?.without_names() });
    let nodes = patterns.iter().map(node).collect::<Result<Vec<_>, String>>()?;
    Patterns::compile(nodes, lines).map_err(|(index, what)| {
        let pattern = patterns.get(index).map_or("", String::as_str);
        format!("{what}\n  {pattern}")
    })
}

impl Memory {
    /// How many dates each of [`DateDetector::patterns`] has found, as far as one did.
    pub fn dates(&self) -> &[u64] {
        &self.dates
    }

    fn count(&mut self, found: Option<&FoundDate>) {
        let Some(found) = found else { return };
        if self.dates.len() <= found.pattern {
            self.dates.resize(found.pattern + 1, 0);
        }
        self.dates.get_mut(found.pattern).into_iter().for_each(|count| *count += 1);
    }
}

impl Line {
    /// A line without a client field; `date` is cut out.
    fn plain(line: &[u8], date: Option<Range<usize>>, time: Option<Timestamp>) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let part = |range: Option<&[u8]>| String::from_utf8_lossy(range.unwrap_or_default()).into_owned();
        let (before, behind) = match &date {
            None => (part(Some(line)), String::new()),
            Some(date) => (part(line.get(..date.start)), part(line.get(date.end..))),
        };
        let cut = date.map(|_| before.len());
        Self { text: before + &behind + "\n", marked: false, cut, time }
    }

    /// A line whose client is marked; `None` where the field holds nobody.
    fn marked(record: &Record<'_>, client: &Range<usize>, date: Range<usize>) -> Option<Self> {
        let cut = raw::mark_client(record, client, date)?;
        let [v4, v6, name] = raw::MARKS;
        let at = memchr3(v4, v6, name, &cut)?;
        let (before, behind) = cut.split_at(at);
        let (mark, behind) = behind.split_first()?;
        let mark = MARKS.into_iter().zip(raw::MARKS).find(|(_, byte)| byte == mark)?.0;
        let plain = |text: &[u8]| String::from_utf8_lossy(text).replace(MARKS, "\u{FFFD}");
        let text = format!("{}{mark}{}\n", plain(before), plain(behind));
        Some(Self { text, marked: true, cut: None, time: record.time() })
    }

    fn text(&self) -> Text<'_> {
        Text { text: &self.text, marked: self.marked }
    }
}

/// What the other patterns see: what `<F-CONTENT>` took, or all.
fn content<'t>(text: &'t str, found: &Found) -> Cow<'t, str> {
    let range = found.groups.iter().find(|(name, _)| name == CONTENT).map(|(_, range)| range.clone());
    match range.and_then(|range| text.get(range)) {
        Some(content) => Cow::Owned(content.to_owned() + "\n"),
        None => Cow::Borrowed(text),
    }
}

/// Whether the host that was found is a whole word, and the date was not in it. A mark is, and whatever a filter calls an
/// identity.
fn is_host(text: &str, found: &Found, cut: Option<usize>) -> bool {
    let addresses = found.groups.iter().filter(|(name, _)| WHOM[1..].contains(&name.as_str()));
    let mut whole = addresses.map(|(_, range)| {
        let is_split = cut.is_some_and(|cut| range.start < cut && cut < range.end);
        text.get(range.clone()).is_some_and(is_mark) || (is_whole_word(text.as_bytes(), range) && !is_split)
    });
    whole.next().unwrap_or(true)
}

fn is_mark(text: &str) -> bool {
    text.strip_prefix('0')
        .and_then(|text| text.strip_suffix('0'))
        .is_some_and(|mark| mark.chars().count() == 1 && mark.contains(MARKS))
}

fn groups(text: &str, found: &Found) -> Groups {
    let told = found.groups.iter().filter(|(name, _)| name != CONTENT);
    told.map(|(name, range)| (name.clone(), lossy(text, range))).collect()
}

/// Classes of bytes may end inside of a character.
fn lossy(text: &str, range: &Range<usize>) -> String {
    String::from_utf8_lossy(text.as_bytes().get(range.clone()).unwrap_or_default()).into_owned()
}

/// What a failregex says holds over what the prefregex says.
fn merged(mut before: Groups, own: Groups) -> Groups {
    before.retain(|(name, _)| own.iter().all(|(known, _)| known != name));
    before.extend(own);
    before
}

/// A group that took something.
fn group<'g>(groups: &'g Groups, name: &str) -> Option<&'g str> {
    groups.iter().find(|(known, text)| known == name && !text.is_empty()).map(|(_, text)| text.as_str())
}

fn whom(groups: &Groups) -> Option<&str> {
    WHOM.iter()
        .find_map(|name| group(groups, name))
        .or_else(|| alternative(groups, &["fid", "ip4", "ip6", "dns"]))
}

/// What `<F-ALT_NAME…>` took, the first one.
fn alternative<'g>(groups: &'g Groups, names: &[&str]) -> Option<&'g str> {
    let is_of = |group: &str, name: &str| {
        let rest = group.strip_prefix("alt_").and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_'))
    };
    let mut found =
        groups.iter().filter(|(group, text)| !text.is_empty() && names.iter().any(|name| is_of(group, name)));
    found.next().map(|(_, text)| text.as_str())
}

fn said(groups: &Groups, host: Option<String>) -> Said {
    let user = group(groups, "user").or_else(|| alternative(groups, &["user"]));
    let is = |name| group(groups, name).is_some();
    Said {
        host,
        user: user.map(str::to_owned),
        nofail: is("nofail"),
        gained: is("mlfgained"),
        forget: is("mlfforget"),
        pending: is("mlfpending"),
    }
}
