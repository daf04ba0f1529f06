//! `Address`: one client, in its canonical form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A client's address in canonical form: IPv4-mapped IPv6 is IPv4, and there is no port, bracket or zone id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(IpAddr);

impl Address {
    /// Reads the spellings that servers log: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`,
    /// `fe80::1%eth0`, `::ffff:192.0.2.1`. A host name, a list or anything else is `None`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // The longest spelling: brackets, a full IPv6 address with an IPv4 tail, a zone id, a port.
        if text.len() > 128 {
            return None;
        }
        if let Some(ip) = v4(text) {
            return Some(Self(ip.into()));
        }
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Some(IpAddr::V6(ip).into());
        }
        if let Some(inside) = text.strip_prefix('[') {
            let (host, port) = inside.split_once(']')?;
            return if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
                v6(host)
            } else {
                None
            };
        }
        text.parse::<SocketAddrV4>().ok().map(|pair| IpAddr::V4(*pair.ip()).into()).or_else(|| v6(text))
    }

    /// The address as the standard library knows it; never an IPv4-mapped one.
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// Whether only this machine itself can have it (127.0.0.0/8, `::1`), or it is no client at all (0.0.0.0, ::).
    pub fn is_loopback(self) -> bool {
        self.0.is_loopback() || self.0.is_unspecified()
    }

    /// Whether it has no meaning outside of somebody's own network: private (RFC 1918, RFC 4193), shared with a provider
    /// (RFC 6598), or link-local.
    pub fn is_private(self) -> bool {
        match self.0 {
            IpAddr::V4(ip) => {
                let [first, second, ..] = ip.octets();
                ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        }
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A bare IPv4 address, which most clients are: read by hand, as strictly as the standard library does.
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0_u32, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || octet != 0 => {
                (octet, digits) = (octet * 10 + u32::from(byte - b'0'), digits + 1);
                if octet > 255 {
                    return None;
                }
            }
            b'.' if digits > 0 && dots < 3 => {
                (bits, octet, digits, dots) = (bits << 8 | octet, 0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0).then(|| (bits << 8 | octet).into())
}

/// An IPv6 address that may carry a zone id (`%eth0`).
fn v6(text: &str) -> Option<Address> {
    let bare = text.split_once('%').map_or(text, |(address, _zone)| address);
    bare.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).into())
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }
}

impl FromStr for Address {
    type Err = super::PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or_else(|| super::PrefixError::NotAnAddress(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::{Address, v4};

    fn read(text: &str) -> Option<String> {
        Address::parse(text.as_bytes()).map(|a| a.to_string())
    }

    #[test]
    fn every_spelling_of_a_client_is_one_client() {
        for (spelling, canonical) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:443", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:65535", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:80", "fe80::1"),
        ] {
            assert_eq!(read(spelling).as_deref(), Some(canonical), "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn a_bare_ipv4_address_is_read_as_the_library_reads_it(text in "[0-9]{0,4}(\\.[0-9a]{0,3}){0,4}", ip in any::<[u8; 4]>()) {
            prop_assert_eq!(v4(text.as_bytes()), text.parse::<Ipv4Addr>().ok(), "{}", text);
            let ip = Ipv4Addr::from(ip);
            prop_assert_eq!(v4(ip.to_string().as_bytes()), Some(ip));
        }
    }

    #[test]
    fn private_addresses_are_those_of_a_network_of_ones_own() {
        let is_private = |text: &str| Address::parse(text.as_bytes()).unwrap().is_private();
        for private in
            ["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.127.0.1", "169.254.1.1", "fd00::1", "fe80::1"]
        {
            assert!(is_private(private), "{private}");
        }
        for public in
            ["11.0.0.1", "172.32.0.1", "100.128.0.1", "203.0.113.7", "2001:db8::1", "127.0.0.1", "::1"]
        {
            assert!(!is_private(public), "{public}");
        }
        assert!(is_private("::ffff:10.0.0.1"));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in [
            "",
            "-",
            "example.net",
            "192.0.2",
            "192.0.2.1.5",
            "1.2.3.4, 5.6.7.8",
            "[::1]x",
            "[::1",
            "192.0.2.1:x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
