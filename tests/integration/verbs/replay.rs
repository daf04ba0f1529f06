//! `replay`: who would have been banned, on log time, from whole logs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::{Compression, write::GzEncoder};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    LOGIN, Site, after_ten, assert_fields, bare, exists, failure, line, line_at, objects, stderr, stdout,
};
use crate::harness::text;

fn site() -> Site {
    Site::new(&format!("[source.site]\npath = \"logs/*access.log\"\n{LOGIN}"))
}

fn failures(address: &str, seconds: &[i64]) -> String {
    seconds.iter().map(|second| failure(address, *second)).collect()
}

fn zip(path: &Path, text: &str) {
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

/// Address and time of each ban.
fn bans(objects: &[Value]) -> Vec<(&str, &str)> {
    let bans = objects.iter().filter(|object| object["event"] == "ban");
    bans.map(|ban| (ban["address"].as_str().unwrap(), ban["at"].as_str().unwrap())).collect()
}

#[test]
fn each_ban_is_an_event_and_the_summary_comes_last() {
    let site = site();
    let log = failures("203.0.113.7", &[0, 5, 9])
        + "no line of this format\n"
        + &line("192.0.2.1", 10, "GET /", 200)
        + &failures("198.51.100.2", &[11, 12])
        + &failures("2001:db8:bad:1::7", &[20, 21])
        + &failures("2001:db8:bad:1::8", &[22]);
    site.write("logs/access.log", &log);
    let ended = site.banmap(&["replay", "logs/access.log", "--json"]).assert().code(0);
    let objects = objects(&ended);
    let [first, second, jail, summary] = &objects[..] else { panic!("{objects:#?}") };
    let expected = json!({"event": "ban", "at": after_ten(9), "address": "203.0.113.7", "jail": "login", "offences": 3,
                          "bantime": 3600, "until": after_ten(3609), "first": after_ten(0)});
    assert_eq!((&jail["event"], &jail["jail"], &jail["bans"]), (&json!("jail"), &json!("login"), &json!(2)));
    assert_eq!(*first, expected);
    assert_eq!((&second["address"], &second["at"]), (&json!("2001:db8:bad:1::/64"), &json!(after_ten(22))));
    assert_fields(summary, &["event", "lines", "bytes", "parsed", "unparsed", "offences", "bans", "elapsed"]);
    assert_eq!((&summary["event"], &summary["lines"]), (&json!("summary"), &json!(10)));
    assert_eq!((&summary["bytes"], &summary["bans"]), (&json!(log.len()), &json!(2)));
    assert_eq!((&summary["offences"], summary["elapsed"].is_f64()), (&json!(8), true));
    assert!(!exists(&site.path("state")), "no state is made");
}

#[test]
fn people_read_the_same() {
    let site = site();
    site.write("logs/access.log", &failures("203.0.113.7", &[0, 5, 9]));
    let shown = stdout(&site.banmap(&["replay", "logs/access.log"]).assert().code(0).stderr(""));
    let lines: Vec<_> = shown.lines().collect();
    let columns: Vec<_> = lines[1].split_whitespace().collect();
    let [first, last, until] = [0, 9, 3609].map(after_ten);
    assert_eq!(columns, [&*last, "203.0.113.7", "login", "3", &first, &last, &until, "(1h)"], "{shown}");
    let columns: Vec<_> = lines[4].split_whitespace().collect();
    assert_eq!(columns, ["login", "3", "0", "1", "1", "1h", &first, &last], "{shown}");
    assert!(lines[6].starts_with("3 lines (") && lines.len() == 7, "{shown}");
}

#[test]
fn a_log_that_says_nothing_is_no_failure() {
    let site = site();
    site.write("logs/access.log", "");
    let ended = site.banmap(&["replay", "logs/access.log", "--json"]).assert().code(0).stderr("");
    assert_eq!(objects(&ended)[0]["lines"], 0);
}

#[test]
fn a_ban_without_end_has_neither_bantime_nor_until() {
    let site = site();
    site.write("logs/access.log", &failures("203.0.113.7", &[0, 5, 9]));
    let mut command = site.banmap(&["replay", "--json"]);
    let ended = command.env("BANMAP_JAIL__LOGIN__BANTIME", "forever").assert().code(0);
    let ban = &objects(&ended)[0];
    assert_eq!((&ban["bantime"], &ban["until"]), (&Value::Null, &Value::Null));
}

#[test]
fn several_files_are_merged_by_line_time() {
    let site = site();
    // Three offences in one file and two in another; the newer file is named first.
    site.write("logs/a-access.log", &failures("203.0.113.7", &[60, 180, 420]));
    site.write("logs/b-access.log", &failures("203.0.113.7", &[120, 300]));
    let files = ["replay", "logs/b-access.log", "logs/a-access.log", "--json"];
    let mut command = site.banmap(&files);
    let ended = command.env("BANMAP_JAIL__LOGIN__MAXRETRY", "5").assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.7", after_ten(420).as_str())]);
    // Two and two are too few within the window where the third file's lines come later.
    let ended = site.banmap(&files).assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.7", after_ten(180).as_str())]);
    site.write("logs/c-access.log", &failures("198.51.100.1", &[0, 590]));
    site.write("logs/d-access.log", &failures("198.51.100.1", &[601]));
    let ended = site.banmap(&["replay", "logs/c-access.log", "logs/d-access.log", "--json"]).assert().code(0);
    assert_eq!(bans(&objects(&ended)), []);
}

#[test]
fn rotated_zipped_and_piped_logs_are_read() {
    let site = site();
    site.write("logs/access.log", &failures("203.0.113.7", &[300]));
    site.write("logs/access.log.1", &failures("203.0.113.7", &[200]));
    site.write("logs/access.log-20260430", &failures("203.0.113.9", &[1, 2]));
    zip(&site.path("logs/access.log.2.gz"), &failures("203.0.113.7", &[100]));
    let files = ["logs/access.log", "logs/access.log.1", "logs/access.log.2.gz", "logs/access.log-20260430"];
    let ended = site.banmap(&[&["replay", "--json"], &files[..]].concat()).assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.7", after_ten(300).as_str())]);
    let mut command = site.banmap(&["replay", "-", "--json"]);
    let ended = command.write_stdin(failures("203.0.113.8", &[1, 2, 3])).assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.8", after_ten(3).as_str())]);
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(failures("203.0.113.8", &[1, 2, 3]).as_bytes()).unwrap();
    let ended =
        site.banmap(&["replay", "-", "--json"]).write_stdin(zipped.finish().unwrap()).assert().code(0);
    assert_eq!(objects(&ended)[0]["address"], "203.0.113.8");
    let whole = site.banmap(&["replay", "--json"]).assert().code(0);
    assert_eq!(
        objects(&whole).last().unwrap()["lines"],
        1,
        "without names the configured logs are read, rotated ones not"
    );
}

/// Two sources, each with a jail of its own.
fn two_sources() -> Site {
    let site = Site::new(
        r#"
[source.a]
path = "logs/a/*.log"
[source.b]
path = "logs/b/*.log"
[filter.login]
rule = [{ path = '^/login$' }]
[filter.other]
rule = [{ path = '^/other$' }]
[jail.login]
source = "a"
maxretry = 1
[jail.other]
source = "b"
maxretry = 1
"#,
    );
    let both = line("203.0.113.7", 0, "GET /login", 200) + &line("203.0.113.8", 1, "GET /other", 200);
    for name in ["logs/a/x.log", "logs/b/x.log", "logs/b/x.log.1", "elsewhere.log"] {
        site.write(name, &both);
    }
    zip(&site.path("logs/b/x.log.2.gz"), &both);
    site
}

#[test]
fn a_file_belongs_to_the_source_whose_path_it_matches() {
    let site = two_sources();
    let jails = |files: &[&str]| -> Vec<String> {
        let ended = site.banmap(&[&["replay", "--json"], files].concat()).assert().code(0);
        let objects = objects(&ended);
        let bans = objects.iter().filter(|object| object["event"] == "ban");
        bans.map(|ban| ban["jail"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(jails(&["logs/a/x.log"]), ["login"]);
    for name in ["logs/b/x.log", "logs/b/x.log.1", "logs/b/x.log.2.gz", "./logs/a/../b/x.log"] {
        assert_eq!(jails(&[name]), ["other"], "{name}");
    }
    assert_eq!(jails(&["elsewhere.log", "--source", "a"]), ["login"]);
    assert_eq!(jails(&["logs/b/x.log", "--source", "a"]), ["other"], "its path says more");
    assert_eq!(jails(&["--source", "b"]), ["other"], "only the logs of this source");
    std::os::unix::fs::symlink(site.path("logs/a"), site.path("link")).unwrap();
    assert_eq!(jails(&["link/x.log"]), ["login"]);
}

#[test]
fn a_file_that_may_belong_to_several_sources_is_not_guessed() {
    let site = two_sources();
    for (arguments, told) in [
        (vec!["replay", "elsewhere.log"], "--source NAME (there are: a, b)"),
        (vec!["replay", "-"], "--source NAME (there are: a, b)"),
        (vec!["replay", "logs/a/x.log", "--source", "c"], "no source is named `c`; there are: a, b"),
        (vec!["replay", "--jail", "logn"], "no jail is named `logn`; there are: login, other"),
        (vec!["replay", "--write", "nginx=x"], "nginx-geo, apache-rewritemap, list"),
    ] {
        let ended = site.banmap(&arguments).assert().code(2).stdout("");
        assert!(stderr(&ended).contains(told), "{arguments:?}: {}", stderr(&ended));
    }
}

#[test]
fn one_jail_and_a_beginning_can_be_chosen() {
    let site = two_sources();
    let ended =
        site.banmap(&["replay", "logs/a/x.log", "logs/b/x.log", "--jail", "other", "--json"]).assert();
    assert_eq!(bans(&objects(&ended.code(0))), [("203.0.113.8", after_ten(1).as_str())]);
    let site = self::site();
    site.write("logs/access.log", &failures("203.0.113.7", &[0, 5, 9, 14]));
    let since = |time: &str| {
        let ended = site.banmap(&["replay", "--since", time, "--json"]).assert().code(0);
        objects(&ended)
    };
    assert_eq!(bans(&since("2026-05-01T10:00:05Z")), [("203.0.113.7", after_ten(14).as_str())]);
    let none = since("2026-05-01T10:00:06Z");
    assert_eq!((bans(&none), &none.last().unwrap()["offences"]), (vec![], &json!(2)));
}

#[test]
fn ago_is_counted_from_now() {
    let site = site();
    let now = Timestamp::now();
    let logged: String = [30, 4, 3, 2]
        .iter()
        .map(|minutes| line_at("203.0.113.7", now - SignedDuration::from_mins(*minutes), "POST /login", 401))
        .collect();
    site.write("logs/access.log", &logged);
    let ended = site.banmap(&["replay", "--since", "5m", "--json"]).assert().code(0);
    assert_eq!(objects(&ended).last().unwrap()["offences"], 3);
}

#[test]
fn without_any_configuration_the_shipped_filters_judge_a_log_of_any_known_format() {
    if exists(Path::new("/etc/banmap/banmap.toml")) {
        // On a host that banmap guards there is always a configuration.
        return;
    }
    let probes = ["/.env", "/.git/config", "/backup.sql"];
    let combined: String =
        (0..).zip(probes).map(|(at, path)| line("203.0.113.7", at, &format!("GET {path}"), 404)).collect();
    let vhost = combined.replace("203.0.113.7 - -", "www.example.com:443 203.0.113.7 - -");
    let site = Site::new("");
    for log in [&combined, &vhost] {
        let path = site.write("any.log", log);
        let ended = bare(&["replay", path.to_str().unwrap(), "--json"]).assert().code(0).stderr("");
        let objects = objects(&ended);
        assert_eq!(bans(&objects), [("203.0.113.7", after_ten(2).as_str())]);
        assert_eq!((&objects[0]["jail"], &objects[0]["offences"]), (&json!("probe-paths"), &json!(3)));
        assert_eq!(objects.last().unwrap()["unparsed"], 0);
    }
    let ended = bare(&["replay", "-", "--jail", "wordpress-login", "--json"]).write_stdin(combined).assert();
    assert_eq!(bans(&objects(&ended.code(0))), []);
    let ended = bare(&["replay"]).assert().code(2);
    assert!(stderr(&ended).contains("no log to read: name one"), "{}", stderr(&ended));
}

#[test]
fn jails_without_a_source_judge_every_log_that_is_named() {
    let site = Site::new(LOGIN);
    let mut command = site.banmap(&["replay", "-", "--json"]);
    let ended = command.write_stdin(failures("203.0.113.8", &[1, 2, 3])).assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.8", after_ten(3).as_str())]);
    let ended = Site::new("[source.s]\npath = \"x\"\n").banmap(&["replay", "-"]).assert().code(2);
    assert!(stderr(&ended).contains("has no jail"), "{}", stderr(&ended));
}

#[test]
fn the_resulting_list_is_written_in_every_kind() {
    let site = site();
    let log = failures("203.0.113.7", &[0, 5, 9]) + &failures("2001:db8:bad:1::7", &[20, 21, 22]);
    // This ban is over at the end of the log.
    let log = failures("198.51.100.9", &[-9000, -8999, -8998]) + &log;
    site.write("logs/access.log", &log);
    let write = ["--write", "nginx-geo=geo", "--write", "apache-rewritemap=map", "--write", "list=list"];
    site.banmap(&[&["replay", "--json"], &write[..]].concat()).assert().code(0).stderr("");
    let body = |name: &str| -> Vec<String> {
        let text = text(&site.path(name));
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.trim().to_owned()).collect()
    };
    let geo = ["geo $bad_user {", "default 0;", "203.0.113.7 1;", "2001:db8:bad:1::/64 1;", "}"];
    assert_eq!(body("geo"), geo);
    assert_eq!(body("map"), ["203.0.113.7 -", "2001:db8:bad:1: -"]);
    assert_eq!(body("list"), ["203.0.113.7", "2001:db8:bad:1::/64"]);
    let ended = site.banmap(&["replay", "--write", "list=out/list"]).assert().code(1);
    assert!(stderr(&ended).contains("create the directory out"), "{}", stderr(&ended));
}

#[test]
fn nobody_is_protected_less_than_by_the_daemon() {
    let config = format!(
        "[real_ip]\ntrusted_proxies = \"10.0.0.5\"\n[defaults]\nignoreip = \"192.0.2.0/24\"\n\
         [source.site]\npath = \"logs/*access.log\"\n{LOGIN}"
    );
    let site = Site::new(&config);
    let all = ["10.0.0.5", "192.0.2.9", "127.0.0.1", "::1", "203.0.113.7"];
    site.write("logs/access.log", &all.map(|address| failures(address, &[0, 1, 2])).concat());
    let ended = site.banmap(&["replay", "--json"]).assert().code(0);
    assert_eq!(bans(&objects(&ended)), [("203.0.113.7", after_ten(2).as_str())]);
}

#[test]
fn a_log_that_cannot_be_read_is_a_clear_failure() {
    let site = site();
    for (name, told) in [("logs/none.log", "No such file"), ("logs", "it is a directory")] {
        fs::create_dir_all(site.path("logs")).unwrap();
        let ended = site.banmap(&["replay", name]).assert().code(1).stdout("");
        assert!(stderr(&ended).contains(name) && stderr(&ended).contains(told), "{}", stderr(&ended));
    }
    site.write("logs/broken.gz", "\u{1f}");
    fs::write(site.path("logs/broken.gz"), b"\x1f\x8b\x08 and no more of it").unwrap();
    let ended = site.banmap(&["replay", "logs/broken.gz"]).assert().code(1);
    assert!(stderr(&ended).contains("broken.gz"), "{}", stderr(&ended));
}

#[test]
fn a_log_of_unknown_format_is_said_to_be_one() {
    let site = site();
    site.write("logs/access.log", "what is this\nand this\u{1b}[2J\n");
    let ended = site.banmap(&["replay", "--json"]).assert().code(0);
    assert_eq!(objects(&ended)[0]["unparsed"], 2);
    let told = stderr(&ended);
    assert!(told.contains("format is not recognised") && told.contains("what is this"), "{told}");
    let mixed = failures("203.0.113.7", &[0]) + "\u{1b}[31m \"POST /login HTTP/1.1\" 401 1\n";
    site.write("logs/access.log", &mixed);
    let mut command = site.banmap(&["replay"]);
    let told = stderr(&command.env("BANMAP_SOURCE__SITE__FORMAT", "combined").assert().code(0));
    assert!(told.contains("1 of 2 lines") && told.contains("\\x1b[31m"), "{told:?}");
}

#[test]
fn whoever_stops_reading_ends_it_quietly() {
    let site = site();
    let log: String =
        (0..60_000).map(|n| failure(&format!("10.{}.{}.1", n / 3 / 256, n / 3 % 256), n)).collect();
    site.write("logs/access.log", &log);
    let mut child = Command::new(env!("CARGO_BIN_EXE_banmap"))
        .args(["replay", "--json"])
        .env("BANMAP_CONFIG", site.path("banmap.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}
