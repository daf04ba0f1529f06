//! `test`: what one filter makes of lines.

use std::fs;

use serde_json::{Value, json};

use super::{Site, after_ten, assert_fields, bare, failure, line, objects, stderr, stdout};

/// A filter on fields with two rules and an exception.
const FIELDS: &str = r#"
[[rule]]
method = "POST"
path = '^/login$'
status = 401
[[rule]]
path = '^/\.env$'
[[ignore]]
user_agent = 'Monitor'
"#;

/// A filter on raw lines.
const RAW: &str = r#"
failregex = ['^<HOST> - - \[\] "POST /login', '^denied <HOST>$']
ignoreregex = ['Monitor']
"#;

fn site() -> Site {
    let site = Site::new("[source.site]\npath = \"logs/*access.log\"\nformat = \"combined\"\n");
    site.write("filter.d/fields.toml", FIELDS);
    site.write("filter.d/raw.toml", RAW);
    site
}

fn by_monitor(seconds: i64) -> String {
    failure("192.0.2.9", seconds).replace("Mozilla", "Monitor")
}

#[test]
fn each_line_is_an_event_and_the_summary_comes_last() {
    let site = site();
    let miss = line("192.0.2.1", 3, "GET /", 200);
    let log = failure("203.0.113.7", 0) + &by_monitor(1) + &line("shop.example", 2, "GET /.env", 404) + &miss;
    site.write("access.log", &log);
    let ended = site.banmap(&["test", "fields", "access.log", "--json"]).assert().code(0).stderr("");
    let found = objects(&ended);
    let [matched, ignored, named, summary] = &found[..] else { panic!("{found:#?}") };
    let text = failure("203.0.113.7", 0).trim_end().to_owned();
    let expected = json!({"event": "match", "line": 1, "text": text, "address": "203.0.113.7", "time": after_ten(0), "rule": 1, "weight": 1});
    assert_eq!(*matched, expected);
    assert_eq!(
        (&ignored["event"], &ignored["line"], &ignored["rule"]),
        (&json!("ignored"), &json!(2), &json!(1))
    );
    assert_eq!(
        (&named["address"], &named["rule"]),
        (&json!("shop.example"), &json!(2)),
        "a name stays a name"
    );
    assert_fields(summary, &["event", "lines", "matched", "ignored", "missed"]);
    let counts = ["lines", "matched", "ignored", "missed"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!((&summary["event"], counts), (&json!("summary"), [4, 2, 1, 1]));
    let ended = site.banmap(&["test", "fields", "access.log", "--missed", "--json"]).assert().code(0);
    let missed = &objects(&ended)[3];
    let expected = json!({"event": "missed", "line": 4, "text": miss.trim_end(), "address": null, "time": after_ten(3), "rule": null, "weight": null});
    assert_eq!(*missed, expected);
}

#[test]
fn the_exit_code_says_whether_a_line_matched() {
    let site = site();
    let (offence, miss) = (failure("203.0.113.7", 0), line("192.0.2.1", 3, "GET /", 200));
    site.banmap(&["test", "fields", "--line", offence.trim_end()]).assert().code(0);
    site.banmap(&["test", "fields", "--line", miss.trim_end()]).assert().code(1);
    site.banmap(&["test", "fields", "--line", by_monitor(0).trim_end()]).assert().code(1);
    site.banmap(&["test", "fields", "--line", ""]).assert().code(1);
    let two =
        site.banmap(&["test", "fields", "--line", miss.trim_end(), "--line", offence.trim_end(), "--json"]);
    assert_eq!(objects(&{ two }.assert().code(0))[0]["line"], 2);
    let shown = stdout(&site.banmap(&["test", "fields", "--line", offence.trim_end()]).assert());
    assert!(shown.contains("match   203.0.113.7 rule 1"), "{shown}");
    assert!(shown.contains("1 line (combined): 1 matched, 0 ignored, 0 missed"), "{shown}");
}

#[test]
fn a_filter_is_a_name_or_a_path() {
    let site = site();
    let path = site.write("elsewhere/mine.toml", FIELDS);
    let offence = failure("203.0.113.7", 0);
    let offence = offence.trim_end();
    for filter in ["fields", path.to_str().unwrap(), "elsewhere/mine.toml", "./elsewhere/mine.toml"] {
        site.banmap(&["test", filter, "--line", offence]).assert().code(0);
    }
    let inline = Site::new("[filter.inline]\nrule = [{ status = 401 }]\n");
    inline.banmap(&["test", "inline", "--line", offence]).assert().code(0);
    // Shipped ones need no configuration.
    let probe = line("203.0.113.7", 0, "GET /.env", 404);
    bare(&["test", "probe-paths", "--line", probe.trim_end()]).assert().code(0);
}

#[test]
fn lines_come_from_files_and_from_standard_input() {
    let site = site();
    let ended =
        site.banmap(&["test", "fields", "-", "--json"]).write_stdin(failure("203.0.113.7", 0)).assert();
    assert_eq!(objects(&ended.code(0))[0]["address"], "203.0.113.7");
    let ended = site.banmap(&["test", "fields", "none.log"]).assert().code(1).stdout("");
    assert!(stderr(&ended).contains("cannot read none.log"), "{}", stderr(&ended));
}

#[test]
fn the_format_is_chosen_or_found_out() {
    let site = site();
    site.write("vhost.log", &format!("www.example.com:80 {}", failure("203.0.113.7", 0)));
    let run = |filter: &str, more: &[&str]| {
        let mut command = site.banmap(&[&["test", filter, "vhost.log", "--json"], more].concat());
        let objects = objects(&command.assert());
        let matched = objects.iter().find(|object| object["event"] == "match");
        let address = matched.map_or("", |matched| matched["address"].as_str().unwrap());
        format!("{address} {}", objects.last().unwrap()["format"].as_str().unwrap())
    };
    assert_eq!(run("fields", &[]), "203.0.113.7 vhost_combined");
    assert_eq!(run("fields", &["--format", "auto"]), "203.0.113.7 vhost_combined");
    // The first word is the client then, whatever it is.
    assert_eq!(run("fields", &["--format", "combined"]), "www.example.com:80 combined");
    assert_eq!(run("fields", &["--source", "site"]), "www.example.com:80 combined");
    assert_eq!(run("raw", &[]), " raw", "raw patterns look at raw lines");
    assert_eq!(run("raw", &["--format", "auto"]), " vhost_combined");
    site.write("vhost.log", &failure("203.0.113.7", 0));
    assert_eq!(run("raw", &[]), "203.0.113.7 raw");
    assert_eq!(run("raw", &["--format", "combined"]), "203.0.113.7 combined");
}

#[test]
fn wrapped_lines_are_unwrapped_and_numbered_as_they_stand() {
    let site = site();
    let cri = |line: &str, tag: &str| {
        format!("2026-11-20T15:51:57.1Z stdout {tag} {}\n", line.trim_end_matches('\n'))
    };
    let offence = failure("203.0.113.7", 0);
    let (begin, end) = offence.split_at(40);
    let log = cri(&line("192.0.2.1", 3, "GET /", 200), "F")
        + &cri(begin, "P")
        + &cri(end, "F")
        + "other\n"
        + &cri(begin, "P");
    site.write("pod.log", &log);
    let ended = site.banmap(&["test", "fields", "pod.log", "--json", "--missed"]).assert().code(0);
    let found = objects(&ended);
    let matched = found.iter().find(|object| object["event"] == "match").unwrap();
    assert_eq!((&matched["line"], &matched["text"]), (&json!(3), &json!(offence.trim_end())));
    let missed: Vec<&Value> = found.iter().filter(|object| object["event"] == "missed").collect();
    let told: Vec<(u64, &str)> = missed
        .iter()
        .map(|missed| (missed["line"].as_u64().unwrap(), missed["error"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        (4, "it is not wrapped as the other lines of its log are"),
        (1, ""),
        (5, "the part that ends it is missing"),
    ];
    assert_eq!(told, expected);
    assert_eq!(found.last().unwrap()["format"], "cri: combined");
    let ended =
        site.banmap(&["test", "fields", "--json", "--line", cri(&offence, "F").trim_end()]).assert().code(0);
    assert_eq!(objects(&ended)[0]["address"], "203.0.113.7");
}

#[test]
fn raw_patterns_name_the_host_that_they_found() {
    let site = site();
    let log = "denied 203.0.113.7\ndenied gateway.example\ndenied\n".to_owned() + &failure("2001:db8::7", 5);
    let ended = site.banmap(&["test", "raw", "-", "--json"]).write_stdin(log).assert().code(0);
    let objects = objects(&ended);
    let seen: Vec<(&Value, &Value, &Value)> = objects
        .iter()
        .filter(|object| object["event"] == "match")
        .map(|o| (&o["line"], &o["address"], &o["rule"]))
        .collect();
    let (second, first) = (json!(2), json!(1));
    let expected = [
        (json!(1), json!("203.0.113.7")),
        (json!(2), json!("gateway.example")),
        (json!(4), json!("2001:db8::7")),
    ];
    assert_eq!(seen[0], (&expected[0].0, &expected[0].1, &second));
    assert_eq!(seen[1], (&expected[1].0, &expected[1].1, &second));
    assert_eq!(seen[2], (&expected[2].0, &expected[2].1, &first));
    assert_eq!(objects[2]["time"], after_ten(5), "the date is found, and cut");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let site = site();
    for (arguments, told) in [
        (
            vec!["test", "feilds", "--line", "x"],
            vec!["there is no filter `feilds`", "did you mean \"fields\"?"],
        ),
        (vec!["test", "wordpres-login", "--line", "x"], vec!["\"wordpress-login\""]),
        (
            vec!["test", "nothing-like-it", "--line", "x"],
            vec!["filter.d/nothing-like-it.toml", "probe-paths"],
        ),
        (vec!["test", "./none.toml", "--line", "x"], vec!["none.toml", "No such file"]),
        (vec!["test", "fields", "--line", "x", "--format", "combind"], vec!["`combind`", "combined"]),
        (vec!["test", "fields", "--line", "x", "--source", "sit"], vec!["no source is named `sit`", "site"]),
        (vec!["test", "fields[mode=\"x\"]", "--line", "x"], vec!["fields[mode=\"x\"]"]),
    ] {
        let ended = site.banmap(&arguments).assert().code(2).stdout("");
        for part in told {
            assert!(stderr(&ended).contains(part), "{arguments:?}: {part} in {}", stderr(&ended));
        }
    }
    let broken = site.write("broken.toml", "[[rule]]\nstatus = \"x\"\npaht = 'y'\n");
    let ended = site.banmap(&["test", broken.to_str().unwrap(), "--line", "x"]).assert().code(2);
    for part in ["broken.toml", "status", "paht", "path"] {
        assert!(stderr(&ended).contains(part), "{part} in {}", stderr(&ended));
    }
}

#[test]
fn only_what_it_uses_of_the_configuration_matters() {
    let site =
        Site::new("typo = 1\n[source.site]\n[jail.x]\nfilter = \"nowhere\"\n[output.o]\nkind = \"what\"\n");
    site.write("filter.d/fields.toml", FIELDS);
    let offence = failure("203.0.113.7", 0);
    site.banmap(&["test", "fields", "--line", offence.trim_end()]).assert().code(0).stderr("");
    let ended = site.banmap(&["test", "fields", "--line", "x", "--source", "site"]).assert().code(2);
    assert!(stderr(&ended).contains("[source.site] path"), "{}", stderr(&ended));
}

#[test]
fn garbage_is_missed_and_shown_harmlessly() {
    let site = site();
    let mut garbage: Vec<u8> = (0..=255).collect();
    garbage.retain(|byte| *byte != b'\n');
    garbage.extend_from_slice(b"\n\n\xff\xfe\x1b[2J\n");
    garbage.extend_from_slice(failure("203.0.113.7", 0).as_bytes());
    fs::write(site.path("garbage"), &garbage).unwrap();
    for filter in ["fields", "raw"] {
        let line = ["test", filter, "garbage", "--format", "combined", "--missed"];
        let ended = site.banmap(&line).assert().code(0);
        let shown = stdout(&ended) + &stderr(&ended);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        let ended = site.banmap(&[&line[..], &["--json"]].concat()).assert().code(0);
        assert!(!stdout(&ended).contains('\u{1b}'));
        let objects = objects(&ended);
        let summary = objects.last().unwrap();
        assert_eq!(
            (&summary["lines"], &summary["matched"], &summary["missed"]),
            (&json!(4), &json!(1), &json!(3))
        );
    }
    let ended =
        site.banmap(&["test", "fields", "-"]).write_stdin("who knows what this is\n").assert().code(1);
    assert!(stderr(&ended).contains("its format is not recognised"), "{}", stderr(&ended));
}

/// A filter in fail2ban's language: a prefix, two patterns, an exception, and names to replace.
const TOLD: &str = r"
[DEFAULT]
what = (?:wrong|bad)
[Definition]
prefregex = ^\s*app: <F-CONTENT>.+</F-CONTENT>$
failregex = ^%(what)s password for <F-USER>\S+</F-USER> from <HOST>(?: port <F-PORT>\d+</F-PORT>)?$
            ^no (?!harm)\S+ from <HOST>$
ignoreregex = for monitor
datepattern = ^%%Y-%%m-%%dT%%H:%%M:%%S
              {EPOCH}
";

fn told() -> Site {
    let site = Site::new("");
    site.write("filter.d/told.conf", TOLD);
    let lines = [
        "2026-05-01T10:00:00 app: wrong password for root from 203.0.113.7 port 22",
        "2026-05-01T10:00:01 app: bad password for monitor from 192.0.2.9",
        "1777629602 app: bad password for admin from 2001:db8::7",
        "2026-05-01T10:00:03 app: no harm from 192.0.2.1",
        "app: no user from 192.0.2.2",
    ];
    site.write("app.log", &lines.map(|line| line.to_owned() + "\n").concat());
    site
}

#[test]
fn a_match_tells_its_groups_and_the_summary_what_each_pattern_did() {
    let site = told();
    let found = objects(&site.banmap(&["test", "told", "app.log", "--json"]).assert().code(0).stderr(""));
    let [first, ignored, second, third, summary] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(first["groups"], json!({"ip4": "203.0.113.7", "user": "root", "fport": "22"}));
    assert_eq!((&ignored["event"], &ignored["groups"]["user"]), (&json!("ignored"), &json!("monitor")));
    assert_eq!(second["groups"], json!({"ip6": "2001:db8::7", "user": "admin"}));
    assert_eq!((&second["time"], &third["rule"]), (&json!("2026-05-01T10:00:02Z"), &json!(2)));
    let hits = |key: &str| -> Vec<Value> {
        summary[key].as_array().unwrap().iter().map(|count| count["hits"].clone()).collect()
    };
    assert_eq!((hits("rules"), hits("exceptions")), (vec![json!(2), json!(1)], vec![json!(1)]));
    assert!(
        summary["rules"][0]["text"].as_str().unwrap().starts_with("^(?:wrong|bad) password for <F-USER>")
    );
    let dates = summary["dates"].as_array().unwrap();
    assert_eq!(dates.iter().map(|date| date["found"].clone()).collect::<Vec<_>>(), [json!(3), json!(1)]);
    assert!(summary["elapsed"].as_f64().is_some_and(|elapsed| elapsed > 0.0), "{summary}");
    assert!(summary["lines_per_second"].as_u64().is_some_and(|speed| speed > 0), "{summary}");
}

#[test]
fn people_see_what_held_what_found_dates_and_the_first_missed_lines() {
    let site = told();
    let shown = stdout(&site.banmap(&["test", "told", "app.log"]).assert().code(0).stderr(""));
    for expected in [
        "match   203.0.113.7 rule 1, fport=22, user=root\n",
        "        2    1  ^(?:wrong|bad) password",
        "        1    1  for monitor\n",
        "        3       ^%Y-%m-%dT%H:%M:%S\n",
        "        4       2026-05-01T10:00:03 app: no harm from 192.0.2.1\n",
        "5 lines (raw): 3 matched, 1 ignored, 1 missed; ",
        " lines per second\n",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    let long = "miss\n".repeat(200_000);
    let shown = stdout(&site.banmap(&["test", "told", "-"]).write_stdin(long.clone()).assert().code(1));
    assert!(shown.contains("missed, the first (--missed: all)") && shown.lines().count() < 20, "{shown}");
    let all = stdout(&site.banmap(&["test", "told", "-", "--missed"]).write_stdin(long).assert().code(1));
    assert!(all.lines().count() > 200_000);
}

#[test]
fn the_patterns_are_shown_with_every_name_replaced() {
    let site = told();
    let shown = stdout(&site.banmap(&["test", "told", "--patterns"]).assert().code(0).stderr(""));
    for expected in [
        "prefregex\n    1  ^\\s*app: ",
        "failregex\n    1  ^(?:wrong|bad) password",
        "    2 (backtracking)  ^no (?!harm)",
        "ignoreregex\n    1  for monitor\n",
        "datepattern\n    1  ^%Y-",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    let found =
        objects(&site.banmap(&["test", "told", "--patterns", "--json", "--line", "x"]).assert().code(1));
    assert_eq!(
        (&found[0]["event"], &found[0]["patterns"][2]["backtracking"]),
        (&json!("patterns"), &json!(true))
    );
    assert_eq!(found.last().unwrap()["event"], "summary");
    // Beside lines those that never held are counted, too.
    let shown = stdout(&site.banmap(&["test", "told", "--patterns", "--line", "x"]).assert().code(1));
    assert!(shown.contains("        0    2  ^no (?!harm)"), "{shown}");
    site.banmap(&["test", "told"]).assert().code(2);
    site.banmap(&["test", "told", "app.log", "--line", "x"]).assert().code(2);
}
