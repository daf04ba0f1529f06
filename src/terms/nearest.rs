//! The nearest known word to one that is not known: what an operator most likely meant.

/// Words longer than this are never compared: a key that long is no slip of the finger.
const LONGEST: usize = 64;

/// The candidate that differs from `word` by the fewest insertions, deletions, replacements and swaps of neighbours;
/// case, `-` and `_` do not count. `None` where more than a third of the word (at least one letter) would have to change.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    if word.len() > LONGEST {
        return None;
    }
    let allowed = (word.len() / 3).max(1);
    let scored = candidates.into_iter().map(|candidate| (distance(&word, &folded(candidate)), candidate));
    scored
        .filter(|(steps, _)| *steps <= allowed)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> Vec<char> {
    word.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// The optimal string alignment distance: edits, with a swap of neighbours as one edit.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, letter) in a.iter().enumerate() {
        let mut current = vec![row + 1; b.len() + 1];
        for (column, other) in b.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != other);
            let mut steps = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *letter == b[column - 1] && a[row - 1] == *other;
            if swapped {
                steps = steps.min(before[column - 1] + 1);
            }
            current[column + 1] = steps;
        }
        before = std::mem::replace(&mut above, current);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["maxretry", "findtime", "bantime", "ignoreip", "path", "pid_file"];

    #[test]
    fn finds_what_was_meant() {
        for (word, meant) in [
            ("maxretries", "maxretry"),
            ("max-retry", "maxretry"),
            ("findtme", "findtime"),
            ("FindTime", "findtime"),
            ("ignorepi", "ignoreip"),
            ("pid-file", "pid_file"),
            ("pth", "path"),
            ("paht", "path"),
        ] {
            assert_eq!(nearest(word, KEYS), Some(meant), "{word}");
        }
    }

    #[test]
    fn says_nothing_rather_than_nonsense() {
        for word in ["", "x", "logtarget", "usedns", &"p".repeat(65)] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        assert_eq!(distance(&letters("ab"), &letters("ba")), 1);
        assert_eq!(distance(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(distance(&[], &letters("abc")), 3);
    }
}
