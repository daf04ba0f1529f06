//! The logs of all jails as sources: a file belongs to one source, and any number of jails looks at that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::block::Block;
use super::jail::Log;
use super::words::{list, quoted};

/// A source.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) block: Block,
    /// Everything it reads.
    logs: Vec<Log>,
}

/// The sources that read all these logs.
pub(super) fn sources<'l>(logs: impl Iterator<Item = &'l Log>) -> Vec<Source> {
    let mut groups: Vec<Vec<Log>> = Vec::new();
    for log in logs {
        let (mut joined, others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| overlap(log, other)));
        groups = others;
        let mut group: Vec<Log> = joined.drain(..).flatten().collect();
        add(&mut group, log);
        groups.push(group);
    }
    let mut sources: Vec<Source> = Vec::new();
    for logs in groups {
        let name = unused(&name_of(&logs), &sources);
        sources.push(Source { name, block: block(&logs), logs });
    }
    sources
}

/// Reading begins at the end only where all want it.
fn add(group: &mut Vec<Log>, log: &Log) {
    let Log::Files { pattern, from_end } = log else {
        group.retain(|known| known != log);
        return group.push(log.clone());
    };
    for known in group.iter_mut() {
        if let Log::Files { pattern: known, from_end: known_from } = known
            && known == pattern
        {
            *known_from &= from_end;
            return;
        }
    }
    group.push(log.clone());
}

impl Source {
    /// Whether it reads this log.
    pub(super) fn reads(&self, log: &Log) -> bool {
        self.logs.iter().any(|known| is_same(known, log))
    }

    /// What it reads that is none of these logs.
    pub(super) fn beside(&self, logs: &[Log]) -> Vec<String> {
        let others = self.logs.iter().filter(|known| !logs.iter().any(|log| is_same(known, log)));
        others.map(|log| pattern(log).to_owned()).collect()
    }
}

fn pattern(log: &Log) -> &str {
    match log {
        Log::Files { pattern, .. } => pattern,
        Log::Journal(entries) => entries,
    }
}

fn is_same(one: &Log, other: &Log) -> bool {
    matches!(one, Log::Journal(_)) == matches!(other, Log::Journal(_)) && pattern(one) == pattern(other)
}

/// Whether there is, or could be, a file that is both.
fn overlap(one: &Log, other: &Log) -> bool {
    let (Log::Files { pattern: one, .. }, Log::Files { pattern: other, .. }) = (one, other) else {
        return is_same(one, other);
    };
    one == other || holds(one, other) || holds(other, one) || !there(one).is_disjoint(&there(other))
}

fn holds(pattern: &str, path: &str) -> bool {
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(path, options))
}

/// The files that are there now, links followed.
pub(super) fn there(pattern: &str) -> BTreeSet<PathBuf> {
    let found = glob::glob(pattern).into_iter().flatten().flatten();
    found.filter_map(|path| path.canonicalize().ok()).collect()
}

fn block(logs: &[Log]) -> Block {
    let mut block = Block::default();
    if let [Log::Journal(entries)] = logs {
        block.set("journal", &quoted(entries));
        block.set("format", "\"journal\"");
        return block;
    }
    let patterns: Vec<String> = logs.iter().map(|log| pattern(log).to_owned()).collect();
    block.set("path", &list(&patterns));
    if !patterns.iter().all(|pattern| is_of_a_web_server(pattern)) {
        block.set("format", "\"raw\"");
    }
    if logs.iter().all(|log| matches!(log, Log::Files { from_end: true, .. })) {
        block.set("read", "\"end\"");
    }
    block
}

/// Whether banmap knows the format, as far as the path tells.
fn is_of_a_web_server(pattern: &str) -> bool {
    ["nginx", "apache", "httpd", "access"].iter().any(|word| pattern.contains(word))
}

/// `/var/log/nginx/*access.log` becomes `nginx-access`.
fn name_of(logs: &[Log]) -> String {
    let path = match logs.first() {
        Some(Log::Files { pattern, .. }) => Path::new(pattern),
        Some(Log::Journal(entries)) => {
            let first = entries.split(' ').next().unwrap_or_default();
            let value = first.rsplit('=').next().unwrap_or_default();
            return plain(&format!("journal-{}", value.trim_end_matches(".service")));
        }
        None => return "log".to_owned(),
    };
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let directory = text(path.parent().and_then(Path::file_name));
    let stem = text(path.file_stem());
    plain(&if directory == "log" { stem } else { format!("{directory}-{stem}") })
}

/// What is left of a text in a name.
pub(super) fn plain(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '.' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name: String = name.trim_matches(['-', '.']).chars().take(50).collect();
    if name.is_empty() { "log".to_owned() } else { name }
}

/// The name with a number behind it where it is taken; `bans` is no log's.
fn unused(name: &str, taken: &[Source]) -> String {
    let is_free = |name: &String| name != "bans" && !taken.iter().any(|source| source.name == *name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
