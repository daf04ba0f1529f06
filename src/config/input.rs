//! Which one of `path`, `stdin`, `listen` and `journal` a source reads.

use super::found::Found;
use super::patterns::{Taken, claim};
use super::section::{Section, clean};
use super::text::Place;
use super::{output, patterns};
use crate::source::{Endpoint, Input, JournalInput, Listen};
use crate::terms::SourceName;

/// `stdin = false` says nothing.
pub(super) fn read(section: Section<'_>, name: &SourceName, taken: &mut Taken) -> Option<Input> {
    let files = section.either(["path", "logpath"]).map(|(key, _)| key);
    let stdin = section.boolean("stdin");
    let mistyped = stdin.is_none() && section.entry("stdin").is_some();
    let stdin = stdin.filter(|found| found.value);
    let other = ["listen", "journal"].into_iter().filter(|key| section.entry(key).is_some());
    let keys: Vec<&str> = files.into_iter().chain(stdin.is_some().then_some("stdin")).chain(other).collect();
    let Some((key, more)) = keys.split_first() else {
        if !mistyped {
            missing(section);
        }
        return None;
    };
    for more in more {
        surplus(section, key, more);
    }
    let input = match *key {
        "stdin" => stdin.map(|found| section.settle("stdin", Some(found), true)).map(|_| Input::Stdin),
        "listen" => listen(section).map(Input::Listen),
        "journal" => journal(section).map(Input::Journal),
        key => {
            Some(patterns::read(section, key, name, taken)).filter(|all| !all.is_empty()).map(Input::Files)
        }
    };
    only_where_it_means_something(section, key, input.as_ref());
    let input = input?;
    let place = section.node(key).map(|node| &node.place).filter(|_| !matches!(input, Input::Files(_)));
    if let Some(place) = place {
        claim(section, key, name, &Found::written(input.to_string(), place), taken);
    }
    Some(input)
}

fn missing(section: Section<'_>) {
    let fix = "say which logs it reads: path = \"/var/log/nginx/*access.log\" (or stdin, listen, journal)";
    section.missing("path", "is missing", fix.to_owned());
}

fn surplus(section: Section<'_>, first: &str, key: &str) {
    let Some(entry) = section.entry(key) else { return };
    let what =
        format_args!("this source has `{first}` already: it reads one of path, stdin, listen and journal");
    section.wrong(key, what, &entry.key, "make it a source of its own".to_owned());
}

fn listen(section: Section<'_>) -> Option<Listen> {
    let found = section.string("listen")?;
    let place = found.from.place()?.clone();
    let at = match found.value.parse::<Endpoint>() {
        Ok(at) => absolute(at, &place),
        Err(error) => {
            section.wrong("listen", &error, &place, error.fix.clone());
            return None;
        }
    };
    section.settle("listen", Some(found.map(|_| at.to_string())), String::new());
    if at.is_public() {
        let what = "anybody who can send there can have any client banned: senders of UDP prove nothing";
        let fix = "listen at 127.0.0.1 or [::1], or let a firewall pass your servers only";
        section.warn("listen", what, Some(&place), fix);
    }
    let (owner, mode) = if at.path().is_some() { access(section) } else { (None, None) };
    Some(Listen { owner, mode: mode.unwrap_or(Listen::DEFAULT_MODE), ..Listen::new(at) })
}

fn absolute(at: Endpoint, place: &Place) -> Endpoint {
    let absolute = |path: std::path::PathBuf| clean(&place.text.base().join(path));
    match at {
        Endpoint::UnixDatagram(path) => Endpoint::UnixDatagram(absolute(path)),
        Endpoint::UnixStream(path) => Endpoint::UnixStream(absolute(path)),
        udp @ Endpoint::Udp(_) => udp,
    }
}

/// Who may send to a unix socket.
fn access(section: Section<'_>) -> (Option<String>, Option<u32>) {
    (output::owner(section, "that of the process"), output::mode(section, "0660"))
}

/// Units, or matches; an entry that one of them takes is read.
fn journal(section: Section<'_>) -> Option<JournalInput> {
    const FIX: &str = "write \"nginx\", or \"_SYSTEMD_UNIT=ssh.service + _COMM=sshd\"";
    let found = section.strings("journal")?;
    let mut matches = Vec::new();
    for text in &found {
        match (JournalInput::matches_in(&text.value), text.from.place()) {
            (Ok(read), _) => matches.extend(read),
            (Err(error), Some(place)) => {
                section.wrong("journal", error, place, FIX.to_owned());
                return None;
            }
            (Err(_), None) => return None,
        }
    }
    if let (true, Some(node)) = (found.is_empty(), section.node("journal"))
        && node.items().is_empty()
    {
        section.wrong("journal", "names nothing", &node.place, FIX.to_owned());
        return None;
    }
    section.settle_list("journal", Some(found), || (Vec::new(), ""));
    (!matches.is_empty()).then_some(JournalInput { matches, prefixed: false })
}

/// What `journal` is to read, as it is shown; the error says what is wrong with it.
pub fn journal_match(text: &str) -> Result<String, String> {
    let read = text.parse::<JournalInput>().map_err(|error| error.to_string());
    read.map(|read| read.to_string())
}

fn only_where_it_means_something(section: Section<'_>, key: &str, input: Option<&Input>) {
    let is_socket = matches!(input, Some(Input::Listen(listen)) if listen.at.path().is_some());
    let unknown = input.is_none() && key == "listen";
    let foreign = |own: &str, why: &str| {
        if let Some(entry) = section.entry(own) {
            section.wrong(own, format_args!("means nothing for `{key}`"), &entry.key, why.to_owned());
        }
    };
    if !is_socket && !unknown {
        foreign("owner", "remove it: only a unix socket under `listen` has it");
        foreign("mode", "remove it: only a unix socket under `listen` has it");
    }
    if matches!(key, "stdin" | "listen") {
        foreign("read", "remove it: what arrives is read from now on");
    }
}
