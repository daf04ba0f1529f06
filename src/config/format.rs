//! `format` and `escape` of a source: a name, or the server's own format string.

use super::found::Found;
use super::node::Value;
use super::section::{Section, one_of};
use crate::record::{ClientFrom, Format, FormatEscape, TemplateError};
use crate::terms::nearest;

/// A format that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongFormat {
    /// A format string that cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A word that is no format's name.
    #[error("`{name}` is no format")]
    Unknown {
        /// The word.
        name: String,
    },
    /// `escape` beside a name.
    #[error("`escape` goes with a format string; how `{name}` is escaped is known")]
    Escape {
        /// The format's name.
        name: String,
    },
}

impl WrongFormat {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Template(error) => error.fix.clone(),
            Self::Unknown { name } => {
                let names: Vec<&str> = format_names().collect();
                let meant =
                    nearest(name, names.iter().copied()).map(|meant| format!("did you mean \"{meant}\"?"));
                meant.unwrap_or_else(|| {
                    let names = names.join(", ");
                    format!("the formats are {names}, and the server's own log_format or LogFormat string")
                })
            }
            Self::Escape { .. } => "leave `escape` out".to_owned(),
        }
    }
}

/// Raw lines with what the journal says of them in front.
const JOURNAL: &str = "journal";

/// The names of formats that a configuration or a command may give, `auto` first.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("auto").chain(Format::NAMES).chain([JOURNAL])
}

/// The format that a name or a format string is; `auto` is none.
pub fn format_of(text: &str, escape: Option<FormatEscape>) -> Result<Option<Format>, WrongFormat> {
    let named = if text == JOURNAL { Some(Format::Raw) } else { Format::named(text) };
    if named.is_none() && text != "auto" {
        if text.contains(['$', '%']) {
            return Ok(Some(Format::compile(text, escape.unwrap_or_default())?));
        }
        return Err(WrongFormat::Unknown { name: text.to_owned() });
    }
    match escape {
        None | Some(FormatEscape::Default) => Ok(named),
        Some(_) => Err(WrongFormat::Escape { name: text.to_owned() }),
    }
}

/// Whether a source names the form of the journal's lines.
pub(super) fn is_journal(section: Section<'_>) -> bool {
    section.node("format").is_some_and(|node| matches!(&node.value, Value::String(text) if text == JOURNAL))
}

/// Reads both keys of a source.
pub(super) fn read(section: Section<'_>) -> Option<Format> {
    let escape = section.choice("escape", &FormatEscape::NAMES);
    let found = joined(section);
    let text = found.as_ref().map_or("auto", |found| found.value.as_str());
    let format = format_of(text, escape.as_ref().map(|found| found.value));
    if let Err(wrong) = &format {
        report(section, wrong, found.as_ref(), escape.as_ref());
    }
    let format = format.ok().flatten();
    if let Some(format) = &format {
        warn(section, format, found.as_ref());
    }
    section.settle("format", found, "auto".to_owned());
    let word = |escape: FormatEscape| escape.name().to_owned();
    section.settle("escape", escape.map(|found| found.map(word)), word(FormatEscape::Default));
    format
}

/// The text of `format`; a list is joined, as nginx joins its strings.
fn joined(section: Section<'_>) -> Option<Found<String>> {
    let node = section.node("format")?;
    let texts = section.strings("format")?;
    if texts.is_empty() {
        if node.items().is_empty() {
            section.wrong(
                "format",
                "holds no text",
                &node.place,
                "leave it out, or name a format".to_owned(),
            );
        }
        return None;
    }
    Some(Found::written(texts.into_iter().map(|text| text.value).collect(), &node.place))
}

fn report(
    section: Section<'_>,
    wrong: &WrongFormat,
    format: Option<&Found<String>>,
    escape: Option<&Found<FormatEscape>>,
) {
    let place = match wrong {
        WrongFormat::Escape { .. } => escape.and_then(|found| found.from.place()),
        _ => format.and_then(|found| found.from.place()),
    };
    let key = if matches!(wrong, WrongFormat::Escape { .. }) { "escape" } else { "format" };
    if let Some(place) = place {
        section.wrong(key, wrong, place, wrong.fix());
    }
}

/// What can be read, and is hardly meant so.
fn warn(section: Section<'_>, format: &Format, found: Option<&Found<String>>) {
    let Some(template) = format.template() else { return };
    let place = found.and_then(|found| found.from.place());
    if !template.forgeable().is_empty() {
        let variables: Vec<&str> = template.forgeable().iter().map(String::as_str).collect();
        let what = format_args!("with escape=none a client can write anything into {}", one_of(&variables));
        let fix = "let the server escape (leave escape=none out of its log_format): a line that can be read in more \
                   than one way counts for nobody, and so hides what its client did";
        section.warn("escape", what, place, fix);
    }
}

/// Reports a format string that has not what the client is taken from.
pub(super) fn check_client(section: Section<'_>, format: Option<&Format>, client: &ClientFrom) {
    let Some(template) = format.and_then(Format::template) else { return };
    let place = |key: &str| section.node(key).map(|node| node.place.clone());
    let names = format.map(Format::field_names).unwrap_or_default();
    let has = |field: &str| names.iter().any(|name| name == field);
    let tells = template.has_client() || (client.field().is_some() && has("peer"));
    if !tells && let Some(place) = place("format") {
        let what = "has no client address: no record of it would name anybody";
        let fix = "add `$remote_addr` (nginx) or `%a` (Apache) to the server's format";
        section.wrong("format", what, &place, fix.to_owned());
    }
}
