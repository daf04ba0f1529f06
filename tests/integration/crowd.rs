//! The wrong-client guard on a running daemon: a proxy that all clients come through is not banned in their place.

use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins, request};
use crate::harness::{Scene, wait_until};

const PROXY: &str = "10.9.9.9";
const CLIENT: &str = "203.0.113.7";

fn usual(source: &str) -> String {
    format!("{LOGIN}{SITE}{source}")
}

/// Requests of as many others.
fn others(count: usize) -> String {
    (0..count).map(|n| request(&format!("192.0.2.{}", n % 250), "GET /", 200)).collect()
}

#[test]
fn an_address_that_most_lines_come_from_is_never_banned_and_everybody_is_told() {
    let scene = Scene::new();
    let daemon = scene.start(&usual(""));
    scene.append(LOG, failed_logins(PROXY, 30));
    scene.append(LOG, failed_logins(CLIENT, 3));
    scene.assert_banned(&daemon, LOG, &[CLIENT]);
    daemon.wait_logged("most lines come from 10.9.9.9, a private address");
    let (code, why) = daemon.ask(&["why", PROXY]);
    assert_eq!(code, 1);
    assert_eq!(why["protected_by"], "wrong-client guard: most lines of source site come from it");
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 1, "an operator has to look");
    let file = &status["sources"]["site"]["files"][0];
    assert_eq!(file["mostly_from"], PROXY);
    assert!(
        file["error"]
            .as_str()
            .unwrap()
            .contains("set_real_ip_from 10.9.9.9; real_ip_header X-Forwarded-For;")
    );
    let refused = daemon.cli(&["ban", PROXY]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("wrong-client guard"), "{refused:?}");

    let check = daemon.cli(&["check"]);
    assert!(check.status.success());
    let told = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(
        told.contains("warning: [source.site] ") && told.contains("most lines come from 10.9.9.9"),
        "{told}"
    );
    let replay = daemon.cli(&["replay"]);
    let told = String::from_utf8_lossy(&replay.stderr).into_owned();
    assert!(told.contains("most lines come from 10.9.9.9"), "{told}");
    let shown = String::from_utf8_lossy(&replay.stdout).into_owned();
    // Each ban's line begins with its time; below them stands whom the guard spared.
    let banned: String = shown.lines().filter(|line| line.starts_with("20")).collect();
    assert!(banned.contains(CLIENT) && !banned.contains(PROXY), "{shown}");
    assert!(
        shown.lines().any(|line| line.starts_with(PROXY) && line.contains("wrong-client guard")),
        "{shown}"
    );

    scene.append(LOG, others(700));
    wait_until(SOON, "the guard is over", || daemon.file(LOG)["mostly_from"].is_null());
    scene.append(LOG, failed_logins(PROXY, 3));
    scene.wait_listed(&daemon, &[CLIENT, PROXY]);
    assert_eq!(daemon.log().matches("most lines come from 10.9.9.9").count(), 1, "{}", daemon.log());
}

#[test]
fn a_ban_that_was_made_before_it_was_known_is_released() {
    let scene = Scene::new();
    let daemon = scene.start(&usual(""));
    scene.append(LOG, failed_logins(PROXY, 3));
    scene.wait_listed(&daemon, &[PROXY]);
    scene.append(LOG, request(PROXY, "GET /", 403).repeat(30));
    scene.wait_listed(&daemon, &[]);
    // Its lines still come: it is not banned again.
    scene.append(LOG, failed_logins(PROXY, 5));
    scene.assert_banned(&daemon, LOG, &[]);
}

#[test]
fn after_a_restart_a_few_lines_are_judged_by_what_stood_before_them() {
    let scene = Scene::new();
    scene.append(LOG, request(PROXY, "GET /", 200).repeat(30));
    let daemon = scene.start(&usual(""));
    scene.wait_read(&daemon, LOG);
    daemon.stop();
    let daemon = scene.start_again();
    scene.append(LOG, failed_logins(PROXY, 3));
    scene.assert_banned(&daemon, LOG, &[]);
    // The successor of a rotated log goes on with what is known of it.
    std::fs::rename(scene.path(LOG), scene.path("logs/access.log.1")).unwrap();
    scene.append(LOG, failed_logins(PROXY, 3));
    scene.assert_banned(&daemon, LOG, &[]);
}

#[test]
fn the_guard_is_off_where_the_operator_says_so() {
    let scene = Scene::new();
    let daemon = scene.start(&usual(""));
    scene.append(LOG, failed_logins(PROXY, 30));
    scene.assert_banned(&daemon, LOG, &[]);
    scene.configure(&usual("guard = false\n"));
    assert!(daemon.cli(&["reload"]).status.success());
    let (_, why) = daemon.ask(&["why", PROXY]);
    assert!(why["protected_by"].is_null(), "{why}");
    scene.append(LOG, failed_logins(PROXY, 3));
    scene.assert_banned(&daemon, LOG, &[PROXY]);
    assert_eq!(daemon.ask(&["status"]).0, 0);
    scene.configure(&usual(""));
    assert!(daemon.cli(&["reload"]).status.success());
    scene.append(LOG, request(CLIENT, "GET /", 200));
    scene.wait_listed(&daemon, &[]);
}
