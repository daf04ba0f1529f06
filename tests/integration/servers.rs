//! Longer scenes at real gates: many clients, expiry, what `snippet` prints, servers that stop and start, a gate that is
//! not wired in.

use std::time::Duration;

use crate::harness::{Answer, Apache, Daemon, Nginx, Place, Request, guarding, send, wait_until};

const SOON: Duration = Duration::from_secs(15);
const OK: Answer = Answer::Status(200);
const FORBIDDEN: Answer = Answer::Status(403);

/// nginx and Apache whose clients come through a proxy on loopback, and one daemon for both.
struct Gates {
    nginx: Nginx,
    apache: Apache,
    place: Place,
}

impl Gates {
    fn new() -> Self {
        Self { nginx: Nginx::start(), apache: Apache::start(), place: Place::new() }
    }

    fn daemon(&self, jail: &str) -> Daemon {
        Daemon::start(&guarding(&self.place, &self.nginx, &self.apache, jail))
    }

    #[track_caller]
    fn wait(&self, client: &str, nginx: &Answer, apache: &Answer) {
        wait_until(SOON, &format!("nginx: {nginx:?} for {client}"), || self.nginx.get(client, "/") == *nginx);
        wait_until(SOON, &format!("Apache: {apache:?} for {client}"), || {
            self.apache.get(client, "/") == *apache
        });
    }

    #[track_caller]
    fn wait_banned(&self, client: &str) {
        self.wait(client, &Answer::Closed, &FORBIDDEN);
    }

    #[track_caller]
    fn wait_let_in(&self, client: &str) {
        self.wait(client, &OK, &OK);
    }
}

fn log_in(port: u16, client: &str) -> Answer {
    send(port, &Request::new("POST", "/wp-login.php").header("X-Forwarded-For", client))
}

/// Sixty clients of both families; each third one guesses passwords, half of them at nginx and half at Apache.
#[test]
fn of_many_clients_exactly_the_bad_ones_are_refused() {
    let gates = Gates::new();
    let daemon = gates.daemon("");
    let client = |n: usize| match n % 4 {
        0 => format!("2001:db8:{:x}:7::{:x}", n + 1, n + 1),
        _ => format!("203.0.113.{}", n + 1),
    };
    let is_bad = |n: usize| n.is_multiple_of(3);
    for round in 0..3 {
        for n in 0..60 {
            let port = if n % 2 == 0 { gates.nginx.port() } else { gates.apache.port() };
            if is_bad(n) || round == 0 {
                log_in(port, &client(n));
            } else {
                assert_eq!(send(port, &Request::get("/").header("X-Forwarded-For", &client(n))), OK);
            }
        }
    }
    // The proxy itself, without a client's name: it guesses as well, and is never banned.
    for _ in 0..5 {
        send(gates.nginx.port(), &Request::new("POST", "/wp-login.php"));
        send(gates.apache.port(), &Request::new("POST", "/wp-login.php"));
    }
    (0..60).filter(|n| is_bad(*n)).for_each(|n| gates.wait_banned(&client(n)));
    for n in (0..60).filter(|n| !is_bad(*n)) {
        gates.wait_let_in(&client(n));
    }
    assert_eq!(send(gates.nginx.port(), &Request::get("/")), OK);
    assert_eq!(send(gates.apache.port(), &Request::get("/")), OK);
    assert_eq!(daemon.banned().len(), 20, "{:?}", daemon.banned());
}

#[test]
fn a_ban_ends_at_both_gates_when_its_time_is_over_and_knocking_does_not_prolong_it() {
    let gates = Gates::new();
    let daemon = gates.daemon("bantime = \"6s\"\nfindtime = \"10m\"");
    for _ in 0..3 {
        log_in(gates.nginx.port(), "203.0.113.7");
    }
    gates.wait_banned("203.0.113.7");
    let first = daemon.json(&["list"]);
    // It keeps knocking, with what would be offences, until it is let in: more of them than a threshold has.
    let mut knocks = 0;
    wait_until(SOON, "nginx lets it in", || {
        knocks += 1;
        log_in(gates.apache.port(), "203.0.113.7");
        daemon.json(&["list"]).is_empty()
    });
    assert!(knocks > 3, "{knocks} knocks prove nothing");
    gates.wait_let_in("203.0.113.7");
    let ends: Vec<_> = daemon.json(&["history"]);
    let bans = ends.iter().filter(|row| row["event"] == "banned").count();
    assert_eq!((first.len(), bans), (1, 1), "{ends:?}");
}

#[test]
fn what_snippet_prints_is_what_apache_needs() {
    let gates = Gates::new();
    let daemon = gates.daemon("");
    let printed = daemon.cli(&["snippet", "apache"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let apache = printed.split("\n## HAProxy").next().unwrap();
    let trusting = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n";
    gates.apache.set_rules(&format!("{trusting}{apache}"));
    for (ban, inside, beside) in [
        ("203.0.113.9", "203.0.113.9", "203.0.113.90"),
        ("198.18.5.0/24", "198.18.5.77", "198.18.55.7"),
        ("198.19.0.0/16", "198.19.200.1", "198.20.1.1"),
        ("2001:db8:1:2::/64", "2001:db8:1:2:3::4", "2001:db8:1:22::1"),
        ("2001:db8:7::/48", "2001:db8:7:9::1", "2001:db8:77::1"),
        ("2001:db8:0:0::/64", "2001:db8::5:6:7", "2001:db8:0:1::5"),
    ] {
        let answer = daemon.cli(&["ban", ban]);
        assert!(answer.status.success(), "{ban}: {}", String::from_utf8_lossy(&answer.stderr));
        wait_until(SOON, ban, || gates.apache.get(inside, "/") == FORBIDDEN);
        assert_eq!(gates.apache.get(beside, "/"), OK, "{ban} and {beside}");
        assert!(daemon.cli(&["unban", ban]).status.success(), "{ban}");
        wait_until(SOON, &format!("{inside} is let in"), || gates.apache.get(inside, "/") == OK);
    }
}

#[test]
fn a_jail_that_challenges_marks_its_clients_and_a_ban_wins() {
    let gates = Gates::new();
    let daemon = gates.daemon("value = \"challenge\"");
    let printed = String::from_utf8(daemon.cli(&["snippet", "apache"]).stdout).unwrap();
    let apache = printed.split("\n## HAProxy").next().unwrap();
    gates
        .apache
        .set_rules(&format!("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n{apache}"));
    for _ in 0..3 {
        log_in(gates.apache.port(), "203.0.113.7");
    }
    let answers = |answer: u16| gates.apache.get("203.0.113.7", "/") == Answer::Status(answer);
    wait_until(SOON, "it is challenged", || answers(429));
    wait_until(SOON, "nginx would challenge it", || read(gates.nginx.geo()).contains("    203.0.113.7 2;\n"));
    assert_eq!(gates.apache.get("203.0.113.8", "/"), OK);
    let (code, why) = daemon.ask(&["why", "203.0.113.7"]);
    assert_eq!((code, &why["challenged"], &why["banned"]), (1, &true.into(), &false.into()), "{why}");
    assert_eq!(daemon.json(&["list"])[0]["value"], "challenge");
    assert!(daemon.cli(&["ban", "203.0.113.0/28"]).status.success());
    wait_until(SOON, "it is refused", || answers(403));
    assert!(!read(gates.nginx.geo()).contains(" 2;"));
    assert!(daemon.cli(&["unban", "203.0.113.0/28"]).status.success());
    wait_until(SOON, "it is challenged again", || answers(429));
}

#[test]
fn a_ban_by_hand_returns_when_the_servers_have_it() {
    let gates = Gates::new();
    let daemon = gates.daemon("");
    assert!(daemon.cli(&["ban", "203.0.113.0/28", "2001:db8::9"]).status.success());
    // Old workers may take a connection for a moment more: each client is waited for, briefly.
    gates.wait_banned("203.0.113.14");
    gates.wait_banned("2001:db8::9");
    gates.wait_let_in("203.0.113.16");
    let status = daemon.json(&["status"]).remove(0);
    for output in ["nginx", "apache"] {
        assert_eq!(status["outputs"][output]["state"], "verified", "{status}");
    }
    assert!(daemon.cli(&["unban", "--all"]).status.success());
    gates.wait_let_in("203.0.113.14");
    gates.wait_let_in("2001:db8::9");
}

#[test]
fn nothing_changes_at_the_gates_while_banmap_is_away() {
    let gates = Gates::new();
    let daemon = gates.daemon("");
    for _ in 0..3 {
        log_in(gates.apache.port(), "203.0.113.7");
    }
    gates.wait_banned("203.0.113.7");
    let (geo, map) = (read(gates.nginx.geo()), read(gates.apache.map()));
    daemon.kill();
    assert_eq!((read(gates.nginx.geo()), read(gates.apache.map())), (geo.clone(), map.clone()));
    gates.nginx.reload();
    gates.wait_banned("203.0.113.7");
    let daemon = gates.daemon("");
    gates.wait_banned("203.0.113.7");
    // The same bans: neither file is written again.
    assert_eq!((read(gates.nginx.geo()), read(gates.apache.map())), (geo, map), "{}", daemon.log());
    let (status, log) = daemon.stop();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    gates.wait_banned("203.0.113.7");
}

#[test]
fn a_gate_that_is_not_wired_in_is_noticed() {
    let gates = Gates::new();
    let daemon = gates.daemon("outputs = \"apache\"");
    gates.apache.set_rules(
        "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n# the map is not looked up\n",
    );
    for _ in 0..3 {
        log_in(gates.apache.port(), "203.0.113.7");
    }
    wait_until(SOON, "it is banned", || daemon.banned() == ["203.0.113.7"]);
    wait_until(SOON, "banmap says that its ban has no effect", || {
        log_in(gates.apache.port(), "203.0.113.7");
        daemon.log().contains("snippet")
    });
    let status = daemon.cli(&["status"]);
    assert_eq!(status.status.code(), Some(1), "an operator has to look");
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Thousands in one file, a wide prefix among them with somebody who is allowed inside: at both gates when the command returns.
#[test]
fn a_file_of_thousands_is_refused_by_both_gates_and_let_in_again() {
    let gates = Gates::new();
    let daemon = gates.daemon("ignoreip = \"198.18.7.0/24\"");
    let lines: Vec<String> = (0..4_000).map(|n| format!("203.{}.{}.9", n / 250, n % 250)).collect();
    let lines = lines.join("\n");
    let list =
        gates.place.write("list", &format!("# from elsewhere\n{lines}\n198.18.0.0/16 # a network\nnobody\n"));
    let list = list.to_str().unwrap();
    let ended = daemon.cli(&["ban", "-f", list, "--jail", "login"]);
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("list:4003: `nobody` is not an IP address"), "{told}");
    for client in ["203.0.0.9", "203.7.77.9", "203.15.249.9", "198.18.9.1"] {
        gates.wait_banned(client);
    }
    for client in ["203.0.0.8", "203.16.0.9", "198.18.7.1", "198.19.0.1"] {
        gates.wait_let_in(client);
    }
    assert!(daemon.cli(&["unban", "--jail", "login", "--since", "1h"]).status.success());
    for client in ["203.0.0.9", "203.15.249.9", "198.18.9.1"] {
        gates.wait_let_in(client);
    }
}
