//! What one enabled jail says.

use std::path::Path;

use super::actions::{Outlet, outlets};
use super::block::Block;
use super::growing::growing;
use super::setup::{DEFAULT, Setup, text};
use super::sources::there;
use super::words::{LONGEST, duration, is_true, quoted, seconds};
use crate::config::{Library, journal_match};
use crate::filter::{Call, Recipe};

/// A jail of fail2ban's.
pub(super) struct Jail {
    pub(super) section: String,
    /// Its filter, or `source = "bans"`.
    pub(super) block: Block,
    /// Thresholds and times.
    pub(super) numbers: Block,
    /// What is not carried over.
    pub(super) notes: Block,
    pub(super) logs: Vec<Log>,
    pub(super) outlets: Vec<Outlet>,
    /// Why it is in the configuration only as a comment.
    pub(super) left_out: Option<String>,
}

/// Something a jail reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Files {
        pattern: String,
        /// Reading begins at the end.
        from_end: bool,
    },
    /// What of the journal, as `journal` of a source has it.
    Journal(String),
}

/// fail2ban's filters that a shipped one does better: it judges fields, not text, and knows what its samples say.
const BETTER: [(&str, &str); 12] = [
    ("apache-auth", "http-auth"),
    ("apache-badbots", "bad-bots"),
    ("apache-botsearch", "probe-paths"),
    ("apache-fakegooglebot", "fake-crawlers"),
    ("apache-modsecurity", "modsecurity-denied"),
    ("apache-noscript", "probe-paths"),
    ("apache-shellshock", "exploit-requests"),
    ("nginx-bad-request", "bad-request"),
    ("nginx-botsearch", "probe-paths"),
    ("nginx-http-auth", "http-auth"),
    ("nginx-limit-req", "nginx-limits"),
    ("php-url-fopen", "injection-probes"),
];

/// Options of a filter that a jail can say differently.
const OF_FILTER: [&str; 5] = ["prefregex", "failregex", "ignoreregex", "datepattern", "maxlines"];

impl Jail {
    pub(super) fn read(setup: &Setup, section: &str) -> Self {
        let mut notes = Block::default();
        let mut jail = Self {
            section: section.to_owned(),
            block: Block::default(),
            numbers: numbers(setup, section),
            logs: Vec::new(),
            outlets: outlets(setup, section, &mut notes),
            notes,
            left_out: None,
        };
        jail.left_out = jail.judged(setup).err();
        let own = setup.jails.keys(section);
        not_carried(setup, section, own.into_iter(), &mut jail.notes);
        jail
    }

    /// Filter and logs. The error says what keeps the jail from working.
    fn judged(&mut self, setup: &Setup) -> Result<(), String> {
        let value = |key: &str| setup.value(&self.section, key).map_err(|trouble| trouble.to_string());
        let backend = value("backend")?.unwrap_or_default();
        let filter = value("filter")?.ok_or("it has no filter")?;
        let call = Call::read(filter.trim())?;
        if call.name == "recidive" {
            self.block.set("source", "\"bans\"");
            self.block.say("instead of reading fail2ban's log");
            return Ok(());
        }
        let journal = match value("journalmatch")? {
            Some(own) => Some(own),
            None => journalmatch(&setup.directory, call.name, &call.parameters),
        };
        let from_journal = backend.trim().starts_with("systemd");
        let in_journal = from_journal
            || (journal.is_some()
                && matches!(backend.trim(), "" | "auto")
                && !is_there(&value("logpath")?.unwrap_or_default()));
        let mut parameters = call.parameters.clone();
        for key in OF_FILTER {
            if let Some(text) = value(key)? {
                parameters.retain(|(known, _)| known != key);
                parameters.push((key.to_owned(), text));
            }
        }
        if in_journal && call.parameter("logtype").is_none() {
            parameters.push(("logtype".to_owned(), "journal".to_owned()));
        }
        let parameters_text = written(&parameters)?;
        usable(&setup.directory, call.name, &parameters_text)?;
        self.block.set("filter", &quoted(&format!("{}{parameters_text}", call.name)));
        // Lines of the journal are raw: those judge fields.
        if let Some((_, ours)) = BETTER.iter().find(|(theirs, _)| *theirs == call.name && !in_journal) {
            self.block.say(&format!(
                "filter = \"{ours}\" # banmap's own filter of the same matter: it judges fields, not text"
            ));
        }
        if in_journal && !from_journal {
            self.block.say("no file of its logpath is there: the journal instead");
        }
        self.logs = if in_journal {
            let nothing = "its filter says nothing about the journal (journalmatch)";
            vec![entries_of(&journal.ok_or(nothing)?)?]
        } else {
            files(&value("logpath")?.unwrap_or_default(), &mut self.notes)?
        };
        Ok(())
    }
}

/// Parameters behind a filter's name.
fn written(parameters: &[(String, String)]) -> Result<String, String> {
    if parameters.is_empty() {
        return Ok(String::new());
    }
    let one = |(key, value): &(String, String)| {
        let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
        if value.contains(char::is_control) {
            return Err(format!("`{key}` has several lines: put it into a .local file of the filter"));
        }
        let value = if !value.is_empty() && value.chars().all(plain) {
            value.clone()
        } else if !value.contains('"') {
            format!("\"{value}\"")
        } else if value.contains('\'') {
            return Err(format!("`{key}` has both kinds of quotes: put it into a filter of your own"));
        } else {
            format!("'{value}'")
        };
        Ok(format!("{key}={value}"))
    };
    Ok(format!("[{}]", parameters.iter().map(one).collect::<Result<Vec<_>, String>>()?.join(", ")))
}

/// Whether the filter is there and can be compiled with these parameters.
fn usable(directory: &Path, name: &str, parameters: &str) -> Result<(), String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(format!("`{name}` is no filter's name for banmap"));
    }
    let path = directory.join("filter.d").join(format!("{name}.conf{parameters}"));
    match Library::open(&path) {
        Ok(_) => Ok(()),
        Err(problems) => Err(problems.first().map_or_else(String::new, |problem| problem.what.clone())),
    }
}

fn journalmatch(directory: &Path, name: &str, parameters: &[(String, String)]) -> Option<String> {
    let path = directory.join("filter.d").join(format!("{name}.conf"));
    Recipe::read(&path, parameters, &text).ok()?.journalmatch
}

/// The entries that a journalmatch takes, of which each line is as good as the others. sshd's unit is `ssh.service` on Debian
/// and its descendants, and one of them is there.
fn entries_of(matched: &str) -> Result<Log, String> {
    const SSHD: &str = "_SYSTEMD_UNIT=sshd.service";
    let lines: Vec<&str> = matched.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let read = |text: &str| journal_match(text).map_err(|what| format!("journalmatch: {what}"));
    let text = read(&lines.join(" + "))?;
    let alternatives: Vec<&str> = text.split(" + ").collect();
    if let [only] = alternatives[..]
        && let Some(unit) = only.strip_prefix("_SYSTEMD_UNIT=").filter(|unit| !unit.contains('='))
        && only != SSHD
    {
        return read(unit.trim_end_matches(".service")).map(Log::Journal);
    }
    let names_sshd = |one: &&&str| one.split(' ').any(|field| field == SSHD);
    let debian =
        alternatives.iter().filter(names_sshd).map(|one| one.replace(SSHD, "_SYSTEMD_UNIT=ssh.service"));
    let mut all: Vec<String> = debian.filter(|one| !alternatives.contains(&one.as_str())).collect();
    all.extend(alternatives.iter().map(|one| (*one).to_owned()));
    read(&all.join(" + ")).map(Log::Journal)
}

/// Whether there is a file that a logpath names.
fn is_there(logpath: &str) -> bool {
    let paths = logpath.lines().map(str::trim);
    paths.map(|line| line.rsplit_once(' ').map_or(line, |(path, _)| path)).any(|path| !there(path).is_empty())
}

/// The patterns of a logpath, a line each; a word behind one says where reading begins.
fn files(logpath: &str, notes: &mut Block) -> Result<Vec<Log>, String> {
    let mut logs: Vec<Log> = Vec::new();
    for line in logpath.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (path, from) = line.rsplit_once(' ').unwrap_or((line, "head"));
        if !path.starts_with('/') || glob::Pattern::new(path).is_err() {
            notes.note("logpath", line, "is no absolute path, or no pattern, that banmap can read");
            continue;
        }
        let is_known = |log: &Log| matches!(log, Log::Files { pattern, .. } if pattern == path);
        if !logs.iter().any(is_known) {
            logs.push(Log::Files { pattern: path.to_owned(), from_end: from == "tail" });
        }
    }
    if logs.is_empty() { Err("it has no logpath".to_owned()) } else { Ok(logs) }
}

/// Thresholds and times of a jail, or of `[DEFAULT]`; what nobody says is fail2ban's own.
pub(super) fn numbers(setup: &Setup, section: &str) -> Block {
    let mut block = Block::default();
    let maxretry = read(setup, section, "maxretry", &mut block, |text| {
        text.trim().parse::<u32>().ok().filter(|number| *number > 0)
    });
    block.set("maxretry", &maxretry.unwrap_or(3).to_string());
    let within = |text: &str| seconds(text).filter(|span| (1..=LONGEST).contains(span));
    let findtime = read(setup, section, "findtime", &mut block, within).unwrap_or(600);
    block.set("findtime", &duration(findtime));
    let lasting = |text: &str| seconds(text).filter(|span| *span != 0);
    let bantime = read(setup, section, "bantime", &mut block, lasting).unwrap_or(600);
    block.set("bantime", &duration(bantime));
    if bantime > 0 {
        growing(setup, section, bantime, &mut block);
    } else {
        block.set("escalation", "false");
    }
    block
}

fn read<T>(
    setup: &Setup,
    section: &str,
    key: &str,
    block: &mut Block,
    as_value: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = match setup.value(section, key) {
        Ok(text) => text?,
        Err(trouble) => {
            block.say(&format!("not carried over: {key} -- {trouble}"));
            return None;
        }
    };
    let value = as_value(&text);
    if value.is_none() {
        block.note(key, &text, "is nothing that banmap can read; fail2ban's own value stands here");
    }
    value
}

/// Notes every one of these keys that is not carried over.
pub(super) fn not_carried<'k>(
    setup: &Setup,
    section: &str,
    keys: impl Iterator<Item = &'k str>,
    notes: &mut Block,
) {
    let mut unused = Vec::new();
    for key in keys {
        match setup.value(section, key) {
            Ok(None) => {}
            Ok(Some(value)) => match reason(key, value.trim()) {
                Some("") => {}
                Some(why) => notes.note(key, &value, why),
                None if section == DEFAULT => unused.push(key),
                None => notes.note(key, &value, "means something only where another value names it"),
            },
            // What is carried over has told its trouble already.
            Err(trouble) => match reason(key, "") {
                Some("") => {}
                _ if section == DEFAULT => unused.push(key),
                _ => notes.say(&format!("not carried over: {key} -- {trouble}")),
            },
        }
    }
    if !unused.is_empty() {
        let what = "not carried over, since they mean something only where another value names them";
        notes.say(&format!("{what}: {}", unused.join(", ")));
    }
}

/// Why an option is not carried over; `""` where it is, or says nothing; `None` where it is no option of fail2ban's.
fn reason(key: &str, value: &str) -> Option<&'static str> {
    if key.starts_with("bantime.") || OF_FILTER.contains(&key) {
        return Some("");
    }
    let unless = |usual: &[&str], why| if usual.contains(&value.to_lowercase().as_str()) { "" } else { why };
    Some(match key {
        "enabled" | "filter" | "mode" | "logpath" | "maxretry" | "findtime" | "bantime" | "ignoreip"
        | "action" | "journalmatch" => "",
        "backend" if value == "systemd" => "",
        "backend" if value.starts_with("systemd") => "what journal there is, is journalctl's to know",
        "backend" => unless(
            &["auto", ""],
            "files are followed by what the system tells, and looked at each second besides",
        ),
        "ignoreself" if is_true(value) || value.is_empty() => "",
        "ignoreself" => "this host's own addresses are never banned",
        "usedns" => unless(&["no", ""], "names in a log are never resolved, and ban nobody"),
        "ignorecommand" => {
            "no program is asked: there are ignoreip with \"file:PATH\" and \"dns:NAME\", and ignore_crawlers"
        }
        "ignorecache" => "it is about ignorecommand",
        "maxmatches" => "`banmap why` shows the lines of a ban, as many as fit into a bounded store",
        "logencoding" => unless(&["auto", "utf-8", "utf8", "ascii", ""], "logs are read as bytes"),
        "logtimezone" => "there is no such setting",
        "skip_if_nologs" | "systemd_if_nologs" => "a log that is not there yet is waited for",
        "port" | "protocol" | "chain" | "banaction" | "banaction_allports" => "it is about firewalls",
        "destemail" | "sender" | "mta" => "this version sends no mail",
        _ => return None,
    })
}
