//! The patterns of files that a source reads, and who reads what.

use std::collections::BTreeMap;
use std::path::Path;

use glob::Pattern;

use super::found::Found;
use super::section::{Section, clean};
use crate::terms::SourceName;

/// What is read by which source: files by their patterns, everything else by what events call it.
pub(super) type Taken = BTreeMap<String, SourceName>;

/// The patterns under `path` or its alias.
pub(super) fn read(section: Section<'_>, key: &str, name: &SourceName, taken: &mut Taken) -> Vec<String> {
    let texts = section.strings(key).unwrap_or_default();
    if let (true, Some(node)) = (texts.is_empty(), section.node(key))
        && node.items().is_empty()
    {
        section.wrong(key, "names no file", &node.place, None);
    }
    let found: Vec<Found<String>> =
        texts.into_iter().filter_map(|text| pattern(section, key, text)).collect();
    for pattern in &found {
        claim(section, key, name, pattern, taken);
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
    Some(text.map(|pattern| clean(&Path::new(&base).join(pattern)).to_string_lossy().into_owned()))
}

/// Whatever is read is read by one source.
pub(super) fn claim(
    section: Section<'_>,
    key: &str,
    name: &SourceName,
    what: &Found<String>,
    taken: &mut Taken,
) {
    let other = taken.insert(what.value.clone(), name.clone());
    let (Some(other), Some(place)) = (other, what.from.place()) else { return };
    if other == *name {
        section.wrong(key, format_args!("`{}` is named twice", what.value), place, "remove one".to_owned());
        return;
    }
    let what = format_args!("`{}` is already read by [source.{other}]", what.value);
    let fix = "a file belongs to one source, and any number of jails can look at that";
    section.wrong(key, what, place, fix.to_owned());
}
