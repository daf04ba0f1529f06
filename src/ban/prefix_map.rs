//! A map by prefix that finds every prefix around an address.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::address::{Address, Prefix};

/// Values by prefix. A look-up by address tries only those lengths that occur; there are few.
pub(super) struct PrefixMap<V> {
    by_prefix: HashMap<Prefix, V, RandomState>,
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
        Self { by_prefix: HashMap::default(), v4: Lengths::default(), v6: Lengths::default() }
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
        let lengths = if prefix.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        self.by_prefix.entry(prefix).or_insert_with(|| {
            lengths.add(prefix.length());
            V::default()
        })
    }

    pub(super) fn remove(&mut self, prefix: Prefix) -> Option<V> {
        let removed = self.by_prefix.remove(&prefix)?;
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
            let wider = Prefix::new(prefix.first(), *length);
            self.by_prefix.get(&wider).map(|value| (wider, value))
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
    use super::PrefixMap;

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
