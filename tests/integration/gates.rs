//! The gates by themselves, without banmap: that the harness tells what a server does.

use std::fs;
use std::time::Duration;

use crate::harness::{Answer, Apache, Haproxy, Nginx, Request, wait_until};

const SOON: Duration = Duration::from_secs(10);
const OK: Answer = Answer::Status(200);
const FORBIDDEN: Answer = Answer::Status(403);

/// Replaces `path` as banmap does: whole, and with a new time.
fn replace(path: &std::path::Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn nginx_closes_the_connection_of_the_banned_and_of_nobody_else() {
    let nginx = Nginx::start();
    assert_eq!(nginx.get("192.0.2.7", "/"), OK);
    assert_eq!(nginx.get("192.0.2.7", "/missing"), Answer::Status(404));
    replace(nginx.geo(), "geo $bad_user {\n    default 0;\n    192.0.2.7 1;\n    2001:db8:1:2::/64 1;\n}\n");
    assert!(nginx.check().status.success());
    nginx.reload();
    // For a moment old and new workers both accept connections: each client has to be waited for.
    for banned in ["192.0.2.7", "2001:db8:1:2::99"] {
        wait_until(SOON, banned, || nginx.get(banned, "/") == Answer::Closed);
    }
    assert_eq!(nginx.get("2001:db8:1:3::99", "/"), OK);
    assert_eq!(nginx.get("192.0.2.8", "/"), OK);
    let log = fs::read_to_string(nginx.access_log()).unwrap();
    assert!(log.contains("192.0.2.7 - - [") && log.contains("\" 444 0 "), "{log}");
    assert!(fs::read_to_string(nginx.pid_file()).unwrap().trim().parse::<u32>().is_ok());
}

#[test]
fn nginx_with_a_broken_configuration_goes_on_with_the_old_one() {
    let nginx = Nginx::start();
    nginx.set_broken(true);
    assert!(!nginx.check().status.success());
    nginx.reload();
    let complains = || fs::read_to_string(nginx.error_log()).unwrap().contains("[emerg]");
    wait_until(SOON, "the reload is refused", complains);
    assert_eq!(nginx.get("192.0.2.7", "/"), OK);
    nginx.set_broken(false);
    assert!(nginx.check().status.success());
}

#[test]
fn apache_forbids_addresses_and_prefixes_without_a_reload() {
    let apache = Apache::start();
    assert_eq!(apache.get("192.0.2.7", "/"), OK);
    let login = Request::new("POST", "/wp-login.php").header("X-Forwarded-For", "192.0.2.7");
    assert_eq!(crate::harness::send(apache.port(), &login), OK);
    replace(
        apache.map(),
        "192.0.2.7 -\n198.51.100. -\n2001:db8:1:2: -\n2001:db8:7: -\n2001:db9:: -\n2001:db9:0: -\n",
    );
    for banned in ["192.0.2.7", "198.51.100.200", "2001:db8:1:2::1", "2001:db8:7:1:2:3:4:5", "2001:db9::1"] {
        wait_until(SOON, banned, || apache.get(banned, "/") == FORBIDDEN);
    }
    for good in ["192.0.2.70", "198.51.101.1", "2001:db8:1:3::1", "2001:db8:8::1"] {
        assert_eq!(apache.get(good, "/"), OK, "{good}");
    }
    let log = fs::read_to_string(apache.access_log()).unwrap();
    assert!(log.contains("198.51.100.200 - - ["), "{log}");
}

#[test]
fn apache_takes_other_rules_while_it_runs() {
    let apache = Apache::start();
    replace(apache.map(), "192.0.2.7 -\n");
    assert_eq!(apache.get("192.0.2.7", "/"), FORBIDDEN);
    apache.set_rules("# nobody looks anything up\n");
    wait_until(SOON, "the rules are gone", || apache.get("192.0.2.7", "/") == OK);
}

#[test]
fn through_haproxy_the_client_is_the_one_that_haproxy_names() {
    let (nginx, apache) = (Nginx::start(), Apache::start());
    replace(nginx.geo(), "geo $bad_user { default 0; 192.0.2.7 1; }\n");
    replace(apache.map(), "192.0.2.7 -\n");
    nginx.reload();
    let (to_nginx, to_apache) = (Haproxy::start(nginx.port()), Haproxy::start(apache.port()));
    wait_until(SOON, "nginx refuses", || to_nginx.get("192.0.2.7", "/") == Answer::Status(502));
    assert_eq!(to_apache.get("192.0.2.7", "/"), FORBIDDEN);
    for proxy in [&to_nginx, &to_apache] {
        assert_eq!(proxy.get("192.0.2.8", "/"), OK);
        let spoof = Request::get("/").header("X-Forwarded-For", "192.0.2.7");
        assert_eq!(proxy.send("192.0.2.8", spoof), OK, "what the client says itself does not count");
    }
}
