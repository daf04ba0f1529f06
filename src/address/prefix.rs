//! `Prefix`: an address range that a ban or an allow entry names; sets of them in their shortest form.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Address;

/// How far apart clients are told: the prefix length that is counted and banned, for each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// IPv4 prefix length, 0 to 32.
    pub v4: u8,
    /// IPv6 prefix length, 0 to 128.
    pub v6: u8,
}

impl Default for Group {
    /// An IPv4 address alone; of IPv6 the /64 that one client usually has.
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

/// A range of addresses: an address and how many of its leading bits count. Host bits are always clear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(IpNet);

/// Text that is no address and no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The part before the slash cannot be read.
    #[error("`{0}` is not an IP address")]
    NotAnAddress(String),
    /// The part after the slash is no length of that family.
    #[error("`{0}`: the prefix length must be a number from 0 to {1}")]
    BadLength(String, u8),
}

impl Prefix {
    /// The prefix of `len` bits around `address`; a longer `len` than the family has is the address alone.
    pub fn new(address: Address, len: u8) -> Self {
        Self(match address.ip() {
            IpAddr::V4(ip) => {
                let len = len.min(32);
                let host = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_bits(ip.to_bits() & !host), len))
            }
            IpAddr::V6(ip) => {
                let len = len.min(128);
                let host = u128::MAX.checked_shr(len.into()).unwrap_or(0);
                IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(ip.to_bits() & !host), len))
            }
        })
    }

    /// One address alone.
    pub fn host(address: Address) -> Self {
        Self(address.ip().into())
    }

    /// What is counted and banned for `address`.
    pub fn group(address: Address, group: Group) -> Self {
        Self::new(address, if address.ip().is_ipv4() { group.v4 } else { group.v6 })
    }

    /// The prefix of `len` bits around this one; itself, where it has no more.
    #[must_use]
    pub fn widened(self, len: u8) -> Self {
        if len >= self.length() { self } else { Self::new(self.0.addr().into(), len) }
    }

    /// How many leading bits count.
    pub fn length(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether it is a single address.
    pub fn is_host(self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }

    /// Whether it is a range of IPv4 addresses.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// How many addresses it holds; of all IPv6 the greatest number there is.
    pub fn size(self) -> u128 {
        let bits = u32::from(self.0.max_prefix_len() - self.0.prefix_len());
        1_u128.checked_shl(bits).unwrap_or(u128::MAX)
    }

    /// That in words: `65,536 addresses`; of IPv6 the /64 networks that clients have, `65,536 networks of /64`.
    pub fn extent(self) -> String {
        /// What one client has.
        const NETWORK: u8 = 64;
        let (count, what) = match self.0 {
            IpNet::V6(net) if net.prefix_len() <= NETWORK => {
                (1_u128 << (NETWORK - net.prefix_len()), "network of /64")
            }
            IpNet::V6(net) if net.prefix_len() < 96 => {
                return format!("2^{} addresses", 128 - net.prefix_len());
            }
            _ => (self.size(), "address"),
        };
        match (count, what) {
            (1, what) => format!("1 {what}"),
            (count, "address") => format!("{} addresses", grouped(count)),
            (count, _) => format!("{} networks of /64", grouped(count)),
        }
    }

    /// The lowest address of the range.
    pub fn first(self) -> Address {
        self.0.network().into()
    }

    /// Whether `address` lies inside.
    pub fn contains(self, address: Address) -> bool {
        self.covers(Self::host(address))
    }

    /// Whether all of `other` lies inside (or they are equal).
    pub fn covers(self, other: Self) -> bool {
        match (self.0, other.0) {
            (IpNet::V4(wide), IpNet::V4(net)) => {
                let differing = wide.addr().to_bits() ^ net.addr().to_bits();
                wide.prefix_len() <= net.prefix_len() && differing.leading_zeros() >= wide.prefix_len().into()
            }
            (IpNet::V6(wide), IpNet::V6(net)) => {
                let differing = wide.addr().to_bits() ^ net.addr().to_bits();
                wide.prefix_len() <= net.prefix_len() && differing.leading_zeros() >= wide.prefix_len().into()
            }
            _ => false,
        }
    }

    /// The same range as the library type that lists are computed with.
    pub fn net(self) -> IpNet {
        self.0
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let breaks = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    let each = digits.char_indices();
    each.flat_map(|(place, digit)| breaks(place).then_some(',').into_iter().chain([digit])).collect()
}

impl Hash for Prefix {
    /// In as few words as can be: every record is looked up by its address, several times.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            IpNet::V4(net) => {
                state.write_u64(u64::from(net.addr().to_bits()) << 8 | u64::from(net.prefix_len()));
            }
            IpNet::V6(net) => {
                state.write_u128(net.addr().to_bits());
                state.write_u8(net.prefix_len());
            }
        }
    }
}

impl From<Address> for Prefix {
    fn from(address: Address) -> Self {
        Self::host(address)
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        // A mapped range of at least 96 bits is the IPv4 range it stands for; shorter ones stay as written.
        let mapped = match net {
            IpNet::V6(v6) if v6.prefix_len() >= 96 => {
                v6.network().to_ipv4_mapped().map(|v4| (v4, v6.prefix_len() - 96))
            }
            _ => None,
        };
        match mapped {
            Some((v4, len)) => Self::new(IpAddr::V4(v4).into(), len),
            None => Self(net.trunc()),
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// `192.0.2.0/24`, `2001:db8::/32`, or an address in any spelling that `Address` reads. Host bits are cleared.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some((address, len)) = text.split_once('/') else {
            return Ok(Self::host(text.parse()?));
        };
        let ip: IpAddr = address.parse().map_err(|_| PrefixError::NotAnAddress(address.to_owned()))?;
        let max = if ip.is_ipv4() { 32 } else { 128 };
        let bad = || PrefixError::BadLength(text.to_owned(), max);
        if len.is_empty() || !len.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let len: u8 = len.parse().map_err(|_| bad())?;
        IpNet::new(ip, len).map(Self::from).map_err(|_| bad())
    }
}

impl fmt::Display for Prefix {
    /// A single address without its length, as log lines have it; a wider range as `first/len`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            self.0.addr().fmt(f)
        } else {
            write!(f, "{}/{}", self.0.addr(), self.0.prefix_len())
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The shortest sorted list that covers exactly the same addresses.
pub fn aggregate(prefixes: &[Prefix]) -> Vec<Prefix> {
    let nets: Vec<IpNet> = prefixes.iter().map(|p| p.0).collect();
    let mut shortest: Vec<Prefix> = IpNet::aggregate(&nets).into_iter().map(Prefix).collect();
    shortest.sort_unstable();
    shortest
}

/// Whether one of the prefixes of a list that [`aggregate`] made holds all of `inside`.
pub fn holds(aggregated: &[Prefix], inside: Prefix) -> bool {
    let before = aggregated.partition_point(|prefix| *prefix <= inside);
    before.checked_sub(1).and_then(|at| aggregated.get(at)).is_some_and(|prefix| prefix.covers(inside))
}

/// What is left of `prefix` when every address of `holes` is taken out: sorted, disjoint, empty if nothing is left.
pub fn subtract(prefix: Prefix, holes: &[Prefix]) -> Vec<Prefix> {
    if holes.iter().any(|hole| hole.covers(prefix)) {
        return Vec::new();
    }
    let inside: Vec<Prefix> = holes.iter().copied().filter(|hole| prefix.covers(*hole)).collect();
    if inside.is_empty() {
        return vec![prefix];
    }
    let halves =
        prefix.0.subnets(prefix.length() + 1).expect("a prefix with a hole inside is shorter than a host");
    halves.flat_map(|half| subtract(Prefix(half), &inside)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::{Prefix, aggregate, holds, subtract};

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn shown(list: &[Prefix]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    proptest! {
        #[test]
        fn bits_are_counted_as_the_library_does(a: u128, b: u128, near in 0..=128_u32, (long, short) in (0..=128_u8, 0..=128_u8)) {
            // Two addresses that have `near` bits in common.
            let b = a ^ b.checked_shr(near).unwrap_or(0);
            for (a, b) in [
                (IpAddr::from(a.to_be_bytes()), IpAddr::from(b.to_be_bytes())),
                (IpAddr::from(((a >> 96) as u32).to_be_bytes()), IpAddr::from(((b >> 96) as u32).to_be_bytes())),
            ] {
                let bits = if a.is_ipv4() { 32 } else { 128 };
                let (wide, narrow) = (short.min(bits), long.min(bits));
                let nets = (IpNet::new(a, wide).unwrap().trunc(), IpNet::new(b, narrow).unwrap().trunc());
                let ours = (Prefix::new(a.into(), wide), Prefix::new(b.into(), narrow));
                // What maps IPv4 is another address here than there.
                prop_assume!(a.to_canonical() == a && b.to_canonical() == b);
                prop_assert_eq!((ours.0.net(), ours.1.net()), nets);
                prop_assert_eq!(ours.0.covers(ours.1), nets.0.contains(&nets.1));
                prop_assert_eq!(ours.0.contains(b.into()), nets.0.contains(&b));
            }
        }
    }

    #[test]
    fn host_bits_are_cleared_and_mapped_ranges_are_ipv4() {
        assert_eq!(p("192.0.2.77/24").to_string(), "192.0.2.0/24");
        assert_eq!(p("::ffff:192.0.2.0/120").to_string(), "192.0.2.0/24");
        assert_eq!(p("::ffff:192.0.2.9").to_string(), "192.0.2.9");
        assert_eq!(p("2001:DB8::1/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn a_range_tells_how_much_it_holds() {
        for (text, size, extent) in [
            ("192.0.2.7", 1, "1 address"),
            ("192.0.2.0/24", 256, "256 addresses"),
            ("10.0.0.0/8", 1 << 24, "16,777,216 addresses"),
            ("0.0.0.0/0", 1 << 32, "4,294,967,296 addresses"),
            ("2001:db8::1", 1, "1 address"),
            ("2001:db8::/120", 256, "256 addresses"),
            ("2001:db8::/65", 1 << 63, "2^63 addresses"),
            ("2001:db8::/64", 1 << 64, "1 network of /64"),
            ("2001:db8::/48", 1 << 80, "65,536 networks of /64"),
            ("2001::/19", 1 << 109, "35,184,372,088,832 networks of /64"),
            ("::/0", u128::MAX, "18,446,744,073,709,551,616 networks of /64"),
        ] {
            assert_eq!((p(text).size(), p(text).extent().as_str()), (size, extent), "{text}");
        }
    }

    #[test]
    fn lengths_outside_the_family_are_refused() {
        for text in [
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/",
            "192.0.2.0/-1",
            "192.0.2.0/+8",
            "192.0.2.0/255.255.255.0",
            "x/8",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn aggregation_is_sorted_unique_and_exact() {
        let list = [
            "192.0.2.1",
            "192.0.2.0",
            "192.0.2.2",
            "192.0.2.3",
            "192.0.2.3",
            "2001:db8::/64",
            "10.0.0.0/8",
            "10.1.0.0/16",
        ];
        let list: Vec<Prefix> = list.iter().map(|t| p(t)).collect();
        assert_eq!(shown(&aggregate(&list)), ["10.0.0.0/8", "192.0.2.0/30", "2001:db8::/64"]);
    }

    #[test]
    fn a_list_holds_what_lies_inside_one_of_its_prefixes() {
        let list = ["192.0.2.0/25", "192.0.2.128/25", "198.51.100.7", "2001:db8::/32"];
        let list = aggregate(&list.map(p));
        for inside in ["192.0.2.0/24", "192.0.2.9", "192.0.2.255", "198.51.100.7", "2001:db8:ffff::/48"] {
            assert!(holds(&list, p(inside)), "{inside}");
        }
        for outside in ["192.0.3.0", "192.0.1.255", "192.0.2.0/23", "198.51.100.6", "198.51.100.8", "::1"] {
            assert!(!holds(&list, p(outside)), "{outside}");
        }
        assert!(!holds(&[], p("192.0.2.1")));
    }

    #[test]
    fn a_hole_splits_a_prefix() {
        assert_eq!(shown(&subtract(p("192.0.2.0/30"), &[p("192.0.2.1")])), ["192.0.2.0", "192.0.2.2/31"]);
        assert!(subtract(p("192.0.2.0/30"), &[p("192.0.0.0/16")]).is_empty());
        assert_eq!(shown(&subtract(p("192.0.2.0/30"), &[p("198.51.100.1")])), ["192.0.2.0/30"]);
    }
}
