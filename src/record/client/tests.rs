//! Chains as proxies and attackers write them, and the walk against a model that knows what was meant.

use proptest::prelude::*;
use proptest::sample::select;

use super::{ClientFrom, TraceEnd};
use crate::address::{AllowEntry, Allowlist};
use crate::record::access::Span;
use crate::record::escape::Escape;
use crate::record::parsed::Record;
use crate::record::slots::{Parts, Role, Slot};
use crate::record::{Field, client::PEER};

fn trusted() -> Allowlist {
    let entries = ["10.0.0.0/8", "2001:db8:10::/48", "192.0.2.25"];
    entries.iter().map(|text| AllowEntry { prefix: text.parse().unwrap(), origin: "t".into() }).collect()
}

/// Whom a chain leads to; `peer` where it is the peer, which is 10.0.0.1.
fn walked(from: &str, chain: &str) -> String {
    let from: ClientFrom = from.parse().unwrap();
    let reached = from.walk(chain.as_bytes(), "10.0.0.1".parse().unwrap(), &trusted(), |_| {}).reached;
    if let Some((range, address)) = &reached {
        let there = std::str::from_utf8(&chain.as_bytes()[range.clone()]).unwrap();
        assert_eq!(there.parse(), Ok(*address), "the range is that of the address: {chain}");
    }
    reached.map_or("peer".to_owned(), |(_, address)| address.to_string())
}

#[test]
fn a_list_is_walked_from_the_right_through_trusted_proxies_only() {
    for (chain, client) in [
        ("203.0.113.7", "203.0.113.7"),
        ("spoof, 198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        ("198.51.100.1,203.0.113.7,10.0.0.9,192.0.2.25", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 192.0.2.26", "192.0.2.26"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.7:443, [2001:db8:10::1]:80", "203.0.113.7"),
        ("[2001:DB8::7]:443", "2001:db8::7"),
        ("2001:db8::7, 2001:db8:10::1", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ,\t10.0.0.9 , , ,", "203.0.113.7"),
        ("\"203.0.113.7\"", "203.0.113.7"),
        ("\"[2001:db8::7]:80\"", "2001:db8::7"),
    ] {
        assert_eq!(walked("x_forwarded_for", chain), client, "{chain}");
        assert_eq!(walked("x_real_ip", chain), client, "{chain}");
    }
}

#[test]
fn garbage_ends_the_walk_at_the_last_good_address() {
    for (chain, client) in [
        ("", "peer"),
        ("-", "peer"),
        (" , ,", "peer"),
        ("unknown", "peer"),
        ("198.51.100.1, junk", "peer"),
        ("198.51.100.1, junk, 10.0.0.9", "10.0.0.9"),
        ("198.51.100.1 203.0.113.7", "peer"),
        ("198.51.100.1; 203.0.113.7", "peer"),
        ("\"203.0.113.7", "peer"),
        ("203.0.113.7\"", "peer"),
        ("\"", "peer"),
        ("203.0.113.7:x", "peer"),
        ("203.0.113.7:", "peer"),
        (":443", "peer"),
        ("[203.0.113.7]", "peer"),
        ("[2001:db8::7", "peer"),
        ("2001:db8::7]", "peer"),
        ("[]:80", "peer"),
        ("203.0.113.7/32", "peer"),
        ("0x0a.0.0.1", "peer"),
        ("203.0.113.07", "peer"),
        ("for=203.0.113.7", "peer"),
    ] {
        assert_eq!(walked("x_forwarded_for", chain), client, "{chain}");
    }
    let long = format!("198.51.100.1{}, 203.0.113.7", ",".repeat(100_000));
    assert_eq!(walked("x_forwarded_for", &long), "203.0.113.7");
    assert_eq!(walked("forwarded", &"\\\"".repeat(100_000)), "peer");
}

#[test]
fn forwarded_elements_are_read_as_rfc_7239_writes_them() {
    for (chain, client) in [
        ("for=203.0.113.7", "203.0.113.7"),
        ("For=198.51.100.1, FOR=203.0.113.7;proto=https;by=10.0.0.1", "203.0.113.7"),
        ("for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("for=203.0.113.7, for=\"10.0.0.9:_hidden\"", "203.0.113.7"),
        ("for=203.0.113.7;host=\"a,b;for=198.51.100.1\", for=10.0.0.9", "203.0.113.7"),
        ("for=203.0.113.7;host=\"a\\\", for=198.51.100.1;x=\\\"\"", "203.0.113.7"),
        ("for=\"198.51.100.1, for=203.0.113.7", "203.0.113.7"),
        ("for=\"_x, for=\"203.0.113.7\";proto=http ; by=_me", "203.0.113.7"),
        ("host=h; for=203.0.113.7", "203.0.113.7"),
        ("for=203.0.113.7,,", "203.0.113.7"),
        // Not an address, or not one element's: the walk stands still.
        ("for=198.51.100.1, for=_hidden", "peer"),
        ("for=198.51.100.1, for=unknown, for=10.0.0.9", "10.0.0.9"),
        ("for=198.51.100.1, proto=https", "peer"),
        ("for=198.51.100.1;for=203.0.113.7", "peer"),
        ("203.0.113.7", "peer"),
        ("for = 203.0.113.7", "peer"),
        ("for=", "peer"),
        ("for=\"203.0.113.7", "peer"),
        ("for=203.0.113.7;host=\"x", "peer"),
        ("for=\"203.0.113.7\\\"", "peer"),
        ("-", "peer"),
    ] {
        assert_eq!(walked("forwarded", chain), client, "{chain}");
    }
}

#[test]
fn a_client_is_taken_from_a_field_that_only_a_format_names() {
    assert_eq!("remote_addr".parse(), Ok(ClientFrom::RemoteAddr));
    assert_eq!("forwarded".parse::<ClientFrom>().unwrap().to_string(), "forwarded");
    assert_eq!("cf_connecting_ip".parse::<ClientFrom>().unwrap().to_string(), "cf_connecting_ip");
    for wrong in ["", "X-Forwarded-For", "user_agent", "path", "$remote_addr"] {
        assert!(wrong.parse::<ClientFrom>().is_err(), "{wrong}");
    }
}

/// `client|peer|header` as a record.
fn record<'a>(line: &'a str, slots: &'a [Slot]) -> Record<'a> {
    let mut start = 0;
    let spans = line.split('|').map(|part| {
        let span = Span { start, end: start + part.len() };
        start = span.end + 1;
        if part.is_empty() { Span::ABSENT } else { span }
    });
    let spans = spans.collect();
    Record::slots(line.as_bytes(), slots, Parts { spans, date: None, time: None })
}

fn slots(escape: Escape) -> [Slot; 3] {
    let header = Role::Is(Field::of_format("X-Forwarded-For"));
    [
        Slot::new(Role::Client, Escape::None),
        Slot::new(Role::Is(PEER), Escape::None),
        Slot::new(header, escape),
    ]
}

#[test]
fn a_header_counts_only_if_the_peer_is_trusted_and_the_range_covers_the_address() {
    for (line, client, there) in [
        ("10.0.0.1||203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("198.51.100.9||203.0.113.7", "198.51.100.9", "198.51.100.9"),
        // The server took the client from the header by itself: who sent it is the peer.
        ("203.0.113.7|10.0.0.1|198.51.100.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1|198.51.100.9|203.0.113.7", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1|-|203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1|10.0.0.2|-", "10.0.0.2", "10.0.0.2"),
        ("10.0.0.1||", "10.0.0.1", "10.0.0.1"),
        (r"10.0.0.1||\x22[2001:DB8::7]:80\x22, \x2210.0.0.9\x22", "2001:db8::7", "2001:DB8::7"),
        (r"10.0.0.1||a\x5C,\x22, 203.0.113.7", "203.0.113.7", "203.0.113.7"),
    ] {
        let slots = slots(Escape::Server);
        let mut record = record(line, &slots);
        record.resolve(&"x_forwarded_for".parse().unwrap(), &trusted());
        assert_eq!(record.address().unwrap().to_string(), client, "{line}");
        assert_eq!(&line[record.client_range().unwrap()], there, "{line}");
    }
}

#[test]
fn a_client_that_is_no_address_gets_none_from_a_header() {
    let slots = slots(Escape::Server);
    for line in ["unix:||203.0.113.7", "-||203.0.113.7", "host.example|-|203.0.113.7"] {
        let mut record = record(line, &slots);
        record.resolve(&"x_forwarded_for".parse().unwrap(), &trusted());
        assert_eq!(record.address(), None, "{line}");
    }
}

#[test]
fn the_proxies_on_the_way_are_told_from_the_nearest_on() {
    let slots = slots(Escape::Server);
    for (line, via) in [
        ("10.0.0.1||198.51.100.1, 203.0.113.7, 10.0.0.9", &["10.0.0.1", "10.0.0.9"][..]),
        ("10.0.0.1||203.0.113.7", &["10.0.0.1"]),
        ("10.0.0.1||10.0.0.3", &["10.0.0.1"]),
        ("10.0.0.1||junk, 10.0.0.9", &["10.0.0.1"]),
        ("10.0.0.1||junk", &[]),
        ("203.0.113.7||198.51.100.1", &[]),
    ] {
        let record = record(line, &slots);
        let proxies = record.proxies(&"x_forwarded_for".parse().unwrap(), &trusted());
        assert_eq!(proxies.iter().map(ToString::to_string).collect::<Vec<_>>(), via, "{line}");
    }
}

#[test]
fn the_steps_to_a_client_are_told_with_the_reason_why_they_end_and_what_nobody_vouches_for() {
    let slots = slots(Escape::Server);
    for (line, hops, end, unread) in [
        (
            "10.0.0.1||spoof, 198.51.100.1, 203.0.113.7, 10.0.0.9",
            "10.0.0.1 10.0.0.9 203.0.113.7",
            TraceEnd::NotTrusted,
            "spoof, 198.51.100.1",
        ),
        ("10.0.0.1||203.0.113.7", "10.0.0.1 203.0.113.7", TraceEnd::NotTrusted, ""),
        ("203.0.113.7||198.51.100.1", "203.0.113.7", TraceEnd::NotTrusted, "198.51.100.1"),
        ("10.0.0.1||10.0.0.3", "10.0.0.1 10.0.0.3", TraceEnd::First, ""),
        ("10.0.0.1||x, junk, 10.0.0.9", "10.0.0.1 10.0.0.9", TraceEnd::Garbage, "x, junk"),
        ("10.0.0.1||-", "10.0.0.1", TraceEnd::NoHeader, ""),
        ("10.0.0.1||", "10.0.0.1", TraceEnd::NoHeader, ""),
    ] {
        let trace = record(line, &slots).trace(&"x_forwarded_for".parse().unwrap(), &trusted()).unwrap();
        let shown: Vec<String> = trace.hops.iter().map(ToString::to_string).collect();
        assert_eq!(
            (shown.join(" ").as_str(), trace.end, trace.unread.as_str()),
            (hops, end, unread),
            "{line}"
        );
        let trace = record(line, &slots).trace(&ClientFrom::RemoteAddr, &trusted()).unwrap();
        assert_eq!((trace.end, trace.unread.as_str()), (TraceEnd::Logged, ""), "{line}");
    }
    assert_eq!(record("host||203.0.113.7", &slots).trace(&ClientFrom::RemoteAddr, &trusted()), None);
}

/// An element of a chain: how it is written, and whom it means.
#[derive(Clone, Debug)]
struct Element {
    written: String,
    meant: Option<&'static str>,
}

fn address() -> impl Strategy<Value = &'static str> {
    select(vec![
        "203.0.113.7",
        "198.51.100.1",
        "10.0.0.9",
        "10.9.9.9",
        "192.0.2.25",
        "2001:db8::7",
        "2001:db8:10::7",
    ])
}

fn element(forwarded: bool) -> impl Strategy<Value = Element> {
    let blanks = select(vec!["", " ", "\t ", "  "]);
    let port = select(vec!["", ":1", ":443", ":65535"]);
    let good = (address(), port, any::<bool>(), any::<bool>(), blanks.clone(), blanks);
    let good = good.prop_map(move |(meant, port, quoted, upper, before, after)| {
        let bracketed =
            if meant.contains(':') && !port.is_empty() { format!("[{meant}]") } else { meant.into() };
        let node = format!("{bracketed}{port}");
        let node = if quoted { format!("\"{node}\"") } else { node };
        let node = if upper { node.to_uppercase() } else { node };
        let node = if forwarded { format!("For={node};host=\"a,;\\\"for=6.6.6.6,\"") } else { node };
        Element { written: format!("{before}{node}{after}"), meant: Some(meant) }
    });
    let garbage = select(vec!["unknown", "_hidden", "-", "1.2.3", "[::1", "x y", "1.2.3.4.5", "%", "\u{e9}"]);
    let garbage = garbage.prop_map(|text| Element { written: text.to_owned(), meant: None });
    prop_oneof![6 => good, 1 => garbage]
}

/// The client of a chain, as plainly as can be.
fn modelled(chain: &[Element]) -> String {
    let is_trusted = |text: &str| trusted().find(text.parse().unwrap()).is_some();
    let mut client = "10.0.0.1";
    for element in chain.iter().rev() {
        match element.meant {
            Some(meant) if is_trusted(client) => client = meant,
            _ => break,
        }
    }
    if client == "10.0.0.1" { "peer".to_owned() } else { client.to_owned() }
}

proptest! {
    #[test]
    fn the_walk_agrees_with_the_model(
        forwarded: bool,
        list in prop::collection::vec(element(false), 0..6),
        forwards in prop::collection::vec(element(true), 0..6),
        spoofed in "[ -~]{0,20}",
        empty: bool,
    ) {
        let (from, chain) = if forwarded { ("forwarded", forwards) } else { ("x_forwarded_for", list) };
        let separator = if empty { ", ," } else { "," };
        let written: Vec<&str> = chain.iter().map(|element| element.written.as_str()).collect();
        let written = written.join(separator);
        prop_assert_eq!(walked(from, &written), modelled(&chain));
        // What a client wrote on the left changes nothing where the chain names one who is not trusted, or garbage.
        let ends = chain.iter().any(|e| e.meant.is_none_or(|meant| trusted().find(meant.parse().unwrap()).is_none()));
        if ends {
            prop_assert_eq!(walked(from, &format!("{spoofed},{written}")), modelled(&chain));
        }
    }

    #[test]
    fn no_bytes_make_it_panic_and_the_range_is_the_address(value in "[ ,;:=\"\\\\0-9a-f.\\[\\]forFOR_x-]{0,60}") {
        for from in ["forwarded", "x_forwarded_for"] {
            walked(from, &value);
        }
    }

    #[test]
    fn what_is_escaped_is_found_in_the_line(plain in prop::collection::vec(any::<u8>(), 0..30)) {
        let server = |byte: &u8| match byte {
            b'"' | b'\\' | ..0x20 | 0x7f.. => format!("\\x{byte:02X}"),
            _ => char::from(*byte).to_string(),
        };
        let written: Vec<String> = plain.iter().map(server).collect();
        let line = written.concat();
        let mut at = 0;
        for (index, part) in written.iter().enumerate() {
            prop_assert_eq!(Escape::Server.place_of(line.as_bytes(), index), at);
            at += part.len();
        }
        prop_assert_eq!(Escape::Server.place_of(line.as_bytes(), plain.len()), line.len());
    }
}
