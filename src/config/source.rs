//! `[source.NAME]`.

use std::collections::{BTreeMap, HashMap};

use glob::Pattern;

use super::found::{Found, Reading};
use super::input;
use super::keys;
use super::problem::Problem;
use super::section::{Section, clean};
use super::settings::Source;
use crate::record::{ClientFrom, Format};
use crate::source::{FileIdentity, FirstRead, Input, Settings, matching};
use crate::terms::{SourceName, nearest};

/// A format by its name; `auto` is none.
pub fn format_named(name: &str) -> Option<Format> {
    Format::named(name)
}

/// The names of formats that a configuration or a command may give, `auto` first.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("auto").chain(Format::NAMES)
}

const FIRST_READS: [(&str, FirstRead); 3] =
    [("recent", FirstRead::Recent), ("beginning", FirstRead::Beginning), ("end", FirstRead::End)];

pub(super) fn read(
    section: Section<'_>,
    name: SourceName,
    taken: &mut BTreeMap<String, SourceName>,
) -> Option<Source> {
    section.only(keys::SOURCE);
    let input = input::read(section, &name, taken);
    let format = format(section);
    only_default(section, "escape", "default");
    let client = client(section);
    let guard = section.settle("guard", section.boolean("guard"), true);
    let arrives = matches!(input, Some(Input::Stdin | Input::Listen(_)));
    let read = if arrives { FirstRead::default() } else { first_read(section) };
    Some(Source { settings: Settings { name, input: input?, read }, format, client, guard })
}

/// The patterns under `path` or its alias.
pub(super) fn patterns(
    section: Section<'_>,
    key: &str,
    name: &SourceName,
    taken: &mut BTreeMap<String, SourceName>,
) -> Vec<String> {
    let texts = section.strings(key).unwrap_or_default();
    if let (true, Some(node)) = (texts.is_empty(), section.node(key))
        && node.items().is_empty()
    {
        section.wrong(key, "names no file", &node.place, None);
    }
    let found: Vec<Found<String>> =
        texts.into_iter().filter_map(|text| pattern(section, key, text)).collect();
    for pattern in &found {
        input::claim(section, key, name, pattern, taken);
    }
    section.settle_list("path", Some(found), || (Vec::new(), ""))
}

/// An absolute pattern. The directory that a relative one is joined to is no pattern itself.
fn pattern(section: Section<'_>, key: &str, text: Found<String>) -> Option<Found<String>> {
    let place = text.from.place()?.clone();
    if let Err(error) = Pattern::new(&text.value) {
        let what = format_args!("`{}` is no file pattern: {} (at byte {})", text.value, error.msg, error.pos);
        section.wrong(
            key,
            what,
            &place,
            "`*`, `?`, `[…]` and `**` as a whole directory are special".to_owned(),
        );
        return None;
    }
    if text.value.starts_with('/') {
        return Some(text);
    }
    let base = place.text.base();
    let Some(base) = base.to_str().map(Pattern::escape) else {
        section.wrong(key, "is relative to a directory whose name is not UTF-8", &place, None);
        return None;
    };
    Some(text.map(|pattern| clean(&std::path::Path::new(&base).join(pattern)).to_string_lossy().into_owned()))
}

fn format(section: Section<'_>) -> Option<Format> {
    let found = section.node("format").and_then(|node| {
        if let [item] = node.items() {
            return section.text("format", item);
        }
        unsupported_format(section, "lists of strings that make a log format are", &node.place);
        None
    });
    let format = found.as_ref().and_then(|found| named_format(section, found));
    section.settle("format", found, "auto".to_owned());
    format
}

fn named_format(section: Section<'_>, found: &Found<String>) -> Option<Format> {
    let (name, place) = (found.value.as_str(), found.from.place()?);
    let format = format_named(name);
    if format.is_some() || name == "auto" {
        return format;
    }
    if name.contains(['$', '%']) {
        unsupported_format(section, "a server's own log format string is", place);
        return None;
    }
    let names: Vec<&str> = format_names().collect();
    let meant = nearest(name, names.iter().copied()).map(|meant| format!("did you mean \"{meant}\"?"));
    let fix = meant.unwrap_or_else(|| format!("the formats are {}", names.join(", ")));
    section.wrong("format", format_args!("`{name}` is no format"), place, fix);
    None
}

fn unsupported_format(section: Section<'_>, what: &str, place: &super::text::Place) {
    let names: Vec<&str> = format_names().collect();
    let fix = format!("let the server log in one of these: {}", names.join(", "));
    section.wrong("format", format_args!("{what} not supported by this version"), place, fix);
}

/// Where the client stands; a header by the name that the format gives it.
fn client(section: Section<'_>) -> ClientFrom {
    let found = section.string("client");
    let client = found.as_ref().and_then(|found| match found.value.parse() {
        Ok(client) => Some(client),
        Err(error) => {
            let place = found.from.place()?;
            section.wrong("client", error, place, None);
            None
        }
    });
    section.settle("client", found, ClientFrom::REMOTE_ADDR.to_owned());
    client.unwrap_or_default()
}

/// A key whose other values come later.
fn only_default(section: Section<'_>, key: &str, default: &str) {
    let found = section.string(key);
    if let Some(found) = &found
        && let (true, Some(place)) = (found.value != default, found.from.place())
    {
        let what = format_args!("\"{}\" is not supported by this version", found.value);
        section.wrong(key, what, place, format!("leave it out, or write \"{default}\""));
    }
    section.settle(key, found, default.to_owned());
}

fn first_read(section: Section<'_>) -> FirstRead {
    let found = section.choice("read", &FIRST_READS);
    let read = found.as_ref().map_or(FirstRead::default(), |found| found.value);
    let word = FIRST_READS.iter().find(|(_, known)| *known == read).map_or("recent", |(word, _)| word);
    section.settle("read", found.map(|found| found.map(|_| word.to_owned())), word.to_owned());
    read
}

/// Every source by name; names that cannot be used are reported.
pub(super) fn read_all(reading: &Reading, all: Section<'_>) -> Vec<Source> {
    let mut taken = BTreeMap::new();
    let mut sources = Vec::new();
    for (name, entry) in all.entries() {
        let header = format!("source.{name}");
        let Some(section) = Section::of_one(reading, &header, entry) else { continue };
        match name.parse() {
            Ok(parsed) => sources.extend(read(section, parsed, &mut taken)),
            Err(error) => reading.report(Problem::error(format!("source {error}")).at(entry.key.clone())),
        }
    }
    shared_files(reading, all, &sources);
    sources
}

/// Reports the first file that two sources match now: its lines would count twice.
fn shared_files(reading: &Reading, all: Section<'_>, sources: &[Source]) {
    let mut read: HashMap<FileIdentity, &SourceName> = HashMap::new();
    for source in sources {
        let name = &source.settings.name;
        let files = matching(source.settings.patterns());
        let shared = files.iter().find_map(|(path, file)| Some((path, *read.get(file)?)));
        if let Some((path, other)) = shared {
            let what = format!(
                "[source.{name}] path: {} is already read by [source.{other}], and its lines would count twice",
                path.display()
            );
            let entry = all.entries().find(|(key, _)| *key == name.as_str());
            let fix = "make one of the two patterns match less; any number of jails can look at one source";
            reading.report(
                Problem::error(what).at(entry.map(|(_, entry)| entry.key.clone())).fix(fix.to_owned()),
            );
        }
        read.extend(files.into_iter().map(|(_, file)| (file, name)));
    }
}
