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
        "# from elsewhere\n203.0.113.7\n127.0.0.1\n10.0.0.5 # the proxy\n192.0.2.9\n198.51.98.0/28\nexample.net\n\n::1\n0.0.0.0/1\n198.18.0.0/15\n",
    );
    let (shown, told) = run(&daemon, 1, &["ban", "-f", file.to_str().unwrap(), "198.51.99.1"]);
    assert_eq!(listed(&scene), ["198.51.98.0/28", "198.51.99.1", "203.0.113.7"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
    for part in [
        "many:3: 127.0.0.1: `127.0.0.1` is never banned: a loopback address",
        "many:9: ::1: `::1` is never banned: a loopback address",
        "many:4: 10.0.0.5: `10.0.0.5` is never banned: trusted proxy 10.0.0.5 (trusted_proxies of [real_ip]",
        "many:5: 192.0.2.9: `192.0.2.9` is never banned: allowed: 192.0.2.0/24 (ignoreip of [defaults]",
        "many:7: `example.net`",
        "many:10: 0.0.0.0/1: `0.0.0.0/1` is too wide: a ban holds at most",
        "many:11: 198.18.0.0/15: `198.18.0.0/15` is wider than an IPv4 /16",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(told.lines().filter(|line| line.starts_with("refused: ")).count(), 7, "{told}");
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

/// Runs a verb as somebody who is logged in from this address.
fn from(daemon: &Daemon, client: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let place = format!("{client} 50822 192.0.2.1 22");
    let ended = daemon.command(arguments).env("SSH_CONNECTION", place).output().unwrap();
    let told = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(told).unwrap())
}

#[test]
fn who_is_logged_in_does_not_ban_themselves_by_mistake() {
    let scene = Scene::new();
    let daemon = start(&scene);
    for (target, told) in [
        ("203.0.113.7", "`203.0.113.7` is your own address: you are logged in from it (SSH)"),
        ("203.0.113.0/24", "`203.0.113.0/24` holds your own address 203.0.113.7"),
    ] {
        let (code, shown) = from(&daemon, "203.0.113.7", &["ban", target]);
        assert!(code == Some(1) && shown.contains(told) && shown.contains("--force"), "{shown}");
    }
    assert_eq!(listed(&scene), [] as [&str; 0]);
    let (code, shown) = from(&daemon, "203.0.113.7", &["ban", "203.0.113.8", "203.0.113.7", "--force"]);
    assert_eq!(
        (code, listed(&scene)),
        (Some(0), vec!["203.0.113.7".to_owned(), "203.0.113.8".to_owned()]),
        "{shown}"
    );
    // Insisting does not reach who is protected.
    let (code, shown) = from(&daemon, "192.0.2.7", &["ban", "192.0.2.7", "127.0.0.1", "10.0.0.5", "--force"]);
    assert!(code == Some(1) && shown.matches("is never banned").count() == 3, "{shown}");
    let (code, _) = from(&daemon, "203.0.113.7", &["unban", "203.0.113.7"]);
    assert_eq!(code, Some(0));
}

#[test]
fn a_wide_prefix_is_banned_by_those_who_insist_and_told_with_what_it_holds() {
    let scene = Scene::new();
    let more = "[output.map]\nkind = \"apache-rewritemap\"\npath = \"out/map\"\n";
    let protected = PROTECTED.replace("\"192.0.2.0/24\"", "[\"192.0.2.0/24\", \"2001:db8:7:1::5\"]");
    let daemon = scene.start(&format!("{protected}{LOGIN}{SITE}{more}"));
    let (_, told) = run(&daemon, 1, &["ban", "192.0.0.0/12"]);
    assert!(told.contains("it holds 1,048,576 addresses; --force"), "{told}");
    let (_, told) = run(&daemon, 1, &["ban", "128.0.0.0/7", "2001::/18", "--force"]);
    assert_eq!(told.matches("is too wide").count(), 2, "{told}");
    for dry in [true, false] {
        let mut arguments = vec!["ban", "192.0.0.0/12", "2001:db8::/32", "--force"];
        arguments.extend(dry.then_some("--dry-run"));
        let (shown, told) = run(&daemon, 0, &arguments);
        for part in [
            "banned: 192.0.0.0/12 by manual since ",
            "; 1,048,576 addresses",
            "; 4,294,967,296 networks of /64",
            "  but not 192.0.2.0/24: allowed: 192.0.2.0/24 (ignoreip of [defaults] (",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(shown.starts_with("would be banned: "), dry, "{shown}");
        assert!(told.contains("output map cannot hold 2001:db8::/32 without those who stay free"), "{told}");
        assert_eq!(listed(&scene).is_empty(), dry, "{:?}", listed(&scene));
        assert_eq!(told.contains("2 bans would begin or last longer; nothing was changed"), dry, "{told}");
    }
    assert!(!listed(&scene).iter().any(|entry| entry.starts_with("192.0.2.")), "{:?}", listed(&scene));
    let again = daemon.json(&["ban", "192.0.0.0/12", "--force", "--dry-run", "--for", "forever"]);
    assert_eq!((&again[0]["addresses"], &again[0]["until"]), (&json!(1_048_576), &Value::Null));
    assert_eq!(again[0]["spared"][0]["address"], "192.0.2.0/24");
    let (shown, told) = run(&daemon, 0, &["ban", "192.0.0.0/12", "--force", "--dry-run", "--for", "1m"]);
    assert!(shown.is_empty() && told.contains("1 banned already"), "{shown}{told}");
}

#[test]
fn thousands_are_banned_and_unbanned_in_one_step_and_survive_a_crash() {
    let scene = Scene::new();
    let daemon = start(&scene);
    let address = |n: u32| format!("203.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
    let mut lines: Vec<String> = (0..30_000).map(address).collect();
    lines.insert(7, "not an address".to_owned());
    lines.insert(20_000, "127.0.0.1".to_owned());
    lines.push("2001:db8:7::/48".to_owned());
    let file = scene.write("many", &lines.join("\r\n"));
    let file = file.to_str().unwrap();
    let before = daemon.ask(&["status"]).1["outputs"]["list"]["generation"].as_u64().unwrap();
    let (shown, told) = run(&daemon, 1, &["ban", "-f", file]);
    assert_eq!(shown, "banned: 30001 bans, 1 of prefixes\n");
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("many:8: `not an address`") && told.contains("many:20001: 127.0.0.1"), "{told}");
    assert_eq!(listed(&scene).len(), 30_001);
    let after = daemon.ask(&["status"]).1["outputs"]["list"]["generation"].as_u64().unwrap();
    assert_eq!(after, before + 1, "one step");
    daemon.kill();
    let daemon = scene.start_again();
    assert_eq!(daemon.banned().len(), 30_001);
    let (shown, told) = run(&daemon, 1, &["unban", "-f", file, "--dry-run"]);
    assert_eq!(shown.lines().count(), 30_001, "whom it would be");
    assert!(told.contains("many:20001: 127.0.0.1: `127.0.0.1` is not banned"), "{told}");
    run(&daemon, 1, &["unban", "-f", file]);
    assert_eq!(listed(&scene), [] as [&str; 0]);
}
