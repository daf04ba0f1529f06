//! What a filter's values say once `%(name)s` and `<name>` are replaced.
//!
//! `%(name)s` is a parameter, or a value of the same section or of `[DEFAULT]`; `%(section/name)s` one of another section,
//! `%(known/name)s` the one that a file before has set. Then `<name>` is a parameter, or a value of `[Init]`, `[Definition]`
//! or `[DEFAULT]`, the innermost first; what names nothing stays as it is (`<HOST>` and its like: names are in lower case).

use super::files::{DEFAULT, Merged, Setting, Value};
use super::trouble::Trouble;

/// The section that the filter is in.
pub(super) const DEFINITION: &str = "Definition";
/// The section of values that are there to be set differently.
const INIT: &str = "Init";
/// No value is longer, once everything is replaced.
const LONGEST: usize = 256 << 10;
/// No value takes more replacements.
const MOST: usize = 4096;

/// Replaces names in a filter's values.
pub(super) struct Expander<'m> {
    pub(super) merged: &'m Merged,
    pub(super) parameters: &'m [(String, String)],
}

/// A value, and which of its setting's values it is: `known` means the one before.
#[derive(Clone, Copy)]
struct At<'m> {
    setting: &'m Setting,
    index: usize,
}

impl<'m> At<'m> {
    fn last(setting: &'m Setting) -> Self {
        Self { setting, index: setting.values.len().saturating_sub(1) }
    }

    fn value(self) -> Option<&'m Value> {
        self.setting.values.get(self.index)
    }
}

/// The names that are being replaced, to find the one that needs itself.
struct Trail<'t> {
    outer: Option<&'t Trail<'t>>,
    name: (String, usize),
}

impl Trail<'_> {
    fn holds(&self, name: &(String, usize)) -> bool {
        self.name == *name || self.outer.is_some_and(|outer| outer.holds(name))
    }
}

impl<'m> Expander<'m> {
    /// What a key of the filter says: a parameter, or of `[Init]`, `[Definition]`, `[DEFAULT]`. `None` where nobody sets it.
    pub(super) fn value(&self, key: &str) -> Result<Option<String>, Trouble> {
        match self.named(key, None)? {
            Some(text) => {
                let start = Trail { outer: None, name: (format!("<{key}>"), 0) };
                self.tags(text, key, &start).map(Some)
            }
            None => Ok(None),
        }
    }

    /// What a key of a section says, or of `[DEFAULT]` where the section does not set it, read in that section; `<name>`s stay.
    pub(super) fn in_its_section(&self, section: &str, key: &str) -> Result<Option<String>, Trouble> {
        let setting = self.merged.setting(section, key).or_else(|| self.merged.setting(DEFAULT, key));
        setting.map(|setting| self.interpolated(section, At::last(setting), None)).transpose()
    }

    /// Where a key of the filter is set: for what is wrong with its value.
    pub(super) fn place(&self, key: &str) -> Option<&'m Value> {
        self.setting(key).and_then(|setting| setting.values.last())
    }

    fn setting(&self, key: &str) -> Option<&'m Setting> {
        let holding = self.merged.settings.iter().find(|s| {
            s.section == INIT
                && s.key == key
                && s.condition.as_deref().is_some_and(|condition| self.holds(condition))
        });
        let plain = || [INIT, DEFINITION, DEFAULT].iter().find_map(|s| self.merged.setting(s, key));
        holding.or_else(plain)
    }

    /// Whether a parameter says what the condition of a section asks for.
    fn holds(&self, condition: &str) -> bool {
        let Some((key, value)) = condition.split_once('=') else { return false };
        self.parameter(key) == Some(value)
    }

    fn parameter(&self, key: &str) -> Option<&'m str> {
        self.parameters.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// What `<name>` stands for, its `%(…)s` replaced.
    fn named(&self, name: &str, trail: Option<&Trail<'_>>) -> Result<Option<String>, Trouble> {
        if let Some(value) = self.parameter(name) {
            return Ok(Some(value.to_owned()));
        }
        let setting = match name.split_once('/') {
            Some(("known", key)) => self.setting(key),
            Some((section, key)) => {
                self.merged.setting(section, key).or_else(|| self.merged.setting(DEFAULT, key))
            }
            None => self.setting(name),
        };
        let Some(setting) = setting else { return Ok(None) };
        // What stands in [DEFAULT] is read with the values of the filter itself.
        let section = if setting.section == DEFAULT { DEFINITION } else { &setting.section };
        self.interpolated(section, At::last(setting), trail).map(Some)
    }

    /// A value with its `%(…)s` replaced, in a section.
    fn interpolated(&self, section: &str, at: At<'m>, outer: Option<&Trail<'_>>) -> Result<String, Trouble> {
        let Some(value) = at.value() else { return Ok(String::new()) };
        let wrong = |what: String| Trouble::new(&value.file, value.line, &what);
        let name = (format!("{}/{}", at.setting.section, at.setting.key), at.index);
        if outer.is_some_and(|outer| outer.holds(&name)) {
            return Err(wrong(format!("%({})s needs itself", at.setting.key)));
        }
        let trail = Trail { outer, name };
        let (mut out, mut rest) = (String::new(), value.text.as_str());
        while let Some(percent) = rest.find('%') {
            out.push_str(&rest[..percent]);
            rest = &rest[percent + 1..];
            if let Some(behind) = rest.strip_prefix('%') {
                out.push('%');
                rest = behind;
                continue;
            }
            let named = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let Some((name, behind)) = named.and_then(|(name, b)| Some((name, b.strip_prefix('s')?))) else {
                let key = &at.setting.key;
                return Err(wrong(format!("`{key}`: a % is written %%, or begins %(name)s")));
            };
            let found = self.replacement(section, &name.to_lowercase(), at, &trail)?;
            out.push_str(&found.ok_or_else(|| {
                wrong(format!("`{}`: there is no value for %({name})s{}", at.setting.key, self.absent()))
            })?);
            rest = behind;
            if out.len() > LONGEST {
                return Err(wrong(format!("`{}` grows without end", at.setting.key)));
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn replacement(
        &self,
        section: &str,
        name: &str,
        at: At<'m>,
        trail: &Trail<'_>,
    ) -> Result<Option<String>, Trouble> {
        let own = |key: &str| self.merged.setting(section, key);
        let default = |key: &str| self.merged.setting(DEFAULT, key).map(At::last);
        let found = match name.split_once('/') {
            Some(("known", key)) => own(key).and_then(|setting| before(setting, at)).or_else(|| default(key)),
            Some(("default", key)) => default(key),
            Some((other, key)) => self.in_section(other, key).map(At::last).or_else(|| default(key)),
            None => match self.parameter(name) {
                Some(value) => return Ok(Some(value.to_owned())),
                None => own(name).map(At::last).or_else(|| default(name)),
            },
        };
        found.map(|found| self.interpolated(section, found, Some(trail))).transpose()
    }

    /// Sections know case, but the name that asks for one was put in lower case.
    fn in_section(&self, section: &str, key: &str) -> Option<&'m Setting> {
        let found = |s: &&Setting| s.section.to_lowercase() == section && s.key == key;
        self.merged.settings.iter().find(found)
    }

    fn absent(&self) -> String {
        let relevant = self.merged.absent.iter().filter(|path| path.extension().is_none_or(|e| e != "local"));
        let names: Vec<String> = relevant.map(|path| path.display().to_string()).collect();
        if names.is_empty() { String::new() } else { format!(" (not there: {})", names.join(", ")) }
    }

    /// A text with its `<name>`s replaced, the innermost first.
    fn tags(&self, mut text: String, key: &str, trail: &Trail<'_>) -> Result<String, Trouble> {
        let wrong = |what: String| match self.place(key) {
            Some(value) => Trouble::new(&value.file, value.line, &what),
            None => Trouble::new(self.merged.files.last().map_or("".as_ref(), |f| f), 1, &what),
        };
        let (mut from, mut replaced) = (0, 0);
        while let Some((start, end)) = innermost(&text, from) {
            let name = &text[start + 1..end - 1];
            let is_name = !name.chars().any(char::is_uppercase) || name.contains('/');
            let value = if is_name { self.named(name, None)? } else { None };
            let Some(value) = value else {
                from = start + 1;
                continue;
            };
            let inner = (format!("<{name}>"), 0);
            if trail.holds(&inner) {
                return Err(wrong(format!("`{key}`: <{name}> needs itself")));
            }
            let value = self.tags(value, key, &Trail { outer: Some(trail), name: inner })?;
            text.replace_range(start..end, &value);
            // What was replaced may complete the name around it.
            from = text[..start].rfind('<').unwrap_or(start).min(from);
            replaced += 1;
            if replaced > MOST || text.len() > LONGEST {
                return Err(wrong(format!("`{key}` grows without end")));
            }
        }
        Ok(text)
    }
}

/// The value of a setting that a file before has set; of the setting that asks, the one before its own.
fn before<'m>(setting: &'m Setting, at: At<'m>) -> Option<At<'m>> {
    let index = if std::ptr::eq(setting, at.setting) { at.index } else { setting.values.len() - 1 };
    index.checked_sub(1).map(|index| At { setting, index })
}

/// The first `<name>` at or after `from` that holds no other one: its place, brackets included.
fn innermost(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut start = None;
    for (at, c) in text[from..].char_indices().map(|(at, c)| (at + from, c)) {
        match (c, start) {
            ('<', _) => start = Some(at),
            ('>', Some(begin)) => return Some((begin, at + 1)),
            (' ' | '\n', _) => start = None,
            _ => {}
        }
    }
    None
}
