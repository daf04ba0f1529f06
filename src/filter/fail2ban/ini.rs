//! One configuration file of fail2ban's: sections of `key = value`, read as Python's `configparser` documents it.
//!
//! A value goes on in lines that are indented deeper than its key. `#` and `;` begin a comment line, ` ;` ends a line's
//! text. Keys do not know case. What stands twice in one file is an error, as it is there.

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// In lower case.
    pub(super) key: String,
    /// Its lines, without what indents them, joined by newlines.
    pub(super) value: String,
    /// Where the key stands, from 1.
    pub(super) line: usize,
}

/// A section and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    /// Where its header stands, from 1.
    pub(super) line: usize,
}

/// What is wrong, and at which line, from 1.
pub(super) type Wrong = (usize, String);

/// The value that lines are added to.
#[derive(Default)]
struct Open {
    lines: Vec<String>,
    indent: usize,
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Vec<Section>, Wrong> {
    let mut reading = Reading::default();
    for (index, line) in text.lines().enumerate() {
        reading.line(index + 1, line)?;
    }
    reading.close();
    Ok(reading.sections)
}

#[derive(Default)]
struct Reading {
    sections: Vec<Section>,
    open: Option<Open>,
}

impl Reading {
    fn line(&mut self, number: usize, written: &str) -> Result<(), Wrong> {
        let text = uncommented(written);
        let value = text.trim();
        if value.is_empty() {
            // A comment is no line of a value, an empty line is.
            if let Some(open) = self.open.as_mut().filter(|_| written.trim().is_empty()) {
                open.lines.push(String::new());
            }
            return Ok(());
        }
        let indent = indent_of(text);
        if let Some(open) = self.open.as_mut().filter(|open| indent > open.indent) {
            open.lines.push(value.to_owned());
            return Ok(());
        }
        self.close();
        match value.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.0)) {
            Some(name) => self.section(number, name),
            None => self.entry(number, value, indent),
        }
    }

    fn section(&mut self, line: usize, name: &str) -> Result<(), Wrong> {
        if let Some(first) = self.sections.iter().find(|section| section.name == name) {
            return Err((line, format!("[{name}] stands twice in this file (first at line {})", first.line)));
        }
        self.sections.push(Section { name: name.to_owned(), entries: Vec::new(), line });
        Ok(())
    }

    fn entry(&mut self, line: usize, text: &str, indent: usize) -> Result<(), Wrong> {
        let Some(at) = text.find(['=', ':']) else {
            return Err((line, format!("`{text}` is neither a [section] nor `key = value`")));
        };
        let key = text[..at].trim_end().to_lowercase();
        let Some(section) = self.sections.last_mut() else {
            return Err((line, format!("`{key}` stands before the first [section]")));
        };
        if let Some(first) = section.entries.iter().find(|entry| entry.key == key) {
            let first = first.line;
            return Err((
                line,
                format!("`{key}` stands twice in [{}] (first at line {first})", section.name),
            ));
        }
        section.entries.push(Entry { key, value: String::new(), line });
        self.open = Some(Open { lines: vec![text[at + 1..].trim().to_owned()], indent });
        Ok(())
    }

    /// Ends the value that is open: empty lines behind it are none of it.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let entry = self.sections.last_mut().and_then(|section| section.entries.last_mut());
        if let Some(entry) = entry {
            open.lines.join("\n").trim_end().clone_into(&mut entry.value);
        }
    }
}

fn indent_of(text: &str) -> usize {
    text.chars().take_while(|c| c.is_whitespace()).count()
}

/// The line without its comment.
fn uncommented(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let inline = line.match_indices(';').find(|(at, _)| line[..*at].ends_with(char::is_whitespace));
    inline.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, String, usize)> {
        let flat = |section: Section| {
            let name = section.name;
            section.entries.into_iter().map(move |e| (name.clone(), e.key, e.value, e.line))
        };
        read(text).unwrap().into_iter().flat_map(flat).collect()
    }

    fn entry(section: &str, key: &str, value: &str, line: usize) -> (String, String, String, usize) {
        (section.to_owned(), key.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn values_go_on_in_indented_lines_around_comments() {
        let text = "# top\n[Definition]\nFailRegex = ^a ; words\n   # inside\n\n    ^b;c\n  ;other\n\t^d = e\n\nmode: x\n[Init]\nx =\n";
        assert_eq!(
            values(text),
            [
                entry("Definition", "failregex", "^a\n\n^b;c\n^d = e", 3),
                entry("Definition", "mode", "x", 10),
                entry("Init", "x", "", 12),
            ]
        );
    }

    #[test]
    fn a_key_less_indented_than_the_last_one_is_a_key() {
        assert_eq!(values("[A]\n  b = c\n  d = e\n").len(), 2);
        assert_eq!(values("[A]\n  b = c\n   d = e\n"), [entry("A", "b", "c\nd = e", 2)]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, line, words) in [
            ("a = b\n", 1, "before the first"),
            ("[A]\nb\n", 2, "neither"),
            ("[A]\nb = c\nB = d\n", 3, "`b` stands twice in [A] (first at line 2)"),
            ("[A]\n[B]\n[A]\n", 3, "[A] stands twice"),
        ] {
            let (at, message) = read(text).unwrap_err();
            assert_eq!(at, line, "{text}");
            assert!(message.contains(words), "{message}");
        }
    }
}
