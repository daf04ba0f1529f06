//! Precision is shown, not claimed: a day of ordinary visitors through all shipped filters with their suggestions bans
//! nobody, and the same day with every kind of attacker bans each of them and nobody else.
//!
//! The days follow from a seed; `BANMAP_SEED=N` tries another one.

mod attackers;
mod day;
mod others;
mod people;
mod programs;

use std::collections::BTreeSet;
use std::fmt::Write;

use banmap::filter::SHIPPED;
use day::{Day, Log};
use serde_json::Value;

use crate::harness::Place;

/// So many readers; the other people and programs are as many as they are.
const READERS: u32 = 1000;

/// Judged by what DNS says, which no log tells.
const ASKS_DNS: &str = "fake-crawlers";

/// Which logs a shipped filter looks at.
fn logs(filter: &str) -> &'static [Log] {
    match filter {
        "nginx-limits" | "nginx-denied" => &[Log::NginxError],
        "modsecurity-denied" => &[Log::NginxError, Log::ApacheError],
        "haproxy-noserver" | "haproxy-badrequest" => &[Log::Haproxy],
        "nextcloud-login" => &[Log::Nextcloud],
        "vaultwarden-login" => &[Log::Vaultwarden],
        "gitea-login" => &[Log::Gitea],
        "grafana-login" => &[Log::Grafana],
        "roundcube-login" => &[Log::Roundcube],
        // HAProxy's are those of `haproxy-badrequest`.
        "bad-request" => &[Log::Access],
        _ => &[Log::Access, Log::Haproxy],
    }
}

/// Every shipped filter with its suggestions, and what an operator has to say besides.
fn configuration() -> String {
    let mut text = "[real_ip]\ntrusted_proxies = [\"10.0.0.5\"]\n".to_owned();
    for log in Log::ALL {
        let name = log.name();
        let format = if log.is_raw() { "raw" } else { "auto" };
        writeln!(text, "[source.{name}]\npath = \"{name}.log\"\nformat = \"{format}\"").unwrap();
    }
    for filter in SHIPPED.iter().filter(|filter| filter.name != ASKS_DNS) {
        let sources: Vec<&str> = logs(filter.name).iter().map(|log| log.name()).collect();
        writeln!(text, "[jail.{}]\nsource = {sources:?}", filter.name).unwrap();
        text.push_str(match filter.name {
            "wordpress-login" => "widen = [{ distinct = 5, v4 = 24, within = \"10m\" }, { distinct = 8, v6 = 48, within = \"10m\" }]\n",
            "wordpress-xmlrpc" => "ignoreip = [\"192.0.64.0/18\"]\n",
            "trap" => "where = [{ path = '^/cellar/' }]\n",
            "expensive-paths" => "where = [{ path = ['^/search$', '^/[^/]+/[^/]+/blame/'] }]\n",
            "haproxy-noserver" => "where = [{ backend = '^empty$' }]\n",
            _ => "",
        });
    }
    text
}

/// Address and jail of each ban of a day.
fn bans(day: Day) -> BTreeSet<(String, String)> {
    let place = Place::new();
    place.write("banmap.toml", &configuration());
    let lines = day.save(&place);
    let mut command = crate::fake_daemon::banmap();
    command.env("BANMAP_CONFIG", place.path("banmap.toml")).env("TZ", "UTC").current_dir(place.path(""));
    let ended = command.args(["replay", "--json"]).assert().code(0).stderr("");
    let told = String::from_utf8(ended.get_output().stdout.clone()).unwrap();
    let events: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.last().unwrap()["lines"], lines, "all of them were read");
    let unparsed = events.last().unwrap()["unparsed"].as_u64().unwrap();
    assert!(unparsed * 1000 < lines as u64, "but for error lines that a client may have written: {unparsed}");
    let bans = events.iter().filter(|event| event["event"] == "ban");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    bans.map(|ban| (text(&ban["address"]), text(&ban["jail"]))).collect()
}

fn seed() -> u64 {
    std::env::var("BANMAP_SEED").map_or(1, |seed| seed.parse().expect("BANMAP_SEED is a number"))
}

fn ordinary(readers: u32) -> Day {
    let mut day = Day::new(seed());
    programs::all(&mut day);
    others::all(&mut day);
    people::all(&mut day, readers);
    day
}

#[test]
fn nobody_is_banned_on_an_ordinary_day() {
    let banned = bans(ordinary(READERS));
    assert!(banned.is_empty(), "{} are banned: {banned:#?}", banned.len());
}

#[test]
fn every_attacker_is_banned_and_nobody_else() {
    let mut day = ordinary(READERS / 5);
    let expected = attackers::all(&mut day);
    let banned = bans(day);
    let meant = expected.iter().map(|(address, _)| address.clone()).collect::<BTreeSet<_>>();
    let met = banned.iter().map(|(address, _)| address.clone()).collect::<BTreeSet<_>>();
    assert_eq!(met.difference(&meant).collect::<Vec<_>>(), [""; 0], "are banned by mistake: {banned:#?}");
    let missed = |(address, jail): &&(String, &str)| !banned.contains(&(address.clone(), (*jail).to_owned()));
    let missed: Vec<_> = expected.iter().filter(missed).collect();
    assert!(missed.is_empty(), "are missed: {missed:#?}");
    let jails: BTreeSet<&str> = banned.iter().map(|(_, jail)| jail.as_str()).collect();
    let shipped: BTreeSet<&str> =
        SHIPPED.iter().map(|filter| filter.name).filter(|name| *name != ASKS_DNS).collect();
    assert_eq!(jails, shipped, "every filter has its attacker");
}
