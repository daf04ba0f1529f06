//! Keys of an Apache text map. A map compares whole texts, so an address is looked up as `REMOTE_ADDR` prints it, and a
//! prefix by the part of that text which all of its addresses, and no others, begin with.
//!
//! - IPv4 /8, /16, /24: the octets, each with its dot: `198.51.100.`
//! - IPv6 /32, /48, /64: the hextets, each with its colon: `2001:db8:1:2:`. Where the prefix ends in zero hextets, the
//!   server may have compressed them: then also the hextets before them and one more colon, `2001:db8::`.
//!
//! The second form says that at least the next two hextets are zero, which is as far as it can tell.

use std::net::IpAddr;

use super::super::banned::Ban;
use super::text::{push_hextet, push_ip, push_octets};
use super::{LeftOut, Why};
use crate::address::Prefix;

/// How many keys one banned prefix may take: each line makes every look-up of an unknown address slower.
pub(super) const MAX_KEYS: u64 = 4096;

/// The lengths that a key can express, per family.
const V4_LENGTHS: [u8; 4] = [8, 16, 24, 32];
const V6_LENGTHS: [u8; 4] = [32, 48, 64, 128];

/// The most hextets that the look-up of a compressed prefix captures: `^((?:[0-9a-f]{1,4}:){1,3}:)`.
const COMPRESSED_AT_MOST: usize = 3;

/// Writes the `KEY -` lines; what cannot be said is added to `left_out`. Returns the number of lines.
pub(super) fn push(out: &mut Vec<u8>, bans: &[Ban], left_out: &mut Vec<LeftOut>) -> usize {
    bans.iter().map(|ban| push_ban(out, ban, left_out)).sum()
}

fn push_ban(out: &mut Vec<u8>, ban: &Ban, left_out: &mut Vec<LeftOut>) -> usize {
    let keys = ban.pieces.iter().fold(0u64, |sum, piece| sum.saturating_add(keys_needed(*piece)));
    if keys > MAX_KEYS {
        left_out.push(LeftOut { prefix: ban.prefix, why: Why::TooManyKeys });
        return 0;
    }
    let mut lines = 0;
    for part in ban.pieces.iter().flat_map(|piece| parts(*piece)) {
        match push_part(out, part) {
            Some(written) => lines += written,
            None => left_out.push(LeftOut { prefix: part, why: Why::NoKey }),
        }
    }
    lines
}

/// The next length that a key can express.
fn expressible(piece: Prefix) -> u8 {
    let lengths = if piece.is_ipv4() { V4_LENGTHS } else { V6_LENGTHS };
    lengths.into_iter().find(|length| *length >= piece.length()).unwrap_or(piece.length())
}

fn keys_needed(piece: Prefix) -> u64 {
    1u64.checked_shl(u32::from(expressible(piece) - piece.length())).unwrap_or(u64::MAX)
}

/// The piece as prefixes of an expressible length.
fn parts(piece: Prefix) -> impl Iterator<Item = Prefix> {
    let subnets = piece.net().subnets(expressible(piece));
    subnets.into_iter().flatten().map(Prefix::from)
}

/// Writes the lines of a prefix of expressible length; `None` (and nothing written) where there is no such key.
fn push_part(out: &mut Vec<u8>, part: Prefix) -> Option<usize> {
    match part.first().ip() {
        IpAddr::V4(ip) if part.is_host() => push_line(out, |out| push_ip(out, ip.into())),
        IpAddr::V4(ip) => {
            push_line(out, |out| push_octets(out, &ip.octets()[..usize::from(part.length() / 8)], b"."))
        }
        IpAddr::V6(ip) if part.is_host() => push_host(out, ip.segments()),
        IpAddr::V6(ip) => push_hextets(out, &ip.segments()[..usize::from(part.length() / 16)]),
    }
}

/// Always one line.
fn push_line(out: &mut Vec<u8>, key: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
    key(out);
    out.extend_from_slice(b" -\n");
    Some(1)
}

/// An IPv6 address as the server prints it: `inet_ntop` writes the IPv4-compatible ones with dots.
fn push_host(out: &mut Vec<u8>, hextets: [u16; 8]) -> Option<usize> {
    let last = leading(&hextets);
    if (1..=COMPRESSED_AT_MOST).contains(&last) {
        // `2001:db8::` is also the key of the prefix that this address is the first of: it would ban its neighbours.
        return None;
    }
    if hextets[..6] == [0; 6] && hextets[6] != 0 {
        let [a, b] = hextets[6].to_be_bytes();
        let [c, d] = hextets[7].to_be_bytes();
        out.extend_from_slice(b"::");
        return push_line(out, |out| push_octets(out, &[a, b, c, d], b""));
    }
    push_line(out, |out| push_ip(out, IpAddr::from(hextets)))
}

/// A prefix of two to four hextets.
fn push_hextets(out: &mut Vec<u8>, hextets: &[u16]) -> Option<usize> {
    let last = leading(hextets);
    // Two zeros before a later hextet of the prefix may be compressed or not, as the rest of the address has it.
    let two_zeros_before = hextets[..last].windows(2).any(|pair| pair == [0, 0]);
    // Compressed zeros only tell of two hextets; the prefix has more.
    let told = last + 2 >= hextets.len();
    if last == 0 || two_zeros_before || !told {
        return None;
    }
    let colon_each = |out: &mut Vec<u8>, hextets: &[u16]| {
        for hextet in hextets {
            push_hextet(out, *hextet);
            out.push(b':');
        }
    };
    push_line(out, |out| colon_each(out, hextets))?;
    if last == hextets.len() {
        return Some(1);
    }
    push_line(out, |out| {
        colon_each(out, &hextets[..last]);
        out.push(b':');
    })?;
    Some(2)
}

/// How many hextets there are without the zeros at the end.
fn leading(hextets: &[u16]) -> usize {
    hextets.iter().rposition(|hextet| *hextet != 0).map_or(0, |last| last + 1)
}
