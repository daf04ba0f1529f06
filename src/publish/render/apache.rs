//! Keys of an Apache text map. A map compares whole texts, so an address is looked up as `REMOTE_ADDR` prints it, and a
//! prefix by the part of that text which all of its addresses, and no others, begin with.
//!
//! - IPv4 /8, /16, /24: the octets, each with its dot: `198.51.100.`
//! - IPv6 /32, /48, /64: the hextets, each with its colon: `2001:db8:1:2:`. Where the prefix ends in zero hextets, the
//!   server may have compressed them: then also the hextets before them and one more colon, `2001:db8::`.
//!
//! The second form says that at least the next two hextets are zero, which is as far as it can tell.

use std::collections::HashSet;
use std::net::IpAddr;

use super::super::banned::Ban;
use super::text::{push_hextet, push_ip, push_octets};
use super::{LeftOut, Why};
use crate::address::{Prefix, subtract};

/// How many keys one banned prefix may take: each line makes every look-up of an unknown address slower.
pub(super) const MAX_KEYS: u64 = 4096;

/// The lengths that a key can express, per family.
const V4_LENGTHS: [u8; 4] = [8, 16, 24, 32];
const V6_LENGTHS: [u8; 4] = [32, 48, 64, 128];

/// How the server finds the part of an address that may be a key, beside the whole address: its first group.
pub(in crate::publish) const LOOK_UPS: [&str; 7] = [
    r"^([0-9]+\.)",
    r"^((?:[0-9]+\.){2})",
    r"^((?:[0-9]+\.){3})",
    r"^((?:[0-9a-f]{1,4}:){2})",
    r"^((?:[0-9a-f]{1,4}:){3})",
    r"^((?:[0-9a-f]{1,4}:){4})",
    r"^((?:[0-9a-f]{1,4}:){1,3}:)",
];

/// The most hextets that the last look-up captures before the compressed zeros.
const COMPRESSED_AT_MOST: usize = 3;

/// Writes the `KEY -` lines; what cannot be said is added to `left_out`. Returns the number of lines.
pub(super) fn push(out: &mut Vec<u8>, bans: &[Ban], left_out: &mut Vec<LeftOut>) -> usize {
    bans.iter().map(|ban| push_ban(out, ban, left_out)).sum()
}

/// Writes the `KEY challenge` lines behind the others; the same way. A key that bans is not written again: the look-ups for
/// bans come first, and of two lines with one key a server takes whichever it likes.
pub(super) fn push_challenges(out: &mut Vec<u8>, challenges: &[Ban], left_out: &mut Vec<LeftOut>) -> usize {
    if challenges.is_empty() {
        return 0;
    }
    let mut lines = Vec::new();
    push(&mut lines, challenges, left_out);
    let key = |line: &[u8]| line.strip_suffix(BANNED).map(<[u8]>::to_vec);
    let banned: HashSet<Vec<u8>> = out.split(|b| *b == b'\n').filter_map(key).collect();
    let keys = lines.split(|b| *b == b'\n').filter_map(key).filter(|key| !banned.contains(key));
    let written = keys.map(|key| {
        out.extend_from_slice(&key);
        out.extend_from_slice(CHALLENGED);
    });
    written.count()
}

/// What stands behind the key of one that is banned, and of one that is challenged.
const BANNED: &[u8] = b" -";
const CHALLENGED: &[u8] = b" challenge\n";

/// Whether there are keys for this prefix without the holes, and not too many.
pub(in crate::publish) fn can_hold(prefix: Prefix, holes: &[Prefix]) -> bool {
    let mut left_out = Vec::new();
    push(&mut Vec::new(), &[Ban { prefix, pieces: subtract(prefix, holes).into() }], &mut left_out);
    left_out.is_empty()
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

/// Writes the lines of a prefix of expressible length, and counts them; `None` where there is no such key.
fn push_part(out: &mut Vec<u8>, part: Prefix) -> Option<usize> {
    match part.first().ip() {
        IpAddr::V4(ip) if part.is_host() => push_ip(out, ip.into()),
        IpAddr::V4(ip) => push_octets(out, &ip.octets()[..usize::from(part.length() / 8)], b"."),
        IpAddr::V6(ip) if part.is_host() => push_host(out, ip.segments())?,
        IpAddr::V6(ip) => return push_hextets(out, &ip.segments()[..usize::from(part.length() / 16)]),
    }
    end_line(out);
    Some(1)
}

/// Writes the end of a line whose key was just written.
fn end_line(out: &mut Vec<u8>) {
    out.extend_from_slice(BANNED);
    out.push(b'\n');
}

/// An IPv6 address as the server prints it: `inet_ntop` writes the IPv4-compatible ones with dots.
fn push_host(out: &mut Vec<u8>, hextets: [u16; 8]) -> Option<()> {
    if (1..=COMPRESSED_AT_MOST).contains(&leading(&hextets)) {
        // `2001:db8::` is also the key of the prefix that this address is the first of: it would ban its neighbours.
        return None;
    }
    if hextets[..6] == [0; 6] && hextets[6] != 0 {
        let ([a, b], [c, d]) = (hextets[6].to_be_bytes(), hextets[7].to_be_bytes());
        out.extend_from_slice(b"::");
        push_octets(out, &[a, b, c, d], b"");
    } else {
        push_ip(out, IpAddr::from(hextets));
    }
    Some(())
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
    push_colon_each(out, hextets);
    end_line(out);
    if last == hextets.len() {
        return Some(1);
    }
    push_colon_each(out, &hextets[..last]);
    out.push(b':');
    end_line(out);
    Some(2)
}

fn push_colon_each(out: &mut Vec<u8>, hextets: &[u16]) {
    for hextet in hextets {
        push_hextet(out, *hextet);
        out.push(b':');
    }
}

/// How many hextets there are without the zeros at the end.
fn leading(hextets: &[u16]) -> usize {
    hextets.iter().rposition(|hextet| *hextet != 0).map_or(0, |last| last + 1)
}
