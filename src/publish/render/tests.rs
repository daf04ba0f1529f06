//! What a server would answer from our bytes, by matchers of their own: exactly the banned set.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use regex::Regex;

use super::{LOOK_UPS, Why, body_of, digest_of, render};
use crate::address::{Address, Prefix};
use crate::ban::Snapshot;
use crate::publish::settings::{Kind, Settings, Style};

fn geo(style: Style) -> Kind {
    Kind::NginxGeo { variable: "bad_user".to_owned(), style }
}

fn snapshot(prefixes: &[Prefix], holes: &[Prefix]) -> Snapshot {
    let (mut prefixes, mut holes) = (prefixes.to_vec(), holes.to_vec());
    prefixes.sort();
    holes.sort();
    Snapshot { prefixes, holes, ..Snapshot::empty("o".parse().unwrap(), 7) }
}

fn list(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn rendered(kind: Kind, prefixes: &[Prefix], holes: &[Prefix]) -> super::Rendered {
    let settings = Settings::plain(kind, "/nowhere/list".into());
    render(&settings, &snapshot(prefixes, holes), "2026-11-20T15:51:57.123Z".parse().unwrap())
}

fn body(rendered: &super::Rendered) -> String {
    String::from_utf8(body_of(&rendered.bytes).to_vec()).unwrap()
}

#[test]
fn a_geo_block_is_whole() {
    let made = rendered(
        geo(Style::Block),
        &list(&["192.0.2.1", "192.0.2.0", "2001:db8::/64", "10.0.0.0/8", "198.51.100.7"]),
        &list(&["10.0.0.0/9"]),
    );
    let expected = "# Made by banmap and rewritten as a whole: changes made here are lost.\n\
        # generation 7, 2026-11-20T15:51:57Z, entries 4\n\
        geo $bad_user {\n    default 0;\n    10.128.0.0/9 1;\n    192.0.2.0/31 1;\n    198.51.100.7 1;\n    \
        2001:db8::/64 1;\n}\n";
    assert_eq!(String::from_utf8(made.bytes).unwrap(), expected);
    assert_eq!(made.entries, 4);
}

#[test]
fn an_include_holds_the_lines_only() {
    let made = rendered(geo(Style::Include), &list(&["192.0.2.1"]), &[]);
    assert_eq!(body(&made), "192.0.2.1 1;\n");
    assert_eq!(body(&rendered(geo(Style::Include), &[], &[])), "");
}

fn challenging(kind: Kind, banned: &[&str], challenged: &[&str], spared: &[&str]) -> super::Rendered {
    let snapshot =
        Snapshot { challenged: list(challenged), spared: list(spared), ..snapshot(&list(banned), &[]) };
    render(&Settings::plain(kind, "/nowhere/list".into()), &snapshot, jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn a_challenge_is_a_value_of_its_own_and_a_ban_wins() {
    let banned = ["192.0.2.0/30", "198.51.100.7", "2001:db8::/64"];
    let challenged = ["192.0.2.1", "192.0.2.9", "198.51.100.0/24", "2001:db8::/48"];
    let nginx = body(&challenging(geo(Style::Include), &banned[..2], &challenged[..2], &[]));
    assert_eq!(nginx, "192.0.2.0/30 1;\n192.0.2.9 2;\n198.51.100.7 1;\n");
    let apache = challenging(Kind::ApacheRewritemap, &banned, &challenged, &["192.0.2.9"]);
    assert_eq!(
        body(&apache),
        "192.0.2.0 -\n192.0.2.1 -\n192.0.2.2 -\n192.0.2.3 -\n198.51.100.7 -\n2001:db8:0:0: -\n2001:db8:: -\n\
         198.51.100. challenge\n2001:db8:0: challenge\n",
        "one line a key"
    );
    assert_eq!((apache.entries, apache.left_out.len()), (9, 0));
    assert_eq!(body(&challenging(Kind::List, &banned[1..2], &challenged, &[])), "198.51.100.7\n");
}

#[test]
fn a_list_is_not_merged() {
    let made = rendered(Kind::List, &list(&["192.0.2.0", "192.0.2.1", "2001:db8::/64", "2001:db8::1"]), &[]);
    assert_eq!(body(&made), "192.0.2.0\n192.0.2.1\n2001:db8::/64\n");
    assert_eq!(made.entries, 3);
}

#[test]
fn the_digest_is_of_the_body_alone_and_stable() {
    let settings = Settings::plain(Kind::List, "/nowhere/list".into());
    let one = snapshot(&list(&["192.0.2.1"]), &[]);
    let two = Snapshot { generation: 8, ..one.clone() };
    let (one, two) =
        (render(&settings, &one, jiff::Timestamp::UNIX_EPOCH), render(&settings, &two, jiff::Timestamp::MAX));
    assert_ne!(one.bytes, two.bytes);
    assert_eq!(one.digest, two.digest);
    assert_eq!(digest_of(&one.bytes), one.digest);
    assert_eq!(one.digest, 0x50af_bc82_dc02_0496, "kept digests of older versions must stay comparable");
    assert_eq!(super::fnv(b"a"), 0xaf63_dc4c_8601_ec8c, "published test vector");
}

#[test]
fn apache_keys_are_as_the_look_ups_want_them() {
    let banned = list(&[
        "192.0.2.1",
        "198.51.100.0/24",
        "10.0.0.0/8",
        "172.16.0.0/16",
        "203.0.113.8/31",
        "2001:db8:1:2::/64",
        "2001:db8::/64",
        "2001:db9::/32",
        "2001:dba:5::/48",
        "2001:dbb::/48",
        "2001:dbc:1::/64",
        "2001:dbd::7",
        "::102:304",
        "2001:dbe:0:1::/64",
    ]);
    let made = rendered(Kind::ApacheRewritemap, &banned, &[]);
    let body = body(&made);
    let keys: Vec<&str> = body.lines().map(|line| line.strip_suffix(" -").unwrap()).collect();
    assert_eq!(
        keys,
        [
            "10.",
            "172.16.",
            "192.0.2.1",
            "198.51.100.",
            "203.0.113.8",
            "203.0.113.9",
            "::1.2.3.4",
            "2001:db8:0:0:",
            "2001:db8::",
            "2001:db8:1:2:",
            "2001:db9:",
            "2001:dba:5:",
            "2001:dbb:0:",
            "2001:dbb::",
            "2001:dbc:1:0:",
            "2001:dbc:1::",
            "2001:dbd::7",
            "2001:dbe:0:1:",
        ]
    );
    assert!(made.left_out.is_empty());
    assert_eq!(made.entries, keys.len());
}

#[test]
fn other_lengths_become_the_next_expressible_one() {
    let count = |prefix: &str, holes: &[&str]| {
        let made = rendered(Kind::ApacheRewritemap, &list(&[prefix]), &list(holes));
        (made.entries, made.left_out.first().map(|left| left.why))
    };
    assert_eq!(count("192.0.0.0/20", &[]), (16, None));
    assert_eq!(count("192.0.2.0/28", &[]), (16, None));
    assert_eq!(count("2001:db8:1:200::/56", &[]), (256, None));
    assert_eq!(count("2001:db8:1::/56", &[]), (256 + 1, None), "the first /64 ends in a zero hextet");
}

#[test]
fn what_no_key_can_say_is_left_out_and_told() {
    let why = |prefix: &str, holes: &[&str]| {
        let made = rendered(Kind::ApacheRewritemap, &list(&[prefix]), &list(holes));
        (made.entries, made.left_out.iter().map(|left| left.why).collect::<Vec<_>>())
    };
    assert_eq!(why("192.0.2.0/24", &["192.0.2.9"]), (255, vec![]));
    assert_eq!(why("10.0.0.0/8", &["10.1.2.3"]), (255 * 3, vec![]));
    assert_eq!(why("2001:db8:1:2::/64", &["2001:db8:1:2::9"]), (0, vec![Why::TooManyKeys]));
    assert_eq!(why("2001:d00::/28", &[]), (16, vec![]));
    assert_eq!(why("2001:c000::/19", &[]), (0, vec![Why::TooManyKeys]));
    assert_eq!(why("2001:0:0:5::/64", &[]), (0, vec![Why::NoKey]));
    assert_eq!(why("2001::/64", &[]), (0, vec![Why::NoKey]));
    assert_eq!(why("2001:db8::", &[]), (0, vec![Why::NoKey]), "it would also ban the /64 it is the first of");
    assert_eq!(why("0.0.0.0/0", &[]), (0, vec![Why::TooWide]));
}

/// `mod_rewrite` with the look-ups of our snippet.
struct Apache {
    keys: HashSet<String>,
    parts: Vec<Regex>,
}

impl Apache {
    fn reading(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let keys = lines.map(|line| line.strip_suffix(" -").unwrap().to_owned()).collect();
        Self { keys, parts: LOOK_UPS.iter().map(|part| Regex::new(part).unwrap()).collect() }
    }

    fn refuses(&self, address: Address) -> bool {
        let text = remote_addr(address);
        let part = |part: &Regex| part.captures(&text).is_some_and(|found| self.keys.contains(&found[1]));
        self.keys.contains(&text) || self.parts.iter().any(part)
    }
}

/// `REMOTE_ADDR` of a client.
fn remote_addr(address: Address) -> String {
    match address.ip() {
        IpAddr::V6(v6) if v6.segments()[..6] == [0; 6] && v6.segments()[6] != 0 => {
            format!("::{}", Ipv4Addr::from_bits(v6.to_bits() as u32))
        }
        ip => ip.to_string(),
    }
}

/// nginx's geo: the longest prefix that holds the address decides.
fn geo_refuses(bytes: &[u8], address: Address) -> bool {
    let text = std::str::from_utf8(bytes).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(" 1;"));
    let prefixes = lines.map(|line| line.trim().strip_suffix(" 1;").unwrap().parse::<Prefix>().unwrap());
    prefixes.filter(|prefix| prefix.contains(address)).max_by_key(|prefix| prefix.length()).is_some()
}

fn hextet() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(0u16), 2 => Just(1), 1 => Just(0x2001), 1 => 0..=u16::MAX]
}

fn v6() -> impl Strategy<Value = Address> {
    proptest::array::uniform8(hextet()).prop_map(|hextets| IpAddr::V6(Ipv6Addr::from(hextets)).into())
}

fn v4() -> impl Strategy<Value = Address> {
    proptest::array::uniform4(prop_oneof![Just(1u8), Just(10), 0..=255u8])
        .prop_map(|octets| IpAddr::V4(Ipv4Addr::from(octets)).into())
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (v4(), prop_oneof![Just(8u8), Just(16), Just(24), 20..=32u8]);
    let v6 = (v6(), prop_oneof![Just(32u8), Just(48), Just(64), Just(56), Just(128), 19..=128u8]);
    prop_oneof![v4.prop_map(|(a, len)| Prefix::new(a, len)), v6.prop_map(|(a, len)| Prefix::new(a, len))]
}

/// An address near `prefix`: some bits behind its first ones differ.
fn near(prefix: Prefix, other: Address) -> Address {
    match (prefix.first().ip(), other.ip()) {
        (IpAddr::V6(inside), IpAddr::V6(other)) => {
            let keep = u128::MAX.checked_shl(128 - u32::from(prefix.length())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(inside.to_bits() | (other.to_bits() & !keep))).into()
        }
        (IpAddr::V4(inside), _) => {
            let keep = u32::MAX.checked_shl(32 - u32::from(prefix.length())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(inside.to_bits() | (0x0a01_2b3c & !keep))).into()
        }
        _ => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn both_servers_refuse_exactly_the_banned_set(
        prefixes in proptest::collection::vec(prefix(), 1..12),
        holes in proptest::collection::vec(prefix(), 0..4),
        others in proptest::collection::vec(prop_oneof![v6(), v4()], 16),
    ) {
        let apache = rendered(Kind::ApacheRewritemap, &prefixes, &holes);
        let nginx = rendered(geo(Style::Block), &prefixes, &holes);
        let gate = Apache::reading(&apache.bytes);
        let inside = prefixes.iter().chain(&holes).flat_map(|p| others.iter().map(|o| near(*p, *o)));
        for address in inside.chain(others.iter().copied()) {
            let holds = |list: &[Prefix]| list.iter().any(|prefix| prefix.contains(address));
            let banned = holds(&prefixes) && !holds(&holes);
            prop_assert_eq!(geo_refuses(&nginx.bytes, address), banned, "nginx, {}", address);
            let left_out = apache.left_out.iter().any(|left| left.prefix.contains(address));
            if !left_out {
                prop_assert_eq!(gate.refuses(address), banned, "Apache, {}", address);
            }
            prop_assert!(banned || !gate.refuses(address), "Apache refuses {}", address);
        }
    }
}
