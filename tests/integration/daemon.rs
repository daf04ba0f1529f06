//! The main job on real servers: a line in an access log becomes a closed connection or a 403, and ends again.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{Answer, Apache, Daemon, Haproxy, Nginx, Place, Request, guarding, wait_until};

const SOON: Duration = Duration::from_secs(10);
const OK: Answer = Answer::Status(200);
const FORBIDDEN: Answer = Answer::Status(403);

/// nginx and Apache, each behind its `HAProxy`, and a configuration that guards both.
struct Site {
    nginx: Nginx,
    apache: Apache,
    to_nginx: Haproxy,
    to_apache: Haproxy,
    place: Place,
}

impl Site {
    fn new() -> Self {
        let (nginx, apache) = (Nginx::start(), Apache::start());
        let (to_nginx, to_apache) = (Haproxy::start(nginx.port()), Haproxy::start(apache.port()));
        Self { nginx, apache, to_nginx, to_apache, place: Place::new() }
    }

    fn config(&self) -> PathBuf {
        guarding(&self.place, &self.nginx, &self.apache, "bantime = \"1h\"")
    }

    /// Waits until both gates answer `client` so.
    #[track_caller]
    fn wait_for(&self, client: &str, nginx: &Answer, apache: &Answer) {
        wait_until(SOON, &format!("nginx: {nginx:?} for {client}"), || {
            self.to_nginx.get(client, "/") == *nginx
        });
        wait_until(SOON, &format!("Apache: {apache:?} for {client}"), || {
            self.to_apache.get(client, "/") == *apache
        });
    }

    #[track_caller]
    fn wait_banned(&self, client: &str) {
        // HAProxy answers 502 where nginx closes the connection.
        self.wait_for(client, &Answer::Status(502), &FORBIDDEN);
    }

    #[track_caller]
    fn wait_let_in(&self, client: &str) {
        self.wait_for(client, &OK, &OK);
    }
}

fn log_in(proxy: &Haproxy, client: &str) {
    proxy.send(client, Request::new("POST", "/wp-login.php").header("X-Forwarded-For", "203.0.113.99"));
}

#[test]
fn the_bad_are_refused_at_both_gates_and_the_good_never_are() {
    let site = Site::new();
    let daemon = Daemon::start(&site.config());
    for bad in ["192.0.2.7", "2001:db8:1:2::7"] {
        for _ in 0..3 {
            log_in(&site.to_apache, bad);
        }
        site.wait_banned(bad);
    }
    site.wait_banned("2001:db8:1:2::99");
    for _ in 0..2 {
        log_in(&site.to_nginx, "192.0.2.8");
    }
    for good in ["192.0.2.8", "192.0.2.70", "2001:db8:1:3::7", "203.0.113.99"] {
        site.wait_let_in(good);
    }
    assert_eq!(daemon.banned(), ["192.0.2.7", "2001:db8:1:2::/64"]);
    assert!(daemon.cli(&["unban", "192.0.2.7"]).status.success(), "{}", daemon.log());
    site.wait_let_in("192.0.2.7");
    site.wait_banned("2001:db8:1:2::7");
    let (status, log) = daemon.stop();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    site.wait_banned("2001:db8:1:2::7");
}

#[test]
fn killed_and_started_again_it_knows_every_ban_and_counts_no_line_twice() {
    let site = Site::new();
    let config = site.config();
    let daemon = Daemon::start(&config);
    for _ in 0..3 {
        log_in(&site.to_nginx, "192.0.2.7");
    }
    for _ in 0..2 {
        log_in(&site.to_nginx, "192.0.2.8");
    }
    site.wait_banned("192.0.2.7");
    assert_ne!(daemon.pid(), 0);
    daemon.kill();
    site.wait_banned("192.0.2.7");
    let daemon = Daemon::start(&config);
    site.wait_banned("192.0.2.7");
    site.wait_let_in("192.0.2.8");
    log_in(&site.to_nginx, "192.0.2.8");
    site.wait_banned("192.0.2.8");
    assert_eq!(daemon.banned(), ["192.0.2.7", "192.0.2.8"]);
}

#[test]
fn an_nginx_that_the_operator_broke_harms_no_ban() {
    let site = Site::new();
    let daemon = Daemon::start(&site.config());
    site.nginx.set_broken(true);
    for _ in 0..3 {
        log_in(&site.to_nginx, "192.0.2.7");
    }
    wait_until(SOON, "Apache refuses meanwhile", || site.to_apache.get("192.0.2.7", "/") == FORBIDDEN);
    wait_until(SOON, "the server's message is shown", || daemon.log().contains("no_such_directive"));
    site.nginx.set_broken(false);
    site.wait_banned("192.0.2.7");
}
