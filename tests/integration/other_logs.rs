//! Logs of other programs than web servers, judged by filters in fail2ban's language; nobody says what their format is.

use jiff::Timestamp;

use crate::harness::scene::{SOON, request};
use crate::harness::{Daemon, Scene, wait_until};

const BAD: &str = "203.0.113.7";

/// Lines that are joined by their session.
const SESSIONS: &str = "[Definition]\n\
    prefregex = ^\\s*\\S+ app\\[<F-MLFID>\\d+</F-MLFID>\\]: <F-CONTENT>.+</F-CONTENT>$\n\
    failregex = ^<F-NOFAIL>connect from</F-NOFAIL> <HOST>$\n ^bad password for <F-USER>\\S+</F-USER>$\n\
    usedns = warn\n";
/// Lines that are looked at together.
const WINDOW: &str = "[Definition]\nmaxlines = 4\n\
    failregex = ^\\s*\\S+ app\\[\\d+\\]: connect from <HOST><SKIPLINES>^\\s*\\S+ app\\[\\d+\\]: bad password for \\S+$\n";
const NETS: &str = "[Definition]\nfailregex = app\\[\\d+\\]: bad net <SUBNET>$\n";
const WEB: &str = "[Definition]\nfailregex = ^<HOST> \\S+ \\S+ \\[\\] \"GET /bad\\b\n";

const JAIL: &str = "[jail.app]\nmaxretry = 2\nbantime = \"1h\"\n[source.app]\npath = \"logs/app.log\"\n";

fn said(message: &str) -> String {
    format!("{} host app[7]: {message}\n", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"))
}

fn scene(filter: &str) -> Scene {
    let scene = Scene::new();
    scene.write("filter.d/app.conf", filter);
    scene.append("logs/app.log", said("start"));
    scene
}

#[track_caller]
fn wait_for_offences(daemon: &Daemon, address: &str, count: u64) {
    wait_until(SOON, &format!("{count} offences of {address}"), || daemon.offences(address, "app") == count);
}

#[test]
fn lines_that_belong_together_are_joined_also_over_a_restart() {
    for filter in [SESSIONS, WINDOW] {
        let scene = scene(filter);
        let daemon = scene.start(JAIL);
        let (connect, failed) = (said(&format!("connect from {BAD}")), said("bad password for root"));
        scene.append("logs/app.log", connect.clone() + &said("between") + &failed);
        wait_for_offences(&daemon, BAD, 1);
        let lines = || daemon.file("logs/app.log")["lines"].as_u64() == Some(5);
        scene.append("logs/app.log", connect);
        wait_until(SOON, "the line is read", lines);
        assert_eq!(daemon.file("logs/app.log")["unparsed"], 0);
        daemon.stop();
        let daemon = scene.start_again();
        assert_eq!(daemon.offences(BAD, "app"), 1, "what was judged before is not judged again");
        scene.append("logs/app.log", failed);
        scene.wait_listed(&daemon, &[BAD]);
    }
}

#[test]
fn a_backlog_is_read_from_findtime_on() {
    let scene = scene(SESSIONS);
    let lines = said(&format!("connect from {BAD}")) + &said("bad password for root");
    let old = lines.replace(&Timestamp::now().to_string()[..4], "2001");
    scene.append("logs/app.log", old + &lines + &said("bad password for admin"));
    let daemon = scene.start(JAIL);
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn names_are_not_resolved_and_this_is_said() {
    let scene = scene(SESSIONS);
    let daemon = scene.start(JAIL);
    daemon.wait_logged("usedns = warn is not acted on");
    let checked = daemon.cli(&["check"]);
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains("app.conf:5") && told.contains("usedns = warn is not acted on"), "{told}");
    scene.append("logs/app.log", said("connect from localhost") + &said("bad password for root").repeat(2));
    scene.append(
        "logs/app.log",
        said(&format!("connect from {BAD}")) + &said("bad password for root").repeat(2),
    );
    scene.wait_listed(&daemon, &[BAD]);
}

#[test]
fn a_network_in_a_line_is_banned_whole_but_for_a_proxy() {
    let scene = scene(NETS);
    let daemon = scene.start(&format!("[real_ip]\ntrusted_proxies = [\"12.0.0.9\"]\n{JAIL}"));
    for net in ["203.0.113.0/24", "12.0.0.0/24", "192.0.2.7", "0.0.0.0/0", "11.0.0.0/8"] {
        scene.append("logs/app.log", said(&format!("bad net {net}")).repeat(2));
    }
    scene.wait_listed(&daemon, &["203.0.113.0/24", "12.0.0.0", "192.0.2.7", "11.0.0.0"]);
}

#[test]
fn an_access_log_has_its_clients_and_nobody_else() {
    let scene = Scene::new();
    scene.write("filter.d/app.conf", WEB);
    scene.append("logs/app.log", request("192.0.2.1", "GET /", 200));
    let daemon = scene.start(JAIL);
    let forged = "198.51.100.9 - - [] \"GET /bad\"\n".repeat(2);
    scene.append("logs/app.log", request("192.0.2.1", "GET /", 200).repeat(5) + &forged);
    scene.append("logs/app.log", request(BAD, "GET /bad", 404).repeat(2));
    scene.wait_listed(&daemon, &[BAD]);
    assert_eq!(daemon.offences("198.51.100.9", "app"), 0);
}
