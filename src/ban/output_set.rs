//! Sets of outputs, by number.

use smallvec::{SmallVec, smallvec};

/// A set of outputs, each a small number that the engine gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutputSet {
    /// Bit `n % 64` of word `n / 64` is output `n`; the last word is never 0.
    words: SmallVec<[u64; 1]>,
}

impl OutputSet {
    /// Adds output `number`.
    pub fn insert(&mut self, number: usize) {
        let word = number / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (number % 64);
        }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// What both hold.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let mut words: SmallVec<[u64; 1]> = smallvec![];
        words.extend(self.words.iter().zip(&other.words).map(|(a, b)| a & b));
        let used = words.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        words.truncate(used);
        Self { words }
    }

    /// Whether output `number` is in it.
    pub fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Whether all of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        let missing = |(word, wanted): (usize, &u64)| wanted & !self.words.get(word).unwrap_or(&0) != 0;
        !other.words.iter().enumerate().any(missing)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.words.len() * 64).filter(|number| self.contains(*number))
    }
}

impl FromIterator<usize> for OutputSet {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::OutputSet;

    fn set(numbers: &[usize]) -> OutputSet {
        numbers.iter().copied().collect()
    }

    #[test]
    fn sets_of_any_number_of_outputs() {
        let (few, many) = (set(&[1, 63]), set(&[0, 1, 63, 64, 200]));
        assert!(many.covers(&few) && !few.covers(&many) && few.covers(&set(&[])));
        assert_eq!(many.common(&few), few);
        assert_eq!(many.common(&set(&[2, 201])), set(&[]));
        assert!(set(&[]).is_empty() && !few.is_empty());
        let mut sum = few.clone();
        sum.add(&set(&[64, 0, 200]));
        assert_eq!(sum, many);
        assert_eq!(many.iter().collect::<Vec<_>>(), [0, 1, 63, 64, 200]);
        assert!(!many.contains(65) && !many.contains(1000));
    }
}
