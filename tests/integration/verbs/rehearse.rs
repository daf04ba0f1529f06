//! `replay` beyond its bans: the timeline, totals by jail and by network, who was spared, two configurations compared, and
//! that its window slides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{LOGIN, Site, after_ten, failure, line, objects, stderr, stdout};

fn site() -> Site {
    Site::new(&format!("[source.site]\npath = \"logs/*access.log\"\n{LOGIN}"))
}

fn failures(address: &str, seconds: &[i64]) -> String {
    seconds.iter().map(|second| failure(address, *second)).collect()
}

/// In order of time, as a server writes them.
fn sorted(mut lines: Vec<(i64, String)>) -> String {
    lines.sort_by_key(|(second, _)| *second);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn of<'o>(objects: &'o [Value], event: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["event"] == event).collect()
}

fn addresses(objects: &[Value]) -> BTreeSet<String> {
    let bans = of(objects, "ban").into_iter();
    bans.map(|ban| ban["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_window_slides_it_is_no_bucket_and_does_not_count_for_ever() {
    const FINDTIME: i64 = 600;
    const MAXRETRY: i64 = 5;
    let config = "[source.site]\npath = \"logs/access.log\"\n[filter.login]\n\
                  rule = [{ path = '^/login$', status = 401 }]\n\
                  [jail.login]\nmaxretry = 5\nfindtime = \"10m\"\nbantime = \"1h\"\n";
    let site = Site::new(config);
    let (mut lines, mut expected) = (Vec::new(), BTreeSet::new());
    let mut attack = |address: String, times: &mut dyn Iterator<Item = i64>, is_banned: bool| {
        lines.extend(times.map(|second| (second, failure(&address, second))));
        if is_banned {
            expected.insert(address);
        }
    };
    for k in 0..60 {
        // Whatever a clock's ten minutes begin with, some of these lie across their border.
        let start = 17 * k;
        let edge = |last: i64| (0..MAXRETRY - 1).map(|n| n * 149).chain([last]).map(move |at| start + at);
        // The last is the fifth within the window, just; or the window has just left the first.
        attack(format!("198.51.100.{k}"), &mut edge(FINDTIME), true);
        attack(format!("198.51.101.{k}"), &mut edge(FINDTIME + 1), false);
        // One offence in a little more than a fifth of the window's gaps, all day: never five within it.
        let drip = FINDTIME / (MAXRETRY - 1) + 1;
        attack(format!("203.0.113.{k}"), &mut (0..200).map(|n| start + n * drip), false);
        // A little less: always five. A leaky bucket of the same rate would let them be.
        let stream = FINDTIME / (MAXRETRY - 1);
        attack(format!("203.0.114.{k}"), &mut (0..MAXRETRY).map(|n| start + n * stream), true);
        // Four at the end of one window and four at the beginning of the next.
        let burst = (0..4).map(|n| start + n).chain((0..4).map(|n| start + FINDTIME + 4 + n));
        attack(format!("198.18.2.{k}"), &mut burst.into_iter(), false);
        // Three and two, close together: whatever a clock's windows begin with.
        let close = (0..3).map(|n| start + n).chain((0..2).map(|n| start + 300 + n));
        attack(format!("198.18.3.{k}"), &mut close.into_iter(), true);
    }
    site.write("logs/access.log", &sorted(lines));
    let found = objects(&site.banmap(&["replay", "--json"]).assert().code(0));
    assert_eq!(addresses(&found), expected);
}

#[test]
fn jails_networks_and_the_time_of_each_ban_are_told() {
    let site = site();
    let mut lines: Vec<(i64, String)> = Vec::new();
    for host in 1..=6 {
        lines.extend((0..3).map(|n| (host + n, failure(&format!("198.51.100.{host}"), host + n))));
    }
    // It goes on while it is banned, for an hour, and afterwards.
    lines.extend([1800, 3607, 9000].map(|second| (second, failure("198.51.100.6", second))));
    site.write("logs/access.log", &sorted(lines));
    let found = objects(&site.banmap(&["replay", "--json"]).assert().code(0));
    let jail = of(&found, "jail");
    let expected = json!({"event": "jail", "jail": "login", "offences": 21, "while_banned": 2, "addresses": 6, "bans": 6,
                          "first": after_ten(1), "last": after_ten(9000), "longest": 3600, "forever": false});
    assert_eq!(jail, [&expected]);
    let network = json!({"event": "prefix", "prefix": "198.51.100.0/24", "addresses": 6, "bans": 6, "whole": false, "widen": true});
    assert_eq!(of(&found, "prefix"), [&network]);
    let shown = stdout(&site.banmap(&["replay"]).assert().code(0).stderr(""));
    let row = shown.lines().find(|line| line.contains(" 198.51.100.6 ")).unwrap();
    assert!(row.contains(&after_ten(6)) && row.contains(&after_ten(3607)), "{shown}");
    assert!(!row.contains(&after_ten(9000)), "the ban was over then: {shown}");
    assert!(shown.contains("`widen` may ban it as a whole"), "{shown}");
}

#[test]
fn a_screen_holds_what_many_bans_come_to() {
    let site = site();
    let log: String =
        (0..50).map(|n| failures(&format!("198.51.{n}.1"), &[3 * n, 3 * n + 1, 3 * n + 2])).collect();
    site.write("logs/access.log", &log);
    let shown = |arguments: &[&str]| stdout(&site.banmap(arguments).assert().code(0).stderr(""));
    let few = shown(&["replay"]);
    assert!(few.contains("… and 30 more: --all shows them\n"), "{few}");
    assert!(few.contains(" 198.51.19.1 ") && !few.contains(" 198.51.20.1 "), "{few}");
    let all = shown(&["replay", "--all"]);
    assert!(all.contains(" 198.51.49.1 ") && !all.contains("more"), "{all}");
    assert!(few.lines().count() < 30 && all.lines().count() > 50, "{all}");
}

#[test]
fn what_allow_lists_saved_is_told_by_entry_and_jail() {
    let config = format!(
        "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n[defaults]\nignoreip = \"192.0.2.0/24\"\n\
         [source.site]\npath = \"logs/*access.log\"\n{LOGIN}ignoreip = \"198.51.100.7\"\nbantime = \"10m\"\n"
    );
    let site = Site::new(&config);
    let all: Vec<(i64, String)> = [
        ("192.0.2.9", &[0, 1, 2, 30, 900, 901, 902][..]),
        ("192.0.2.10", &[5, 6]),
        ("198.51.100.7", &[0, 1, 2]),
        ("10.0.0.5", &[7]),
        ("203.0.113.7", &[0, 1, 2]),
    ]
    .iter()
    .flat_map(|(address, seconds)| seconds.iter().map(|second| (*second, failure(address, *second))))
    .collect();
    site.write("logs/access.log", &sorted(all));
    let found = objects(&site.banmap(&["replay", "--json"]).assert().code(0));
    assert_eq!(addresses(&found), BTreeSet::from(["203.0.113.7".to_owned()]));
    let spared: Vec<_> = of(&found, "spared")
        .iter()
        .map(|row| {
            (row["entry"].as_str().unwrap(), row["offences"].as_u64().unwrap(), row["bans"].as_u64().unwrap())
        })
        .collect();
    // The first ban would have ended after ten minutes, and the second offence that late begins anew.
    assert_eq!(spared, [("192.0.2.0/24", 9, 2), ("198.51.100.7", 3, 1), ("10.0.0.5", 1, 0)]);
    let shown = stdout(&site.banmap(&["replay"]).assert().code(0));
    let row = shown.lines().find(|line| line.starts_with("192.0.2.0/24 ")).unwrap();
    assert!(row.contains(" login ") && row.contains("ignoreip"), "{shown}");
}

/// A configuration and another one, in a directory of its own, whose paths are relative to that.
fn two() -> Site {
    let site = site();
    let other = "[source.site]\npath = \"../logs/*access.log\"\n[filter.login]\n\
                 rule = [{ method = \"POST\", path = '^/login$', status = 401 }]\n\
                 [filter.probe]\nrule = [{ path = '^/.env$' }]\n\
                 [jail.login]\nmaxretry = 5\n[jail.probe]\nmaxretry = 1\n";
    site.write("new/other.toml", other);
    let log = failures("203.0.113.1", &[0, 1, 2])
        + &failures("203.0.113.2", &[3, 4, 5, 6, 7])
        + &line("203.0.113.3", 8, "GET /.env", 404)
        + &line("203.0.113.4", 9, "GET /", 200);
    site.write("logs/access.log", &log);
    site
}

#[test]
fn two_configurations_are_compared_over_the_same_log() {
    let site = two();
    let found = objects(
        &site.banmap(&["replay", "--compare", "new/other.toml", "--json"]).assert().code(0).stderr(""),
    );
    let only: Vec<_> = of(&found, "only")
        .iter()
        .map(|only| [&only["in"], &only["address"], &only["jail"]].map(|field| field.as_str().unwrap()))
        .collect();
    assert_eq!(only, [["this", "203.0.113.1", "login"], ["other", "203.0.113.3", "probe"]]);
    let [differs] = of(&found, "differs")[..] else { panic!("{found:#?}") };
    assert_eq!(differs["address"], "203.0.113.2");
    assert_eq!(
        (&differs["this"][0]["at"], &differs["other"][0]["at"]),
        (&json!(after_ten(5)), &json!(after_ten(7)))
    );
    let [.., compared, summary] = &found[..] else { panic!("{found:#?}") };
    let expected = json!({"event": "compared", "only_this": 1, "only_other": 1, "differently": 1, "same": 0,
                          "this": {"offences": 8, "bans": 2, "addresses": 2},
                          "other": {"offences": 9, "bans": 2, "addresses": 2}});
    assert_eq!(*compared, expected);
    assert_eq!((&summary["event"], &summary["bans"]), (&json!("summary"), &json!(2)));
    let shown = stdout(&site.banmap(&["replay", "--compare", "new/other.toml"]).assert().code(0).stderr(""));
    for told in [
        "Banned by this configuration only: 1 address\n",
        "Banned by new/other.toml only: 1 address\n",
        "Banned by both, but differently: 1 address\n",
        "Banned by both alike: 0 addresses\n",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn a_configuration_does_nothing_otherwise_than_itself() {
    let site = two();
    let found = objects(&site.banmap(&["replay", "--compare", "banmap.toml", "--json"]).assert().code(0));
    let [compared, _] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((&compared["same"], &compared["differently"]), (&json!(2), &json!(0)));
    let one = [
        "replay",
        "--compare",
        "new/other.toml",
        "--jail",
        "probe",
        "--since",
        "2026-05-01T10:00:08Z",
        "--json",
    ];
    let found = objects(&site.banmap(&one).assert().code(0));
    assert_eq!((of(&found, "only").len(), found.len()), (1, 3), "{found:#?}");
}

#[test]
fn whoever_is_banned_with_their_network_is_banned_by_both() {
    let site = site();
    let other =
        format!("[source.site]\npath = \"logs/*access.log\"\n{LOGIN}widen = {{ distinct = 2, v4 = 24 }}\n");
    site.write("wide.toml", &other);
    site.write(
        "logs/access.log",
        &(failures("203.0.113.1", &[0, 1, 2]) + &failures("203.0.113.2", &[3, 4, 5])),
    );
    let found = objects(&site.banmap(&["replay", "--compare", "wide.toml", "--json"]).assert().code(0));
    let differs: Vec<_> = of(&found, "differs").iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(differs, ["203.0.113.2"], "{found:#?}");
    assert_eq!(of(&found, "differs")[0]["other"][0]["address"], "203.0.113.0/24");
    assert_eq!(of(&found, "only")[0]["address"], "203.0.113.0/24");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let site = two();
    for (arguments, told) in [
        (vec!["replay", "-", "--compare", "new/other.toml"], "`-` can be read only once"),
        (vec!["replay", "--compare", "new/other.toml", "--jail", "x"], "there are: login, probe"),
        (vec!["replay", "--compare", "none.toml"], "none.toml"),
        (vec!["replay", "--compare", "new/other.toml", "--write", "list=x"], "cannot be used with"),
    ] {
        let ended = site.banmap(&arguments).assert().code(2).stdout("");
        assert!(stderr(&ended).contains(told), "{arguments:?}: {}", stderr(&ended));
    }
}
