//! `check`: everything that is wrong at once, and everything that holds.

use std::fs;

use serde_json::{Value, json};

use super::{Site, assert_fields, bare, exists, objects, stderr, stdout};

const GOOD: &str = r#"
jails = ["shop", "probe-paths"]
[daemon]
state = "state"
socket = "run/b.sock"
[defaults]
ignoreip = ["192.0.2.0/24", "file:allow.txt"]
[source.site]
path = "logs/*access.log"
[filter.shop]
rule = [{ path = '^/shop/login$', status = [401, "403-404"] }]
[filter.shop.samples]
match = ['203.0.113.7 - - [01/May/2026:10:00:00 +0000] "POST /shop/login HTTP/1.1" 401 12 "-" "curl"']
[output.list]
kind = "list"
path = "out/list"
"#;

fn good() -> Site {
    let site = Site::new(GOOD);
    site.write("allow.txt", "198.51.100.0/24 # the office\n");
    site
}

#[test]
fn a_good_configuration_is_said_to_be_one_and_nothing_is_touched() {
    let site = good();
    let ended = site.banmap(&["check"]).assert().code(0);
    let (shown, told) = (stdout(&ended), stderr(&ended));
    let row = |name: &str| {
        shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {shown}"))
    };
    assert!(row("shop ").contains("banmap.toml:10"), "{shown}");
    assert!(row("probe-paths ").contains("shipped"), "{shown}");
    assert!(told.contains("can be used, 2 jails, 1 output, 0 warnings"), "{told}");
    site.banmap(&["check", "--json"]).assert().code(0).stdout("").stderr("");
    for made in ["state", "run", "out", "logs"] {
        assert!(!exists(&site.path(made)), "{made}");
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let site = Site::new(
        r#"
jails = ["nowhere"]
[defaults]
bantime = "1 hour"
[source.site]
path = "logs/*.log"
formt = "combined"
[jail.probe-paths]
maxretries = 3
[output.map]
kind = "nginx-map"
[filter.bad]
rule = [{ status = 401 }]
[filter.bad.samples]
match = ['203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl"']
"#,
    );
    site.write("conf.d/10-more.toml", "[real_ip]\ntrusted_proxys = [\"10.0.0.5\"]\n");
    let ended = site.banmap(&["check"]).assert().code(2);
    let told = stderr(&ended);
    for part in [
        "banmap.toml:2:10",
        "there is no filter `nowhere`",
        "banmap.toml:4:11",
        "banmap.toml:7:1",
        "did you mean `format`?",
        "banmap.toml:9:1",
        "did you mean `maxretry`?",
        "banmap.toml:11:8",
        "nginx-geo",
        "samples.match[0]: must be an offence",
        "10-more.toml:2:1",
        "did you mean `trusted_proxies`?",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(told.contains("7 errors"), "{told}");
    let ended = site.banmap(&["check", "--json"]).assert().code(2).stderr("");
    let problems = objects(&ended);
    assert_eq!(problems.len(), 7, "{problems:#?}");
    for problem in &problems {
        assert_fields(problem, &["severity", "message", "fix", "file", "line", "column"]);
        assert_eq!(problem["severity"], "error");
    }
    let typo =
        problems.iter().find(|problem| problem["message"].as_str().unwrap().contains("formt")).unwrap();
    assert_eq!((&typo["line"], &typo["column"]), (&json!(7), &json!(1)));
    assert_eq!(typo["file"], json!(site.path("banmap.toml")));
    site.banmap(&["run"]).assert().code(2).stdout("");
}

#[test]
fn what_can_be_used_but_is_hardly_meant_is_a_warning() {
    let site = Site::new("jails = [\"probe-paths\"]\n[source.site]\npath = \"x.log\"\n");
    site.write("filter.d/probe-paths.toml", "rule = [{ path = '^/mine$' }]\n");
    let ended = site.banmap(&["check"]).assert().code(0);
    let told = stderr(&ended);
    assert!(told.contains("hides the shipped filter") && told.contains("no output is configured"), "{told}");
    assert!(
        stdout(&ended).contains("filter.d/probe-paths.toml (hides the shipped one)"),
        "{}",
        stdout(&ended)
    );
    let warned = objects(&site.banmap(&["check", "--json"]).assert().code(0));
    assert!(
        warned.iter().all(|problem| problem["severity"] == "warning") && warned.len() == 2,
        "{warned:#?}"
    );
}

#[test]
fn what_holds_is_printed_with_its_origin_and_reads_back_the_same() {
    let site = good();
    let effective = |site: &Site| stdout(&site.banmap(&["check", "--effective"]).assert().code(0));
    let first = effective(&site);
    let origin = |line: &str| {
        let found = first.lines().find(|found| found.starts_with(line));
        found.unwrap_or_else(|| panic!("{line} in {first}")).split_once("  # ").unwrap().1.to_owned()
    };
    assert!(origin("socket = ").ends_with("banmap.toml:5"), "{first}");
    assert_eq!(origin("log = \"text\""), "default");
    assert_eq!(origin("distinct = \"path\""), "suggested by filter probe-paths");
    assert!(first.contains("\"192.0.2.0/24\",  # ") && first.contains("[jail.probe-paths]"), "{first}");
    let read: toml::Table = first.parse().unwrap();
    assert_eq!(read["jail"]["probe-paths"]["findtime"].as_str(), Some("10m"));
    let rows = objects(&site.banmap(&["check", "--effective", "--json"]).assert().code(0));
    let found = |table: &str, key: &str| {
        let row = rows.iter().find(|row| row["table"] == table && row["key"] == key);
        row.unwrap_or_else(|| panic!("{table} {key} in {rows:#?}")).clone()
    };
    for row in &rows {
        assert_fields(row, &["table", "key", "value", "origin"]);
    }
    assert_eq!(found("jail.probe-paths", "distinct")["value"], "path");
    assert_eq!(
        found("daemon", "log"),
        json!({"table": "daemon", "key": "log", "value": "text", "origin": "default"})
    );
    assert_eq!(found("jail.shop", "ignoreip")["value"].as_array().unwrap().len(), 2);
    assert_eq!(found("output.list", "owner")["value"], Value::Null);
    let again = Site::new(&first);
    let strip = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(strip(&effective(&again)), strip(&first));
}

#[test]
fn without_a_configuration_it_says_what_to_do() {
    let site = Site::new("");
    let ended = site.banmap(&["check"]).assert().code(2);
    assert!(stderr(&ended).contains("no source is configured"), "{}", stderr(&ended));
    let ended = bare(&["check", "-c", "/nonexistent/x.toml"]).assert().code(2);
    assert!(stderr(&ended).contains("/nonexistent/x.toml: No such file"), "{}", stderr(&ended));
    fs::write(site.path("banmap.toml"), b"jails = [\n\x1b[2J").unwrap();
    let ended = site.banmap(&["check"]).assert().code(2);
    assert!(
        stderr(&ended).contains("not valid TOML") && !stderr(&ended).contains('\u{1b}'),
        "{}",
        stderr(&ended)
    );
    let rows: Vec<Value> = objects(&site.banmap(&["check", "--json"]).assert().code(2));
    assert_eq!(rows[0]["line"], 2);
}

#[test]
fn lists_are_read_too() {
    let site = good();
    site.write("allow.txt", "198.51.100.0/24\noffice\n");
    let ended = site.banmap(&["check"]).assert().code(2);
    assert!(stderr(&ended).contains("allow.txt:2: `office`"), "{}", stderr(&ended));
    fs::remove_file(site.path("allow.txt")).unwrap();
    site.banmap(&["check"]).assert().code(2);
}
