//! `NAME[mode=aggressive, logtype="short"]`: a filter's name, and the parameters it is used with.

/// A filter as a configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'n> {
    /// Without parameters.
    pub name: &'n str,
    /// In lower case, with their values, in the order of writing.
    pub parameters: Vec<(String, String)>,
}

impl<'n> Call<'n> {
    /// Takes a name apart. Values stand in `"…"` or `'…'` where they hold a comma or a bracket; several pairs of brackets
    /// follow each other. The error says what is wrong.
    pub fn read(text: &'n str) -> Result<Self, String> {
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(Self { name: text.trim(), parameters: Vec::new() });
        };
        let mut reading = Reading { rest };
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some((key, value)) = reading.parameter(text)? {
            parameters.retain(|(known, _)| *known != key);
            parameters.push((key, value));
        }
        Ok(Self { name: name.trim(), parameters })
    }

    /// The value of a parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

struct Reading<'n> {
    rest: &'n str,
}

impl<'n> Reading<'n> {
    /// The next `key=value`; `None` behind the last bracket.
    fn parameter(&mut self, whole: &str) -> Result<Option<(String, String)>, String> {
        self.skip(|c| c.is_whitespace() || c == ',');
        if let Some(behind) = self.rest.strip_prefix(']') {
            let behind = behind.trim_start();
            return match behind.strip_prefix('[') {
                Some(next) => {
                    self.rest = next;
                    self.parameter(whole)
                }
                None if behind.is_empty() => Ok(None),
                None => Err(format!("`{whole}`: `{behind}` stands behind the parameters")),
            };
        }
        let Some((key, value)) = self.rest.split_once('=') else {
            return Err(format!("`{whole}`: a parameter is written name=value, and `]` ends them"));
        };
        let key = key.trim();
        if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || "_-./?".contains(c)) {
            return Err(format!("`{whole}`: `{key}` is no parameter's name"));
        }
        self.rest = value.trim_start();
        let value = self.value().ok_or_else(|| format!("`{whole}`: the value of `{key}` does not end"))?;
        Ok(Some((key.to_lowercase(), value.to_owned())))
    }

    fn value(&mut self) -> Option<&'n str> {
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let (value, rest) = self.rest[1..].split_once(quote)?;
            self.rest = rest;
            return Some(value);
        }
        let end = self.rest.find([',', ']'])?;
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(value.trim_end())
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(skipped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<(String, String)>) {
        let call = Call::read(text).unwrap();
        (call.name.to_owned(), call.parameters)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_and_parameters_are_told_apart() {
        for (text, name, parameters) in [
            ("sshd", "sshd", pairs(&[])),
            ("sshd[]", "sshd", pairs(&[])),
            ("sshd[mode=aggressive]", "sshd", pairs(&[("mode", "aggressive")])),
            ("a[x = 1, Y='b]c,d' ,z=\"q=\"]", "a", pairs(&[("x", "1"), ("y", "b]c,d"), ("z", "q=")])),
            ("a[x=1][y=2]", "a", pairs(&[("x", "1"), ("y", "2")])),
            ("a[x=1, x=]", "a", pairs(&[("x", "")])),
        ] {
            assert_eq!(read(text), (name.to_owned(), parameters), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in ["a[x=1", "a[x]", "a[x=\"1]", "a[x=1]y", "a[=1]", "a[x y=1]"] {
            assert!(Call::read(text).unwrap_err().contains(text), "{text}");
        }
    }
}
