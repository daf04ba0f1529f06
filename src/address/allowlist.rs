//! `Allowlist`: prefixes that are never banned, each with the words that tell an operator where it came from.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Address, Prefix};

/// One entry: the range, and where it was written (`ignoreip of [defaults]`, `file:/etc/banmap/allow.txt` …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry {
    /// The addresses it protects.
    pub prefix: Prefix,
    /// Where an operator finds it; shown by `why`.
    pub origin: Arc<str>,
}

/// A set of allow entries, looked up by longest match.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    /// Sorted by prefix, so that the entries inside a prefix are neighbours.
    sorted: Vec<AllowEntry>,
    /// Where in `sorted` a prefix stands.
    index: HashMap<Prefix, usize>,
    /// The lengths that occur, longest first: a look-up tries each.
    lengths: Vec<u8>,
}

impl Allowlist {
    /// Builds the set; of entries with the same prefix the first one's origin is kept.
    pub fn new(entries: impl IntoIterator<Item = AllowEntry>) -> Self {
        let mut sorted: Vec<AllowEntry> = entries.into_iter().collect();
        sorted.sort_by_key(|entry| entry.prefix);
        sorted.dedup_by_key(|entry| entry.prefix);
        let index = sorted.iter().enumerate().map(|(i, entry)| (entry.prefix, i)).collect();
        let mut lengths: Vec<u8> = sorted.iter().map(|entry| entry.prefix.length()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self { sorted, index, lengths }
    }

    /// The narrowest entry that holds `address`.
    pub fn find(&self, address: Address) -> Option<&AllowEntry> {
        let max = if address.ip().is_ipv4() { 32 } else { 128 };
        let fitting = self.lengths.iter().filter(|len| **len <= max);
        fitting.filter_map(|len| self.index.get(&Prefix::new(address, *len))).map(|i| &self.sorted[*i]).next()
    }

    /// The narrowest entry that holds all of `prefix`.
    pub fn covering(&self, prefix: Prefix) -> Option<&AllowEntry> {
        let fitting = self.lengths.iter().filter(|len| **len <= prefix.length());
        fitting
            .filter_map(|len| self.index.get(&Prefix::new(prefix.first(), *len)))
            .map(|i| &self.sorted[*i])
            .next()
    }

    /// The entries that lie inside `prefix` (equal ones included), in order.
    pub fn inside(&self, prefix: Prefix) -> impl Iterator<Item = &AllowEntry> {
        let start = self.sorted.partition_point(|entry| entry.prefix < prefix);
        self.sorted[start..].iter().take_while(move |entry| prefix.covers(entry.prefix))
    }

    /// All entries, in order.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.sorted
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl FromIterator<AllowEntry> for Allowlist {
    fn from_iter<I: IntoIterator<Item = AllowEntry>>(entries: I) -> Self {
        Self::new(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::{AllowEntry, Allowlist};
    use crate::address::Prefix;

    fn list(entries: &[&str]) -> Allowlist {
        entries.iter().map(|t| AllowEntry { prefix: t.parse().unwrap(), origin: (*t).into() }).collect()
    }

    #[test]
    fn the_narrowest_entry_answers() {
        let list = list(&["192.0.2.0/24", "192.0.0.0/16", "192.0.2.7", "2001:db8::/32"]);
        let found = |a: &str| list.find(a.parse().unwrap()).map(|e| e.origin.to_string());
        assert_eq!(found("192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(found("192.0.2.8").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(found("192.0.9.8").as_deref(), Some("192.0.0.0/16"));
        assert_eq!(found("2001:db8:1::9").as_deref(), Some("2001:db8::/32"));
        assert_eq!(found("198.51.100.1"), None);
        assert_eq!(found("2001:db9::1"), None);
    }

    #[test]
    fn entries_inside_a_prefix_are_found_and_no_others() {
        let list = list(&["192.0.2.7", "192.0.2.0/24", "192.0.3.0", "192.0.1.255", "0.0.0.0/0"]);
        let inside = |t: &str| {
            list.inside(t.parse::<Prefix>().unwrap()).map(|e| e.origin.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(inside("192.0.2.0/24"), ["192.0.2.0/24", "192.0.2.7"]);
        assert_eq!(inside("192.0.2.0/25"), ["192.0.2.7"]);
        assert!(inside("192.0.2.8/29").is_empty());
    }

    #[test]
    fn a_prefix_is_covered_only_as_a_whole() {
        let list = list(&["192.0.2.0/25"]);
        assert!(list.covering("192.0.2.0/25".parse().unwrap()).is_some());
        assert!(list.covering("192.0.2.0/24".parse().unwrap()).is_none());
        assert!(list.covering("192.0.2.77".parse().unwrap()).is_some());
    }
}
