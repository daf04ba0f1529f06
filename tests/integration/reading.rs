//! From lines in logs to a list: what is read, and what is judged, with the real daemon.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;

use crate::harness::scene::{
    LOG, LOGIN, SITE, SOON, append, failed_logins, failed_logins_at, line, logged, minutes_ago, request,
};
use crate::harness::{Daemon, Scene, wait_until};

pub(crate) const BAD: &str = "203.0.113.7";
pub(crate) const WORSE: &str = "203.0.113.8";
pub(crate) const GOOD: &str = "192.0.2.1";

pub(crate) fn usual() -> String {
    format!("{LOGIN}{SITE}")
}

/// The ban of `address` as `list` shows it.
#[track_caller]
pub(crate) fn ban(daemon: &Daemon, address: &str) -> serde_json::Value {
    let bans = daemon.json(&["list"]);
    let found = bans.iter().find(|ban| ban["address"] == address);
    found.unwrap_or_else(|| panic!("{address} is not in {bans:?}")).clone()
}

#[track_caller]
fn wait_for_offences(daemon: &Daemon, address: &str, count: u64) {
    wait_until(SOON, &format!("{count} offences of {address}"), || {
        daemon.offences(address, "login") == count
    });
}

#[test]
fn a_log_that_is_missing_is_told_and_picked_up_when_it_appears() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("{LOGIN}[source.site]\npath = \"later/access.log\"\nread = \"end\"\n"));
    daemon.wait_logged("later does not exist); it is picked up when it appears");
    daemon.wait_state("later/access.log", "missing");
    assert_eq!(daemon.ask(&["status"]).0, 0, "a log may come later: nobody has to act");
    scene.append("later/access.log", failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    daemon.wait_state("later/access.log", "live");
}

#[test]
fn all_files_of_a_glob_count_together_and_a_new_one_joins() {
    let scene = Scene::new();
    scene.append("logs/a/site.log", failed_logins(BAD, 2));
    scene.append("logs/b/site.log", failed_logins(WORSE, 2));
    let config =
        format!("{LOGIN}[source.site]\npath = [\"logs/*/site.log\", \"logs/x.log\"]\nread = \"end\"\n");
    let daemon = scene.start(&config.replace("\"end\"", "\"beginning\""));
    scene.append("logs/b/site.log", failed_logins(BAD, 1));
    scene.wait_listed(&daemon, &[BAD]);
    scene.append("logs/c/site.log", failed_logins(WORSE, 1));
    scene.append("logs/c/other.log", failed_logins(GOOD, 3));
    scene.wait_listed(&daemon, &[BAD, WORSE]);
    scene.assert_banned(&daemon, "logs/c/site.log", &[BAD, WORSE]);
}

/// As through a bind mount: the directory that the server writes in is not the one that is watched, so no event tells
/// of its lines, and only looking finds them.
#[test]
fn lines_that_raise_no_event_are_found() {
    let scene = Scene::new();
    scene.append("elsewhere/access.log", failed_logins(BAD, 1));
    fs::hard_link(scene.path("elsewhere/access.log"), scene.path(LOG)).unwrap();
    let daemon = scene.start(&usual());
    wait_for_offences(&daemon, BAD, 1);
    scene.append("elsewhere/access.log", failed_logins(BAD, 2));
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn a_line_counts_when_its_newline_is_there() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("{LOGIN}[source.site]\npath = \"logs/*.log\"\nread = \"beginning\"\n"));
    let third = failed_logins(BAD, 1);
    let (half, rest) = third.split_at(third.len() - 20);
    scene.append("logs/a.log", failed_logins(BAD, 2) + half);
    wait_for_offences(&daemon, BAD, 2);
    scene.assert_banned(&daemon, "logs/b.log", &[]);
    daemon.stop();
    let (middle, end) = rest.split_at(10);
    scene.append("logs/a.log", middle);
    let daemon = scene.start_again();
    scene.assert_banned(&daemon, "logs/b.log", &[]);
    assert_eq!(daemon.offences(BAD, "login"), 2);
    scene.append("logs/a.log", end);
    scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(daemon.file("a.log")["unparsed"], 0, "no half was taken for a line");
}

/// logrotate's default: the server goes on writing to the renamed file until it is told to open its logs anew.
fn rename_and_create(scene: &Scene, late: &str) {
    let old = scene.path("logs/access.log.1");
    fs::rename(scene.path(LOG), &old).unwrap();
    scene.append(LOG, "");
    append(&old, late.as_bytes());
}

/// `copytruncate`. What is written between the copy and the truncation is lost for everybody: nothing, here.
fn copy_and_truncate(scene: &Scene, late: &str) {
    scene.append(LOG, late);
    fs::copy(scene.path(LOG), scene.path("logs/access.log.1")).unwrap();
    fs::OpenOptions::new().write(true).open(scene.path(LOG)).unwrap().set_len(0).unwrap();
}

/// BAD offends once before the rotation, once late into the old file, and once in the new one; WORSE and GOOD are one
/// or two offences short, so that a line read twice shows.
fn through_a_rotation(rotate: fn(&Scene, &str), running: bool) {
    let scene = Scene::new();
    let mut daemon = Some(scene.start(&usual()));
    scene.append(LOG, failed_logins(BAD, 1) + &failed_logins(WORSE, 1) + &failed_logins(GOOD, 1));
    wait_for_offences(daemon.as_ref().unwrap(), GOOD, 1);
    let stopped = daemon.take_if(|_| !running).map(Daemon::stop);
    rotate(&scene, &(failed_logins(BAD, 1) + &failed_logins(WORSE, 1)));
    scene.append(LOG, failed_logins(BAD, 1));
    let daemon = daemon.unwrap_or_else(|| scene.start_again());
    assert_eq!(stopped.is_some(), !running);
    scene.wait_listed(&daemon, &[BAD]);
    scene.assert_banned(&daemon, LOG, &[BAD]);
    assert_eq!(ban(&daemon, BAD)["offences"], 3);
    assert_eq!(daemon.offences(WORSE, "login"), 2, "{}", daemon.log());
    assert_eq!(daemon.offences(GOOD, "login"), 1, "{}", daemon.log());
    assert_eq!(daemon.jail("login")["offences_total"], 3 + 2 + 1 + 3, "{}", daemon.log());
    daemon.stop();
    let daemon = scene.start_again();
    scene.assert_banned(&daemon, LOG, &[BAD]);
    assert_eq!(daemon.jail("login")["offences_total"], 3 + 2 + 1 + 3 + 3, "{}", daemon.log());
}

#[test]
fn renaming_and_creating_loses_and_doubles_nothing() {
    through_a_rotation(rename_and_create, true);
}

#[test]
fn renaming_and_creating_while_the_daemon_is_down_loses_and_doubles_nothing() {
    through_a_rotation(rename_and_create, false);
}

#[test]
fn copytruncate_loses_and_doubles_nothing() {
    through_a_rotation(copy_and_truncate, true);
}

#[test]
fn copytruncate_while_the_daemon_is_down_loses_and_doubles_nothing() {
    through_a_rotation(copy_and_truncate, false);
}

/// Who is banned after the first look at a log with offences of two hours and of a minute ago, and those of now.
fn first_look(read: &str) -> BTreeSet<String> {
    let scene = Scene::new();
    scene.append(LOG, failed_logins_at(BAD, minutes_ago(120), 3));
    // So long that the place is found by halving the file, not by reading it.
    let quiet = (0..3000).map(|n| line(GOOD, minutes_ago(110 - n / 40), "GET /", 200, "a quiet visitor"));
    scene.append(LOG, quiet.collect::<String>());
    scene.append(LOG, failed_logins_at(WORSE, minutes_ago(1), 3));
    let jail = "[jail.login]\nmaxretry = 3\nfindtime = \"10m\"\nbantime = \"1d\"\n";
    let daemon = scene.start(&format!("{jail}[source.site]\npath = \"{LOG}\"\nread = \"{read}\"\n"));
    scene.wait_read(&daemon, LOG);
    scene.listed()
}

#[test]
fn the_first_look_begins_where_read_says() {
    assert_eq!(first_look("beginning"), BTreeSet::from([BAD.to_owned(), WORSE.to_owned()]));
    assert_eq!(first_look("recent"), BTreeSet::from([WORSE.to_owned()]));
    assert_eq!(first_look("end"), BTreeSet::new());
}

#[test]
fn old_offences_count_at_the_time_they_were_logged() {
    let scene = Scene::new();
    for minutes in [60, 45, 30, 15] {
        scene.append(LOG, failed_logins_at(BAD, minutes_ago(minutes), 2));
    }
    scene.append(LOG, failed_logins_at(WORSE, minutes_ago(30), 3));
    let jail = "[jail.login]\nmaxretry = 3\nfindtime = \"10m\"\nbantime = \"1h\"\n";
    let daemon = scene.start(&format!("{jail}{SITE}"));
    scene.assert_banned(&daemon, LOG, &[WORSE]);
    let until: Timestamp = ban(&daemon, WORSE)["until"].as_str().unwrap().parse().unwrap();
    let left = until.duration_since(Timestamp::now()).as_mins();
    assert!((28..=30).contains(&left), "the ban counts from the deciding offence: {left} minutes are left");
}

fn vhost(host: &str, client: &str) -> String {
    format!("{host}:443 {}", failed_logins(client, 1))
}

fn common(client: &str) -> String {
    format!("{client} - eve [{}] \"POST /login HTTP/1.1\" 401 5\n", logged(Timestamp::now()))
}

#[test]
fn each_file_is_read_in_its_own_format() {
    let scene = Scene::new();
    let sources = r#"
[source.found]
path = "logs/found-*.log"
read = "beginning"
[source.vhost]
path = "logs/vhost.log"
format = "vhost_combined"
read = "beginning"
[source.common]
path = "logs/common.log"
format = "common"
read = "beginning"
"#;
    let daemon = scene.start(&format!("{LOGIN}{sources}"));
    scene.append("logs/found-1.log", failed_logins("203.0.113.1", 3));
    scene.append("logs/found-2.log", vhost("shop.example", "203.0.113.2").repeat(3));
    scene.append("logs/found-3.log", common("203.0.113.3").repeat(3));
    scene.append("logs/vhost.log", vhost("[2001:db8::1]", "203.0.113.4").repeat(3));
    scene.append("logs/common.log", common("203.0.113.5").repeat(3));
    let expected: Vec<String> = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
    scene.wait_listed(&daemon, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    for (file, format) in [("found-1", "combined"), ("found-2", "vhost_combined"), ("found-3", "common")] {
        daemon.wait_logged(&format!("{file}.log is read as `{format}`"));
    }
}

#[test]
fn a_wrong_format_is_told_with_an_example() {
    let scene = Scene::new();
    let source =
        format!("[source.site]\npath = \"{LOG}\"\nformat = \"vhost_combined\"\nread = \"beginning\"\n");
    let daemon = scene.start(&format!("{LOGIN}{source}"));
    scene.append(LOG, failed_logins(BAD, 40));
    daemon.wait_logged("do not parse");
    daemon.wait_logged("POST /login");
    wait_until(SOON, "status counts them", || daemon.file(LOG)["unparsed"] == 40);
    wait_until(SOON, "status says why", || daemon.file(LOG)["error"].is_string());
    let file = daemon.file(LOG);
    let error = file["error"].as_str().unwrap();
    assert!(error.contains("do not parse") && error.contains(BAD), "{error}");
    assert_eq!(daemon.ask(&["status"]).0, 1, "a log that is read in vain needs an operator");
    assert_eq!(scene.listed(), BTreeSet::new());
}

#[test]
fn a_log_whose_format_is_unknown_is_told_too() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, "time=now client=203.0.113.7 what=POST\n".repeat(40));
    daemon.wait_logged("set `format` of its source");
    wait_until(SOON, "status says so", || daemon.file(LOG)["error"].is_string());
    assert_eq!(daemon.ask(&["status"]).0, 1);
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn ipv6_clients_are_counted_and_banned_as_their_network() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    for client in ["2001:db8:1:2::7", "2001:db8:1:2:ffff::9", "2001:0DB8:1:2:0:0:0:a"] {
        scene.append(LOG, failed_logins(client, 1));
    }
    scene.append(LOG, failed_logins("2001:db8:1:3::7", 2) + &failed_logins("2001:db8:1:4::7", 1));
    scene.append(LOG, failed_logins("::ffff:203.0.113.7", 3));
    scene.assert_banned(&daemon, LOG, &["2001:db8:1:2::/64", "203.0.113.7"]);
    let (code, why) = daemon.ask(&["why", "2001:db8:1:2::1234"]);
    assert_eq!((code, &why["bans"][0]["address"]), (0, &"2001:db8:1:2::/64".into()));
    assert_eq!(why["evidence"].as_array().unwrap().len(), 3, "{why}");
}

#[test]
fn a_path_counts_however_it_is_spelled() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    for (client, target) in [
        ("203.0.113.1", "/%6cogin"),
        ("203.0.113.2", "//login"),
        ("203.0.113.3", "/x/../login?next=/"),
        ("203.0.113.4", "/./%6C%6fgin"),
        ("203.0.113.5", "http://site.example/login"),
    ] {
        scene.append(LOG, request(client, &format!("POST {target}"), 401).repeat(3));
    }
    // Decoded once only, and what an attacker puts elsewhere is no path.
    scene.append(LOG, request(GOOD, "POST /%256cogin", 401).repeat(3));
    scene.append(LOG, line(GOOD, Timestamp::now(), "GET /", 401, "POST /login HTTP/1.1").repeat(3));
    scene.append(LOG, request(GOOD, "GET /?x=/login", 401).repeat(3));
    let expected: Vec<String> = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
    scene.assert_banned(&daemon, LOG, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn distinct_counts_different_values_only() {
    let scene = Scene::new();
    let jail = r#"
[filter.probe]
rule = [{ path = '^/probe/', status = 404 }]
[jail.probe]
maxretry = 3
distinct = "path"
"#;
    let daemon = scene.start(&format!("{jail}{LOGIN}{SITE}"));
    for (good, bad) in [("a", "a"), ("b", "b"), ("b?x=1", "c")] {
        scene.append(LOG, request(GOOD, &format!("GET /probe/{good}"), 404).repeat(2));
        scene.append(LOG, request(BAD, &format!("GET /probe/{bad}"), 404));
    }
    scene.assert_banned(&daemon, LOG, &[BAD]);
    assert_eq!(daemon.offences(GOOD, "probe"), 2);
}

#[test]
fn where_limits_a_jail_and_ignore_excepts_from_it() {
    let scene = Scene::new();
    let jails = r#"
[jail.shop]
filter = "login"
maxretry = 3
[[jail.shop.where]]
host = ["shop.example", "blog.example"]
[[jail.shop.ignore]]
user_agent = '^Monitor/'
[jail.login]
maxretry = 3
source = "marks"
"#;
    let sources = "[source.site]\npath = \"logs/vhost.log\"\nread = \"beginning\"\n\
                   [source.marks]\npath = \"logs/access.log\"\nread = \"beginning\"\n";
    let daemon = scene.start(&format!("{jails}{sources}"));
    let monitor = line("192.0.2.2", Timestamp::now(), "POST /login", 401, "Monitor/1.0");
    scene.append("logs/vhost.log", vhost("news.example", GOOD).repeat(3));
    scene.append("logs/vhost.log", format!("shop.example:443 {monitor}").repeat(3));
    scene.append("logs/vhost.log", vhost("blog.example", BAD) + &vhost("shop.example", BAD).repeat(2));
    scene.wait_listed(&daemon, &[BAD]);
    scene.assert_banned(&daemon, LOG, &[BAD]);
    assert_eq!(daemon.jail("shop")["offences_total"], 3);
}
