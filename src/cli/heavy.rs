//! The most frequent of any number of different values, in bounded memory.
//!
//! Exact as long as no more than `cap` values differ. Beyond, the rarer half is let go again and again; whoever comes (again)
//! may have been seen before, at most as often as the most frequent of those that were let go (Metwally et al. 2005, "Efficient
//! computation of frequent and top-k elements", in batches). Who is frequent all the time is never let go and stays exact.

use hashbrown::HashMap;

/// Longer values are cut: what is different only behind that is one.
const LONGEST: usize = 512;

/// Counts values. They are chosen by clients: hashing is seeded.
pub(super) struct Heavy {
    cap: usize,
    counts: HashMap<Vec<u8>, Count>,
    /// How often at most something was seen that is not in `counts`.
    floor: u64,
    total: u64,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// Seen since it was taken up.
    seen: u64,
    /// How often it may have been seen before.
    before: u64,
    bytes: u64,
}

/// A frequent value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frequent {
    pub(super) value: Vec<u8>,
    /// How often it was seen at least.
    pub(super) count: u64,
    /// And at most.
    pub(super) at_most: u64,
    /// What the answers to those had together.
    pub(super) bytes: u64,
}

impl Heavy {
    /// Tells so many values apart.
    pub(super) fn new(cap: usize) -> Self {
        Self { cap: cap.max(2), counts: HashMap::new(), floor: 0, total: 0 }
    }

    /// A value was seen, with an answer of so many bytes.
    pub(super) fn add(&mut self, value: &[u8], bytes: u64) {
        self.total += 1;
        let value = value.get(..LONGEST).unwrap_or(value);
        let before = self.floor;
        let count = self.counts.entry_ref(value).or_insert(Count { before, ..Count::default() });
        count.seen += 1;
        count.bytes = count.bytes.saturating_add(bytes);
        if self.counts.len() > self.cap {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        let mut all: Vec<u64> = self.counts.values().map(Count::at_most).collect();
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        self.floor = self.floor.max(*median);
        self.counts.retain(|_, count| count.at_most() > *median);
    }

    /// How many values were added.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many different ones, unless there were too many to tell.
    pub(super) fn different(&self) -> Option<usize> {
        (self.floor == 0).then_some(self.counts.len())
    }

    /// The most frequent, the first of them first.
    pub(super) fn most(self, limit: usize) -> Vec<Frequent> {
        let frequent = |(value, count): (Vec<u8>, Count)| Frequent {
            value,
            count: count.seen,
            at_most: count.at_most(),
            bytes: count.bytes,
        };
        let mut all: Vec<Frequent> = self.counts.into_iter().map(frequent).collect();
        all.sort_unstable_by(|a, b| (b.count, &a.value).cmp(&(a.count, &b.value)));
        all.truncate(limit);
        all
    }
}

impl Count {
    fn at_most(&self) -> u64 {
        self.seen + self.before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_are_counted_exactly() {
        let mut heavy = Heavy::new(10);
        for (value, times) in [("a", 3), ("b", 5), ("c", 5)] {
            (0..times).for_each(|_| heavy.add(value.as_bytes(), 10));
        }
        assert_eq!((heavy.total(), heavy.different()), (13, Some(3)));
        let most = heavy.most(2);
        let told: Vec<_> = most.iter().map(|one| (&*one.value, one.count, one.at_most, one.bytes)).collect();
        assert_eq!(told, [(&b"b"[..], 5, 5, 50), (&b"c"[..], 5, 5, 50)]);
    }

    #[test]
    fn a_flood_of_different_values_hides_nobody_and_takes_no_memory() {
        let mut heavy = Heavy::new(100);
        for n in 0..100_000_u32 {
            heavy.add(&n.to_be_bytes(), 1);
            if n % 20 == 0 {
                heavy.add(b"frequent", 1);
            }
            assert!(heavy.counts.len() <= 101);
        }
        assert_eq!(heavy.different(), None);
        let [most] = &heavy.most(1)[..] else { panic!("one") };
        assert_eq!((&*most.value, most.count, most.at_most), (&b"frequent"[..], 5_000, 5_000));
    }

    #[test]
    fn long_values_are_cut() {
        let mut heavy = Heavy::new(10);
        heavy.add(&vec![b'x'; 100_000], 0);
        heavy.add(&vec![b'x'; 100_001], 0);
        let most = heavy.most(10);
        assert_eq!((most.len(), most[0].value.len(), most[0].count), (1, LONGEST, 2));
    }

    proptest! {
        #[test]
        fn what_is_told_is_never_wrong(values in prop::collection::vec(prop_oneof![0..5_u8, any::<u8>()], 0..600)) {
            let mut heavy = Heavy::new(16);
            let mut exact: BTreeMap<u8, u64> = BTreeMap::new();
            for value in &values {
                heavy.add(&[*value], 0);
                *exact.entry(*value).or_default() += 1;
            }
            let floor = heavy.floor;
            let told: BTreeMap<u8, (u64, u64)> =
                heavy.most(usize::MAX).iter().map(|one| (one.value[0], (one.count, one.at_most))).collect();
            for (value, count) in exact {
                match told.get(&value) {
                    Some((least, most)) => prop_assert!((*least..=*most).contains(&count)),
                    None => prop_assert!(count <= floor),
                }
            }
        }
    }
}
