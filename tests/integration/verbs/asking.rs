//! Questions to a live daemon: `status`, `list`, `why`, `history`, `ping`; and `reload`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::assert_fields;
use crate::harness::scene::{LOG, LOGIN, SITE, SOON, failed_logins, failed_logins_at, minutes_ago, request};
use crate::harness::{Daemon, Scene, wait_until};

fn code(daemon: &Daemon, arguments: &[&str]) -> i32 {
    daemon.cli(arguments).status.code().unwrap()
}

/// What a verb says on stderr.
fn told(daemon: &Daemon, arguments: &[&str]) -> String {
    String::from_utf8(daemon.cli(arguments).stderr).unwrap()
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 20 && text.parse::<Timestamp>().is_ok())
}

#[test]
fn status_has_every_count_and_every_state() {
    let scene = Scene::new();
    let config = format!("{LOGIN}{SITE}[output.map]\nkind = \"apache-rewritemap\"\npath = \"out/map\"\n");
    scene.append(LOG, failed_logins("203.0.113.7", 3) + &failed_logins("203.0.113.8", 2) + "nothing\n");
    let daemon = scene.start(&config);
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    scene.append(LOG, failed_logins("203.0.113.7", 4));
    wait_until(SOON, "hits are counted", || daemon.jail("login")["hits_total"] == 4);
    wait_until(SOON, "the map is verified", || {
        daemon.ask(&["status"]).1["outputs"]["map"]["state"] == "verified"
    });
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 0, "{status}");
    assert_fields(&status, &["version", "started", "jails", "sources", "outputs"]);
    assert_eq!((&status["version"], is_time(&status["started"])), (&json!(env!("CARGO_PKG_VERSION")), true));
    let jail = &status["jails"]["login"];
    for (field, expected) in [
        ("offences_current", json!(2)),
        ("offences_total", json!(5)),
        ("hits_total", json!(4)),
        ("bans_current", json!(1)),
        ("bans_total", json!(1)),
        ("paused", json!(false)),
    ] {
        assert_eq!(jail[field], expected, "{field} in {jail}");
    }
    assert_eq!(status["jails"].as_object().unwrap().len(), 1, "the built-in jail has no ban yet: {status}");
    let file = &status["sources"]["site"]["files"][0];
    assert_eq!((&file["path"], &file["lines"]), (&json!(scene.path(LOG)), &json!(10)));
    assert_eq!((&file["state"], is_time(&file["last_line"])), (&json!("live"), true));
    assert!(file["unparsed"].is_u64(), "{file}");
    for (name, kind, state) in [("list", "list", "published"), ("map", "apache-rewritemap", "verified")] {
        let output = &status["outputs"][name];
        assert_fields(output, &["kind", "entries", "generation", "published", "reloaded", "state", "error"]);
        assert_eq!((&output["kind"], &output["state"]), (&json!(kind), &json!(state)), "{output}");
        assert_eq!((&output["entries"], &output["error"]), (&json!(1), &Value::Null), "{output}");
        assert!(is_time(&output["published"]) && output["generation"].as_u64() > Some(0), "{output}");
    }
    let one = daemon.ask(&["status", "login"]).1;
    assert_eq!(one["jails"].as_object().unwrap().len(), 1);
    let shown = String::from_utf8(daemon.cli(&["status"]).stdout).unwrap();
    for part in ["JAIL", "login", "SOURCE", "live", "OUTPUT", "apache-rewritemap", "verified"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn list_shows_the_bans_in_force() {
    let scene = Scene::new();
    let simulated = "[jail.dry]\nfilter = \"login\"\nmaxretry = 2\nsimulate = true\nbantime = \"forever\"\n";
    scene.append(LOG, failed_logins("203.0.113.7", 3) + &failed_logins("2001:db8:1:2::7", 3));
    let daemon = scene.start(&format!("{LOGIN}{simulated}{SITE}"));
    scene.wait_listed(&daemon, &["2001:db8:1:2::/64", "203.0.113.7"]);
    assert_eq!(code(&daemon, &["ban", "198.51.0.0/16", "--reason", "scans us"]), 0);
    let rows = daemon.json(&["list"]);
    let addresses: Vec<&str> = rows.iter().map(|row| row["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["198.51.0.0/16", "203.0.113.7", "2001:db8:1:2::/64"], "sorted");
    for row in &rows {
        assert_fields(row, &["address", "jail", "since", "until", "offences", "origin", "reason"]);
        assert!(is_time(&row["since"]) && is_time(&row["until"]), "{row}");
    }
    let hand = &rows[0];
    assert_eq!((&hand["jail"], &hand["origin"]), (&json!("manual"), &json!("hand")));
    assert_eq!((&hand["offences"], &hand["reason"]), (&json!(0), &json!("scans us")));
    let log = &rows[1];
    assert_eq!((&log["jail"], &log["origin"]), (&json!("login"), &json!("log")));
    assert_eq!((&log["offences"], &log["reason"]), (&json!(3), &Value::Null));
    let length =
        |row: &Value, field: &str| row[field].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    assert_eq!(length(log, "until") - length(log, "since"), 3600);
    assert_eq!(daemon.json(&["list", "--jail", "manual"]), rows[..1]);
    let dry = daemon.json(&["list", "--simulated"]);
    assert_eq!(dry.len(), 2, "{dry:?}");
    assert_eq!((&dry[0]["jail"], &dry[0]["until"]), (&json!("dry"), &Value::Null));
    assert_eq!(daemon.json(&["list", "--jail", "dry"]), [] as [Value; 0]);
    assert!(told(&daemon, &["list", "--jail", "dry"]).contains("nobody"));
    for verb in ["list", "status", "pause"] {
        let arguments = if verb == "list" { vec!["list", "--jail", "logn"] } else { vec![verb, "logn"] };
        assert_eq!(code(&daemon, &arguments), 2, "{verb}");
        let told = told(&daemon, &arguments);
        assert!(told.contains("`logn`") && told.contains("dry, login, manual"), "{told}");
    }
}

#[test]
fn why_tells_what_is_known_about_an_address() {
    let scene = Scene::new();
    let protected = "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n[defaults]\nignoreip = \"192.0.2.0/24\"\n";
    let first = minutes_ago(3);
    scene.append(LOG, failed_logins_at("2001:db8:1:2::7", first, 3) + &failed_logins("203.0.113.8", 2));
    let daemon = scene.start(&format!("{protected}{LOGIN}{SITE}"));
    scene.wait_read(&daemon, LOG);
    let (code, why) = daemon.ask(&["why", "2001:db8:1:2::7"]);
    assert_fields(&why, &["address", "banned", "bans", "protected_by", "evidence", "history"]);
    assert_eq!((code, &why["address"], &why["banned"]), (0, &json!("2001:db8:1:2::7"), &json!(true)));
    assert_eq!(why["bans"].as_array().unwrap().len(), 1);
    assert_eq!(why["bans"][0], daemon.json(&["list"])[1], "as `list` has it");
    assert_eq!(
        (&why["bans"][0]["address"], &why["protected_by"]),
        (&json!("2001:db8:1:2::/64"), &Value::Null)
    );
    let evidence = why["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 3);
    for row in evidence {
        assert_fields(row, &["at", "jail", "text"]);
        assert_eq!((&row["jail"], &row["at"]), (&json!("login"), &json!(format!("{first:.0}"))));
        assert!(row["text"].as_str().unwrap().starts_with("2001:db8:1:2::7 - - ["), "{row}");
    }
    assert_eq!(why["history"][0]["event"], "banned");
    // Another address of the same group is banned as well; one of the next is not.
    assert_eq!(daemon.ask(&["why", "2001:db8:1:2:ffff::1"]).0, 0);
    assert_eq!(daemon.ask(&["why", "2001:db8:1:3::1"]).0, 1);
    let (code, near) = daemon.ask(&["why", "203.0.113.8"]);
    assert_eq!((code, &near["banned"], near["evidence"].as_array().unwrap().len()), (1, &json!(false), 2));
    assert_eq!((&near["near"][0]["offences"], &near["near"][0]["maxretry"]), (&json!(2), &json!(3)));
    let shown = String::from_utf8(daemon.cli(&["why", "203.0.113.8"]).stdout).unwrap();
    assert!(shown.contains("not banned") && shown.contains("2 of 3 offences within 10m"), "{shown}");
    for (address, rule) in [
        ("10.0.0.5", "trusted proxy 10.0.0.5"),
        ("192.0.2.77", "192.0.2.0/24 (ignoreip of [defaults] ("),
        ("127.0.0.1", "loopback"),
    ] {
        let (code, why) = daemon.ask(&["why", address]);
        assert!(code == 1 && why["protected_by"].as_str().unwrap().contains(rule), "{why}");
    }
}

#[test]
fn why_tells_how_the_client_was_found_hop_by_hop() {
    let scene = Scene::new();
    let proxies = "[real_ip]\ntrusted_proxies = \"10.0.0.0/24\"\n";
    let behind = "client = \"x_forwarded_for\"\nformat = \"combined_xff\"\n";
    let line = |client: &str| {
        let chain = format!("\"test\" \"8.8.8.8, \x1b[2J, {client}, 10.0.0.9\"");
        failed_logins("10.0.0.5", 1).replace("\"test\"", &chain)
    };
    let log: String = ["203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8"].map(line).concat();
    scene.append(LOG, log + &line("203.0.113.8").replace("8.8.8.8, ", ""));
    let direct = "[source.direct]\npath = \"logs/direct.log\"\nread = \"beginning\"\n";
    scene.append("logs/direct.log", failed_logins("198.51.99.9", 2));
    let daemon = scene.start(&format!("{proxies}{LOGIN}{SITE}{behind}{direct}"));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    let (code, why) = daemon.ask(&["why", "203.0.113.7"]);
    let ways = why["clients"].as_array().unwrap();
    assert_eq!((code, ways.len()), (0, 1), "{why}");
    let way = &ways[0];
    assert_eq!((&way["source"], &way["client"]), (&json!("site"), &json!("x_forwarded_for")));
    assert_eq!((&way["end"], &way["lines"]), (&json!("not_trusted"), &json!(3)));
    let hops: Vec<&str> =
        way["hops"].as_array().unwrap().iter().map(|hop| hop["address"].as_str().unwrap()).collect();
    assert_eq!(hops, ["10.0.0.5", "10.0.0.9", "203.0.113.7"]);
    let entry = way["hops"][0]["trusted_by"].as_str().unwrap();
    assert!(entry.starts_with("10.0.0.0/24 (trusted_proxies of [real_ip] ("), "{entry}");
    assert_eq!(way["hops"][2]["trusted_by"], Value::Null);
    assert!(way["unread"].as_str().unwrap().starts_with("8.8.8.8, "), "{way}");
    let shown = String::from_utf8(daemon.cli(&["why", "203.0.113.7"]).stdout).unwrap();
    for part in [
        "203.0.113.7 is banned for another ",
        "Client of 3 lines, as source site finds it (client = x_forwarded_for)",
        "  10.0.0.5  connected to the server, trusted proxy 10.0.0.0/24 (",
        "  10.0.0.9  named by 10.0.0.5, trusted proxy 10.0.0.0/24 (",
        "  203.0.113.7  named by 10.0.0.9: the client, since it is no trusted proxy",
        "not believed: 8.8.8.8, ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    // Who is not banned is explained the same way, and who came to a server that knows its clients, too.
    let near = daemon.ask(&["why", "203.0.113.8"]).1;
    assert_eq!((&near["banned"], &near["clients"][0]["lines"]), (&json!(false), &json!(2)), "{near}");
    let direct = daemon.ask(&["why", "198.51.99.9"]).1;
    let way = &direct["clients"][0];
    assert_eq!((&way["source"], &way["end"]), (&json!("direct"), &json!("logged")), "{direct}");
}

#[test]
fn why_of_a_prefix_is_about_all_of_it() {
    let scene = Scene::new();
    let allowed = "[defaults]\nignoreip = \"203.0.113.64/26\"\n";
    scene.append(LOG, failed_logins("203.0.113.0", 3) + &failed_logins("203.0.113.8", 2));
    let daemon = scene.start(&format!("{allowed}{LOGIN}{SITE}"));
    scene.wait_listed(&daemon, &["203.0.113.0"]);
    scene.wait_read(&daemon, LOG);
    let (answer, why) = daemon.ask(&["why", "203.0.113.0/24"]);
    assert_eq!((answer, &why["banned"], &why["inside_count"]), (1, &json!(false), &json!(1)), "{why}");
    assert_eq!((&why["inside"][0]["address"], &why["spared_count"]), (&json!("203.0.113.0"), &json!(1)));
    assert_eq!((&why["near"][0]["address"], &why["near"][0]["offences"]), (&json!("203.0.113.8"), &json!(2)));
    let shown = String::from_utf8(daemon.cli(&["why", "203.0.113.0/24"]).stdout).unwrap();
    for part in [
        "203.0.113.0/24 is not banned as a whole\n",
        "  it holds 256 addresses",
        "  203.0.113.64/26 inside is protected: allowed: 203.0.113.64/26 (ignoreip of [defaults] (",
        "  login: 2 of 3 offences within 10m by 203.0.113.8",
        "Bans inside (1)\n  203.0.113.0 by login since ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(code_of_why(&daemon, "203.0.113.8"), 1);
    assert_eq!(code(&daemon, &["ban", "203.0.113.0/24"]), 0);
    // Banned as a whole; each member as part of it; who is allowed there is not, and both are named.
    let shown = |address| String::from_utf8(daemon.cli(&["why", address]).stdout).unwrap();
    assert_eq!((code_of_why(&daemon, "203.0.113.0/24"), code_of_why(&daemon, "203.0.113.9")), (0, 0));
    let member = shown("203.0.113.9");
    assert!(member.starts_with("203.0.113.9 is banned for another "), "{member}");
    assert!(member.contains(", as part of 203.0.113.0/24\n  203.0.113.0/24 by manual since "), "{member}");
    assert_eq!(code_of_why(&daemon, "203.0.113.70"), 1);
    let spared = shown("203.0.113.70");
    assert!(spared.contains("stays free inside a banned prefix\n  203.0.113.0/24 by manual"), "{spared}");
    assert!(spared.contains("  protected by allowed: 203.0.113.64/26 (ignoreip"), "{spared}");
}

fn code_of_why(daemon: &Daemon, address: &str) -> i32 {
    code(daemon, &["why", address])
}

#[test]
fn history_tells_what_happened_and_who_ordered_it() {
    let scene = Scene::new();
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    let daemon = scene.start(&format!("{LOGIN}{SITE}"));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    assert_eq!(code(&daemon, &["ban", "203.0.113.9", "--reason", "asked for"]), 0);
    assert_eq!(code(&daemon, &["unban", "203.0.113.7"]), 0);
    assert_eq!(code(&daemon, &["pause", "login"]), 0);
    assert_eq!(code(&daemon, &["resume"]), 0);
    assert_eq!(code(&daemon, &["reload"]), 0);
    let rows = daemon.json(&["history"]);
    let events: Vec<&str> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    for event in ["started", "banned", "command", "unbanned", "paused", "resumed", "reloaded"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    for row in &rows {
        assert_fields(
            row,
            &["at", "event", "address", "jail", "until", "offences", "origin", "reason", "uid", "text"],
        );
        assert!(is_time(&row["at"]), "{row}");
    }
    let times: Vec<&str> = rows.iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let uid = nix::unistd::getuid().as_raw();
    let command = rows.iter().find(|row| row["event"] == "command" && row["text"] == "ban").unwrap();
    assert_eq!((&command["uid"], &command["address"]), (&json!(uid), &json!("203.0.113.9")));
    assert_eq!(command["reason"], "asked for");
    let of = |arguments: &[&str]| daemon.json(&[&["history"], arguments].concat());
    assert!(of(&["203.0.113.7"]).iter().all(|row| row["address"] == "203.0.113.7"));
    assert_eq!(of(&["203.0.113.7"]).len(), 3, "banned, command, unbanned: {:?}", of(&["203.0.113.7"]));
    assert!(of(&["--jail", "manual"]).iter().all(|row| row["jail"] == "manual"));
    assert_eq!(of(&["--since", "2100-01-01"]), [] as [Value; 0]);
    assert_eq!(of(&["--since", "1h"]).len(), rows.len());
}

#[test]
fn a_configuration_is_read_again_whole_or_not_at_all() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("{LOGIN}{SITE}"));
    scene.configure(&format!("{LOGIN}{SITE}[jail.more]\nfilter = \"login\"\n"));
    let told_of_reload = told(&daemon, &["reload"]);
    assert!(told_of_reload.contains("2 jails"), "{told_of_reload}");
    assert!(daemon.jail("more").is_object());
    scene.configure(&format!("{LOGIN}{SITE}[jail.more]\nfiltr = \"login\"\n[output.x]\n"));
    assert_eq!(code(&daemon, &["reload"]), 2);
    let told_of_reload = told(&daemon, &["reload"]);
    assert!(
        told_of_reload.contains("did you mean `filter`?") && told_of_reload.contains("[output.x] kind"),
        "{told_of_reload}"
    );
    assert!(daemon.jail("more").is_object(), "the old one stays");
    scene.append(LOG, failed_logins("203.0.113.7", 3));
    scene.wait_listed(&daemon, &["203.0.113.7"]);
}

#[test]
fn ping_waits_for_a_daemon_that_starts_and_fails_for_one_that_is_gone() {
    let scene = Scene::new();
    let config = scene.configure(&format!("{LOGIN}{SITE}"));
    let daemon = Daemon::spawn(&config);
    let mut answers = Vec::new();
    wait_until(Duration::from_secs(20), "it answers", || {
        answers.push(code(&daemon, &["ping"]));
        answers.last() == Some(&0)
    });
    assert!(answers.iter().all(|code| [0, 3].contains(code)), "{answers:?}");
    assert!(scene.path("out/banned").exists(), "outputs come first");
    daemon.kill();
    let config = config.to_str().unwrap();
    let ended = super::bare(&["-c", config, "ping"]).assert().code(3);
    assert!(super::stderr(&ended).contains("no banmap daemon answers"), "{}", super::stderr(&ended));
}

#[test]
fn status_calls_an_operator_by_its_exit_code() {
    let scene = Scene::new();
    let daemon = scene.start(&format!("{LOGIN}{SITE}"));
    scene.append(LOG, request("192.0.2.1", "GET /", 200));
    assert_eq!(code(&daemon, &["status"]), 0);
    assert_eq!(code(&daemon, &["pause"]), 0);
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!((code, &status["jails"]["login"]["paused"]), (1, &json!(true)));
    assert_eq!(status["problems"][0], "all jails are paused: nobody new is banned");
}
