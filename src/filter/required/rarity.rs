//! How rare a byte string is in access logs, judged by a page of typical lines.
//!
//! Estimates order literals, nothing more: a wrong one costs speed, never a match.

use std::sync::LazyLock;

/// Typical lines: what a log mostly consists of. Not more of it than tells pairs of bytes apart.
static TYPICAL: LazyLock<Typical> = LazyLock::new(|| Typical::read(include_bytes!("typical.txt")));

/// Bytes from here on are no ASCII; servers escape them.
const ASCII: usize = 128;

struct Typical {
    /// In lower case.
    text: Vec<u8>,
    lines: f32,
    /// How often each byte occurs.
    single: Vec<f32>,
    /// Where each pair occurs, by the pair.
    places: Vec<u16>,
    /// Where the places of a pair begin in `places`, at `first * ASCII + second`; those of the next one end them.
    begins: Vec<u16>,
}

/// The share of lines that hold this string, 0 to 1, whatever the case of its letters.
pub fn share(literal: &[u8]) -> f32 {
    let literal = literal.to_ascii_lowercase();
    let typical = &*TYPICAL;
    (typical.seen(&literal) / typical.lines).max(typical.guess(&literal)).min(1.0)
}

impl Typical {
    fn read(text: &[u8]) -> Self {
        let text = text.to_ascii_lowercase();
        let mut typical = Self {
            lines: memchr::memchr_iter(b'\n', &text).count() as f32,
            single: vec![0.0; ASCII],
            places: (0..u16::try_from(text.len().saturating_sub(1)).expect("it is a page")).collect(),
            begins: vec![0; ASCII * ASCII + 1],
            text,
        };
        for byte in &typical.text {
            typical.single[index(*byte)] += 1.0;
        }
        let text = &typical.text;
        let pair_at = |place: &u16| pair(text[usize::from(*place)], text[usize::from(*place) + 1]);
        typical.places.sort_by_key(pair_at);
        for place in &typical.places {
            typical.begins[pair_at(place) + 1] += 1;
        }
        for pair in 0..ASCII * ASCII {
            typical.begins[pair + 1] += typical.begins[pair];
        }
        typical
    }

    /// Where two bytes follow each other.
    fn places(&self, first: u8, second: u8) -> &[u16] {
        let pair = pair(first, second);
        &self.places[usize::from(self.begins[pair])..usize::from(self.begins[pair + 1])]
    }

    /// How often it stands in the text, looked for where its rarest pair is.
    fn seen(&self, literal: &[u8]) -> f32 {
        let pairs = literal.windows(2).enumerate().map(|(at, pair)| (at, self.places(pair[0], pair[1])));
        match (literal, pairs.min_by_key(|(_, places)| places.len())) {
            ([], _) => self.text.len() as f32,
            ([byte, ..], None) => self.single[index(*byte)],
            (_, Some((offset, places))) => {
                let stands = |place: &&u16| {
                    let start = usize::from(**place).checked_sub(offset);
                    start
                        .and_then(|start| self.text.get(start..))
                        .is_some_and(|rest| rest.starts_with(literal))
                };
                places.iter().filter(stands).count() as f32
            }
        }
    }

    /// The expected number in a line of bytes that follow each other as in the typical lines. What never occurs there
    /// counts as a fraction of an occurrence.
    fn guess(&self, literal: &[u8]) -> f32 {
        let Some(first) = literal.first() else { return 1.0 };
        let begin = (self.single[index(*first)] + 0.5) / self.lines;
        literal.windows(2).fold(begin, |expected, pair| {
            let together = self.places(pair[0], pair[1]).len() as f32;
            expected * (together + 0.05) / (self.single[index(pair[0])] + 2.0)
        })
    }
}

fn pair(first: u8, second: u8) -> usize {
    index(first) * ASCII + index(second)
}

fn index(byte: u8) -> usize {
    usize::from(byte).min(ASCII - 1)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn common_strings_are_common_and_rare_ones_rare() {
        for common in ["GET /", "HTTP/1.1", "\" 200 ", "Mozilla/5.0"] {
            assert!(share(common.as_bytes()) > 0.3, "{common}");
        }
        for rare in ["xmlrpc.php", "wp-login.php", "/.env", "sqlmap", "\" 401 "] {
            assert!(share(rare.as_bytes()) < 0.05, "{rare}: {}", share(rare.as_bytes()));
        }
        assert!(share(b"xmlrpc") < share(b"POST"));
        assert!(share(b"") >= 1.0);
    }
}
