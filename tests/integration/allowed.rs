//! Who is never banned: by hand, and as a crawler that proved to be one.

use std::net::UdpSocket;
use std::thread;

use serde_json::json;

use crate::harness::scene::{LOG, LOGIN, SITE, failed_logins, line, minutes_ago};
use crate::harness::{Daemon, Scene, text};

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Runs a verb that ends with this code; what it said on stderr.
#[track_caller]
fn told(daemon: &Daemon, code: i32, arguments: &[&str]) -> String {
    let output = daemon.cli(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}{}", daemon.log());
    stderr
}

#[test]
fn whom_allow_names_is_unbanned_when_it_returns_and_stays_so_over_a_crash() {
    let scene = Scene::new();
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    let daemon = scene.start(&format!("{LOGIN}{SITE}"));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    let ended = daemon.json(&["allow", "add", "203.0.113.7", "--reason", "the office"]);
    assert_eq!(
        (ended.len(), &ended[0]["address"], &ended[0]["jail"]),
        (1, &json!("203.0.113.7"), &json!("login"))
    );
    assert!(scene.listed().is_empty());
    let entries = daemon.json(&["allow", "list"]);
    assert_eq!(
        (entries.len(), &entries[0]["reason"], &entries[0]["until"]),
        (1, &json!("the office"), &json!(null))
    );
    daemon.kill();
    let daemon = scene.start_again();
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    scene.assert_banned(&daemon, LOG, &[]);
    let refused = told(&daemon, 1, &["ban", "203.0.113.7"]);
    assert!(
        refused.contains("allowed by hand: 203.0.113.7") && refused.contains(": the office"),
        "{refused}"
    );
    let why = daemon.ask(&["why", "203.0.113.7"]).1;
    assert!(why["protected_by"].as_str().unwrap().contains("the office"), "{why}");
    told(&daemon, 0, &["allow", "remove", "203.0.113.7"]);
    told(&daemon, 1, &["allow", "remove", "203.0.113.7"]);
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    scene.assert_banned(&daemon, LOG, &["203.0.113.7"]);
}

#[test]
fn a_banned_prefix_gets_a_hole_or_is_left_out_and_this_is_said() {
    let scene = Scene::new();
    let map = "[output.map]\nkind = \"apache-rewritemap\"\npath = \"out/map\"\n";
    let geo =
        "[output.geo]\nkind = \"nginx-geo\"\npath = \"out/geo\"\nreload = \"none\"\nvalidate = \"none\"\n";
    let daemon = scene.start(&format!("{LOGIN}{SITE}{map}{geo}"));
    // A map has keys for the parts of an IPv4 prefix, and none for those of an IPv6 /64.
    told(&daemon, 0, &["ban", "203.0.113.0/24", "2001:db8:7:1::/64"]);
    let in_map = |key: &str| text(&scene.path("out/map")).lines().any(|line| line.starts_with(key));
    assert!(in_map("203.0.113. ") && in_map("2001:db8:7:1:"), "{}", text(&scene.path("out/map")));
    let said = told(&daemon, 0, &["allow", "add", "203.0.113.7", "2001:db8:7:1::7", "--for", "1h"]);
    for expected in [
        "203.0.113.0/24 stays banned by manual, without 203.0.113.7\n",
        "2001:db8:7:1::/64 stays banned by manual, without 2001:db8:7:1::7; map cannot hold it so",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(in_map("203.0.113.8 ") && !in_map("203.0.113.7 ") && !in_map("203.0.113. "));
    assert!(!in_map("2001:db8:7:1:"), "{}", text(&scene.path("out/map")));
    let geo = text(&scene.path("out/geo"));
    for part in ["203.0.113.128/25", "203.0.113.6/32", "2001:db8:7:1:8000::/65"] {
        assert!(geo.contains(part.trim_end_matches("/32")), "{part}: {geo}");
    }
    let has_line = |key: &str| geo.lines().any(|line| line.trim_start().starts_with(key));
    assert!(
        !has_line("203.0.113.0/24 ") && !has_line("203.0.113.7 ") && !has_line("2001:db8:7:1::/64 "),
        "{geo}"
    );
}

/// The text of a name in a DNS message.
fn name_in(asked: &[u8]) -> String {
    let (mut labels, mut at) = (Vec::new(), 12);
    while asked[at] > 0 {
        let length = usize::from(asked[at]);
        labels.push(String::from_utf8(asked[at + 1..=at + length].to_vec()).unwrap());
        at += 1 + length;
    }
    labels.join(".")
}

/// A DNS server that knows one crawler, 203.0.113.7; of everybody else it says that there is no such name. Ends with the
/// test.
fn dns_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let data: Option<(u8, Vec<u8>)> = match name_in(&buffer[..length]).as_str() {
                "7.113.0.203.in-addr.arpa" => Some((12, b"\x05crawl\x09googlebot\x03com\x00".to_vec())),
                "crawl.googlebot.com" => Some((1, vec![203, 0, 113, 7])),
                _ => None,
            };
            let mut answer = buffer[..length].to_vec();
            answer[2..4].copy_from_slice(&[0x81, if data.is_some() { 0x80 } else { 0x83 }]);
            if let Some((kind, data)) = data {
                answer[7] = 1;
                answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
                answer.extend(data);
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    port
}

#[test]
fn a_crawler_that_is_one_is_spared_and_one_that_is_none_is_banned() {
    let scene = Scene::new();
    scene.write("conf.d/dns.toml", &format!("[daemon]\nresolver = \"127.0.0.1:{}\"\n", dns_server()));
    let jails = format!("{LOGIN}ignore_crawlers = [\"google\"]\n[jail.fake-crawlers]\n");
    let daemon = scene.start(&format!("{jails}{SITE}"));
    let failures = |client: &str| line(client, minutes_ago(0), "POST /login", 401, GOOGLEBOT).repeat(3);
    scene.append(LOG, failures("203.0.113.7") + &failures("203.0.113.8"));
    scene.append(LOG, line("203.0.113.9", minutes_ago(0), "GET /", 200, GOOGLEBOT));
    scene.wait_listed(&daemon, &["203.0.113.8", "203.0.113.9"]);
    daemon.wait_logged("203.0.113.7 is the crawler google (crawl.googlebot.com)");
    let why = daemon.ask(&["why", "203.0.113.7"]).1;
    assert!(why["protected_by"].as_str().unwrap().contains("verified crawler google"), "{why}");
    scene.append(LOG, failures("203.0.113.7"));
    scene.assert_banned(&daemon, LOG, &["203.0.113.8", "203.0.113.9"]);
}
