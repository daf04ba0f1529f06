//! A date pattern in Python's syntax becomes one of the linear engine: fields are filled in, and what the two engines
//! write differently is rewritten.

use super::{token, written};

/// A translated pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) regex: String,
    /// Whether it has a group of its own without a name: then the first group is what is cut, else the whole.
    pub(super) grouped: bool,
    /// Whether a field is a name (`%b`, `%p`): such a pattern is read without regard to case as a whole.
    pub(super) named: bool,
}

/// Translates; the error names a field that there is not.
pub(super) fn translate(body: &str) -> Result<Translated, String> {
    let mut reading =
        Reading { rest: body, regex: String::new(), grouped: false, named: false, in_class: false };
    while let Some(next) = reading.rest.chars().next() {
        reading.step(next)?;
    }
    let Reading { regex, grouped, named, .. } = reading;
    Ok(Translated { regex, grouped, named })
}

struct Reading<'p> {
    rest: &'p str,
    regex: String,
    grouped: bool,
    named: bool,
    in_class: bool,
}

impl Reading<'_> {
    fn step(&mut self, next: char) -> Result<(), String> {
        match next {
            '\\' => self.escape(),
            '%' => return self.field(),
            _ if self.in_class => self.class_member(next),
            '[' => self.open_class(),
            '{' => self.brace(),
            '(' => {
                self.grouped |= !self.rest.starts_with("(?");
                self.copy(1);
            }
            _ => self.copy(next.len_utf8()),
        }
        Ok(())
    }

    /// Takes this many bytes over as they are.
    fn copy(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.regex.push_str(taken);
        self.rest = rest;
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// `\<` is a bracket in Python and a word's start here; `\Z` is written `\z`; other letters mean the same.
    fn escape(&mut self) {
        match self.rest.as_bytes().get(1) {
            Some(bracket @ (b'<' | b'>')) => {
                self.regex.push(char::from(*bracket));
                self.skip(2);
            }
            Some(b'Z') => {
                self.regex.push_str(r"\z");
                self.skip(2);
            }
            _ => {
                self.copy(1);
                let escaped = self.rest.chars().next().map_or(0, char::len_utf8);
                self.copy(escaped);
            }
        }
    }

    /// A field, or `%%` for a percent sign.
    fn field(&mut self) -> Result<(), String> {
        self.skip(1);
        let (name, rest) = field_name(self.rest);
        self.rest = rest;
        self.named |= token::is_name(name);
        if name == "%" {
            self.regex.push('%');
        } else if let Some(long) = token::long(name) {
            let long = translate(long)?;
            self.named |= long.named;
            self.regex.push_str(&long.regex);
        } else {
            let regex = token::regex(name)
                .ok_or_else(|| format!("%{name} is no field of a date (a plain percent sign is %%)"))?;
            self.regex.push_str(&regex);
        }
        Ok(())
    }

    /// In Python a class ends at its first bracket that is not its first character, and holds any other as it is.
    fn open_class(&mut self) {
        self.in_class = true;
        let negated = self.rest.starts_with("[^");
        self.copy(1 + usize::from(negated));
        if self.rest.starts_with(']') {
            self.regex.push_str(r"\]");
            self.skip(1);
        }
    }

    fn class_member(&mut self, next: char) {
        self.in_class = next != ']';
        if "[&~".contains(next) {
            self.regex.push('\\');
        }
        self.copy(next.len_utf8());
    }

    /// A field in braces, a repetition, or the character itself.
    fn brace(&mut self) {
        if let Some((field, after)) = written::braced(self.rest) {
            self.regex.push_str(field);
            self.rest = after;
            return;
        }
        let inside = self.rest.split_once('}').and_then(|(inside, _)| inside.strip_prefix('{'));
        let repeats =
            |inside: &str| !inside.is_empty() && inside.chars().all(|c| c.is_ascii_digit() || c == ',');
        if !inside.is_some_and(repeats) {
            self.regex.push('\\');
        }
        self.copy(1);
    }
}

/// The name that a text after `%` begins with (one letter, or `Ex` and one), and what follows it.
fn field_name(text: &str) -> (&str, &str) {
    let letters = if text.starts_with("Ex") { 3 } else { 1 };
    let length = text.char_indices().nth(letters).map_or(text.len(), |(at, _)| at);
    text.split_at(length)
}
