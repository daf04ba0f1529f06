//! `top`: what there was most of lately, from the ends of logs, with and without configuration and daemon.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{LOGIN, Site, bare, exists, line_at, objects, stderr, stdout};
use crate::harness::Scene;
use crate::harness::scene::{self, LOG, SITE, minutes_ago};

const CONFIG: &str = "[source.site]\npath = \"logs/*access.log\"\n";

fn site() -> Site {
    Site::new(&format!("{CONFIG}{LOGIN}"))
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

/// Requests of the last minutes, and many older ones.
fn log() -> String {
    let old: String = (20..400).rev().map(|n| line_at("192.0.2.99", ago(n), "GET /old", 200)).collect();
    let lately = [
        ("203.0.113.7", "GET /a?q=1", 200),
        ("203.0.113.7", "GET /a?q=2", 404),
        ("203.0.113.7", "GET //%61", 200),
        ("203.0.113.8", "GET /b", 200),
        ("2001:db8::1", "GET /b", 404),
        ("2001:db8::2", "GET /c", 200),
    ];
    old + &lately.map(|(address, request, status)| line_at(address, ago(2), request, status)).concat()
}

/// Value and count of each row.
fn rows(objects: &[Value]) -> Vec<(&str, u64)> {
    let rows = objects.iter().filter(|object| object["event"] == "top");
    rows.map(|row| (row["value"].as_str().unwrap(), row["count"].as_u64().unwrap())).collect()
}

fn top(site: &Site, arguments: &[&str]) -> Vec<Value> {
    objects(&site.banmap(&[&["top", "--json"], arguments].concat()).assert().code(0).stderr(""))
}

#[test]
fn each_of_its_kinds_is_counted_from_the_time_on() {
    let site = site();
    site.write("logs/access.log", &log());
    for (by, expected) in [
        ("address", &[("203.0.113.7", 3), ("2001:db8::1", 1), ("2001:db8::2", 1), ("203.0.113.8", 1)][..]),
        ("prefix", &[("203.0.113.0/24", 4), ("2001:db8::/48", 2)]),
        ("path", &[("/a", 3), ("/b", 2), ("/c", 1)]),
        ("status", &[("200", 4), ("404", 2)]),
        ("user_agent", &[("Mozilla/5.0", 6)]),
        ("host", &[("-", 6)]),
    ] {
        assert_eq!(rows(&top(&site, &["--by", by])), expected, "{by}");
    }
    let found = top(&site, &["--limit", "1", "--since", "1d"]);
    assert_eq!(rows(&found), [("192.0.2.99", 380)]);
    let found = top(&site, &["--limit", "1"]);
    let [row, summary] = &found[..] else { panic!("{found:#?}") };
    let expected = json!({"event": "top", "by": "address", "value": "203.0.113.7", "count": 3, "share": 0.5, "bytes": 36});
    assert_eq!(*row, expected);
    let counted =
        ["files", "lines", "parsed", "unparsed", "different"].map(|field| summary[field].as_u64().unwrap());
    assert_eq!((counted, &summary["approximate"]), ([1, 6, 6, 0, 4], &json!(false)));
}

#[test]
fn people_read_the_same_and_nothing_that_a_client_wrote_as_it_was() {
    let site = site();
    let evil = "GET /\\x1b[2J\u{1b}[31m\u{202e}x";
    site.write("logs/access.log", &(log() + &line_at("203.0.113.9", ago(1), evil, 200).repeat(9)));
    let shown = stdout(&site.banmap(&["top", "--by", "path"]).assert().code(0).stderr(""));
    let columns: Vec<_> = shown.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(columns, ["3", "20.0", "%", "36", "/a"], "{shown}");
    assert!(shown.contains("\\x1b[31m\\u{202e}x") && !shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    let found = stdout(&site.banmap(&["top", "--by", "path", "--json"]).assert().code(0));
    assert!(!found.contains(['\u{1b}', '\u{202e}']), "{found:?}");
}

#[test]
fn without_configuration_the_format_is_recognised() {
    if exists(Path::new("/etc/banmap/banmap.toml")) {
        // On a host that banmap guards there is always a configuration.
        return;
    }
    let site = Site::new("");
    let docker = |line: &str| {
        let text = serde_json::to_string(&format!("{line}\n")).unwrap();
        format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"{}\"}}\n", ago(2))
    };
    let wrapped: String = log().lines().map(docker).collect();
    for text in [log(), wrapped] {
        let path = site.write("any.log", &text);
        let since = ["top", path.to_str().unwrap(), "--by", "path", "--json"];
        let found = objects(&bare(&since).assert().code(0).stderr(""));
        assert_eq!(rows(&found), [("/a", 3), ("/b", 2), ("/c", 1)]);
        let found = objects(
            &bare(&["top", "-", "--by", "path", "--json"]).write_stdin(text).assert().code(0).stderr(""),
        );
        assert_eq!(rows(&found), [("/a", 3), ("/b", 2), ("/c", 1)]);
    }
    let ended = bare(&["top"]).assert().code(2);
    assert!(stderr(&ended).contains("no log to read: name one"), "{}", stderr(&ended));
}

#[test]
fn clients_and_hosts_are_told_as_their_source_tells_them() {
    let config = "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n[source.site]\npath = \"logs/*/access.log\"\n\
                  format = \"combined_xff\"\nclient = \"x_forwarded_for\"\nhost_from_path = 'logs/([^/]+)/'\n";
    let site = Site::new(&format!("{config}{LOGIN}"));
    let forwarded = |list: &str| {
        line_at("10.0.0.5", ago(1), "GET /", 200).trim_end().to_owned() + &format!(" \"{list}\"\n")
    };
    site.write(
        "logs/shop.example/access.log",
        &(forwarded("203.0.113.7") + &forwarded("198.51.100.1, 203.0.113.7")),
    );
    assert_eq!(rows(&top(&site, &[])), [("203.0.113.7", 2)]);
    assert_eq!(rows(&top(&site, &["--by", "host"])), [("shop.example", 2)]);
}

#[test]
fn why_nothing_is_shown_is_said() {
    let site = site();
    let told = |arguments: &[&str]| {
        let ended = site.banmap(&[&["top"], arguments].concat()).assert().code(0);
        stderr(&ended)
    };
    site.write(
        "logs/access.log",
        &line_at("203.0.113.7", "2026-05-01T10:00:00Z".parse().unwrap(), "GET /", 200),
    );
    assert!(told(&[]).contains("its last is of 2026-05-01 10:00:00Z"), "{}", told(&[]));
    site.write("logs/access.log", "what is this\u{1b}[2J\n");
    let text = told(&[]);
    assert!(text.contains("no time that is known") && text.contains("1 of 1 lines do not parse"), "{text}");
    assert!(text.contains("\\x1b[2J"), "{text:?}");
    fs::write(site.path("logs/access.log"), b"\x1f\x8b\x08 and so on").unwrap();
    let ended = site.banmap(&["top"]).assert().code(1);
    assert!(stderr(&ended).contains("zcat LOG | banmap top -"), "{}", stderr(&ended));
}

#[test]
fn who_is_banned_or_protected_is_told_by_the_daemon_or_the_configuration() {
    let site = Site::new(&format!("[defaults]\nignoreip = \"203.0.113.0/24\"\n{CONFIG}{LOGIN}"));
    site.write("logs/access.log", &log());
    let found = top(&site, &["--limit", "1"]);
    assert_eq!(found[0]["banned"], Value::Null);
    assert!(found[0]["protected_by"].as_str().unwrap().starts_with("203.0.113.0/24 ("), "{found:#?}");
    let scene = Scene::new();
    let attack = scene::line("203.0.113.7", minutes_ago(1), "POST /login", 401, "x").repeat(20);
    scene.append(LOG, attack);
    let daemon = scene.start(&format!("{}{SITE}", scene::LOGIN));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    let found = daemon.json(&["top"]);
    assert_eq!((&found[0]["value"], &found[0]["banned"]), (&json!("203.0.113.7"), &json!(true)));
}
