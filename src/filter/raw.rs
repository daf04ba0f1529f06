//! Raw patterns over a line whose date is cut out.
//!
//! On a format with a client field nothing is captured: the client's text is replaced by a mark that only the host
//! tags match, so a pattern can only hold with its host at the client, wherever else the line names an address.

use std::cmp::Reverse;
use std::ops::Range;

use regex::bytes::{Regex, RegexSet};
use smallvec::SmallVec;

use super::pattern::{self, Pattern};
use super::tags::{HostTag, Tagged};
use super::{Definition, Judgement, Match, Problem};
use crate::record::Record;

/// Marks in place of the client, by what it is. These bytes occur in no UTF-8 text; where a line holds them they are
/// replaced. The digits around them keep `\b` beside a host tag true.
const IPV4: u8 = 0xF8;
const IPV6: u8 = 0xF9;
const NAME: u8 = 0xFA;
const REPLACED: u8 = 0xFE;
/// All of them.
pub(super) const MARKS: [u8; 3] = [IPV4, IPV6, NAME];

/// The groups where a host stands are called this, and a number.
const GROUP: &str = "banmap_host";
/// What the tags take on a line without a client field (as fail2ban reads them).
const V4: &str = r"(?:::[fF]{4}:)?(?:[0-9]{1,3}\.){3}[0-9]{1,3}";
const V6: &str = r"(?:[0-9a-fA-F]{1,4}::?|::){1,7}[0-9a-fA-F]{0,4}";
const DNS: &str = r"[0-9A-Za-z_.^-]*[0-9A-Za-z_]";

/// The patterns of a raw filter.
#[derive(Debug)]
pub(super) struct RawPatterns {
    fail: Forms,
    ignore: Forms,
    /// Each failregex by itself, for lines without a client field: group `host1` … is where a host tag stood.
    hosts: Vec<Regex>,
    /// How many times each counts; empty where all count once.
    weights: Vec<u8>,
}

/// The same patterns, compiled for either kind of line.
#[derive(Debug)]
struct Forms {
    /// The client is marked.
    marked: RegexSet,
    /// There is no client field.
    plain: RegexSet,
}

impl RawPatterns {
    /// Compiles them, or tells every problem.
    pub(super) fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let Definition { failregex, ignoreregex, .. } = definition;
        let mut problems = Vec::new();
        let fail = read("failregex", failregex, with_host, &mut problems);
        let ignore = read("ignoreregex", ignoreregex, Tagged::read, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let hosts =
            fail.iter().enumerate().map(|(index, tagged)| capturing(tagged, index)).collect::<Result<_, _>>();
        Ok(Self {
            fail: Forms::compile("failregex", &fail)?,
            ignore: Forms::compile("ignoreregex", &ignore)?,
            hosts: hosts.map_err(|problem| vec![problem])?,
            weights: if definition.is_weighted() { definition.weights.clone() } else { Vec::new() },
        })
    }

    /// Judges one line.
    pub(super) fn judge(&self, record: &Record<'_>) -> Judgement {
        match record.client_range() {
            Some(client) => self.judge_marked(record, client),
            None => self.judge_plain(record),
        }
    }

    fn judge_marked(&self, record: &Record<'_>, client: Range<usize>) -> Judgement {
        let Some(cut) = mark_client(record, &client, record.time_range().unwrap_or(0..0)) else {
            return Judgement::Missed;
        };
        match self.heaviest(&self.fail.marked, &cut) {
            None => Judgement::Missed,
            Some(rule) => judgement(&self.ignore.marked, &cut, self.found(rule, client)),
        }
    }

    fn judge_plain(&self, record: &Record<'_>) -> Judgement {
        let mut buffer = Vec::new();
        let cut = record.without_date(&mut buffer);
        let host = |rule: usize| Some(self.found(rule, self.host_of(rule, record, cut)?));
        let mut rules: SmallVec<[usize; 4]> = self.fail.plain.matches(cut).iter().collect();
        rules.sort_by_key(|rule| Reverse(self.weight(*rule)));
        match rules.into_iter().find_map(host) {
            None => Judgement::Missed,
            Some(found) => judgement(&self.ignore.plain, cut, found),
        }
    }

    /// The heaviest pattern that matches, of equals the first.
    fn heaviest(&self, patterns: &RegexSet, text: &[u8]) -> Option<usize> {
        match self.weights.len() {
            0 => first(patterns, text),
            _ => patterns.matches(text).iter().min_by_key(|rule| Reverse(self.weight(*rule))),
        }
    }

    fn weight(&self, rule: usize) -> u8 {
        self.weights.get(rule).copied().unwrap_or(1)
    }

    fn found(&self, rule: usize, host: Range<usize>) -> Match {
        Match { rule, host: Some(host), weight: self.weight(rule), told: None, exception: None }
    }

    /// Where the first host tag that took part in the match stood, in the whole line; `None` where it took a piece of a
    /// longer word, or the date was cut out of its middle: then it is no host.
    fn host_of(&self, rule: usize, record: &Record<'_>, cut: &[u8]) -> Option<Range<usize>> {
        let pattern = self.hosts.get(rule)?;
        let captures = pattern.captures(cut)?;
        let mut named = pattern.capture_names().flatten().filter(|name| name.starts_with(GROUP));
        let host = named.find_map(|name| captures.name(name))?.range();
        if !is_whole_word(cut, &host) {
            return None;
        }
        let whole = record.uncut(host.clone());
        (whole.len() == host.len()).then_some(whole)
    }
}

/// Whether a host is not cut out of a longer word: `192.0.2.1` out of `192.0.2.1.client.example`, which is anybody's
/// name to choose, or `2.0.2.1` out of `192.0.2.1`, where a greedy pattern took the rest. A port may follow.
pub(super) fn is_whole_word(text: &[u8], host: &Range<usize>) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_group = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let before = text.get(..host.start).unwrap_or_default();
    // A mail server's address literal: `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
    let literal = b"IPv6:";
    let named = before.len().checked_sub(literal.len()).and_then(|at| before.get(at..));
    let begins = match before {
        _ if named.is_some_and(|named| named.eq_ignore_ascii_case(literal)) => true,
        [.., before, b'.'] => !is_part(before),
        [.., before, b':'] => {
            !is_group(before) || !text.get(host.clone()).unwrap_or_default().contains(&b':')
        }
        [.., last] => !is_part(last),
        [] => true,
    };
    let ends = match text.get(host.end..).unwrap_or_default() {
        [b'-', port @ ..] => is_port(port),
        [b'.', after, ..] => !is_part(after),
        [next, ..] => !is_part(next),
        [] => true,
    };
    begins && ends
}

/// Whether what stands behind an address and `-` belongs to no name: nothing of a word, or a port (`192.0.2.1-1780;`).
fn is_port(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    match text.get(digits) {
        None => true,
        Some(b'.' | b'-') if digits == 0 => true,
        Some(after) => digits <= 5 && !is_name(after),
    }
}

fn judgement(exceptions: &RegexSet, cut: &[u8], found: Match) -> Judgement {
    found.unless(if exceptions.is_empty() { None } else { first(exceptions, cut) })
}

/// The line with the client marked and the date cut out; `None` where the client field holds nothing that a host tag could
/// take (`-`, a list).
pub(super) fn mark_client(record: &Record<'_>, client: &Range<usize>, date: Range<usize>) -> Option<Vec<u8>> {
    let line = record.line();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mark = [b'0', mark(record, line.get(client.clone())?)?, b'0'];
    let (client, date) = ((client, &mark[..]), (&date, &[][..]));
    let is_first = (client.0.start, client.0.end) < (date.0.start, date.0.end);
    let [(first, instead), (second, last)] = if is_first { [client, date] } else { [date, client] };
    let parts = [
        line.get(..first.start)?,
        instead,
        line.get(first.end..second.start)?,
        last,
        line.get(second.end..)?,
    ];
    let mut cut = parts.concat();
    if line.iter().fold(0, |highest, byte| (*byte).max(highest)) >= IPV4 {
        let at = client.0.start - if is_first { 0 } else { date.0.len() };
        unmark(&mut cut, at + 1);
    }
    Some(cut)
}

/// Replaces every mark but the one at `own`: it would be somebody's forgery.
fn unmark(cut: &mut [u8], own: usize) {
    let marks = cut.iter_mut().enumerate().filter(|(at, byte)| *at != own && matches!(**byte, IPV4..=NAME));
    marks.for_each(|(_, byte)| *byte = REPLACED);
}

/// The first pattern of a set that matches. With a single one, whether it does is all: a cheaper search.
fn first(patterns: &RegexSet, text: &[u8]) -> Option<usize> {
    match patterns.len() {
        1 => patterns.is_match(text).then_some(0),
        _ => patterns.matches(text).iter().next(),
    }
}

fn mark(record: &Record<'_>, client: &[u8]) -> Option<u8> {
    match record.address() {
        Some(address) if address.ip().is_ipv4() => Some(IPV4),
        Some(_) => Some(IPV6),
        None => is_name(client).then_some(NAME),
    }
}

fn is_name(text: &[u8]) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.last().is_some_and(part) && text.iter().all(|byte| part(byte) || b".-^".contains(byte))
}

impl Forms {
    fn compile(key: &str, patterns: &[Tagged<'_>]) -> Result<Self, Vec<Problem>> {
        Ok(Self { marked: set(key, patterns, marked_host)?, plain: set(key, patterns, plain_host)? })
    }
}

fn set(key: &str, patterns: &[Tagged<'_>], host: fn(HostTag) -> String) -> Result<RegexSet, Vec<Problem>> {
    let problem = |index: usize, message: String| vec![Problem::new(format!("{key}[{index}]"), message)];
    let read = |(index, tagged): (usize, &Tagged<'_>)| {
        Pattern::read(&tagged.regex(host)).map_err(|message| problem(index, message))
    };
    let patterns = patterns.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    pattern::compile(&patterns).map_err(|(index, message)| problem(index, message))
}

/// Takes every pattern apart and reads it once with its tags as plain text, so that an error shows it as written.
fn read<'p>(
    key: &str,
    patterns: &'p [String],
    taken_apart: fn(&'p str) -> Result<Tagged<'p>, String>,
    problems: &mut Vec<Problem>,
) -> Vec<Tagged<'p>> {
    let mut read = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let written =
            |tagged: Tagged<'p>| Pattern::read(&tagged.regex(|tag| tag.tag().to_owned())).map(|_| tagged);
        match taken_apart(pattern).and_then(written) {
            Ok(tagged) => read.push(tagged),
            Err(message) => problems.push(Problem::new(format!("{key}[{index}]"), message)),
        }
    }
    read
}

fn with_host(pattern: &str) -> Result<Tagged<'_>, String> {
    let tagged = Tagged::read(pattern)?;
    let missing =
        "nothing says who is to be banned: put <HOST> (or <ADDR>) where the client's address stands";
    if tagged.names_host() { Ok(tagged) } else { Err(missing.to_owned()) }
}

fn capturing(tagged: &Tagged<'_>, index: usize) -> Result<Regex, Problem> {
    let mut group = 0;
    let named = tagged.regex(|tag| {
        group += 1;
        bracketed(tag, |host| format!("(?P<{GROUP}{group}>{host})"))
    });
    let problem = |message: String| Problem::new(format!("failregex[{index}]"), message);
    let read = Pattern::read(&named).map_err(problem)?;
    pattern::single(&read).map_err(problem)
}

fn marked_host(tag: HostTag) -> String {
    let marks = match tag {
        HostTag::Host => r"\xF8-\xFA",
        HostTag::Addr => r"\xF8\xF9",
        HostTag::Ip4 => r"\xF8",
        HostTag::Ip6 => r"\xF9",
    };
    format!("(?-u:0[{marks}]0)")
}

fn plain_host(tag: HostTag) -> String {
    bracketed(tag, |host| format!("(?:{host})"))
}

fn bracketed(tag: HostTag, group: impl Fn(&str) -> String) -> String {
    match tag {
        HostTag::Host => format!(r"\[?{}\]?", group(&format!("{V4}|{V6}|{DNS}"))),
        HostTag::Addr => format!(r"\[?{}\]?", group(&format!("{V4}|{V6}"))),
        HostTag::Ip4 => group(V4),
        HostTag::Ip6 => format!(r"\[?{}\]?", group(V6)),
    }
}
