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

/// So few entries are compared faster than looked up.
const FEW: usize = 6;

/// A set of allow entries, looked up by longest match.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    /// Sorted by prefix, so that the entries inside a prefix are neighbours.
    sorted: Vec<AllowEntry>,
    /// Where in `sorted` a prefix stands.
    index: HashMap<Prefix, usize>,
    /// The lengths that occur, longest first: a look-up tries each.
    v4: Vec<u8>,
    v6: Vec<u8>,
    /// More entries, which come and go while the others stay.
    over: Option<Arc<Allowlist>>,
}

impl Allowlist {
    /// Builds the set; of entries with the same prefix the first one's origin is kept.
    pub fn new(entries: impl IntoIterator<Item = AllowEntry>) -> Self {
        let mut sorted: Vec<AllowEntry> = entries.into_iter().collect();
        sorted.sort_by_key(|entry| entry.prefix);
        sorted.dedup_by_key(|entry| entry.prefix);
        let index = sorted.iter().enumerate().map(|(i, entry)| (entry.prefix, i)).collect();
        let (v4, v6) = (lengths(&sorted, true), lengths(&sorted, false));
        Self { sorted, index, v4, v6, over: None }
    }

    /// Has these entries count, too, in place of those that were laid over before. Costs nothing for the others.
    pub fn lay_over(&mut self, more: Self) {
        self.over = (!more.is_empty()).then(|| Arc::new(more));
    }

    /// The narrowest entry that holds `address`.
    pub fn find(&self, address: Address) -> Option<&AllowEntry> {
        self.covering(Prefix::host(address))
    }

    /// The narrowest entry that holds all of `prefix`.
    pub fn covering(&self, prefix: Prefix) -> Option<&AllowEntry> {
        let over = self.over.as_deref().and_then(|over| over.own_covering(prefix));
        self.own_covering(prefix).into_iter().chain(over).max_by_key(|entry| entry.prefix.length())
    }

    fn own_covering(&self, prefix: Prefix) -> Option<&AllowEntry> {
        if self.sorted.len() <= FEW {
            let around = self.sorted.iter().filter(|entry| entry.prefix.covers(prefix));
            return around.max_by_key(|entry| entry.prefix.length());
        }
        let lengths = if prefix.is_ipv4() { &self.v4 } else { &self.v6 };
        let fitting = lengths.iter().filter(|len| **len <= prefix.length());
        let mut found = fitting.filter_map(|len| self.index.get(&prefix.widened(*len)));
        found.next().map(|i| &self.sorted[*i])
    }

    /// The entries that lie inside `prefix` (equal ones included), in order; then those that are laid over.
    pub fn inside(&self, prefix: Prefix) -> impl Iterator<Item = &AllowEntry> {
        self.own_inside(prefix).chain(self.over.iter().flat_map(move |over| over.own_inside(prefix)))
    }

    fn own_inside(&self, prefix: Prefix) -> impl Iterator<Item = &AllowEntry> {
        let start = self.sorted.partition_point(|entry| entry.prefix < prefix);
        self.sorted[start..].iter().take_while(move |entry| prefix.covers(entry.prefix))
    }

    /// All entries but those that are laid over, in order.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.sorted
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

fn lengths(entries: &[AllowEntry], v4: bool) -> Vec<u8> {
    let family = entries.iter().filter(|entry| entry.prefix.is_ipv4() == v4);
    let mut lengths: Vec<u8> = family.map(|entry| entry.prefix.length()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.dedup();
    lengths
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
        let few = ["192.0.2.0/24", "192.0.0.0/16", "192.0.2.7", "2001:db8::/32"];
        let many = [&few[..], &["10.0.0.0/8", "10.0.0.1", "fe80::/10", "fe80::1", "203.0.113.1"]].concat();
        for list in [list(&few), list(&many)] {
            let found = |a: &str| list.find(a.parse().unwrap()).map(|e| e.origin.to_string());
            assert_eq!(found("192.0.2.7").as_deref(), Some("192.0.2.7"));
            assert_eq!(found("192.0.2.8").as_deref(), Some("192.0.2.0/24"));
            assert_eq!(found("192.0.9.8").as_deref(), Some("192.0.0.0/16"));
            assert_eq!(found("2001:db8:1::9").as_deref(), Some("2001:db8::/32"));
            assert_eq!(found("198.51.100.1"), None);
            assert_eq!(found("2001:db9::1"), None);
        }
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
    fn what_is_laid_over_counts_until_something_else_is() {
        let mut base = list(&["192.0.2.0/24"]);
        base.lay_over(list(&["192.0.2.7", "203.0.113.7"]));
        let found = |list: &Allowlist, a: &str| list.find(a.parse().unwrap()).map(|e| e.origin.to_string());
        assert_eq!(found(&base, "203.0.113.7").as_deref(), Some("203.0.113.7"));
        assert_eq!(found(&base, "192.0.2.7").as_deref(), Some("192.0.2.7"), "the narrower one");
        assert_eq!(base.inside("192.0.2.0/24".parse().unwrap()).count(), 2);
        base.lay_over(Allowlist::default());
        assert_eq!(found(&base, "203.0.113.7"), None);
        assert_eq!(found(&base, "192.0.2.7").as_deref(), Some("192.0.2.0/24"));
    }

    #[test]
    fn a_prefix_is_covered_only_as_a_whole() {
        let others = ["10.0.0.0/8", "10.0.0.1", "fe80::/10", "fe80::1", "203.0.113.1", "192.0.2.200"];
        for list in [list(&["192.0.2.0/25"]), list(&[&["192.0.2.0/25"], &others[..]].concat())] {
            assert!(list.covering("192.0.2.0/25".parse().unwrap()).is_some());
            assert!(list.covering("192.0.2.0/24".parse().unwrap()).is_none());
            assert!(list.covering("192.0.2.77".parse().unwrap()).is_some());
        }
    }
}
