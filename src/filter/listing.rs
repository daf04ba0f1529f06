//! What a filter consists of, as text: for whoever tries it and wants to know which of its patterns does what.

use std::fmt;

use super::{Condition, ConditionSet, Engine, Filter, Matcher};

/// A rule or pattern of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key that it stands under: `rule`, `ignore`, `prefregex`, `failregex` or `ignoreregex`.
    pub key: &'static str,
    /// What it says, with every name replaced; host tags stay.
    pub text: String,
    /// What it runs on, where it is in fail2ban's language.
    pub engine: Option<Engine>,
}

impl Listed {
    /// Whether it makes offences, or exceptions from them; a prefregex does neither.
    pub fn is_exception(&self) -> Option<bool> {
        match self.key {
            "prefregex" => None,
            key => Some(key.starts_with("ignore")),
        }
    }
}

impl Filter {
    /// Its patterns, each kind in its order.
    pub fn listed(&self) -> Vec<Listed> {
        if let Some(language) = self.language() {
            let listed = |(key, text, engine): (_, &str, _)| Listed {
                key,
                text: text.to_owned(),
                engine: Some(engine),
            };
            return language.engines().into_iter().map(listed).collect();
        }
        let definition = self.definition();
        let rules = definition.rules.iter().map(|rule| listed("rule", rule));
        let ignore = definition.ignore.iter().map(|rule| listed("ignore", rule));
        let fail = definition.failregex.iter().map(|pattern| listed("failregex", pattern));
        let except = definition.ignoreregex.iter().map(|pattern| listed("ignoreregex", pattern));
        rules.chain(fail).chain(ignore).chain(except).collect()
    }
}

fn listed(key: &'static str, text: impl fmt::Display) -> Listed {
    Listed { key, text: text.to_string(), engine: None }
}

impl fmt::Display for ConditionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        separated(f, ", ", &self.0)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", self.key())?;
        match self.any.as_slice() {
            [only] => write!(f, "{only}"),
            any => {
                f.write_str("[")?;
                separated(f, ", ", any)?;
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regex(text) => write!(f, "'{text}'"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "\"{first}-{last}\""),
        }
    }
}

fn separated(f: &mut fmt::Formatter<'_>, between: &str, all: &[impl fmt::Display]) -> fmt::Result {
    for (number, one) in all.iter().enumerate() {
        write!(f, "{}{one}", if number == 0 { "" } else { between })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::compile;

    #[test]
    fn each_rule_and_pattern_is_told_as_it_is_written() {
        let text = |filter: &str| -> Vec<String> {
            let listed = compile(filter).listed();
            listed.into_iter().map(|one| format!("{}: {}", one.key, one.text)).collect()
        };
        assert_eq!(
            text(
                "rule = [{ path = '^/x', status = [401, \"500-599\"] }]\nignore = [{ user = { not = 'a' } }]"
            ),
            ["rule: path = '^/x', status = [401, \"500-599\"]", "ignore: user.not = 'a'"]
        );
        assert_eq!(
            text("failregex = ['^<HOST> x', '^<HOST> y']\nignoreregex = 'z'"),
            ["failregex: ^<HOST> x", "failregex: ^<HOST> y", "ignoreregex: z"]
        );
    }
}
