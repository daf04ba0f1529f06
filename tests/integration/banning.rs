//! What becomes of verdicts and bans in the real daemon: who is spared, when bans end, pauses, and a configuration that is
//! read again.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;
use nix::sys::signal::Signal;

use crate::harness::Scene;
use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins, failed_logins_at, minutes_ago, request};
use crate::harness::wait_until;
use crate::reading::{BAD, GOOD, WORSE, ban, usual};

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
