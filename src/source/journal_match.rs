//! Which entries of the systemd journal a source reads: those of units, or those whose fields match, in the words of
//! `journalctl` and of fail2ban's `journalmatch`.

use std::fmt;
use std::str::FromStr;

/// What is read of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalInput {
    /// An entry that one of these takes is read.
    pub matches: Vec<JournalMatch>,
    /// Whether lines begin with host, program and process (`web sshd[7]: …`), as raw patterns of fail2ban's expect
    /// them, and as a log file has them behind the time; else they are what was logged.
    pub prefixed: bool,
}

/// Entries of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalMatch {
    /// Of a unit: what its processes log, and what systemd says of it.
    Unit(String),
    /// With all of these fields, each `FIELD=value`; of those with the same name one is enough.
    Fields(Vec<String>),
}

/// Something that takes no entries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JournalMatchError {
    what: String,
}

/// What systemd completes a name without one of these to: `.service`.
const KINDS: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

impl JournalInput {
    /// Reads `nginx`, or `_SYSTEMD_UNIT=ssh.service + _COMM=sshd`: fields that must all match, `+` between what is as
    /// good. Quotes hold a value together that has blanks.
    pub fn matches_in(text: &str) -> Result<Vec<JournalMatch>, JournalMatchError> {
        let mut matches = Vec::new();
        let words = words(text)?;
        for alternative in words.split(|word| word == "+") {
            matches.push(match alternative {
                [] => return Err(wrong(format!("`{text}` has nothing on one side of a `+`"))),
                [unit] if !unit.contains('=') => JournalMatch::Unit(checked_unit(unit)?),
                fields => JournalMatch::Fields(fields.iter().map(checked_field).collect::<Result<_, _>>()?),
            });
        }
        Ok(matches)
    }

    /// What journalctl is asked with. As fail2ban has it, matches look at the system's journal alone: what users' own
    /// processes log can say anything.
    pub(super) fn arguments(&self) -> Vec<String> {
        let unit = |one: &JournalMatch| match one {
            JournalMatch::Unit(unit) => Some(format!("--unit={unit}")),
            JournalMatch::Fields(_) => None,
        };
        if let Some(units) = self.matches.iter().map(unit).collect() {
            return units;
        }
        let mut arguments = vec!["--system".to_owned()];
        for (at, one) in self.matches.iter().enumerate() {
            arguments.extend((at > 0).then(|| "+".to_owned()));
            match one {
                JournalMatch::Unit(unit) => arguments.push(format!("_SYSTEMD_UNIT={}", whole_name(unit))),
                JournalMatch::Fields(fields) => arguments.extend(fields.iter().cloned()),
            }
        }
        arguments
    }
}

impl FromStr for JournalInput {
    type Err = JournalMatchError;

    /// Messages as they are.
    fn from_str(text: &str) -> Result<Self, JournalMatchError> {
        Ok(Self { matches: Self::matches_in(text)?, prefixed: false })
    }
}

/// As it can be read again.
impl fmt::Display for JournalInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.matches.iter().enumerate() {
            f.write_str(if at > 0 { " + " } else { "" })?;
            match one {
                JournalMatch::Unit(unit) => f.write_str(unit)?,
                JournalMatch::Fields(fields) => {
                    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
                    f.write_str(&fields.join(" "))?;
                }
            }
        }
        Ok(())
    }
}

fn wrong(what: String) -> JournalMatchError {
    JournalMatchError { what }
}

/// Words, separated by blanks outside of quotes.
fn words(text: &str) -> Result<Vec<String>, JournalMatchError> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(wrong(format!("`{text}` has a quote that does not end")));
    }
    words.extend(word);
    Ok(words)
}

/// systemd's own characters for unit names.
fn checked_unit(unit: &String) -> Result<String, JournalMatchError> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "@:-_.\\".contains(c);
    let fits = !unit.is_empty() && unit.chars().all(is_legal);
    if fits { Ok(unit.clone()) } else { Err(wrong(format!("`{unit}` is no name of a unit"))) }
}

/// The journal's field names are of capitals, digits and `_`.
fn checked_field(field: &String) -> Result<String, JournalMatchError> {
    let is_legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let Some((name, value)) = field.split_once('=') else {
        return Err(wrong(format!("`{field}` is no `FIELD=value`")));
    };
    if name.is_empty() || !name.chars().all(is_legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong(format!("`{name}` is no field of the journal")));
    }
    if value.contains(char::is_control) || (value.contains('"') && value.contains('\'')) {
        return Err(wrong(format!("the value of `{name}` cannot be written")));
    }
    Ok(field.clone())
}

fn whole_name(unit: &str) -> String {
    let kind = unit.rsplit_once('.').map(|(_, kind)| kind);
    if kind.is_some_and(|kind| KINDS.contains(&kind)) { unit.to_owned() } else { format!("{unit}.service") }
}

fn quoted(field: &str) -> String {
    let (name, value) = field.split_once('=').unwrap_or((field, ""));
    match value {
        _ if value.contains('"') => format!("{name}='{value}'"),
        _ if value.contains('\'') || value.contains(char::is_whitespace) => format!("{name}=\"{value}\""),
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        text.parse::<JournalInput>().unwrap().arguments()
    }

    #[test]
    fn units_and_matches_are_what_journalctl_understands() {
        assert_eq!(arguments("nginx"), ["--unit=nginx"]);
        assert_eq!(arguments("ssh + sshd.service"), ["--unit=ssh", "--unit=sshd.service"]);
        assert_eq!(
            arguments("_SYSTEMD_UNIT=sshd.service + _COMM=sshd"),
            ["--system", "_SYSTEMD_UNIT=sshd.service", "+", "_COMM=sshd"]
        );
        assert_eq!(
            arguments("ssh + run-x.mount + SYSLOG_IDENTIFIER=\"a b\" PRIORITY=5"),
            [
                "--system",
                "_SYSTEMD_UNIT=ssh.service",
                "+",
                "_SYSTEMD_UNIT=run-x.mount",
                "+",
                "SYSLOG_IDENTIFIER=a b",
                "PRIORITY=5"
            ]
        );
    }

    #[test]
    fn no_text_becomes_an_option_of_journalctl() {
        for (text, what) in [
            ("", "nothing on one side"),
            ("a +", "nothing on one side"),
            ("--file=/etc/shadow", "`--file` is no field"),
            ("--x", "no name"),
            ("/usr/sbin/sshd", "no name of a unit"),
            ("a b", "no `FIELD=value`"),
            ("_comm=sshd", "no field"),
            ("1A=x", "no field"),
            ("=x", "no field"),
            ("_COMM='a", "quote that does not end"),
            ("A=a\u{1b}", "cannot be written"),
        ] {
            let told = JournalInput::matches_in(text).map_err(|error| error.to_string());
            // A hyphen is one of a unit's characters, and nothing of it stands alone: `--unit=--x`.
            match told {
                Ok(matches) => assert_eq!(matches, [JournalMatch::Unit("--x".to_owned())], "{text}"),
                Err(told) => assert!(told.contains(what), "{text}: {told}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(text in r#"[A-C]=[ab "'+=]{0,8}( [+] | )[a-c_]{1,3}(=[x']{0,2})?"#) {
            if let Ok(read) = text.parse::<JournalInput>() {
                prop_assert_eq!(read.to_string().parse::<JournalInput>().unwrap(), read);
            }
        }
    }
}
