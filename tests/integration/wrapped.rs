//! Logs as containers and syslog write them: lines of a real nginx, wrapped, in files that a real daemon follows.

use std::fs;

use jiff::Timestamp;
use nix::sys::signal::Signal;

use crate::harness::scene::{LOGIN, SOON, failed_logins, request};
use crate::harness::{Daemon, Nginx, Request, Scene, send, wait_until};

const BAD: &str = "203.0.113.7";
const WORSE: &str = "203.0.113.8";
const GOOD: &str = "192.0.2.1";

/// Three requests for this path ban for an hour.
const KNOCK: &str = "[filter.knock]\nrule = [{ path = '^/wp-login\\.php$' }]\n[jail.knock]\nmaxretry = 3\n\
                     [source.site]\npath = \"logs/*.log\"\nread = \"beginning\"\n";

/// Docker cuts at 16 KiB; that is too much for a test of short lines.
const PART: usize = 50;

/// Cuts a line as a runtime does: its parts, and whether each is the last.
fn parts(line: &str) -> Vec<(&str, bool)> {
    let starts: Vec<usize> = (0..line.len().max(1)).step_by(PART).collect();
    let end = |at: usize| (at + PART).min(line.len());
    starts.iter().map(|&at| (&line[at..end(at)], end(at) == line.len())).collect()
}

fn docker(part: &str, ends: bool) -> String {
    let log = part.to_owned() + if ends { "\n" } else { "" };
    let line = serde_json::json!({ "log": log, "stream": "stdout", "time": Timestamp::now().to_string() });
    // In Docker's order.
    format!("{{\"log\":{},\"stream\":{},\"time\":{}}}\n", line["log"], line["stream"], line["time"])
}

fn cri(part: &str, ends: bool) -> String {
    format!("{} stdout {} {part}\n", Timestamp::now(), if ends { "F" } else { "P" })
}

fn syslog(line: &str, _ends: bool) -> String {
    format!("{} web1 nginx[7]: {line}\n", Timestamp::now().strftime("%b %e %H:%M:%S"))
}

/// The lines of a real nginx that was asked by three clients, one of them hostile.
fn of_nginx() -> Vec<String> {
    let nginx = Nginx::start();
    for _ in 0..3 {
        nginx.get(BAD, "/wp-login.php");
        nginx.get(GOOD, "/");
    }
    let agent = format!("\\n\",\"stream\":\"stdout\"}} {GOOD} - - [x] \"GET /wp-login.php \u{e9}");
    let knock = Request::get("/%77p-login.php").header("X-Forwarded-For", WORSE).header("User-Agent", &agent);
    for _ in 0..2 {
        send(nginx.port(), &knock);
    }
    let lines = || fs::read_to_string(nginx.access_log()).unwrap_or_default();
    wait_until(SOON, "nginx has logged", || lines().lines().count() == 8);
    lines().lines().map(str::to_owned).collect()
}

fn is_read(wrap: fn(&str, bool) -> String, whole: bool, format: &str) {
    let scene = Scene::new();
    let daemon = scene.start(KNOCK);
    let lines = of_nginx();
    for line in &lines {
        for (part, ends) in if whole { vec![(line.as_str(), true)] } else { parts(line) } {
            scene.append("logs/a.log", wrap(part, ends));
        }
    }
    scene.wait_listed(&daemon, &[BAD]);
    wait_until(SOON, "all is read", || daemon.file("a.log")["lines"] == 8);
    let file = daemon.file("a.log");
    assert_eq!((file["unparsed"].as_u64(), file["format"].as_str()), (Some(0), Some(format)), "{file}");
    assert_eq!(daemon.offences(WORSE, "knock"), 2, "{}", daemon.log());
    assert_eq!(daemon.jail("knock")["offences_total"], 5);
    daemon.wait_logged(&format!("a.log is read as `{format}`"));
    let why = daemon.json(&["why", BAD]);
    assert_eq!(why[0]["evidence"][0]["text"], lines[0], "evidence is what the server wrote");
}

#[test]
fn a_docker_log_is_read() {
    is_read(docker, false, "docker: combined");
}

#[test]
fn a_kubernetes_log_is_read() {
    is_read(cri, false, "cri: combined");
}

#[test]
fn a_syslog_file_is_read() {
    is_read(syslog, true, "syslog: combined");
}

#[test]
fn a_line_whose_parts_lie_in_two_logs_or_on_both_sides_of_a_stop_is_whole() {
    let scene = Scene::new();
    let source = "[source.site]\npath = \"logs/access.log\"\nread = \"beginning\"\n";
    let daemon = scene.start(&format!("{LOGIN}{source}"));
    let wrapped = |text: String| -> Vec<String> {
        let all = text.lines().flat_map(parts).map(|(part, ends)| cri(part, ends));
        all.collect()
    };
    let offence = wrapped(failed_logins(BAD, 1));
    let (begin, end) = offence.split_at(1);
    let log = "logs/access.log";
    scene.append(log, wrapped(failed_logins(WORSE, 1)).concat() + &begin.concat());
    wait_until(SOON, "the first is read", || daemon.offences(WORSE, "login") == 1);
    daemon.stop();
    let daemon = scene.start_again();
    scene.append(log, end.concat());
    wait_until(SOON, "the second is whole", || daemon.offences(BAD, "login") == 1);
    assert_eq!(daemon.offences(WORSE, "login"), 1, "{}", daemon.log());
    // The runtime rotates its log between two parts.
    scene.append(log, begin.concat());
    fs::rename(scene.path(log), scene.path("logs/access.log.1")).unwrap();
    scene.append(log, end.concat() + &wrapped(failed_logins(BAD, 1)).concat());
    scene.wait_listed(&daemon, &[BAD]);
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 0, "{status}");
}

#[test]
fn the_path_names_the_host_of_a_log() {
    let scene = Scene::new();
    let jail = "[[jail.login.where]]\nhost = 'shop.example'\n";
    let source = "[source.site]\npath = \"logs/*/access.log\"\nread = \"beginning\"\nhost_from_path = '/logs/([^/]+)/'\n";
    let daemon = scene.start(&format!("{LOGIN}{jail}{source}"));
    scene.append("logs/blog.example/access.log", failed_logins(GOOD, 3));
    scene.append("logs/shop.example/access.log", failed_logins(BAD, 3));
    scene.wait_listed(&daemon, &[BAD]);
    wait_until(SOON, "the other is read", || daemon.file("blog.example/access.log")["lines"] == 3);
    assert_eq!(daemon.banned(), [BAD]);
    let replayed = |log: &str| daemon.cli(&["replay", log, "--json"]).stdout;
    let bans = |log: &str| String::from_utf8(replayed(log)).unwrap().matches("\"ban\"").count();
    assert_eq!(bans(&scene.path("logs/shop.example/access.log").display().to_string()), 1);
    assert_eq!(bans(&scene.path("logs/blog.example/access.log").display().to_string()), 0);
    let tested = daemon.cli(&[
        "test",
        "login",
        "--source",
        "site",
        "--json",
        "--line",
        failed_logins(BAD, 1).trim_end(),
    ]);
    assert!(tested.status.success());
}

#[test]
fn lines_of_another_format_are_told_with_its_name() {
    let scene = Scene::new();
    let daemon = scene.start(&format!(
        "{LOGIN}[source.site]\npath = \"logs/*.log\"\nread = \"beginning\"\nformat = \"vhost_combined\"\n"
    ));
    scene.append("logs/a.log", request(GOOD, "GET /", 200).repeat(40));
    daemon.wait_logged("Its lines look like `combined`: set format");
    wait_until(SOON, "status says so", || daemon.file("a.log")["error"].is_string());
    let (code, status) = daemon.ask(&["status"]);
    let told = status["sources"]["site"]["files"][0]["error"].as_str().unwrap();
    assert!(
        code == 1 && told.contains("; its lines look like `combined`: set format; for example: "),
        "{told}"
    );
}

#[test]
fn a_reload_keeps_what_was_begun_and_read() {
    let scene = Scene::new();
    let daemon: Daemon = scene.start(KNOCK);
    let lines = of_nginx();
    for (number, line) in lines.iter().enumerate() {
        for (at, (part, ends)) in parts(line).into_iter().enumerate() {
            scene.append("logs/a.log", docker(part, ends));
            if number % 3 == 1 && at == 1 {
                daemon.signal(Signal::SIGHUP);
            }
        }
    }
    scene.wait_listed(&daemon, &[BAD]);
    wait_until(SOON, "the hostile client's lines came", || daemon.offences(WORSE, "knock") == 2);
    assert_eq!(daemon.jail("knock")["offences_total"], 5, "{}", daemon.log());
}
