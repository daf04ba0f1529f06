//! `ignoreip` and `trusted_proxies`: lists of addresses, prefixes and files of them.

use super::found::{Found, Origin};
use super::section::Section;
use crate::resolve::ListEntry;

/// The entries of a list that can be used.
pub(super) fn read(section: Section<'_>, key: &str) -> Vec<Found<ListEntry>> {
    let texts = section.strings(key).unwrap_or_default();
    texts.into_iter().filter_map(|text| entry(section, key, &text)).collect()
}

fn entry(section: Section<'_>, key: &str, text: &Found<String>) -> Option<Found<ListEntry>> {
    let place = text.from.place()?;
    let origin = format!("{key} of [{}] ({})", section.name, place.origin());
    match ListEntry::read(&text.value, &place.text.base(), origin.into()) {
        Ok(entry) => {
            if matches!(&entry, ListEntry::Prefix { prefix, .. } if prefix.length() == 0) {
                let what = format_args!("`{}` holds every address: nobody would be banned", text.value);
                section.warn(key, what, Some(place), "name only those that must never be banned");
            }
            Some(Found::written(entry, place))
        }
        Err(error) => {
            section.wrong(key, error, place, None);
            None
        }
    }
}

/// Keeps a list for `--effective`, with the origin of each entry.
pub(super) fn show(section: Section<'_>, key: &str, entries: &[Found<ListEntry>]) {
    if entries.is_empty() {
        section.keep(key, toml::Value::Array(Vec::new()), &Origin::Default(""));
        return;
    }
    section.show_list(key, entries.iter().map(|found| (written(&found.value), found.from.to_string())));
}

fn written(entry: &ListEntry) -> toml::Value {
    toml::Value::String(match entry {
        ListEntry::Prefix { prefix, .. } => prefix.to_string(),
        ListEntry::File { path, .. } => format!("file:{}", path.display()),
        ListEntry::Name { name, .. } => format!("dns:{name}"),
    })
}
