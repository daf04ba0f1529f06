//! The same lists of proxies for nginx (`real_ip_recursive on`), Apache (`mod_remoteip`) and ours: one client for all three.

use std::collections::BTreeMap;
use std::path::Path;

use banmap::address::{AllowEntry, Allowlist};
use banmap::record::ClientFrom;

use crate::harness::scene::SOON;
use crate::harness::{Apache, Nginx, Request, send, text, wait_until};

/// What X-Forwarded-For holds; the peer is 127.0.0.1, and trusted are that and 10.0.0.0/8.
const AGREED: [&str; 19] = [
    "203.0.113.7",
    "198.51.100.1, 203.0.113.7",
    "203.0.113.7, 10.0.0.9",
    "198.51.100.1,203.0.113.7,10.0.0.9,10.1.1.1",
    "203.0.113.7 , 10.0.0.9 ",
    "203.0.113.7, 192.168.1.1, 10.0.0.9",
    "198.51.100.1, 203.0.113.7, 192.0.2.26",
    "10.0.0.3, 10.0.0.2",
    "10.0.0.3",
    "2001:db8::7, 10.0.0.9",
    "2001:DB8:0::7",
    "198.51.100.1, junk",
    "198.51.100.1, junk, 10.0.0.9",
    "junk",
    "unknown",
    "-",
    "\"203.0.113.7",
    "203.0.113.7:x",
    "198.51.100.1, 300.1.1.1, 10.0.0.9",
];

/// Where the servers differ, or differ from us: the list, nginx, Apache, ours.
const DIFFERENT: [(&str, &str, &str, &str); 10] = [
    // Apache takes no port.
    ("203.0.113.7:443", "203.0.113.7", "127.0.0.1", "203.0.113.7"),
    ("[2001:db8::7]:443", "2001:db8::7", "127.0.0.1", "2001:db8::7"),
    // Both take quotes, and brackets without a port, for garbage; some proxies write them.
    ("[2001:db8::7]", "127.0.0.1", "127.0.0.1", "2001:db8::7"),
    ("\"203.0.113.7\"", "127.0.0.1", "127.0.0.1", "203.0.113.7"),
    // An empty element ends Apache's walk.
    ("203.0.113.7, ", "203.0.113.7", "127.0.0.1", "203.0.113.7"),
    ("203.0.113.7,,10.0.0.9", "203.0.113.7", "10.0.0.9", "203.0.113.7"),
    // A blank separates for nginx.
    ("203.0.113.7 10.0.0.9", "203.0.113.7", "127.0.0.1", "127.0.0.1"),
    ("198.51.100.1; 203.0.113.7", "203.0.113.7", "127.0.0.1", "127.0.0.1"),
    // One address, two spellings of it in the logs: ours is one.
    ("::ffff:203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
    ("fe80::1%eth0", "127.0.0.1", "fe80::1%eth0", "fe80::1"),
];

fn ours(chain: &str) -> String {
    let trusted = ["127.0.0.1", "10.0.0.0/8"];
    let entry = |text: &str| AllowEntry { prefix: text.parse().unwrap(), origin: "t".into() };
    let trusted: Allowlist = trusted.into_iter().map(entry).collect();
    let from: ClientFrom = "x_forwarded_for".parse().unwrap();
    from.client(chain.as_bytes(), "127.0.0.1".parse().unwrap(), &trusted).to_string()
}

/// Who a server says made the request for each chain.
fn logged(port: u16, log: &Path, chains: &[&str]) -> BTreeMap<usize, String> {
    for (number, chain) in chains.iter().enumerate() {
        send(port, &Request::get(&format!("/chain-{number}-")).header("X-Forwarded-For", chain));
    }
    let clients = || -> BTreeMap<usize, String> {
        let log = text(log);
        let client = |line: &str| {
            let number = line.split_once("/chain-")?.1.split_once('-')?.0.parse().ok()?;
            Some((number, line.split_once(' ')?.0.to_owned()))
        };
        log.lines().filter_map(client).collect()
    };
    wait_until(SOON, "every request is logged", || clients().len() == chains.len());
    clients()
}

#[test]
fn a_list_leads_to_the_same_client_as_in_nginx_and_apache() {
    let nginx = Nginx::start_logging("set_real_ip_from 10.0.0.0/8;\nreal_ip_recursive on;");
    let apache = Apache::start();
    apache.set_rules("RemoteIPInternalProxy 10.0.0.0/8\n");
    wait_until(SOON, "Apache trusts the second proxy", || {
        apache.get("192.0.2.1, 10.0.0.9", "/trusts");
        text(&apache.access_log()).lines().any(|line| line.starts_with("192.0.2.1 "))
    });
    let chains: Vec<&str> = AGREED.into_iter().chain(DIFFERENT.map(|(chain, ..)| chain)).collect();
    let by_nginx = logged(nginx.port(), &nginx.access_log(), &chains);
    let by_apache = logged(apache.port(), &apache.access_log(), &chains);
    let measured: Vec<_> = chains
        .iter()
        .enumerate()
        .map(|(number, chain)| (*chain, by_nginx[&number].clone(), by_apache[&number].clone(), ours(chain)))
        .collect();
    let differ = measured.iter().filter(|(_, nginx, apache, ours)| nginx != ours || apache != ours);
    let differ: Vec<_> =
        differ.map(|(chain, nginx, apache, ours)| (*chain, &**nginx, &**apache, &**ours)).collect();
    assert_eq!(differ, DIFFERENT, "{measured:#?}");
}
