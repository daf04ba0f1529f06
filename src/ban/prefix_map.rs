//! A map by prefix that finds every prefix around an address.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::address::{Address, Prefix};

/// Values by prefix. A look-up by address tries only those lengths that occur; there are few.
///
/// The values stand one behind the other, apart from the table of their places: that is small, and when it grows, which takes
/// the old one and the new one at once, no value moves.
pub(super) struct PrefixMap<V> {
    by_prefix: IndexMap<Prefix, V, RandomState>,
    v4: Lengths,
    v6: Lengths,
}

/// How many prefixes of a family there are of each length, and which lengths occur.
#[derive(Default)]
struct Lengths {
    /// Length and number, the longest first; none is 0.
    occurring: Vec<(u8, usize)>,
}

impl Lengths {
    fn add(&mut self, length: u8) {
        match self.occurring.binary_search_by(|(other, _)| length.cmp(other)) {
            Ok(at) => self.occurring[at].1 += 1,
            Err(at) => self.occurring.insert(at, (length, 1)),
        }
    }

    fn remove(&mut self, length: u8) {
        if let Ok(at) = self.occurring.binary_search_by(|(other, _)| length.cmp(other)) {
            self.occurring[at].1 -= 1;
            self.occurring.retain(|(_, number)| *number > 0);
        }
    }
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self { by_prefix: IndexMap::default(), v4: Lengths::default(), v6: Lengths::default() }
    }
}

impl<V: Default> PrefixMap<V> {
    pub(super) fn get(&self, prefix: Prefix) -> Option<&V> {
        self.by_prefix.get(&prefix)
    }

    pub(super) fn get_mut(&mut self, prefix: Prefix) -> Option<&mut V> {
        self.by_prefix.get_mut(&prefix)
    }

    /// The value of `prefix`, a new one if there was none.
    pub(super) fn or_default(&mut self, prefix: Prefix) -> &mut V {
        match self.by_prefix.entry(prefix) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let lengths = if prefix.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
                lengths.add(prefix.length());
                vacant.insert(V::default())
            }
        }
    }

    /// The last value takes the place of the one that is taken out.
    pub(super) fn remove(&mut self, prefix: Prefix) -> Option<V> {
        let removed = self.by_prefix.swap_remove(&prefix)?;
        let lengths = if prefix.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        lengths.remove(prefix.length());
        Some(removed)
    }

    /// The prefixes that hold `address`, the narrowest first.
    pub(super) fn around(&self, address: Address) -> impl Iterator<Item = (Prefix, &V)> {
        self.covering(Prefix::host(address))
    }

    /// The prefixes that hold all of `prefix`, itself included, the narrowest first.
    pub(super) fn covering(&self, prefix: Prefix) -> impl Iterator<Item = (Prefix, &V)> {
        let lengths = if prefix.is_ipv4() { &self.v4 } else { &self.v6 };
        let fitting = lengths.occurring.iter().filter(move |(length, _)| *length <= prefix.length());
        fitting.filter_map(move |(length, _)| {
            let wider = prefix.widened(*length);
            self.get(wider).map(|value| (wider, value))
        })
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Prefix, &V)> {
        self.by_prefix.iter().map(|(prefix, value)| (*prefix, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Prefix, &mut V)> {
        self.by_prefix.iter_mut().map(|(prefix, value)| (*prefix, value))
    }

    pub(super) fn len(&self) -> usize {
        self.by_prefix.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::PrefixMap;
    use crate::address::{Address, Prefix};

    proptest! {
        #[test]
        fn it_holds_what_a_sorted_map_holds(changes in prop::collection::vec((any::<bool>(), 0..40_u8, 28..=32_u8), 0..120)) {
            let (mut map, mut model) = (PrefixMap::<usize>::default(), BTreeMap::new());
            for (number, (adds, last, length)) in changes.into_iter().enumerate() {
                let prefix = Prefix::new(Address::from(std::net::IpAddr::from([192, 0, 2, last])), length);
                if adds {
                    *map.or_default(prefix) = number;
                    model.insert(prefix, number);
                } else {
                    prop_assert_eq!(map.remove(prefix), model.remove(&prefix));
                }
                prop_assert_eq!(map.get(prefix), model.get(&prefix));
                prop_assert_eq!(map.get_mut(prefix).copied(), model.get(&prefix).copied());
            }
            let held: BTreeMap<Prefix, usize> = map.iter().map(|(prefix, number)| (prefix, *number)).collect();
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(model.keys().all(|prefix| map.covering(*prefix).next() == Some((*prefix, &model[prefix]))));
            prop_assert_eq!(held, model);
        }
    }

    #[test]
    fn every_prefix_around_an_address_is_found_while_it_is_there() {
        let mut map: PrefixMap<u8> = PrefixMap::default();
        for text in ["192.0.2.0/24", "192.0.2.7", "192.0.0.0/16", "198.51.100.7", "::/0"] {
            *map.or_default(text.parse().unwrap()) += 1;
        }
        let around = |map: &PrefixMap<u8>, address: &str| {
            map.around(address.parse().unwrap()).map(|(prefix, _)| prefix.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(around(&map, "192.0.2.7"), ["192.0.2.7", "192.0.2.0/24", "192.0.0.0/16"]);
        assert_eq!(around(&map, "192.0.2.8"), ["192.0.2.0/24", "192.0.0.0/16"]);
        assert_eq!(around(&map, "2001:db8::1"), ["::/0"]);
        map.remove("192.0.2.7".parse().unwrap());
        map.remove("192.0.2.0/24".parse().unwrap());
        assert_eq!(around(&map, "192.0.2.7"), ["192.0.0.0/16"]);
        assert_eq!(around(&map, "198.51.100.7"), ["198.51.100.7"]);
        assert_eq!(map.len(), 3);
    }
}
