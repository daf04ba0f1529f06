//! `fields` of a source: under which path of a JSON line each field stands.

use super::found::{Found, Origin, Show, ShownValue};
use super::problem::Problem;
use super::section::Section;
use super::text::Place;
use crate::record::{Field, Format, JsonError, JsonFields};
use crate::terms::nearest;

/// The format of a source whose `format` is `named`: with `fields` it must be `json`, and is that mapping.
pub(super) fn read(section: Section<'_>, named: Option<Format>) -> Option<Format> {
    let Some(entry) = section.entry("fields") else {
        let about =
            if named == Some(Format::JsonUsual) { "the usual keys" } else { "for `format = \"json\"`" };
        section.reading.show(section.name, "fields", ShownValue::Unset(Origin::Default(about).to_string()));
        return named;
    };
    let header = format!("{}.fields", section.name);
    let mapping = pairs(section, Section::of_one(section.reading, &header, entry)?);
    if named != Some(Format::JsonUsual) {
        let fix = "write `format = \"json\"` with it, or leave `fields` out".to_owned();
        section.wrong("fields", "says where the fields of JSON lines stand", &entry.key, fix);
        return named;
    }
    let borrowed = mapping.iter().map(|(name, path)| (name.as_str(), path.as_str()));
    match Format::json(borrowed) {
        Ok(format) => Some(format),
        Err(error) => {
            refuse(section, &entry.key, &error);
            None
        }
    }
}

/// A mapping of which each pair can be used, and that cannot be used as a whole.
fn refuse(section: Section<'_>, place: &Place, error: &JsonError) {
    let fix = match error {
        JsonError::NoClient => {
            Some("add the key of the client's address: client = \"remote_addr\"".to_owned())
        }
        _ => None,
    };
    section.reading.report_missing(
        Problem::error(format!("[{}] fields: {error}", section.name)).at(place.clone()).fix(fix),
    );
}

/// Names and paths; those that cannot be used are reported. A list of paths is tried in its order.
fn pairs(source: Section<'_>, fields: Section<'_>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, entry) in fields.entries() {
        let paths = fields.strings(name).unwrap_or_default();
        let usable = |path: &Found<String>| is_usable(fields, name, &entry.key, path);
        let paths: Vec<Found<String>> = paths.into_iter().filter(usable).collect();
        let shown = format!("fields.{name}");
        if let ([only], [_]) = (paths.as_slice(), entry.node.items()) {
            source.keep(&shown, only.value.shown(), &only.from);
        } else if !paths.is_empty() {
            source.show_list(&shown, paths.iter().map(|path| (path.value.shown(), path.from.to_string())));
        }
        pairs.extend(paths.into_iter().map(|path| (name.clone(), path.value)));
    }
    pairs
}

fn is_usable(fields: Section<'_>, name: &str, key: &Place, path: &Found<String>) -> bool {
    match JsonFields::compile([("client", "client"), (name, path.value.as_str())]) {
        Ok(_) => true,
        Err(JsonError::Name(_)) => {
            let known = JsonFields::NAMES.into_iter().chain(Field::NAMES);
            let meant = nearest(name, known).map(|meant| format!("did you mean `{meant}`?"));
            let fix =
                meant.unwrap_or_else(|| "a field is named in lower case, with digits and `_`".to_owned());
            fields.wrong(name, "is no name of a field", key, fix);
            false
        }
        Err(error) => {
            fields.wrong(name, error, path.from.place().unwrap_or(key), None);
            false
        }
    }
}
