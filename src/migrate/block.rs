//! One table of the configuration that is written: what is set, and what is only noted, line by line.

use super::words::flat;

/// A table.
#[derive(Debug, Default)]
pub(super) struct Block {
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Line {
    Set(String, String),
    Said(String),
}

impl Block {
    /// `key = value`; the value is TOML.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        self.lines.push(Line::Set(key.to_owned(), value.to_owned()));
    }

    /// Something of fail2ban's that is not carried over, and why.
    pub(super) fn note(&mut self, key: &str, value: &str, why: &str) {
        self.say(&format!("not carried over: {key} = {value} -- {why}"));
    }

    /// A line for the reader.
    pub(super) fn say(&mut self, text: &str) {
        let line = flat(text);
        if !self.lines.iter().any(|known| matches!(known, Line::Said(known) if *known == line)) {
            self.lines.push(Line::Said(line));
        }
    }

    /// The value that is set for a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| match line {
            Line::Set(known, value) if known == key => Some(value.as_str()),
            _ => None,
        })
    }

    /// Leaves out what `other` sets or says in the same words.
    pub(super) fn without(mut self, other: &Self) -> Self {
        self.lines.retain(|line| match line {
            Line::Set(key, value) => other.value(key) != Some(value),
            Line::Said(text) => {
                !other.lines.iter().any(|known| matches!(known, Line::Said(known) if known == text))
            }
        });
        self
    }

    /// Everything of another table behind what is there.
    pub(super) fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// Below `[header]`; what is left out of force is all comment.
    pub(super) fn render(&self, header: &str, in_force: bool) -> String {
        let mark = if in_force { "" } else { "# " };
        let line = |line: &Line| match line {
            Line::Set(key, value) => format!("{mark}{key} = {value}\n"),
            Line::Said(said) => format!("# {said}\n"),
        };
        format!("{mark}[{header}]\n") + &self.lines.iter().map(line).collect::<String>()
    }
}
