//! Apache's `%t` and `%{…}t`: times by `strftime`, and its own words for seconds and fractions.
//!
//! <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats>; the servers write English names.

use super::apache::time;
use super::piece::{Meaning, Part, Piece, Shape, Variable, push_text};

/// The pieces of a time; the conversion that is not known, where there is one.
pub(super) fn pieces(format: Option<&str>) -> Result<Vec<Piece>, String> {
    let Some(format) = format else {
        let clf = Piece::Variable(Variable::new(Shape::Clf, Meaning::Time));
        return Ok(vec![Piece::Text(b"[".to_vec()), clf, Piece::Text(b"]".to_vec())]);
    };
    let format = format.strip_prefix("begin:").or_else(|| format.strip_prefix("end:")).unwrap_or(format);
    let whole = match format {
        "sec" => Some(Part::Seconds),
        "msec" => Some(Part::Milliseconds),
        "usec" => Some(Part::Microseconds),
        "msec_frac" => Some(Part::MillisecondFraction),
        "usec_frac" => Some(Part::MicrosecondFraction),
        // The time as without a format.
        "" => return pieces(None),
        _ => None,
    };
    whole.map_or_else(|| converted(format), |part| Ok(vec![time(part)]))
}

/// Reads a `strftime` format.
fn converted(format: &str) -> Result<Vec<Piece>, String> {
    if format == CLF {
        return Ok(vec![Piece::Variable(Variable::new(Shape::Clf, Meaning::Time))]);
    }
    let (mut pieces, mut rest) = (Vec::new(), format);
    while let Some(at) = rest.find('%') {
        let (before, conversion) = rest.split_at(at);
        push_text(&mut pieces, before.as_bytes());
        let letter = conversion.chars().nth(1).unwrap_or(' ');
        let part = match letter {
            'Y' => Part::Year,
            'y' => Part::ShortYear,
            'm' => Part::Month,
            'b' | 'h' => Part::MonthName,
            'd' | 'e' => Part::Day,
            'H' => Part::Hour,
            'M' => Part::Minute,
            'S' => Part::Second,
            'z' => Part::Zone,
            'a' => Part::Weekday,
            's' => Part::Seconds,
            '%' => {
                push_text(&mut pieces, b"%");
                rest = conversion.get(2..).unwrap_or_default();
                continue;
            }
            _ => {
                let same = same(letter).ok_or_else(|| format!("`%{letter}`"))?;
                pieces.extend(converted(same)?);
                rest = conversion.get(2..).unwrap_or_default();
                continue;
            }
        };
        pieces.push(time(part));
        rest = conversion.get(2..).unwrap_or_default();
    }
    push_text(&mut pieces, rest.as_bytes());
    Ok(pieces)
}

/// The common log format's date.
const CLF: &str = "%d/%b/%Y:%H:%M:%S %z";

/// What a conversion is short for.
fn same(letter: char) -> Option<&'static str> {
    Some(match letter {
        'D' => "%m/%d/%y",
        'F' => "%Y-%m-%d",
        'T' => "%H:%M:%S",
        'R' => "%H:%M",
        'c' => "%a %b %e %H:%M:%S %Y",
        't' => "\t",
        _ => return None,
    })
}
