//! Changes by hand on a live daemon: `ban`, `unban`, `pause`, `resume`.

use std::collections::BTreeSet;
use std::process::Output;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins};
use crate::harness::{Daemon, Scene, text, wait_until};

/// Somebody is trusted, somebody allowed.
const PROTECTED: &str =
    "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n[defaults]\nignoreip = \"192.0.2.0/24\"\nbantime = \"2h\"\n";

fn start(scene: &Scene) -> Daemon {
    scene.start(&format!("{PROTECTED}{LOGIN}{SITE}"))
}

/// Runs a verb that ends with this code; what it printed.
#[track_caller]
fn run(daemon: &Daemon, code: i32, arguments: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = daemon.cli(arguments);
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{arguments:?}: {stdout}{stderr}{}", daemon.log());
    (stdout, stderr)
}

/// Who is in the output now, without waiting.
fn listed(scene: &Scene) -> Vec<String> {
    scene.listed().into_iter().collect()
}

fn seconds(row: &Value) -> i64 {
    let at = |field: &str| row[field].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    at("until") - at("since")
}

#[test]
fn a_ban_by_hand_is_in_the_outputs_when_the_command_returns() {
    let scene = Scene::new();
    let daemon = start(&scene);
    let (shown, told) = run(&daemon, 0, &["ban", "203.0.113.7", "2001:db8:7::/48"]);
    assert_eq!(listed(&scene), ["2001:db8:7::/48", "203.0.113.7"]);
    assert!(
        shown.starts_with("banned: 203.0.113.7 by manual since ") && shown.contains("2h left; by hand"),
        "{shown}"
    );
    assert_eq!(told, "");
    let made = daemon.json(&["ban", "203.0.113.8", "--for", "30m", "--reason", "a\u{1b}b"]);
    assert_eq!((made.len(), seconds(&made[0]), &made[0]["reason"]), (1, 1800, &json!("a\u{1b}b")));
    let made = daemon.json(&["ban", "203.0.113.9", "--for", "forever", "--jail", "login"]);
    assert_eq!(
        (&made[0]["until"], &made[0]["jail"], &made[0]["origin"]),
        (&Value::Null, &json!("login"), &json!("hand"))
    );
    assert_eq!(listed(&scene).len(), 4);
    let ended = daemon.json(&["unban", "203.0.113.8"]);
    assert_eq!((ended.len(), &ended[0]["address"]), (1, &json!("203.0.113.8")));
    assert_eq!(listed(&scene), ["2001:db8:7::/48", "203.0.113.7", "203.0.113.9"]);
    let (shown, _) = run(&daemon, 0, &["list"]);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn banning_again_keeps_the_later_end() {
    let scene = Scene::new();
    let daemon = start(&scene);
    run(&daemon, 0, &["ban", "203.0.113.7", "--for", "1h"]);
    let (shown, told) = run(&daemon, 0, &["ban", "203.0.113.7", "--for", "10m"]);
    assert!(shown.is_empty() && told.contains("already, as long or longer"), "{shown}{told}");
    assert!(seconds(&daemon.json(&["list"])[0]) >= 3600);
    let (shown, _) = run(&daemon, 0, &["ban", "203.0.113.7", "--for", "3h"]);
    assert!(shown.contains("3h left"), "{shown}");
    assert_eq!(daemon.json(&["list"]).len(), 1);
}

#[test]
fn of_many_the_permitted_are_banned_and_the_refused_are_listed() {
    let scene = Scene::new();
    let daemon = start(&scene);
    let file = scene.write(
        "many",
        "# from elsewhere\n203.0.113.7\n127.0.0.1\n10.0.0.5 # the proxy\n192.0.2.9\n198.51.98.0/28\nexample.net\n\n::1\n0.0.0.0/1\n",
    );
    let (shown, told) = run(&daemon, 1, &["ban", "-f", file.to_str().unwrap(), "198.51.99.1"]);
    assert_eq!(listed(&scene), ["198.51.98.0/28", "198.51.99.1", "203.0.113.7"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    for part in [
        "refused: 127.0.0.1: `127.0.0.1` is never banned: a loopback address",
        "refused: ::1: `::1` is never banned: a loopback address",
        "refused: 10.0.0.5: `10.0.0.5` is never banned: trusted proxy 10.0.0.5 (trusted_proxies of [real_ip]",
        "refused: 192.0.2.9: `192.0.2.9` is never banned: allowed: 192.0.2.0/24 (ignoreip of [defaults]",
        "refused: line 7: `example.net`",
        "too wide",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(told.lines().filter(|line| line.starts_with("refused: ")).count(), 6, "{told}");
    run(&daemon, 1, &["ban", "127.0.0.1"]);
    run(&daemon, 2, &["ban", "203.0.113.7", "--jail", "logn"]);
    run(&daemon, 2, &["unban", "203.0.113.7", "--jail", "logn"]);
    run(&daemon, 2, &["ban", "-f", "/nonexistent/list"]);
}

#[test]
fn what_lies_inside_a_banned_prefix_is_not_unbanned_alone() {
    let scene = Scene::new();
    let daemon = start(&scene);
    run(&daemon, 0, &["ban", "203.0.113.0/24", "203.0.113.7"]);
    for dry in [&["--dry-run"][..], &[]] {
        let (shown, told) = run(&daemon, 1, &[&["unban", "203.0.113.9"], dry].concat());
        assert!(shown.is_empty() && told.contains("part of `203.0.113.0/24` by jail `manual`"), "{told}");
    }
    let (_, told) = run(&daemon, 1, &["unban", "198.51.99.1"]);
    assert!(told.contains("`198.51.99.1` is not banned"), "{told}");
    // Its own ban can be ended, but not the one around it: that is said.
    let (shown, told) = run(&daemon, 0, &["unban", "203.0.113.7"]);
    assert!(shown.starts_with("unbanned: 203.0.113.7 by manual"), "{shown}");
    assert!(told.contains("203.0.113.7 is still banned as part of 203.0.113.0/24"), "{told}");
    run(&daemon, 0, &["unban", "203.0.113.0/24"]);
    assert_eq!(listed(&scene), [] as [&str; 0]);
}

#[test]
fn a_dry_run_tells_whom_it_would_be_and_changes_nothing() {
    let scene = Scene::new();
    let daemon = start(&scene);
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    run(&daemon, 0, &["ban", "203.0.113.8", "203.0.113.9"]);
    let would = |arguments: &[&str]| -> Vec<String> {
        let rows = daemon.json(&[&["unban", "--dry-run"], arguments].concat());
        rows.iter().map(|row| row["address"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(would(&["--all"]), ["203.0.113.7", "203.0.113.8", "203.0.113.9"]);
    assert_eq!(would(&["--jail", "login"]), ["203.0.113.7"]);
    assert_eq!(would(&["--jail", "manual", "--since", "1h"]), ["203.0.113.8", "203.0.113.9"]);
    assert_eq!(would(&["--jail", "manual", "--since", "2100-01-01"]), [] as [&str; 0]);
    assert_eq!(would(&["203.0.113.8"]), ["203.0.113.8"]);
    let (shown, told) = run(&daemon, 0, &["unban", "--all", "--dry-run"]);
    assert!(
        shown.starts_with("would be unbanned: 203.0.113.7 ") && told.contains("nothing was changed"),
        "{shown}{told}"
    );
    assert_eq!(daemon.banned().len(), 3);
    run(&daemon, 0, &["unban", "--jail", "manual", "--since", "1h"]);
    assert_eq!(daemon.banned(), ["203.0.113.7"]);
    let (shown, _) = run(&daemon, 0, &["unban", "--all"]);
    assert!(shown.starts_with("unbanned: 203.0.113.7 by login"), "{shown}");
    assert_eq!(listed(&scene), [] as [&str; 0]);
    assert_eq!(daemon.json(&["unban", "--all"]), [] as [Value; 0], "nobody is left");
    // Windows are forgotten as well: three more offences are needed.
    scene.append(LOG, failed_logins("203.0.113.7", 2));
    scene.assert_banned(&daemon, LOG, &[]);
}

#[test]
fn who_comes_back_is_banned_longer_also_after_a_crash_until_that_is_forgotten() {
    let scene = Scene::new();
    let daemon = start(&scene);
    let banned_for = |daemon: &Daemon| {
        scene.append(LOG, failed_logins("203.0.113.7", 3));
        scene.wait_listed(daemon, &["203.0.113.7"]);
        seconds(&daemon.json(&["list"])[0])
    };
    assert_eq!(banned_for(&daemon), 3600);
    run(&daemon, 0, &["unban", "203.0.113.7"]);
    daemon.kill();
    let daemon = scene.start_again();
    let (_, why) = daemon.ask(&["why", "203.0.113.7"]);
    assert_eq!((&why["earlier"][0]["bans"], &why["earlier"][0]["next"]), (&json!(1), &json!(4 * 3600)));
    assert_eq!(banned_for(&daemon), 4 * 3600);
    assert_eq!(daemon.json(&["list"])[0]["reason"], "banned once before");
    let (_, told) = run(&daemon, 0, &["unban", "203.0.113.7", "--forget"]);
    assert!(told.contains("earlier bans of 1 address forgotten"), "{told}");
    daemon.kill();
    let daemon = scene.start_again();
    assert_eq!(banned_for(&daemon), 3600);
}

#[test]
fn what_was_answered_survives_a_crash_at_once_after_the_answer() {
    let scene = Scene::new();
    let daemon = start(&scene);
    run(&daemon, 0, &["ban", "203.0.113.7", "203.0.113.8", "--for", "forever", "--no-wait"]);
    run(&daemon, 0, &["pause", "login"]);
    daemon.kill();
    let daemon = scene.start_again();
    assert_eq!(daemon.banned(), ["203.0.113.7", "203.0.113.8"]);
    assert_eq!(daemon.jail("login")["paused"], true);
    run(&daemon, 0, &["unban", "203.0.113.7", "--no-wait"]);
    run(&daemon, 0, &["resume", "login"]);
    daemon.kill();
    let daemon = scene.start_again();
    assert_eq!(daemon.banned(), ["203.0.113.8"]);
    assert_eq!(daemon.jail("login")["paused"], false);
    let wait = || listed(&scene) == ["203.0.113.8"];
    wait_until(SOON, "the output follows", wait);
}

#[test]
fn a_jail_bans_into_its_own_outputs() {
    let scene = Scene::new();
    let more = "[output.other]\nkind = \"list\"\npath = \"out/other\"\n[jail.narrow]\nfilter = \"login\"\noutputs = \"other\"\n";
    let daemon = scene.start(&format!("{LOGIN}{SITE}{more}"));
    let other = || -> BTreeSet<String> {
        let list = text(&scene.path("out/other"));
        list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    run(&daemon, 0, &["ban", "203.0.113.7", "--jail", "narrow"]);
    run(&daemon, 0, &["ban", "203.0.113.8"]);
    assert_eq!(listed(&scene), ["203.0.113.8"]);
    assert_eq!(other(), BTreeSet::from(["203.0.113.7".to_owned(), "203.0.113.8".to_owned()]));
}

#[test]
fn while_banning_is_paused_nobody_new_is_banned_but_by_hand() {
    let scene = Scene::new();
    let daemon = start(&scene);
    let (shown, told) = run(&daemon, 0, &["pause", "--for", "1h"]);
    assert!(shown.is_empty() && told.contains("nobody new is banned"), "{shown}{told}");
    let status = daemon.ask(&["status"]);
    assert_eq!((status.0, &status.1["jails"]["login"]["paused"]), (1, &json!(true)));
    assert!(status.1["jails"]["login"]["paused_until"].is_string(), "{}", status.1);
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    daemon.wait_logged("paused: would have banned 203.0.113.7");
    run(&daemon, 0, &["ban", "203.0.113.9"]);
    assert_eq!(daemon.banned(), ["203.0.113.9"]);
    let (_, told) = run(&daemon, 1, &["resume", "login"]);
    assert!(told.contains("resume without naming a jail"), "{told}");
    run(&daemon, 0, &["resume"]);
    run(&daemon, 1, &["resume"]);
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    scene.wait_listed(&daemon, &["203.0.113.7", "203.0.113.9"]);
}
