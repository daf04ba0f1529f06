//! The `%` fields of a date pattern: what text each takes, and which part of a time it names.

/// A part of a time that a pattern's field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    YearDay,
    Weekday,
    WeekdayNumber,
    SundayWeek,
    MondayWeek,
    Hour,
    HalfDayHour,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Zone,
    /// Seconds since the epoch, with a fraction.
    Epoch,
    /// Seconds, milliseconds or microseconds since the epoch, told apart by their length.
    LongEpoch,
    Tai64n,
}

/// Every part by the name of its group in a regular expression. The names are those of the fields, so that a pattern
/// that asks twice for one part is refused, as Python refuses it.
const GROUPS: [(&str, Part); 20] = [
    ("Y", Part::Year),
    ("y", Part::ShortYear),
    ("m", Part::Month),
    ("b", Part::MonthName),
    ("d", Part::Day),
    ("j", Part::YearDay),
    ("a", Part::Weekday),
    ("w", Part::WeekdayNumber),
    ("U", Part::SundayWeek),
    ("W", Part::MondayWeek),
    ("H", Part::Hour),
    ("I", Part::HalfDayHour),
    ("p", Part::HalfDay),
    ("M", Part::Minute),
    ("S", Part::Second),
    ("f", Part::Fraction),
    ("z", Part::Zone),
    ("epoch", Part::Epoch),
    ("lepoch", Part::LongEpoch),
    ("tai", Part::Tai64n),
];

/// Seconds since the epoch: until the year 2286 these have ten digits.
const EPOCH: &str = r"(?P<epoch>[0-9]{10,11}\b(?:\.[0-9]{3,6}\b)?)";
const LONG_EPOCH: &str = r"(?P<lepoch>[0-9]{10,11}(?:[0-9]{3}(?:[0-9]{3})?)?)";
const TAI64N: &str = "(?P<tai>@[0-9a-f]{24})";
const OFFSET: &str = "[+-][01][0-9](?::?[0-9]{2})?";

/// The part that a group of this name holds.
pub(super) fn part_of(group: &str) -> Option<Part> {
    GROUPS.iter().find(|(name, _)| *name == group).map(|(_, part)| *part)
}

/// The text of a field in braces: `{EPOCH}`, `{LEPOCH}`, `{TAI64N}`; in any case.
pub(super) fn braced(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_uppercase().as_str() {
        "EPOCH" => EPOCH,
        "LEPOCH" => LONG_EPOCH,
        "TAI64N" => TAI64N,
        _ => return None,
    })
}

/// The regular expression of a field, by what follows its `%`: one letter, or `Ex` and a letter, whose digits are
/// exactly two, or (`%ExY`) whose year is one of this century. The letters are those of `strptime`, with `%k` and `%l`
/// for hours that a space may fill up.
pub(super) fn regex(field: &str) -> Option<String> {
    let alternatives = match field {
        "Y" => "[0-9]{4}",
        "ExY" => "20[0-9]{2}",
        "y" | "Exy" => "[0-9]{2}",
        "m" | "I" => "1[0-2]|0[1-9]|[1-9]",
        "Exm" => "1[0-2]|0[1-9]",
        "d" => "3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9]",
        "Exd" => "3[01]|[12][0-9]|0[1-9]",
        "j" => "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9]",
        "H" => "2[0-3]|[01][0-9]|[0-9]",
        "ExH" => "2[0-3]|[01][0-9]",
        "k" => " ?(?:[0-2][0-9]|[0-9])",
        "Exk" => " ?(?:2[0-3]|[01][0-9]|[0-9])",
        "l" => " ?(?:1[0-9]|[0-9])",
        "Exl" => " ?(?:1[0-2]|[0-9])",
        "M" => "[0-5][0-9]|[0-9]",
        "ExM" => "[0-5][0-9]",
        "S" => "6[01]|[0-5][0-9]|[0-9]",
        "ExS" => "6[01]|[0-5][0-9]",
        "f" => "[0-9]{1,6}",
        "p" => "am|pm",
        "b" => "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
        "B" => "january|february|march|april|may|june|july|august|september|october|november|december",
        "a" => "mon|tue|wed|thu|fri|sat|sun",
        "A" => "monday|tuesday|wednesday|thursday|friday|saturday|sunday",
        "w" => "[0-6]",
        "U" | "W" => "5[0-3]|[0-4][0-9]|[0-9]",
        "z" => return Some(format!("(?P<z>Z|UTC|GMT|{OFFSET})")),
        "Z" => "[A-Z]{3,5}|Z",
        "ExZ" => "[A-Z]{3,5}|[A-Z]",
        "Exz" => return Some(format!("(?P<z>(?:[A-Z]{{3,5}}|[A-Z])?{OFFSET}|[A-Z]{{3,5}}|[A-Z])")),
        "s" => return Some(EPOCH.to_owned()),
        _ => return None,
    };
    Some(format!("(?P<{}>{alternatives})", group(field)))
}

/// Whether a field is a word that is written in any case.
pub(super) fn is_name(field: &str) -> bool {
    matches!(field, "a" | "A" | "b" | "B" | "p")
}

/// What a field is short for: the locale is always C, as in fail2ban.
pub(super) fn long(field: &str) -> Option<&'static str> {
    Some(match field {
        "c" => "%a %b %d %H:%M:%S %Y",
        "x" => "%m/%d/%y",
        "X" | "T" => "%H:%M:%S",
        "F" => "%Y-%m-%d",
        "R" => "%H:%M",
        _ => return None,
    })
}

fn group(field: &str) -> &str {
    match field.strip_prefix("Ex").unwrap_or(field) {
        "k" => "H",
        "l" => "I",
        "B" => "b",
        "A" => "a",
        "Z" => "z",
        plain => plain,
    }
}
