//! Addresses as text, written by hand: a list of 100,000 is printed at each publish.

use std::net::{IpAddr, Ipv6Addr};

use crate::address::Prefix;

/// An address alone, or `first/len`, as `Prefix` displays it.
pub(in crate::publish) fn push_prefix(out: &mut Vec<u8>, prefix: Prefix) {
    push_ip(out, prefix.net().addr());
    if !prefix.is_host() {
        out.push(b'/');
        push_number(out, prefix.length());
    }
}

/// Decimal with dots, or RFC 5952: lower case, the longest run of zero hextets (at least two, the first of equals) as `::`.
pub(super) fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => push_octets(out, &v4.octets(), b""),
        IpAddr::V6(v6) => push_v6(out, v6),
    }
}

/// The octets, a dot between them, and `end` behind.
pub(super) fn push_octets(out: &mut Vec<u8>, octets: &[u8], end: &[u8]) {
    for (i, octet) in octets.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        push_number(out, *octet);
    }
    out.extend_from_slice(end);
}

fn push_number(out: &mut Vec<u8>, n: u8) {
    if n >= 100 {
        out.push(b'0' + n / 100);
    }
    if n >= 10 {
        out.push(b'0' + n / 10 % 10);
    }
    out.push(b'0' + n % 10);
}

/// A hextet in hexadecimal without leading zeros.
pub(super) fn push_hextet(out: &mut Vec<u8>, hextet: u16) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let leading = (hextet.leading_zeros() / 4).min(3);
    for shift in (0..4 - leading).rev() {
        out.push(DIGITS[usize::from(hextet >> (shift * 4) & 0xf)]);
    }
}

fn push_v6(out: &mut Vec<u8>, ip: Ipv6Addr) {
    let hextets = ip.segments();
    let (start, length) = longest_zero_run(&hextets);
    for (i, hextet) in hextets.iter().enumerate() {
        if length > 0 && (start..start + length).contains(&i) {
            // The colon behind the hextet before the run, if there is one, is written there.
            if i == start {
                out.extend_from_slice(if start == 0 { b"::" } else { b":" });
            }
            continue;
        }
        push_hextet(out, *hextet);
        if i < 7 {
            out.push(b':');
        }
    }
}

/// Where the run that RFC 5952 compresses starts, and its length; 0 where none has at least two hextets.
fn longest_zero_run(hextets: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut current) = ((0, 0), (0, 0));
    for (i, hextet) in hextets.iter().enumerate() {
        current = if *hextet != 0 { (i + 1, 0) } else { (current.0, current.1 + 1) };
        if current.1 > best.1 {
            best = current;
        }
    }
    if best.1 >= 2 { best } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::{push_ip, push_prefix};
    use crate::address::Prefix;

    fn printed(ip: IpAddr) -> String {
        let mut out = Vec::new();
        push_ip(&mut out, ip);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_run_of_zeros_is_chosen_as_the_rfc_says() {
        for text in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "2001::1:0:0:1:0",
            "1:0:0:2::",
            "::1:2:3:4:5:6",
            "1:2:3:4:5:6:7:0",
            "1:2:3:4:5:6::",
            "0:1:2:3:4:5:6:7",
        ] {
            assert_eq!(printed(text.parse().unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn addresses_are_printed_as_the_standard_library_does(
            v4: u32,
            hextets in proptest::array::uniform8(prop_oneof![Just(0u16), Just(1), 0..=u16::MAX]),
            len in 0u8..=128,
        ) {
            let v4 = IpAddr::V4(Ipv4Addr::from_bits(v4));
            prop_assert_eq!(printed(v4), v4.to_string());
            let v6 = IpAddr::V6(Ipv6Addr::from(hextets));
            if v6.to_canonical() == v6 {
                prop_assert_eq!(printed(v6), v6.to_string());
            }
            for ip in [v4, v6] {
                let prefix = Prefix::new(ip.into(), len);
                let mut out = Vec::new();
                push_prefix(&mut out, prefix);
                prop_assert_eq!(String::from_utf8(out).unwrap(), prefix.to_string());
            }
        }
    }
}
