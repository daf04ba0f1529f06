//! Time zones that a date names: offsets, abbreviations, and both together.

/// Seconds east of Greenwich of `Z`, `CET`, `+01`, `-0130`, `+01:00`, `UTC+01:00`; case does not count. `None` for an
/// abbreviation that is not known, or that stands for different zones in different countries.
pub(super) fn east(text: &str) -> Option<i32> {
    let sign = text.find(['+', '-']).unwrap_or(text.len());
    let (name, offset) = text.split_at(sign);
    let base = if name.is_empty() { 0 } else { abbreviation(&name.to_ascii_uppercase())? };
    Some(base + offset_seconds(offset)?)
}

fn offset_seconds(text: &str) -> Option<i32> {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return Some(0) };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i32>().ok()? };
    let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes * 60;
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

/// Abbreviations and their minutes east of Greenwich; where several countries use one, the meaning is North America's
/// (RFC 822 and common use), and one that has no common meaning (`BST`, `IST`) is left out.
const ABBREVIATIONS: [(&str, i32); 48] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MET", 60),
    ("MEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("MSD", 240),
    ("SAST", 120),
    ("PKT", 300),
    ("ICT", 420),
    ("WIB", 420),
    ("SGT", 480),
    ("HKT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("ACDT", 630),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("BRT", -180),
    ("BRST", -120),
    ("ART", -180),
    ("CLT", -240),
    ("NST", -210),
    ("NDT", -150),
    ("AST", -240),
    ("ADT", -180),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("AKST", -540),
    ("HST", -600),
];

fn abbreviation(name: &str) -> Option<i32> {
    match name.as_bytes() {
        [letter] => military(*letter).map(|hours| hours * 3_600),
        _ => ABBREVIATIONS.iter().find(|(known, _)| *known == name).map(|(_, minutes)| minutes * 60),
    }
}

/// The one-letter zones: `A` to `M` lie east, `N` to `Y` west, `J` is local time and no zone.
fn military(letter: u8) -> Option<i32> {
    let hours = match letter {
        b'Z' => 0,
        b'A'..=b'I' => letter - b'A' + 1,
        b'K'..=b'M' => letter - b'A',
        b'N'..=b'Y' => return Some(-i32::from(letter - b'N' + 1)),
        _ => return None,
    };
    Some(i32::from(hours))
}
