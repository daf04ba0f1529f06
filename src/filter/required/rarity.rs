//! How rare a byte string is in access logs, judged by a page of typical lines.
//!
//! Estimates order literals, nothing more: a wrong one costs speed, never a match.

use std::sync::LazyLock;

use memchr::memmem;

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
    /// How often each pair occurs, at `first * ASCII + second`.
    pairs: Vec<f32>,
}

/// The share of lines that hold this string, 0 to 1, whatever the case of its letters.
pub fn share(literal: &[u8]) -> f32 {
    let literal = literal.to_ascii_lowercase();
    let typical = &*TYPICAL;
    let seen = memmem::find_iter(&typical.text, &literal).count() as f32;
    (seen / typical.lines).max(typical.guess(&literal)).min(1.0)
}

impl Typical {
    fn read(text: &[u8]) -> Self {
        let text = text.to_ascii_lowercase();
        let mut typical = Self {
            lines: memchr::memchr_iter(b'\n', &text).count() as f32,
            single: vec![0.0; ASCII],
            pairs: vec![0.0; ASCII * ASCII],
            text: Vec::new(),
        };
        for byte in &text {
            typical.single[index(*byte)] += 1.0;
        }
        for pair in text.windows(2) {
            typical.pairs[index(pair[0]) * ASCII + index(pair[1])] += 1.0;
        }
        Self { text, ..typical }
    }

    /// The expected number in a line of bytes that follow each other as in the typical lines. What never occurs there
    /// counts as a fraction of an occurrence.
    fn guess(&self, literal: &[u8]) -> f32 {
        let Some(first) = literal.first() else { return 1.0 };
        let begin = (self.single[index(*first)] + 0.5) / self.lines;
        literal.windows(2).fold(begin, |expected, pair| {
            let (first, second) = (index(pair[0]), index(pair[1]));
            expected * (self.pairs[first * ASCII + second] + 0.05) / (self.single[first] + 2.0)
        })
    }
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
