//! fail2ban's values, and TOML's: times, truths, lists, comments.

/// Units of fail2ban's times and their seconds, by their beginnings; the first that fits. A month and a year are what they
/// are there: the twelfth part of a year, and 365.25 days.
const UNITS: [(&[&str], f64); 7] = [
    (&["mo", "mon", "month", "months"], 2_629_800.0),
    (&["s", "ss", "se", "sec", "second", "seconds"], 1.0),
    (&["m", "mm", "mi", "min", "minute", "minutes"], 60.0),
    (&["h", "hh", "ho", "hou", "hour", "hours"], 3_600.0),
    (&["d", "dd", "da", "day", "days"], 86_400.0),
    (&["w", "ww", "we", "wee", "week", "weeks"], 604_800.0),
    (&["y", "yy", "ye", "yea", "year", "years"], 31_557_600.0),
];

/// The longest time that a configuration can hold: 100 years.
pub(super) const LONGEST: i64 = 36_525 * 86_400;

/// `1d 12h`, `600`, `-1`: seconds. `None` where it is something else.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('-') {
        return seconds(rest).map(|seconds| -seconds);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        total += number.parse::<f64>().ok()? * factor(unit)?;
        rest = next.trim_start();
    }
    (!text.is_empty() && total < 1e15).then_some(total as i64)
}

fn factor(unit: &str) -> Option<f64> {
    if unit.is_empty() {
        return Some(1.0);
    }
    let unit = unit.to_lowercase();
    UNITS.iter().find(|(names, _)| names.contains(&unit.as_str())).map(|(_, seconds)| *seconds)
}

/// A duration as TOML has it; what is beyond all bounds is forever.
pub(super) fn duration(seconds: i64) -> String {
    if !(0..=LONGEST).contains(&seconds) {
        return "\"forever\"".to_owned();
    }
    let unit = [(86_400, "d"), (3_600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds % unit == 0);
    match unit {
        Some((unit, name)) if seconds > 0 => format!("\"{}{name}\"", seconds / unit),
        _ => seconds.to_string(),
    }
}

/// Whether fail2ban takes it for true.
pub(super) fn is_true(text: &str) -> bool {
    matches!(text.trim().to_lowercase().as_str(), "1" | "on" | "true" | "yes")
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A list of texts; one alone stands for itself.
pub(super) fn list(texts: &[String]) -> String {
    match texts {
        [one] => quoted(one),
        _ => format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
    }
}

/// A text that fits into the line of a comment: what would end that line, or do something to a terminal, is a blank.
pub(super) fn flat(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The entries of a list, separated by blanks or commas.
pub(super) fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|entry| !entry.is_empty())
}

/// The calls of a value, as `action` has them: separated by blanks outside of brackets and quotes.
pub(super) fn calls(text: &str) -> Vec<String> {
    let mut calls = vec![String::new()];
    let (mut inside, mut quote) = (false, None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) if inside => quote = Some(c),
            ('[', None) => inside = true,
            (']', None) => inside = false,
            _ => {}
        }
        if c.is_whitespace() && !inside {
            calls.push(String::new());
        } else if let Some(call) = calls.last_mut() {
            call.push(c);
        }
    }
    calls.retain(|call| !call.is_empty());
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_fail2ban() {
        for (text, expected) in [
            ("600", Some(600)),
            ("10m", Some(600)),
            ("1d 12h", Some(129_600)),
            ("1h30m", Some(5_400)),
            ("1 hour 2min 3sec", Some(3_723)),
            ("1mo", Some(2_629_800)),
            ("1y", Some(31_557_600)),
            ("0.5h", Some(1_800)),
            ("-1", Some(-1)),
            ("", None),
            ("60*60", None),
            ("1x", None),
            ("m", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_the_shortest_text() {
        for (seconds, expected) in [
            (0, "0"),
            (59, "59"),
            (600, "\"10m\""),
            (172_800, "\"2d\""),
            (-1, "\"forever\""),
            (i64::MAX, "\"forever\""),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn calls_are_split_outside_of_brackets() {
        assert_eq!(calls("a[x=\"1 ]2\", y=3]\n  b c[z='q r']"), ["a[x=\"1 ]2\", y=3]", "b", "c[z='q r']"]);
    }

    #[test]
    fn a_comment_stays_one() {
        assert_eq!(flat("a\n[jail.x]\r\u{1b}[31m b\tc"), "a [jail.x] [31m b c");
    }
}
