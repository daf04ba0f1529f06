//! Hostile requests while the daemon runs: what it counts, whom the gates refuse, and what knocking on changes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::oracle::{Exchange, FILTERS, bans, expected, jails};
use super::requests::{Hostile, VICTIM, client};
use super::sites::{Brand, Limits, Server, Site};
use super::{list, send_all};
use crate::harness::scene::SOON;
use crate::harness::{Answer, Daemon, Nginx, Request, send, wait_until};

/// nginx and Apache, and one daemon for both; the servers' logs are read as they are written.
struct Gates {
    nginx: Site,
    apache: Site,
}

impl Gates {
    fn new() -> Self {
        Self { nginx: Site::nginx(Limits::Default), apache: Site::apache(Limits::Default) }
    }

    fn config(&self, jails: &str) -> PathBuf {
        let (Server::Nginx(nginx), Server::Apache(apache)) = (&self.nginx.server, &self.apache.server) else {
            unreachable!()
        };
        let place = &self.nginx.place;
        let text = format!(
            r#"
[daemon]
state = "{state}"
socket = "{state}/banmap.sock"
[real_ip]
trusted_proxies = ["127.0.0.0/8"]
[source.nginx]
path = "{nginx_log}"
read = "beginning"
[source.apache]
path = "{apache_log}"
read = "beginning"
{geo}
[output.apache]
kind = "apache-rewritemap"
path = "{map}"
{jails}"#,
            state = place.dir("state").display(),
            nginx_log = nginx.access_log().display(),
            apache_log = self.apache.place.path("vhosts.log").display(),
            geo = geo(nginx, nginx.geo()),
            map = apache.map().display(),
        );
        place.write("live.toml", &text)
    }
}

/// The output of an nginx, in a file that it may include or not.
fn geo(nginx: &Nginx, path: &std::path::Path) -> String {
    format!(
        "[output.nginx]\nkind = \"nginx-geo\"\npath = \"{path}\"\nmin_interval = \"300ms\"\nvalidate = {check:?}\n\
         reload = {{ pid_file = \"{pid}\", signal = \"HUP\" }}\nerror_log = \"{errors}\"",
        path = path.display(),
        check = nginx.check_command(),
        pid = nginx.pid_file().display(),
        errors = nginx.error_log().display(),
    )
}

fn ask(site: &Site, client: &str) -> Answer {
    send(site.port(), &Request::get("/").header("X-Forwarded-For", client))
}

fn refusal(site: &Site) -> Answer {
    match site.brand() {
        Brand::Nginx => Answer::Closed,
        Brand::Apache => Answer::Status(403),
    }
}

/// With one offence allowed to nobody, the bans are the offences: exactly those who made one are refused.
#[test]
fn exactly_those_who_offended_are_refused_at_both_gates() {
    let gates = Gates::new();
    let daemon = Daemon::start(&gates.config(&jails(1)));
    let mut exchanges = send_all(&gates.nginx, 1, list::all());
    exchanges.extend(send_all(&gates.apache, 2_001, list::all()));
    let offences = expected(&exchanges);
    let by_client = || offences.keys().filter(|(_, address)| !address.is_loopback());
    let wanted: BTreeSet<(String, IpAddr)> =
        by_client().map(|(filter, address)| ((*filter).to_owned(), *address)).collect();
    let found = || bans(daemon.json(&["list"]).iter());
    wait_until(SOON, "everything is read", || found().len() >= wanted.len());
    assert_eq!(found(), wanted);
    for filter in FILTERS {
        let total = by_client().filter(|(known, _)| *known == filter).count();
        assert_eq!(daemon.jail(filter)["offences_total"], total, "{filter}");
    }
    let offenders: BTreeSet<IpAddr> = wanted.into_iter().map(|(_, address)| address).collect();
    assert_refused(&gates, &exchanges, &offenders);
    assert_explained(&daemon, &exchanges);
}

/// Every tenth offender and every innocent, and whom the offenders spoke of.
#[track_caller]
fn assert_refused(gates: &Gates, exchanges: &[Exchange], offenders: &BTreeSet<IpAddr>) {
    for site in [&gates.nginx, &gates.apache] {
        for offender in offenders.iter().step_by(10).map(IpAddr::to_string) {
            wait_until(SOON, &format!("{offender} is refused"), || ask(site, &offender) == refusal(site));
        }
        let innocent = exchanges.iter().map(|exchange| exchange.from);
        let innocent =
            innocent.filter(|address| !offenders.contains(address)).map(|address| address.to_string());
        for innocent in innocent.chain([VICTIM.to_owned()]) {
            assert_eq!(ask(site, &innocent), Answer::Status(200), "{innocent}");
        }
    }
}

/// `why` names the line of an offence, and knows nothing of those whom it spells.
fn assert_explained(daemon: &Daemon, exchanges: &[Exchange]) {
    let fakes = exchanges.iter().filter(|exchange| exchange.offends("http-auth") && exchange.from.is_ipv4());
    for fake in fakes.step_by(9) {
        let (code, why) = daemon.ask(&["why", &fake.from.to_string()]);
        let evidence = why["evidence"].as_array().unwrap();
        assert_eq!((code, evidence.len()), (0, 1), "{why}");
        let text = evidence[0]["text"].as_str().unwrap();
        assert!(text.contains(&format!("{} - ", fake.from)) && text.contains(" 401 "), "{why}");
    }
    let (code, why) = daemon.ask(&["why", VICTIM]);
    assert_eq!((code, &why["evidence"], &why["near"]), (1, &Value::Array(vec![]), &Value::Array(vec![])));
}

/// What would be an offence of anybody else is a hit of the banned, however it is spelled: it changes neither the ban
/// nor any count but one.
#[test]
fn a_banned_client_that_knocks_in_every_spelling_prolongs_nothing() {
    let gates = Gates::new();
    let daemon = Daemon::start(&gates.config(&jails(3)));
    let (bad, n) = (client(1), 1);
    let login = || vec![Hostile::login("a log-in", b"/x/..//wp-l%6fgin.php")];
    for site in [&gates.nginx, &gates.apache, &gates.nginx] {
        assert!(expected(&send_all(site, n, login())).contains_key(&("wordpress-login", bad)));
    }
    for site in [&gates.nginx, &gates.apache] {
        wait_until(SOON, "it is refused", || ask(site, &bad.to_string()) == refusal(site));
    }
    let offending = |(at, site): (u16, &Site)| {
        let sent = send_all(site, 1_000 * at, list::all()).into_iter();
        sent.filter(|one| one.offends("wordpress-login") && !one.from.is_loopback())
            .map(|one| one.hostile)
            .collect::<Vec<_>>()
    };
    let offending = [(1, &gates.nginx), (2, &gates.apache)].map(offending);
    let jail = || daemon.jail("wordpress-login");
    let offences = offending.iter().map(Vec::len).sum::<usize>() as u64 + 3;
    wait_until(SOON, "everybody's offences are counted", || jail()["offences_total"] == offences);
    let before = (ban(&daemon, bad), jail());
    for (site, requests) in [&gates.nginx, &gates.apache].into_iter().zip(&offending) {
        for hostile in requests {
            let status = send_all(site, n, vec![hostile.clone()])[0].answer.status;
            assert_eq!(status.map_or(Answer::Closed, Answer::Status), refusal(site), "{}", hostile.name);
        }
    }
    let wanted = before.1["hits_total"].as_u64().unwrap() + offences - 3;
    wait_until(SOON, &format!("{wanted} hits"), || jail()["hits_total"].as_u64() >= Some(wanted));
    let after = jail();
    assert_eq!((ban(&daemon, bad), &after["hits_total"]), (before.0, &wanted.into()));
    for field in ["offences_total", "bans_total", "bans_current", "hits_passed"] {
        assert_eq!(after[field], before.1[field], "{field}");
    }
}

fn ban(daemon: &Daemon, address: IpAddr) -> Value {
    let bans = daemon.json(&["list"]);
    bans.into_iter().find(|ban| ban["address"] == address.to_string()).unwrap()
}

/// nginx answers those who are banned, since it includes another file than the one that is published.
#[test]
fn an_nginx_that_does_not_include_the_list_is_noticed() {
    let site = Site::nginx(Limits::Default);
    let Server::Nginx(nginx) = &site.server else { unreachable!() };
    let config = format!(
        "[daemon]\nstate = \"{state}\"\nsocket = \"{state}/banmap.sock\"\n[source.nginx]\npath = \"{log}\"\n\
         read = \"beginning\"\n{geo}\n{jails}",
        state = site.place.dir("state").display(),
        log = nginx.access_log().display(),
        geo = geo(nginx, &nginx.geo().with_file_name("elsewhere.conf")),
        jails = jails(1),
    );
    let daemon = Daemon::start(&site.place.write("live.toml", &config));
    let bad = client(1).to_string();
    let log_in = || send_all(&site, 1, vec![Hostile::login("a log-in", b"/wp-login.php")]);
    log_in();
    wait_until(SOON, "nginx has the list", || {
        daemon.banned() == [bad.clone()]
            && daemon.json(&["status"])[0]["outputs"]["nginx"]["state"] == "verified"
    });
    wait_until(SOON, "its hits pass", || {
        assert_eq!(log_in()[0].answer.status, Some(200));
        daemon.jail("wordpress-login")["hits_passed"].as_u64() >= Some(3)
    });
    let now = Timestamp::now();
    daemon.wait_logged("snippet");
    let (code, status) = daemon.ask(&["status"]);
    assert_eq!(code, 1, "an operator has to look");
    let verified: Timestamp = status["outputs"]["nginx"]["reloaded"].as_str().unwrap().parse().unwrap();
    let waited = now.duration_since(verified).unsigned_abs();
    assert!(waited >= Duration::from_secs(2), "requests that were under way are not counted: {waited:?}");
}
