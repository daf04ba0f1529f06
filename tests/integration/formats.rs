//! Format strings of the servers' own: real nginx and Apache log hostile requests in them, and exactly the clients that
//! committed an offence are found, each as often as it did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Apache, Nginx, Scene, text, wait_until};

const SOON: Duration = Duration::from_secs(15);

/// A log-in as both servers of the harness answer it.
const FILTER: &str = "[[rule]]\nmethod = '^POST$'\npath = '^/wp-login\\.php$'\nstatus = 200\n";

/// What hostile clients put into their headers: whole lines of other clients, in every format of below.
const HOSTILE: [&str; 9] = [
    r#"9.9.9.9 - - [01/Jan/2001:00:00:00 +0000] "POST /wp-login.php HTTP/1.1" 200 1 "-" "-""#,
    r#"x" 200 "POST /wp-login.php HTTP/1.1" 9.9.9.9 "-"#,
    r#""} {"ip":"9.9.9.9","status":200,"request":"POST /wp-login.php HTTP/1.1","ua":""#,
    r#"\" 404 1 \"-\" \"-"#,
    r"\x22 404 \x22",
    "1763653917.123|200|9.9.9.9|\"POST /wp-login.php HTTP/1.1\"|x",
    " 404 0 \\",
    "\u{fc} \u{1f600} [x] ] \" - ",
    "\"\"",
];

/// One request; `status` is not looked at: what the server made of it stands in its log.
struct Sent {
    client: String,
    bytes: Vec<u8>,
    is_offence: bool,
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_usize, |n, at| n << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let is_there = digit <= chunk.len();
            text.push(if is_there { char::from(DIGITS[number >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

fn request(client: &str, line: &str, hostile: &str) -> Vec<u8> {
    let user = base64(format!("{hostile}:secret").as_bytes());
    let length = if line.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9, {client}\r\n\
         Authorization: Basic {user}\r\nReferer: {hostile}\r\nUser-Agent: {hostile}\r\nX-Any: {hostile}\r\n{length}\r\n"
    )
    .into_bytes()
}

fn requests() -> Vec<Sent> {
    let mut all = Vec::new();
    let mut add = |line: &str, hostile: &str, is_offence: bool| {
        let client = if is_offence { "203.0.113" } else { "198.51.100" };
        let client = format!("{client}.{}", all.len() + 1);
        all.push(Sent { bytes: request(&client, line, hostile), client, is_offence });
    };
    add("POST /wp-login.php", "plain", true);
    for hostile in HOSTILE {
        add("POST /wp-login.php", hostile, true);
        add("GET /wp-login.php", hostile, false);
        add("POST /elsewhere.php", hostile, false);
    }
    for offence in [
        "POST /x/../wp-login.php",
        "POST //wp-login.php",
        "POST /%77p-login.php",
        "POST /./wp-login.php?a=\"b\"\\",
        "POST http://localhost/wp-login.php?x",
        &format!("POST /wp-login.php?{}", "a".repeat(6000)),
    ] {
        add(offence, "Mozilla/5.0", true);
    }
    for harmless in [
        "GET /?POST+/wp-login.php",
        "GET /%22%20200%20POST%20/wp-login.php",
        &format!("POST /wp-login.php?{}", "a".repeat(64_000)),
    ] {
        add(harmless, "Mozilla/5.0", false);
    }
    for garbage in [&b"GET /wp-login.php\r\n\r\n"[..], b"POST /wp-login.php\n\n", b"\x16\x03\x01\x02\r\n\r\n"]
    {
        all.push(Sent { client: "127.0.0.1".to_owned(), bytes: garbage.to_vec(), is_offence: false });
    }
    all
}

fn send(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    // A server that refuses a request may close before it has read all of it.
    let _ = stream.write_all(bytes);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Sends everything, and a last request by which its log is seen to be whole.
fn send_all(port: u16, logs: &[std::path::PathBuf]) -> Vec<Sent> {
    let all = requests();
    for sent in &all {
        send(port, &sent.bytes);
    }
    send(port, &request("192.0.2.1", "GET /the-last-one", "end"));
    for log in logs {
        wait_until(SOON, &format!("{} is written", log.display()), || {
            let log = text(log);
            log.contains("the-last-one") && log.ends_with('\n')
        });
    }
    all
}

/// The addresses that `banmap test` finds, with how often.
fn found(scene: &Scene, log: &Path, format: &str, escape: Option<&str>) -> (BTreeMap<String, usize>, Value) {
    let filter = scene.write("filter.toml", FILTER);
    let mut command = Command::new(env!("CARGO_BIN_EXE_banmap"));
    command.arg("test").arg(filter).arg(log).args(["--json", "--format", format]);
    command
        .args(escape.map(|escape| format!("--escape={escape}")))
        .env("BANMAP_CONFIG", scene.write("empty.toml", ""));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut counts = BTreeMap::new();
    for object in objects.iter().filter(|object| object["event"] == "match") {
        *counts.entry(object["address"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    let summary = objects.last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (counts, summary.clone())
}

fn expected(all: &[Sent]) -> BTreeMap<String, usize> {
    all.iter().filter(|sent| sent.is_offence).map(|sent| (sent.client.clone(), 1)).collect()
}

const NGINX: [(&str, Option<&str>); 8] = [
    (
        r#"{"ip":"$remote_addr","time":"$time_iso8601","user":"$remote_user","status":$status,"bytes":$body_bytes_sent,"request":"$request","ref":"$http_referer","ua":"$http_user_agent","rt":$request_time,"up":"$upstream_status"}"#,
        Some("json"),
    ),
    (
        r#"$remote_addr - $remote_user [$time_iso8601] "$request_method $scheme://$host$request_uri $server_protocol" $status $body_bytes_sent "$http_referer" "$http_user_agent" rt=$request_time"#,
        None,
    ),
    (r#"$msec|$status|$remote_addr|"$request"|$http_user_agent"#, None),
    (
        r#""$http_x_forwarded_for" $realip_remote_addr $remote_addr [$time_local] $status "$uri?$args" "$request_method" "$http_referer" $http_x_any"#,
        Some("default"),
    ),
    (r#"$remote_addr $remote_user $status "$request""#, None),
    (r#""$request" $remote_user $status $body_bytes_sent $remote_addr"#, Some("json")),
    (
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#,
        None,
    ),
    (r#"$remote_addr "$request" $status ${bytes_sent}B $pid"#, None),
];

#[test]
fn nginx_logs_in_formats_of_its_own() {
    let scene = Scene::new();
    let logs: Vec<_> = (0..NGINX.len()).map(|n| scene.path(&format!("logs/{n}.log"))).collect();
    let mut lines = String::new();
    for (n, (format, escape)) in NGINX.iter().enumerate() {
        let escape = escape.map_or_else(String::new, |escape| format!("escape={escape}"));
        writeln!(lines, "log_format f{n} {escape} '{format}';\naccess_log {} f{n};", logs[n].display())
            .unwrap();
    }
    let nginx = Nginx::start_logging(&lines);
    let all = send_all(nginx.port(), &logs);
    for (log, (format, escape)) in logs.iter().zip(NGINX) {
        let (counts, summary) = found(&scene, log, format, escape);
        assert_eq!(counts, expected(&all), "{format}\n{summary}\n{}", text(log));
        assert_eq!(summary["unparsed"], 0, "{format}\n{summary}\n{}", text(log));
    }
}

#[test]
fn where_nginx_does_not_escape_nobody_else_is_found() {
    let format = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;
    let scene = Scene::new();
    let log = scene.path("logs/none.log");
    let lines = format!("log_format open escape=none '{format}';\naccess_log {} open;", log.display());
    let nginx = Nginx::start_logging(&lines);
    let all = send_all(nginx.port(), std::slice::from_ref(&log));
    let (counts, summary) = found(&scene, &log, format, Some("none"));
    let bad = expected(&all);
    assert!(counts.iter().all(|found| bad.get(found.0) == Some(found.1)), "{counts:?}\n{}", text(&log));
    let honest =
        all.iter().filter(|sent| sent.is_offence && memchr::memmem::find(&sent.bytes, b"\"").is_none());
    for sent in honest {
        assert!(counts.contains_key(&sent.client), "{} {summary}\n{}", sent.client, text(&log));
    }
    assert!(summary["unparsed"].as_u64().unwrap() > 0, "{summary}");
}

const APACHE: [&str; 4] = [
    r#"%a \"%{X-Any}i\" %l %u %t \"%m %U%q %H\" %>s %D %{c}a"#,
    r#"%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t %v:%p %a %>s %I %O \"%r\" %{User-Agent}i"#,
    r#"\"%{X-Forwarded-For}i\" %h %l %u %t \"%r\" %>s %b"#,
    r#"%h\t%l\t%u\t%{sec}t\t\"%m\"\t\"%U\"\t%>s\t%!200{Referer}i"#,
];

#[test]
fn apache_logs_in_formats_of_its_own() {
    let scene = Scene::new();
    let logs: Vec<_> = (0..APACHE.len()).map(|n| scene.path(&format!("logs/{n}.log"))).collect();
    let mut lines = String::new();
    for (n, format) in APACHE.iter().enumerate() {
        writeln!(lines, "LogFormat \"{format}\" f{n}\nCustomLog {} f{n}", logs[n].display()).unwrap();
    }
    let apache = Apache::start_serving(&[], &lines);
    let all = send_all(apache.port(), &logs);
    for (log, format) in logs.iter().zip(APACHE) {
        let (counts, summary) = found(&scene, log, format, None);
        assert_eq!(counts, expected(&all), "{format}\n{summary}\n{}", text(log));
        assert_eq!(summary["unparsed"], 0, "{format}\n{summary}\n{}", text(log));
    }
}

/// By the configuration, too: the daemon bans by a format string, and by a field that only it has.
#[test]
fn a_source_is_read_in_the_servers_own_format() {
    let scene = Scene::new();
    let log = scene.path("logs/own.log");
    let format = r#"{"ip":"$remote_addr","status":$status,"request":"$request","length":$request_length}"#;
    let lines = format!("log_format own escape=json '{format}';\naccess_log {} own;", log.display());
    let nginx = Nginx::start_logging(&lines);
    let (first, second) = format.split_once(",\"request\"").unwrap();
    let daemon = scene.start(&format!(
        "[real_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [source.own]\npath = \"logs/own.log\"\nread = \"beginning\"\nescape = \"json\"\nformat = ['{first}', ',\"request\"{second}']\n\
         [filter.knock]\nrule = [{{ path = '^/wp-login\\.php$', request_length = [1, \"2-100000\"] }}]\n\
         [jail.knock]\nmaxretry = 3\ndistinct = \"request_length\"\n"
    ));
    for query in ["", "?a", "?ab"] {
        nginx.get("203.0.113.7", &format!("/wp-login.php{query}"));
        nginx.get("203.0.113.8", "/wp-login.php");
    }
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    let offences = || daemon.jail("knock")["offences_total"].as_u64();
    wait_until(SOON, "all six are offences", || offences() == Some(6));
}
