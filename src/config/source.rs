//! `[source.NAME]`.

use std::collections::HashMap;

use super::fields;
use super::format;
use super::found::Reading;
use super::input;
use super::jail::BANS;
use super::keys;
use super::patterns::Taken;
use super::problem::Problem;
use super::section::Section;
use super::settings::Source;
use crate::reader::HostFromPath;
use crate::record::ClientFrom;
use crate::source::{FileIdentity, FirstRead, Input, Settings, matching};
use crate::terms::SourceName;

const FIRST_READS: [(&str, FirstRead); 3] =
    [("recent", FirstRead::Recent), ("beginning", FirstRead::Beginning), ("end", FirstRead::End)];

pub(super) fn read(section: Section<'_>, name: SourceName, taken: &mut Taken) -> Option<Source> {
    section.only(keys::SOURCE);
    let mut input = input::read(section, &name, taken);
    let format = fields::read(section, format::read(section));
    let client = client(section);
    format::check_client(section, format.as_ref(), &client);
    let guard = section.settle("guard", section.boolean("guard"), true);
    let host = host_from_path(section, input.as_ref());
    if format::is_journal(section) {
        prefix(section, input.as_mut());
    }
    let arrives = matches!(input, Some(Input::Stdin | Input::Listen(_)));
    let read = if arrives { FirstRead::default() } else { first_read(section) };
    Some(Source { settings: Settings { name, input: input?, read }, format, client, guard, host })
}

/// `format = "journal"`: a journal's lines have their host and program in front.
fn prefix(section: Section<'_>, input: Option<&mut Input>) {
    match (input, section.node("format")) {
        (Some(Input::Journal(journal)), _) => journal.prefixed = true,
        (Some(_), Some(node)) => {
            let fix = "write \"raw\": those of files have it anyway".to_owned();
            section.wrong("format", "`journal` is about lines of the journal", &node.place, fix);
        }
        _ => {}
    }
}

/// The host that files are about, from their paths.
fn host_from_path(section: Section<'_>, input: Option<&Input>) -> Option<HostFromPath> {
    let found = section.string("host_from_path");
    let place = found.as_ref().and_then(|found| found.from.place());
    let wrong = |what: &dyn std::fmt::Display, fix: &str| {
        if let Some(place) = place {
            section.wrong("host_from_path", what, place, fix.to_owned());
        }
    };
    let read = found.as_ref().map(|found| HostFromPath::new(&found.value));
    if let Some(Err(error)) = &read {
        wrong(error, "write it as '/nginx/([^/]+)/': one group, which is the host; others as (?:…)");
    }
    if matches!(input, Some(input) if !matches!(input, Input::Files(_))) {
        wrong(&"means nothing here: only files have a path", "remove it");
    }
    if matches!(input, None | Some(Input::Files(_))) {
        section.settle_optional("host_from_path", found, "the host is what lines say");
    }
    read?.ok()
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

fn first_read(section: Section<'_>) -> FirstRead {
    let found = section.choice("read", &FIRST_READS);
    let read = found.as_ref().map_or(FirstRead::default(), |found| found.value);
    let word = FIRST_READS.iter().find(|(_, known)| *known == read).map_or("recent", |(word, _)| word);
    section.settle("read", found.map(|found| found.map(|_| word.to_owned())), word.to_owned());
    read
}

/// Every source by name; names that cannot be used are reported.
pub(super) fn read_all(reading: &Reading, all: Section<'_>) -> Vec<Source> {
    let mut taken = Taken::new();
    let mut sources = Vec::new();
    for (name, entry) in all.entries() {
        let header = format!("source.{name}");
        let Some(section) = Section::of_one(reading, &header, entry) else { continue };
        if name == BANS {
            let what =
                format!("[{header}]: `{BANS}` stands for the bans of other jails in `source` of a jail");
            let fix = "give the source another name".to_owned();
            reading.report(Problem::error(what).at(entry.key.clone()).fix(fix));
        }
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
