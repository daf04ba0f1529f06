//! From lines in logs to a list: what is read, what is judged, and what becomes of bans, with the real daemon.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use nix::sys::signal::Signal;

use crate::harness::scene::{
    LOG, LOGIN, SITE, SOON, append, failed_logins, failed_logins_at, line, logged, minutes_ago, request,
};
use crate::harness::{Daemon, Scene, wait_until};

const BAD: &str = "203.0.113.7";
const WORSE: &str = "203.0.113.8";
const GOOD: &str = "192.0.2.1";

fn usual() -> String {
    format!("{LOGIN}{SITE}")
}

/// The ban of `address` as `list` shows it.
#[track_caller]
fn ban(daemon: &Daemon, address: &str) -> serde_json::Value {
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

#[test]
fn a_jail_that_simulates_shows_whom_it_would_ban_and_bans_nobody() {
    let scene = Scene::new();
    let jail = "[jail.trial]\nfilter = \"login\"\nmaxretry = 2\nsimulate = true\n";
    let daemon = scene.start(&format!("{jail}{LOGIN}{SITE}"));
    scene.append(LOG, failed_logins(BAD, 2));
    scene.assert_banned(&daemon, LOG, &[]);
    daemon.wait_logged("would ban (simulated) 203.0.113.7 by trial");
    let simulated = daemon.json(&["list", "--simulated"]);
    assert!(simulated.iter().any(|ban| ban["address"] == BAD && ban["jail"] == "trial"), "{simulated:?}");
    let total = daemon.jail("trial")["offences_total"].clone();
    scene.append(LOG, failed_logins(BAD, 1));
    scene.assert_banned(&daemon, LOG, &[BAD]);
    let trial = daemon.jail("trial");
    assert_eq!(trial["simulate"], true);
    // The mark's own two offences, and none of the simulated ban's.
    assert_eq!(trial["offences_total"].as_u64(), total.as_u64().map(|total| total + 2));
}

#[test]
fn the_allowed_are_not_banned_and_a_changed_file_unbans() {
    let scene = Scene::new();
    scene.write("allow.txt", "# the office\n192.0.2.16/28\n");
    let defaults = "[defaults]\nignoreip = [\"192.0.2.1\", \"file:allow.txt\"]\n";
    let jail = "[jail.login]\nmaxretry = 3\nignoreip = \"2001:db8:1::/48\"\n";
    let daemon = scene.start(&format!("{defaults}{jail}{SITE}"));
    for client in ["192.0.2.1", "192.0.2.17", "2001:db8:1:2::7", "192.0.2.32", BAD, "2001:db8:2::7"] {
        scene.append(LOG, failed_logins(client, 3));
    }
    let banned = ["192.0.2.32", "2001:db8:2::/64", BAD];
    scene.assert_banned(&daemon, LOG, &banned);
    let why = daemon.ask(&["why", "192.0.2.17"]).1;
    assert!(why["protected_by"].as_str().is_some_and(|by| by.contains("allow.txt")), "{why}");
    // What cannot be read leaves the last good list in force.
    scene.write("allow.txt", "192.0.2.16/28\n203.0.113.300\n");
    daemon.wait_logged("the last good list stays in force");
    scene.append(LOG, failed_logins("192.0.2.18", 3));
    scene.assert_banned(&daemon, LOG, &banned);
    scene.write("allow.txt", &format!("{BAD}\n2001:db8:2::7\n"));
    // One address of a banned network is allowed now: the network stays banned around it.
    daemon.wait_logged("unbanned 203.0.113.7 (login): it is allowed now");
    let ring = || scene.listed().iter().filter(|entry| entry.starts_with("2001:db8:2:")).count();
    wait_until(SOON, "the network is split", || ring() > 1 && !scene.listed().contains(BAD));
    assert!(!scene.listed().contains("2001:db8:2::7") && !scene.listed().contains("2001:db8:2::/64"));
    scene.append(LOG, failed_logins("192.0.2.18", 3));
    wait_until(SOON, "who is allowed no more is banned", || scene.listed().contains("192.0.2.18"));
}

#[test]
fn proxies_loopback_and_this_host_are_never_banned() {
    let scene = Scene::new();
    scene.write("cdn.txt", "198.18.0.0/15\n");
    let proxies = "[real_ip]\ntrusted_proxies = [\"10.10.1.25\", \"10.20.1.0/24\", \"file:cdn.txt\"]\n";
    let daemon = scene.start(&format!("{proxies}{}", usual()));
    let own = nix::ifaddrs::getifaddrs().unwrap().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().to_string());
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().to_string()))
    });
    let never = ["10.10.1.25", "10.20.1.99", "198.19.0.1", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0"];
    for client in own.chain(never.map(str::to_owned)) {
        scene.append(LOG, failed_logins(&client, 5));
    }
    scene.append(LOG, failed_logins("10.10.1.26", 3));
    scene.assert_banned(&daemon, LOG, &["10.10.1.26"]);
    let why = |address: &str| daemon.ask(&["why", address]).1["protected_by"].as_str().unwrap().to_owned();
    assert!(why("10.20.1.99").contains("trusted proxy 10.20.1.0/24"), "{}", why("10.20.1.99"));
    assert!(why("127.9.9.9").contains("loopback"), "{}", why("127.9.9.9"));
}

#[test]
fn who_is_banned_and_knocks_on_is_not_banned_longer() {
    let scene = Scene::new();
    // Without a status in the rule: each of its requests is looked at, however it is answered.
    let posts = "[filter.posts]\nrule = [{ method = \"POST\", path = '^/login$' }]\n";
    let daemon = scene.start(&format!("{posts}{LOGIN}filter = \"posts\"\n{SITE}"));
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    let before = ban(&daemon, BAD);
    for status in [403, 401, 403, 200, 401] {
        scene.append(LOG, request(BAD, "POST /login", status));
    }
    scene.assert_banned(&daemon, LOG, &[BAD]);
    assert_eq!(ban(&daemon, BAD), before);
    let jail = daemon.jail("login");
    assert_eq!(jail["hits_total"], 5);
    // The mark's three are offences, too.
    assert_eq!((&jail["offences_total"], &jail["bans_total"]), (&6.into(), &2.into()), "{jail}");
    assert_eq!(daemon.offences(BAD, "login"), 0);
}

#[test]
fn a_ban_ends_by_itself_and_can_begin_anew() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("[jail.login]\nmaxretry = 3\nbantime = 2\n{SITE}"));
    scene.append(LOG, failed_logins(BAD, 3));
    daemon.wait_logged("banned 203.0.113.7 by login");
    daemon.wait_logged("unbanned 203.0.113.7 (login): its time is over");
    scene.wait_listed(&daemon, &[]);
    assert!(daemon.banned().is_empty());
    let history = daemon.json(&["history", BAD]);
    let time = |event: &str, key: &str| {
        let row = history.iter().find(|row| row["event"] == event);
        let text = row.unwrap_or_else(|| panic!("no {event} in {history:?}"))[key].as_str().unwrap();
        text.parse::<Timestamp>().unwrap()
    };
    let lasted = time("expired", "at").duration_since(time("banned", "since")).as_millis();
    assert!((2000..=4000).contains(&lasted), "it lasted {lasted} ms: {history:?}");
    // Requests that were under way when it ended are hits for 2 s more; then offences count again.
    wait_until(SOON, "banned again", || {
        scene.append(LOG, failed_logins(BAD, 1));
        daemon.log().matches("INFO banned 203.0.113.7").count() == 2
    });
}

#[test]
fn a_ban_forever_outlasts_a_restart_and_the_log() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("[jail.login]\nmaxretry = 3\nbantime = \"forever\"\n{SITE}"));
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    let before = ban(&daemon, BAD);
    assert!(before["until"].is_null(), "{before}");
    let (status, log) = daemon.stop();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    assert_eq!(scene.listed(), BTreeSet::from([BAD.to_owned()]), "a list is left as it is");
    fs::remove_file(scene.path(LOG)).unwrap();
    fs::remove_file(scene.path("out/banned")).unwrap();
    let daemon = scene.start_again();
    scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(ban(&daemon, BAD), before);
    let (code, why) = daemon.ask(&["why", BAD]);
    assert_eq!((code, why["evidence"].as_array().unwrap().len()), (0, 3), "{why}");
}

#[test]
fn a_pause_bans_nobody_and_outlasts_a_restart() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(WORSE, 3));
    scene.wait_listed(&daemon, &[WORSE]);
    assert!(daemon.cli(&["pause"]).status.success());
    scene.append(LOG, failed_logins(BAD, 3));
    daemon.wait_logged("paused: would have banned 203.0.113.7");
    daemon.stop();
    let daemon = scene.start_again();
    daemon.json(&["list"]);
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!((code, &status["jails"]["login"]["paused"]), (1, &true.into()), "{status}");
    assert!(status["problems"][0].as_str().unwrap().contains("paused"), "{status}");
    scene.append(LOG, failed_logins(GOOD, 3));
    daemon.wait_logged("paused: would have banned 192.0.2.1");
    assert_eq!(daemon.banned(), [WORSE], "who was banned stays banned");
    assert!(daemon.cli(&["resume"]).status.success());
    assert_eq!(daemon.ask(&["status"]).0, 0);
    scene.append(LOG, failed_logins(BAD, 2));
    scene.assert_banned(&daemon, LOG, &[WORSE]);
    scene.append(LOG, failed_logins(BAD, 1));
    scene.wait_listed(&daemon, &[BAD, WORSE]);
}

#[test]
fn hangup_takes_a_new_configuration_or_keeps_the_old_one() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins(BAD, 3) + &failed_logins(WORSE, 1));
    scene.wait_listed(&daemon, &[BAD]);
    scene.configure(&format!("{}[jail.probe]\nmaxretri = 1\n", usual()));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged("the configuration was refused, the old one stays");
    daemon.wait_logged("maxretry");
    let (log, config) = (daemon.log(), scene.path("banmap.toml").display().to_string());
    assert!(log.contains(&format!("{config}:17:1")), "{log}");
    scene.append(LOG, failed_logins(WORSE, 1));
    scene.assert_banned(&daemon, LOG, &[BAD]);
    let probe = "[filter.probe]\nrule = [{ path = '^/probe' }]\n[jail.probe]\nmaxretry = 1\n";
    scene.configure(&format!("{}{probe}", usual()));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_logged("the configuration was read again: 2 jails");
    scene.append(LOG, request("203.0.113.9", "GET /probe", 404));
    scene.wait_listed(&daemon, &[BAD, "203.0.113.9"]);
    // Windows and read positions went on.
    assert_eq!(daemon.offences(WORSE, "login"), 2);
    scene.append(LOG, failed_logins(WORSE, 1));
    scene.assert_banned(&daemon, LOG, &[BAD, WORSE, "203.0.113.9"]);
}

#[test]
fn reload_tells_every_problem_with_its_place() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    let reload = daemon.cli(&["reload"]);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
    scene.configure(&format!("{LOGIN}finditme = \"10m\"\n[source.site]\npath = 7\n"));
    let reload = daemon.cli(&["reload"]);
    assert_eq!(reload.status.code(), Some(2));
    let (said, config) = (String::from_utf8(reload.stderr).unwrap(), scene.path("banmap.toml"));
    for words in [format!("{}:13:1", config.display()), format!("{}:15:8", config.display())] {
        assert!(said.contains(&words), "{words} in {said}");
    }
    assert!(said.contains("findtime"), "{said}");
    scene.append(LOG, failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    let history = daemon.json(&["history"]);
    let reloads: Vec<&str> = history
        .iter()
        .filter(|row| row["event"] == "reloaded")
        .filter_map(|row| row["text"].as_str())
        .collect();
    assert!(reloads.len() == 2 && reloads[1].contains("refused"), "{history:?}");
}

/// A ban that was decided at a time that is still to come would last too long.
#[test]
fn a_clock_that_is_ahead_in_the_log_is_told_and_prolongs_nothing() {
    let scene = Scene::new();
    let daemon = scene.start(&usual());
    scene.append(LOG, failed_logins_at(BAD, minutes_ago(-300), 3));
    scene.wait_listed(&daemon, &[BAD]);
    let until: Timestamp = ban(&daemon, BAD)["until"].as_str().unwrap().parse().unwrap();
    assert!(until.duration_since(Timestamp::now()) <= jiff::SignedDuration::from_hours(1), "{until}");
    scene.append(LOG, failed_logins_at(WORSE, minutes_ago(-300), 3));
    daemon.wait_logged("a clock is wrong");
}
