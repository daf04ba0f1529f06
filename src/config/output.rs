//! `[output.NAME]`.

use std::path::{Path, PathBuf};

use super::found::{Found, Origin, Reading};
use super::keys;
use super::problem::Problem;
use super::reload;
use super::section::{Section, one_of};
use super::text::Place;
use crate::publish::{Kind, Reload, Settings, Style};
use crate::record::ClientFrom;
use crate::terms::{OutputName, nearest};

/// The kinds that this version writes.
const KINDS: [&str; 3] = ["nginx-geo", "apache-rewritemap", "list"];

/// Kinds that are planned.
const LATER_KINDS: [&str; 8] =
    ["haproxy-map", "apache-dbm", "nftables", "ipset", "iptables", "firewall", "command", "ssh"];

const DEFAULT_VARIABLE: &str = "bad_user";

/// What an output's defaults depend on.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    /// The state directory.
    pub(super) state: &'a Path,
    /// `nginx -t` works for root only.
    pub(super) root: bool,
}

/// An output, and where its path was written: two must not share one.
pub(super) struct Placed {
    pub(super) settings: Settings,
    pub(super) path_from: Origin,
    /// The server looks the client up by the header that sources take it from.
    pub(super) compares_client: bool,
    /// Where its owner was written.
    pub(super) owner_at: Option<Place>,
    pub(super) place: Option<Place>,
}

/// Every output by name; names that cannot be used are reported.
pub(super) fn read_all(reading: &Reading, all: Section<'_>, host: Host<'_>) -> Vec<Placed> {
    let mut outputs = Vec::new();
    for (name, entry) in all.entries() {
        let header = format!("output.{name}");
        let Some(section) = Section::of_one(reading, &header, entry) else { continue };
        match name.parse() {
            Ok(parsed) => outputs.extend(read(section, parsed, host)),
            Err(error) => reading.report(Problem::error(format!("output {error}")).at(entry.key.clone())),
        }
    }
    outputs
}

fn read(section: Section<'_>, name: OutputName, host: Host<'_>) -> Option<Placed> {
    section.only(keys::OUTPUT);
    let kind = kind(section);
    let path = section.path("path").and_then(|path| usable_path(section, path));
    let default = kind.as_ref().map(|kind| default_path(kind, &name, host.state)).unwrap_or_default();
    let path_from = path.as_ref().map_or(Origin::Default(""), |path| path.from.clone());
    let path = section.settle("path", path, default);
    let is_nginx = matches!(kind, Some(Kind::NginxGeo { .. }));
    let min_interval =
        section.settle_optional("min_interval", section.span("min_interval"), "adapts to the server");
    let reload = reload::read(section, is_nginx);
    let validate = reload::validate(section, is_nginx, default_validate(is_nginx, &reload, host));
    let error_log = error_log(section, is_nginx);
    let owner = owner(section, "as the old file has it");
    let mode = mode(section, "as the old file has it, 0644 for a new one");
    let settings =
        Settings { name, kind: kind?, path, min_interval, validate, reload, error_log, owner, mode };
    let compares_client = compares_client(section, &settings.kind);
    let owner_at = section.node("owner").map(|node| node.place.clone());
    Some(Placed { settings, path_from, compares_client, owner_at, place: section.place.cloned() })
}

/// What the server looks up: the address that connects to it (or that it took for that itself), or the client of a header.
/// Nobody knows what reads a `list`.
fn compares_client(section: Section<'_>, kind: &Kind) -> bool {
    if let (Kind::List, Some(entry)) = (kind, section.entry("compares")) {
        section.wrong("compares", "means nothing for kind \"list\"", &entry.key, "remove it".to_owned());
    }
    if matches!(kind, Kind::List) {
        return true;
    }
    let found = section.choice("compares", &[(ClientFrom::REMOTE_ADDR, false), ("client", true)]);
    // What cannot be read is told as it is, and nothing follows from it.
    let unread = found.is_none() && section.node("compares").is_some();
    let is_client = unread || found.as_ref().is_some_and(|found| found.value);
    let word = if is_client { "client" } else { ClientFrom::REMOTE_ADDR };
    section.settle("compares", found.map(|found| found.map(|_| word.to_owned())), word.to_owned());
    is_client
}

fn kind(section: Section<'_>) -> Option<Kind> {
    let Some(node) = section.node("kind") else {
        section.missing("kind", "is missing", format!("the kinds are {}", one_of(&KINDS)));
        return None;
    };
    let word = section.text("kind", node)?;
    if !KINDS.contains(&word.value.as_str()) {
        unknown_kind(section, &word.value, &node.place);
        return None;
    }
    let word = section.settle("kind", Some(word), String::new());
    let variable = variable(section, &word);
    let style = style(section, &word);
    match word.as_str() {
        "nginx-geo" => Some(Kind::NginxGeo { variable, style }),
        "apache-rewritemap" => Some(Kind::ApacheRewritemap),
        _ => Some(Kind::List),
    }
}

fn unknown_kind(section: Section<'_>, word: &str, place: &Place) {
    if LATER_KINDS.contains(&word) {
        let fix = format!("this version writes {}", one_of(&KINDS));
        section.wrong("kind", format_args!("`{word}` is not supported by this version"), place, fix);
        return;
    }
    let begins = KINDS.into_iter().find(|kind| kind.starts_with(word));
    let meant = begins.or_else(|| nearest(word, KINDS)).map(|meant| format!("did you mean \"{meant}\"?"));
    let fix = meant.unwrap_or_else(|| format!("the kinds are {}", one_of(&KINDS)));
    section.wrong("kind", format_args!("there is no kind `{word}`"), place, fix);
}

/// Reports a key that only an nginx output has.
fn only_nginx(section: Section<'_>, key: &str, kind: &str) -> bool {
    let foreign = kind != "nginx-geo";
    if let (true, Some(entry)) = (foreign, section.entry(key)) {
        let what = format_args!("means nothing for kind \"{kind}\"");
        section.wrong(key, what, &entry.key, "remove it: only \"nginx-geo\" has it".to_owned());
    }
    !foreign
}

fn variable(section: Section<'_>, kind: &str) -> String {
    if !only_nginx(section, "variable", kind) {
        return String::new();
    }
    let found = section.string("variable").filter(|found| is_variable(section, found));
    section.settle("variable", found, DEFAULT_VARIABLE.to_owned())
}

/// nginx takes letters, digits and `_` in a variable's name; digits alone are captures of a pattern.
fn is_variable(section: Section<'_>, found: &Found<String>) -> bool {
    let name = found.value.as_str();
    let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if let (false, Some(place)) = (legal, found.from.place()) {
        let fix = match name.strip_prefix('$') {
            Some(bare) => format!("write it without `$`: \"{bare}\""),
            None => "letters, digits and `_`, not beginning with a digit".to_owned(),
        };
        section.wrong("variable", format_args!("`{name}` is no name for an nginx variable"), place, fix);
    }
    legal
}

fn style(section: Section<'_>, kind: &str) -> Style {
    if !only_nginx(section, "style", kind) {
        return Style::default();
    }
    let found = section.choice("style", &[("block", Style::Block), ("include", Style::Include)]);
    let style = found.as_ref().map_or(Style::default(), |found| found.value);
    let word = if style == Style::Include { "include" } else { "block" };
    section.settle("style", found.map(|found| found.map(|_| word.to_owned())), word.to_owned());
    style
}

/// A path that a file can be written to, as far as its text tells.
fn usable_path(section: Section<'_>, found: Found<PathBuf>) -> Option<Found<PathBuf>> {
    let place = found.from.place()?;
    if found.value.file_name().is_none() || place.excerpt().trim_matches(['"', '\'']).ends_with('/') {
        section.wrong("path", "names a directory", place, "name the file inside it".to_owned());
        return None;
    }
    Some(found)
}

fn default_path(kind: &Kind, name: &OutputName, state: &Path) -> PathBuf {
    state.join("out").join(match kind {
        Kind::NginxGeo { .. } => format!("{name}.conf"),
        Kind::ApacheRewritemap => format!("{name}-banned"),
        Kind::List => format!("{name}.txt"),
    })
}

/// The operator's own check, where it can succeed: as root, with nginx at hand, for a server that we reload.
fn default_validate(is_nginx: bool, reload: &Reload, host: Host<'_>) -> Option<Vec<String>> {
    let reloads = !matches!(reload, Reload::None | Reload::External);
    let usable = is_nginx && reloads && host.root && is_installed("nginx");
    usable.then(|| ["nginx", "-t", "-q"].map(str::to_owned).to_vec())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn error_log(section: Section<'_>, is_nginx: bool) -> Option<PathBuf> {
    let usual = PathBuf::from("/var/log/nginx/error.log");
    let default =
        (is_nginx && usual.exists()).then_some(Found { value: usual, from: Origin::Default("it exists") });
    section.settle_optional("error_log", section.path("error_log").or(default), "unknown")
}

/// Whose a file or socket is to be; `about` says whose it is otherwise.
pub(super) fn owner(section: Section<'_>, about: &'static str) -> Option<String> {
    let found = section.string("owner").filter(|found| {
        let usable = is_owner(&found.value);
        if let (false, Some(place)) = (usable, found.from.place()) {
            let what = format_args!("`{}` names no user or group", found.value);
            section.wrong("owner", what, place, "write \"user\", \"user:group\" or \":group\"".to_owned());
        }
        usable
    });
    section.settle_optional("owner", found, about)
}

fn is_owner(text: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == ':');
    match text.split_once(':') {
        None => is_name(text),
        Some((user, group)) => (user.is_empty() || is_name(user)) && is_name(group),
    }
}

/// The permission bits of a file or socket; `about` says which it has otherwise.
pub(super) fn mode(section: Section<'_>, about: &'static str) -> Option<u32> {
    let found = section.node("mode").and_then(|_| mode_bits(section));
    let shown =
        found.as_ref().map(|found| Found { value: format!("{:04o}", found.value), from: found.from.clone() });
    section.settle_optional("mode", shown, about);
    found.map(|found| found.value)
}

fn mode_bits(section: Section<'_>) -> Option<Found<u32>> {
    let node = section.node("mode")?;
    let wrong = |what: &str| {
        section.wrong("mode", what, &node.place, "write it as an octal text: mode = \"0640\"".to_owned());
    };
    let super::node::Value::String(text) = &node.value else {
        wrong("must be a text of octal digits");
        return None;
    };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| digits && *bits <= 0o777);
    match bits {
        None => wrong("is no file mode"),
        Some(bits) if bits & 0o400 == 0 => wrong("does not let its owner read it"),
        Some(_) => {}
    }
    bits.filter(|bits| bits & 0o400 != 0).map(|bits| Found::written(bits, &node.place))
}
