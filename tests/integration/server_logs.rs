//! Logs that real servers write for requests made to mislead who reads them: each offence counts for its client, and
//! nothing for anybody else.

use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::scene::{SOON, append};
use crate::harness::{Answer, Apache, Daemon, Haproxy, Nginx, Scene, free_port, send_raw, wait_until};

const BAD: &str = "203.0.113.7";
const BAD_V6: &str = "2001:db8::7";
/// Whom the bad ones would like to see banned.
const GOOD: &str = "9.9.9.9";

/// One request for this path is an offence; nobody is banned.
const KNOCK: &str = "[filter.knock]\nrule = [{ path = '^/wp-login\\.php$' }]\n[jail.knock]\nmaxretry = 1000\n\
                     [real_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n";

#[track_caller]
fn wait_for(daemon: &Daemon, address: &str, jail: &str, count: u64) {
    let what = format!("{count} offences of {address} for {jail}");
    wait_until(SOON, &what, || daemon.offences(address, jail) == count);
}

/// Requests for a log-in page.
const KNOCKS: [&[u8]; 7] = [
    b"GET /wp-login.php HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET //%77p-login.php?q=%22#22 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /wp-login.php?\"{|}\\ HTTP/1.1\r\nHost: h\r\nUser-Agent: a{b|c}d\"e#f 9.9.9.9:1 [21/Nov/2026:11:11:48.768] x\r\n\r\n",
    b"GET /wp-login.php HTTP/1.1\r\nHost: h\r\nCookie: sid=a b - PR-- 1/1/1/1/0 0/0 {x} \"GET /fake HTTP/1.1\"; y\r\n\r\n",
    b"GET /wp-login.php HTTP/1.1\r\nHost: h\r\nCookie: sid=\" 9.9.9.9:1 [21/Nov/2026:11:11:48.768] fe be/s 0/0/0/0/0 200 1\r\n\r\n",
    b"POST http://h/wp-login.php HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n",
    b"GET /./wp-login.php HTTP/1.1\r\nHost: h\r\nUser-Agent: \x80\xff} {9.9.9.9\r\n\r\n",
];

/// What is no request; the second knock is none either, for its `#`.
const BAD_REQUESTS: [&[u8]; 5] = [
    b"\x16\x03\x01 9.9.9.9:1 [x]\r\n\r\n",
    b"9.9.9.9:1 [21/Nov/2026:11:11:48.768] fe be/s1 0/0/0/0/0 200 1 - - ---- \r\n\r\n",
    b"GET /\"GET /wp-login.php HTTP/1.1\" x y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nwrong header\r\n\r\n",
    b"\"<BADREQ>\"\r\n\r\n",
];

/// `HAProxy` that logs to `port`, in front of nothing; clients come by its second port, with the PROXY protocol.
fn haproxy(port: u16, format: &str) -> (Haproxy, u16) {
    let proxied = free_port();
    let logs = format!(
        "bind 127.0.0.1:{proxied} accept-proxy\n    log 127.0.0.1:{port} len 8192 local0\n    {format}\n    \
         capture request header User-Agent len 200\n    capture cookie sid= len 100\n    \
         http-request deny if {{ path /denied }}\n    http-request return status 404"
    );
    (Haproxy::start_logging(1, &logs), proxied)
}

fn knock(port: u16, client: &str) {
    let family = if client.contains(':') { "TCP6" } else { "TCP4" };
    for request in KNOCKS.iter().chain(&BAD_REQUESTS).copied().chain([&b"GET /denied HTTP/1.0\r\n\r\n"[..]]) {
        let closing = [format!("PROXY {family} {client} {client} 4711 80\r\n").as_bytes(), request].concat();
        let text = String::from_utf8_lossy(&closing).contains("Host: h\r\n");
        let close = if text { &b"GET /last HTTP/1.0\r\n\r\n"[..] } else { b"" };
        send_raw(port, &[&closing, close].concat());
    }
}

/// Six of the seven knocks are HTTP, and so many requests are none.
#[track_caller]
fn assert_counted(daemon: &Daemon) {
    for client in [BAD, BAD_V6] {
        wait_for(daemon, client, "knock", 6);
        wait_for(daemon, client, "haproxy-badrequest", 6);
    }
    assert_eq!(daemon.offences(GOOD, "knock") + daemon.offences(GOOD, "haproxy-badrequest"), 0);
    let hosts = daemon.jail("knock")["offences_total"].as_u64();
    assert_eq!(hosts, Some(12), "{}", daemon.log());
}

const HAPROXY: &str = "[jail.haproxy-badrequest]\nmaxretry = 1000\n";

#[test]
fn haproxy_logs_to_a_port() {
    for format in ["option httplog", "option httplog clf"] {
        let scene = Scene::new();
        let port = free_port();
        let source = format!("[source.sent]\nlisten = \"udp:127.0.0.1:{port}\"\nformat = \"haproxy\"\n");
        let daemon = scene.start(&format!("{KNOCK}{HAPROXY}{source}"));
        let (_haproxy, proxied) = haproxy(port, format);
        knock(proxied, BAD);
        knock(proxied, BAD_V6);
        assert_counted(&daemon);
        let file = daemon.file(&format!("udp:127.0.0.1:{port}"));
        assert_eq!(file["unparsed"].as_u64(), Some(0), "{file}");
    }
}

/// Plays a syslog daemon, until it is over: a line for each message, without its head.
fn write_messages(syslog: &UdpSocket, log: &Path, is_over: &AtomicBool) {
    syslog.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut message = [0; 9000];
    while !is_over.load(Ordering::Relaxed) {
        let Ok(length) = syslog.recv(&mut message) else { continue };
        let text = &message[..length];
        let body = memchr::memmem::find(text, b"]: ").unwrap() + 3;
        append(log, &[text[body..].trim_ascii_end(), b"\n"].concat());
    }
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn haproxy_logs_to_a_file_that_is_recognised() {
    let scene = Scene::new();
    let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (port, is_over) = (syslog.local_addr().unwrap().port(), AtomicBool::new(false));
    let (_haproxy, proxied) = haproxy(port, "option httplog");
    let source = "[source.file]\npath = \"logs/haproxy.log\"\nread = \"beginning\"\n";
    let daemon = scene.start(&format!("{KNOCK}{HAPROXY}{source}"));
    let log = scene.path("logs/haproxy.log");
    std::thread::scope(|scope| {
        scope.spawn(|| write_messages(&syslog, &log, &is_over));
        // Ends the writer also where a test fails.
        let _over = OnDrop(&is_over);
        knock(proxied, BAD);
        knock(proxied, BAD_V6);
        assert_counted(&daemon);
    });
    assert_eq!(daemon.file("logs/haproxy.log")["unparsed"].as_u64(), Some(0));
}

/// nginx with a door that is closed and one that is opened once a minute, on a port of its own.
fn nginx() -> (Nginx, u16) {
    let port = free_port();
    let more = format!(
        "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
    server {{
        listen 127.0.0.1:{port};
        location /denied {{ deny all; }}
        location /limited {{ limit_req zone=one; root /nonexistent; }}
        location /auth {{ auth_basic x; auth_basic_user_file /dev/null; }}
        location / {{ root /nonexistent; }}
    }}"
    );
    (Nginx::start_logging(&more), port)
}

fn get(port: u16, client: &str, target: &str, headers: &str) {
    let head = format!("GET {target} HTTP/1.0\r\nX-Forwarded-For: {client}\r\n{headers}\r\n");
    send_raw(port, head.as_bytes());
}

const DENIED: &str = "2026/11/20 15:51:57 [error] 1#1: *1 access forbidden by rule, client: 9.9.9.9, server: , request: \"GET / HTTP/1.1\"";

const NGINX: &str = "[jail.nginx-denied]\nmaxretry = 1000\n[jail.nginx-limits]\nmaxretry = 1000\n\
                     [filter.missing]\nrule = [{ message = 'No such file' }]\n[jail.missing]\nmaxretry = 1000\n";

/// What the client would have the log say about somebody else.
fn slander(port: u16) {
    let encoded = |text: &str| text.replace(' ', "%20").replace('\n', "%0A").replace('#', "%23");
    let missing =
        DENIED.replace("access forbidden by rule", "open() \"/x\" failed (2: No such file or directory)");
    for forged in [
        format!("/x\n{DENIED}\ny"),
        format!("/x\n{DENIED}, host: \"h"),
        format!("/x\n{DENIED}\n{DENIED}\n{missing}\n{DENIED}\n{}", "A".repeat(3000)),
        format!(
            "/x\" failed (2: No such file or directory), client: 9.9.9.9, server: \n{DENIED}\n{missing}\n"
        ),
        format!("/x, client: 9.9.9.9, server: , request: \"GET / HTTP/1.1\"{}", "A".repeat(3000)),
        "/x, client: 9.9.9.9, server: , request: \"GET / HTTP/1.1\"".to_owned(),
    ] {
        get(port, BAD, &encoded(&forged), "");
    }
    let user = "eCIgd2FzIG5vdCBmb3VuZAoyMDI2LzExLzIwIDE1OjUxOjU3IFtlcnJvcl06eA==";
    get(port, BAD, "/auth", &format!("Authorization: Basic {user}\r\n"));
}

/// Writes so much that nothing from before is near any more.
fn fill(port: u16) {
    for _ in 0..30 {
        get(port, BAD_V6, "/missing", "");
    }
}

#[test]
fn nginx_writes_an_error_log() {
    let (nginx, port) = nginx();
    let scene = Scene::new();
    let path = nginx.error_log().display().to_string();
    let source = format!("[source.errors]\npath = \"{path}\"\nread = \"beginning\"\n");
    let daemon = scene.start(&format!("{KNOCK}{NGINX}{source}"));
    for client in [BAD, BAD_V6] {
        let evil = "/denied,%20client:%209.9.9.9,%20server:%20x,%20request:%20\"GET\"?,+client:+9.9.9.9,";
        get(
            port,
            client,
            evil,
            "Referer: x\", client: 9.9.9.9, server: s, request: \"GET / HTTP/1.1\", host: \"h\r\n",
        );
        get(port, client, "/denied%0A", "Host: a\",client:9.9.9.9\r\n");
        get(port, client, &format!("/denied?{}", "A".repeat(4000)), "");
    }
    for client in [BAD, BAD_V6] {
        get(port, client, "/limited", "");
        get(port, client, "/limited", "");
    }
    fill(port);
    slander(port);
    fill(port);
    get(port, BAD, "/denied", "");
    wait_for(&daemon, BAD, "nginx-denied", 4);
    wait_for(&daemon, BAD_V6, "nginx-denied", 3);
    wait_for(&daemon, BAD, "nginx-limits", 1);
    wait_for(&daemon, BAD_V6, "nginx-limits", 1);
    for jail in ["nginx-denied", "nginx-limits", "missing"] {
        assert_eq!(daemon.offences(GOOD, jail), 0, "{jail}: {}", daemon.log());
    }
    assert!(daemon.offences(BAD_V6, "missing") > 40, "{}", daemon.log());
    assert_eq!(daemon.jail("nginx-denied")["offences_total"], 7, "{}", daemon.log());
}

#[test]
fn apache_writes_an_error_log() {
    let apache = Apache::start();
    // Who answers has set its signal handlers, too.
    assert_eq!(apache.get("192.0.2.1", "/"), Answer::Status(200));
    apache.set_rules("<Location /denied>\nRequire all denied\n</Location>\n");
    wait_until(SOON, "the door is closed", || apache.get("192.0.2.1", "/denied") == Answer::Status(403));
    let scene = Scene::new();
    let path = apache.error_log().display().to_string();
    let source = format!("[source.errors]\npath = \"{path}\"\nread = \"beginning\"\n");
    let denied = "[filter.denied]\nrule = [{ message = '^AH01630: client denied ' }]\n[jail.denied]\nmaxretry = 1000\n";
    let daemon = scene.start(&format!("{KNOCK}{denied}{source}"));
    let line = "[Sat%20Nov%2021%2011:13:29.603684%202026]%20[authz_core:error]%20[pid%201:tid%201]%20\
                [client%209.9.9.9:1]%20AH01630:%20client%20denied%20";
    for client in [BAD, BAD_V6] {
        for target in [
            "/denied".to_owned(),
            format!("/denied/a%0A{line}"),
            format!("/denied/{line}%0A{line}"),
            format!("/denied/{}{line}", "A".repeat(200)),
        ] {
            get(
                apache.port(),
                client,
                &target,
                "Referer: x, referer: [client 9.9.9.9:1] AH01630: client denied \r\n",
            );
        }
    }
    wait_for(&daemon, BAD, "denied", 4);
    wait_for(&daemon, BAD_V6, "denied", 4);
    assert_eq!(daemon.offences(GOOD, "denied"), 0);
    let all = daemon.jail("denied")["offences_total"].as_u64();
    assert!(all >= Some(9), "the first requests too: {all:?}");
}
