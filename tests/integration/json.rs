//! An object a line, as a real nginx writes it with `escape=json`: whatever clients send, offences are theirs alone.

use std::fmt::Write;

use crate::harness::scene::SOON;
use crate::harness::{Nginx, Request, Scene, send, text, wait_or, wait_until};

/// The variables' own names as keys, once with the whole request line and once with its parts.
const FORMATS: [&str; 2] = [
    r#"'{"time_iso8601":"$time_iso8601","remote_addr":"$remote_addr","remote_user":"$remote_user","request":"$request","status":"$status","body_bytes_sent":"$body_bytes_sent","http_referer":"$http_referer","http_user_agent":"$http_user_agent","http_x_forwarded_for":"$http_x_forwarded_for"}'"#,
    r#"'{ "http_user_agent": "$http_user_agent", "http_referer": "$http_referer", "request_method": "$request_method", "request_uri": "$request_uri", "args": "$args", "status": $status, "body_bytes_sent": $body_bytes_sent, "upstream_status": $upstream_status, "host": "$host", "remote_user": "$remote_user", "msec": $msec, "remote_addr": "$remote_addr" }'"#,
];

/// Another client's request, as a client would like it to stand in the log.
const FAKE: &str = r#"x","remote_addr":"198.51.100.1","request":"POST /wp-login.php HTTP/1.1","request_uri":"/wp-login.php","status":"200"}\"#;

/// Targets that ask for the log-in.
const BAD: [&str; 8] = [
    "/wp-login.php",
    "//wp-login.php",
    "/%77p-login.php",
    "/x/.%2e/wp-login.php?\"a\\",
    "/wp-login.php?\"}{\"remote_addr\":\"198.51.100.1\",",
    "/wp-login.php?<&'=+`>/\\u0022\\\\",
    "http://h.example/./wp-login.php",
    "/wp-login.php?\u{e9}\u{1f600}",
];

/// Targets that do not.
const GOOD: [&str; 4] = [
    "/",
    "/?\",\"request\":\"POST /wp-login.php HTTP/1.1",
    "/?{\"request_uri\":\"/wp-login.php\"}\\",
    "/x%22,%22request_uri%22:%22/wp-login.php",
];

/// Sends each target plainly, and with fakes in every header that is logged; returns the clients.
fn knock(port: u16, network: &str, targets: &[&str]) -> Vec<String> {
    let mut clients = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let client = format!("{network}{}", number + 1);
        let request = Request::new("POST", target).header("X-Forwarded-For", &client);
        send(port, &request);
        // `x","remote_addr":"198.51.100.1` and a password.
        let user = "Basic eCIsInJlbW90ZV9hZGRyIjoiMTk4LjUxLjEwMC4xOng=";
        let request = request.header("User-Agent", FAKE).header("Referer", FAKE);
        send(port, &request.header("Authorization", user));
        clients.push(client);
    }
    clients
}

#[test]
fn hostile_requests_in_objects_of_nginx_are_their_clients_own() {
    let scene = Scene::new();
    let mut logs = String::new();
    for (number, format) in FORMATS.iter().enumerate() {
        let path = scene.path(&format!("logs/{number}.json"));
        writeln!(
            logs,
            "log_format j{number} escape=json {format};\naccess_log {} j{number};",
            path.display()
        )
        .unwrap();
    }
    let nginx = Nginx::start_logging(&logs);
    let mut banned = knock(nginx.port(), "203.0.113.", &BAD);
    knock(nginx.port(), "192.0.2.", &GOOD);
    let written = 2 * (BAD.len() + GOOD.len());
    for number in 0..FORMATS.len() {
        let log = scene.path(&format!("logs/{number}.json"));
        wait_until(SOON, "all lines are written", || text(&log).lines().count() == written);
        let config = format!(
            "[filter.in]\nrule = [{{ path = '^/wp-login\\.php$', method = '^POST$' }}]\n\
             [source.site]\npath = \"logs/{number}.json\"\nread = \"beginning\"\n\
             [jail.in]\nmaxretry = 2\nbantime = \"1h\"\n"
        );
        let daemon = scene.start(&config);
        banned.sort();
        let lines = || daemon.file(&format!("{number}.json"))["lines"].as_u64();
        wait_until(SOON, "the log is read", || lines() == Some(written as u64));
        wait_until(SOON, "the first is banned", || daemon.banned().contains(&banned[0]));
        let found = || format!("{:?} of {}", daemon.banned(), text(&log));
        wait_or(SOON, || daemon.banned() == banned, found);
        daemon.wait_logged("nginx_json");
        daemon.stop();
        std::fs::remove_dir_all(scene.path("state")).unwrap();
    }
}
