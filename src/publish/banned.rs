//! The set of addresses that an output refuses, or challenges: the snapshot's prefixes without those inside others, the
//! holes taken out, and (for servers that take prefixes) in its shortest form.

use std::net::IpAddr;

use ipnet::IpNet;
use smallvec::{SmallVec, smallvec};

use crate::address::{Prefix, subtract};
use crate::terms::Measure;

/// The shortest IPv4 prefix that is published: a typo by hand must not refuse half of the internet.
pub const FLOOR_V4: u8 = 8;

/// The shortest IPv6 prefix that is published; the registries hand out /12 to /23, providers have a /19 at most.
pub const FLOOR_V6: u8 = 19;

/// The floor of the prefix's family.
pub(super) fn floor(prefix: Prefix) -> u8 {
    if prefix.is_ipv4() { FLOOR_V4 } else { FLOOR_V6 }
}

/// One prefix of the snapshot, and what is left of it without the holes.
pub(super) struct Ban {
    pub(super) prefix: Prefix,
    /// Sorted and disjoint; the prefix itself where it has no hole, empty where a hole covers it.
    pub(super) pieces: SmallVec<[Prefix; 1]>,
}

/// The prefixes in order, none inside another, each with its pieces; and those shorter than the floor.
pub(super) fn bans(prefixes: &[Prefix], holes: &[Prefix]) -> (Vec<Ban>, Vec<Prefix>) {
    let (wide, fitting): (Vec<Prefix>, Vec<Prefix>) =
        sorted(prefixes).into_iter().partition(|prefix| prefix.length() < floor(*prefix));
    let holes = outermost(sorted(holes));
    let mut from = 0;
    let cut = outermost(fitting).into_iter().map(|prefix| {
        // Both lists are sorted and disjoint: a hole that ends before this prefix is of no use to later ones.
        from += holes[from..].iter().take_while(|hole| end(**hole) < start(prefix)).count();
        let inside = holes[from..].iter().take_while(|hole| start(**hole) <= end(prefix)).count();
        let near = &holes[from..from + inside];
        let pieces = if near.is_empty() { smallvec![prefix] } else { subtract(prefix, near).into() };
        Ban { prefix, pieces }
    });
    (cut.collect(), wide)
}

/// The shortest list of prefixes that covers exactly the pieces of `bans`, none shorter than the floor.
pub(super) fn merged(bans: &[Ban]) -> Vec<Prefix> {
    let mut merged: Vec<Prefix> = Vec::with_capacity(bans.len());
    for piece in bans.iter().flat_map(|ban| &ban.pieces) {
        let mut next = *piece;
        while let Some(parent) = merged.last().and_then(|last| parent_of_both(*last, next)) {
            merged.pop();
            next = parent;
        }
        merged.push(next);
    }
    merged
}

/// What an nginx `geo` block says: the shortest lists of those that are banned, and of the others that are challenged, in
/// one order. None is inside another, since the longest prefix decides there.
pub(super) fn geo(bans: &[Ban], challenges: &[Ban]) -> Vec<(Prefix, Measure)> {
    let banned = merged(bans);
    let (others, _) = self::bans(&merged(challenges), &banned);
    let mut all: Vec<_> = merged(&others).into_iter().map(|prefix| (prefix, Measure::Challenge)).collect();
    all.extend(banned.into_iter().map(|prefix| (prefix, Measure::Ban)));
    all.sort_unstable();
    all
}

/// The prefix whose two halves these are.
fn parent_of_both(left: Prefix, right: Prefix) -> Option<Prefix> {
    let length = left.length();
    if length != right.length() || left.is_ipv4() != right.is_ipv4() || length <= floor(left) {
        return None;
    }
    let width = if left.is_ipv4() { 32 } else { 128 };
    // Host bits are clear, and the left one is the smaller: halves differ in their last bit only.
    let are_halves = bits(left) ^ bits(right) == 1 << (width - length);
    are_halves.then(|| Prefix::new(left.first(), length - 1))
}

/// The lowest address. Not as an `Address`, which is IPv4 where an IPv6 range begins or ends with a mapped one.
fn start(prefix: Prefix) -> IpAddr {
    prefix.net().network()
}

/// The highest address.
fn end(prefix: Prefix) -> IpAddr {
    prefix.net().broadcast()
}

fn bits(prefix: Prefix) -> u128 {
    match prefix.net() {
        IpNet::V4(net) => net.addr().to_bits().into(),
        IpNet::V6(net) => net.addr().to_bits(),
    }
}

fn sorted(prefixes: &[Prefix]) -> Vec<Prefix> {
    let mut list = prefixes.to_vec();
    // Snapshots are sorted by contract; a wrong order here would lose bans, so it is not taken on trust.
    if !list.is_sorted() {
        list.sort_unstable();
    }
    list
}

/// Drops what lies inside another one: sorted, the wider one comes right before all that it covers.
fn outermost(mut sorted: Vec<Prefix>) -> Vec<Prefix> {
    sorted.dedup_by(|next, kept| kept.covers(*next));
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{bans, floor, geo, merged};
    use crate::address::{Address, Prefix};
    use crate::terms::Measure;

    fn list(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_hole_that_ends_with_mapped_addresses_is_taken_out() {
        let (banned, _) = bans(&list(&["::/32"]), &list(&["::/80"]));
        let free = "::1".parse().unwrap();
        assert!(!banned[0].pieces.is_empty());
        assert!(banned[0].pieces.iter().all(|piece| !piece.contains(free)), "{:?}", banned[0].pieces);
    }

    #[test]
    fn neighbours_merge_but_never_beyond_the_floor() {
        let halves = list(&["10.0.0.0/8", "11.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25", "192.0.2.7"]);
        let (bans, wide) = bans(&halves, &[]);
        assert!(wide.is_empty());
        assert_eq!(merged(&bans), list(&["10.0.0.0/8", "11.0.0.0/8", "192.0.2.0/24"]));
    }

    #[test]
    fn what_is_too_wide_is_left_out() {
        let (bans, wide) = bans(&list(&["0.0.0.0/0", "::/0", "2001:db8::/32", "8.0.0.0/7"]), &[]);
        assert_eq!(wide, list(&["0.0.0.0/0", "8.0.0.0/7", "::/0"]));
        assert_eq!(merged(&bans), list(&["2001:db8::/32"]));
    }

    /// Prefixes close together, so that they overlap and touch.
    fn close() -> impl Strategy<Value = Prefix> {
        let v4 = (0u32..256, 24u8..=32).prop_map(|(low, len)| {
            let ip = std::net::Ipv4Addr::from_bits(0xc000_0200 | low);
            Prefix::new(std::net::IpAddr::V4(ip).into(), len)
        });
        let v6 = (0u128..256, 120u8..=128).prop_map(|(low, len)| {
            let ip = std::net::Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | low);
            Prefix::new(std::net::IpAddr::V6(ip).into(), len)
        });
        prop_oneof![v4, v6]
    }

    fn every_close_address() -> impl Iterator<Item = Address> {
        let v4 = (0u32..256).map(|low| std::net::Ipv4Addr::from_bits(0xc000_0200 | low).into());
        let v6 = (0u128..256).map(|low| std::net::Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | low).into());
        v4.chain(v6).map(|ip: std::net::IpAddr| ip.into())
    }

    proptest! {
        #[test]
        fn exactly_the_banned_addresses_are_covered(
            prefixes in proptest::collection::vec(close(), 0..40),
            holes in proptest::collection::vec(close(), 0..6),
        ) {
            let (bans, _) = bans(&prefixes, &holes);
            let shortest = merged(&bans);
            for address in every_close_address() {
                let is_in = |list: &[Prefix]| list.iter().filter(|prefix| prefix.contains(address)).count();
                let banned = is_in(&prefixes) > 0 && is_in(&holes) == 0;
                prop_assert_eq!(is_in(&shortest), usize::from(banned), "{}", address);
                let pieces: Vec<Prefix> = bans.iter().flat_map(|ban| ban.pieces.to_vec()).collect();
                prop_assert_eq!(is_in(&pieces), usize::from(banned), "{}", address);
            }
            prop_assert!(shortest.is_sorted());
            prop_assert!(shortest.iter().all(|prefix| prefix.length() >= floor(*prefix)));
            let again = crate::address::aggregate(&shortest);
            prop_assert_eq!(again, shortest, "shortest form");
        }

        #[test]
        fn a_ban_wins_over_a_challenge_and_nothing_lies_inside_another(
            banned in proptest::collection::vec(close(), 0..12),
            challenged in proptest::collection::vec(close(), 0..12),
            spared in proptest::collection::vec(close(), 0..4),
        ) {
            let ((refused, _), (marked, _)) = (bans(&banned, &[]), bans(&challenged, &spared));
            let all = geo(&refused, &marked);
            for address in every_close_address() {
                let is_in = |list: &[Prefix]| list.iter().any(|prefix| prefix.contains(address));
                let expected = match (is_in(&banned), is_in(&challenged) && !is_in(&spared)) {
                    (true, _) => vec![Measure::Ban],
                    (false, true) => vec![Measure::Challenge],
                    (false, false) => vec![],
                };
                let said = all.iter().filter(|(prefix, _)| prefix.contains(address)).map(|(_, value)| *value);
                prop_assert_eq!(said.collect::<Vec<_>>(), expected, "{}", address);
            }
            prop_assert!(all.is_sorted());
        }
    }
}
