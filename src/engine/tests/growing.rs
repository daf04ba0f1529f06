//! Bans that grow with earlier ones.

use super::*;
use crate::jail::{Escalation, Growth, Jitter, Scope};

/// Bans for 300, 1200, 4800 and then 10000 s; 50000 quiet seconds take one back.
pub(super) fn growing(name: &str, scope: Scope) -> jail::Settings {
    let growth = Growth::Factor { factor: 4.0, max: Some(SignedDuration::from_secs(10_000)) };
    let decay = Some(SignedDuration::from_secs(50_000));
    jail::Settings { escalation: Some(Escalation { growth, decay, scope }), ..jail(name) }
}

impl Scene {
    /// Three offences at `second` for a jail; how long the ban is that follows.
    fn banned_for(&mut self, client: &str, second: i64, name: &str) -> i64 {
        (0..3).for_each(|_| drop(self.offend(client, second, &[name])));
        let bans = self.engine.bans().filter(|ban| ban.jail.as_str() == name);
        let newest = bans.filter(|ban| ban.prefix.contains(address(client))).max_by_key(|ban| ban.since);
        let ban = newest.expect("three offences ban");
        ban.until.map_or(-1, |until| until.as_second() - ban.since.as_second())
    }

    pub(super) fn next(&self, client: &str) -> Vec<(String, u32)> {
        let why = self.engine.why(address(client), at(self.now));
        why.earlier.iter().map(|earlier| (earlier.jail.to_string(), earlier.bans)).collect()
    }
}

#[test]
fn each_ban_is_longer_than_the_one_before_and_a_quiet_while_takes_one_back() {
    let mut scene = Scene::new(vec![growing("j", Scope::Jail)]);
    let mut second = 0;
    for expected in [300, 1200, 4800, 10_000, 10_000] {
        assert_eq!(scene.banned_for("203.0.113.7", second, "j"), expected);
        second += expected;
        scene.tick(second);
        scene.settle("web");
        second += 10;
    }
    assert_eq!(scene.next("203.0.113.7"), [("j".to_owned(), 5)]);
    assert_eq!(scene.banned_for("203.0.113.8", second, "j"), 300, "everybody has a first ban");
    let reasons: Vec<_> = scene.engine.bans().map(|ban| ban.reason.clone()).collect();
    assert_eq!(reasons, [None]);
    scene.tick(second + 300);
    assert_eq!(scene.banned_for("203.0.113.7", second + 3 * 50_000, "j"), 4 * 1200, "two of five are left");
    let reason = scene.engine.bans().next().unwrap().reason.clone();
    assert_eq!(reason.as_deref(), Some("banned 2 times before"));
}

#[test]
fn bans_by_hand_simulated_ones_and_those_of_the_allowed_do_not_count() {
    let simulating = jail::Settings { simulate: true, ..growing("s", Scope::All) };
    let mut scene = Scene::new(vec![growing("j", Scope::All), simulating]);
    scene.ban("203.0.113.7").unwrap();
    let order =
        Order { prefix: prefix("203.0.113.8"), jail: Some(jail_name("j")), term: Term::Usual, reason: None };
    scene.engine.ban(order, at(0)).unwrap();
    assert_eq!(scene.banned_for("203.0.113.9", 0, "s"), 300);
    assert_eq!(scene.banned_for("203.0.113.10", 0, "j"), 300);
    let mut given = settings(vec![growing("j", Scope::All)], &["web"]);
    given.jails[0].allow = allow(&["203.0.113.10"]);
    scene.engine.reconfigure(given, at(1));
    scene.tick(1000);
    assert_eq!(scene.engine.priors.entries(), []);
}

#[test]
fn bans_of_several_jails_at_once_count_once_for_a_jail_that_looks_at_all() {
    let silent = |name, scope| jail::Settings { outputs: Vec::new(), ..growing(name, scope) };
    let mut scene =
        Scene::new(vec![silent("a", Scope::Jail), silent("b", Scope::Jail), silent("all", Scope::All)]);
    assert_eq!(scene.banned_for("203.0.113.7", 0, "a"), 300);
    assert_eq!(scene.banned_for("203.0.113.7", 100, "b"), 300);
    assert_eq!(scene.banned_for("203.0.113.7", 350, "all"), 300, "the first is not over");
    scene.tick(2000);
    assert_eq!(scene.banned_for("203.0.113.7", 2001, "all"), 1200);
    assert_eq!(scene.banned_for("203.0.113.7", 2001, "a"), 1200);
    let names = ["a", "all", "b"].map(|name| (name.to_owned(), 1));
    let mut next = scene.next("203.0.113.7");
    next.sort();
    assert_eq!(next, names);
}

#[test]
fn a_ban_that_was_over_when_it_was_found_counts() {
    let mut scene = Scene::new(vec![growing("j", Scope::Jail)]);
    scene.now = 5000;
    let found: Vec<String> = (0..3).flat_map(|_| scene.offend("203.0.113.7", 100, &["j"])).collect();
    assert_eq!(found, ["past 203.0.113.7 by j until 400"]);
    assert_eq!(scene.banned_for("203.0.113.7", 5001, "j"), 1200);
}

#[test]
fn an_unban_keeps_the_history_and_forgetting_clears_it() {
    let mut scene = Scene::new(vec![growing("j", Scope::Jail), growing("k", Scope::All)]);
    let group = "2001:db8::/64";
    scene.banned_for("2001:db8::1", 0, "j");
    scene.engine.unban(prefix(group), None, at(10)).unwrap();
    scene.settle("web");
    assert_eq!(scene.banned_for("2001:db8::1", 20, "j"), 1200);
    scene.engine.unban(prefix(group), None, at(30)).unwrap();
    scene.settle("web");
    scene.banned_for("2001:db8::1", 40, "k");
    scene.tick(40 + 4800);
    scene.settle("web");
    assert_eq!(scene.next("2001:db8::1"), [("j".to_owned(), 2), ("k".to_owned(), 3)]);
    assert_eq!(scene.engine.forget_earlier(&[prefix("2001:db8::77")], Some(&jail_name("j"))).len(), 1);
    assert_eq!(scene.next("2001:db8::1"), [("k".to_owned(), 3)]);
    assert_eq!(scene.engine.forget_earlier(&[prefix(group)], None).len(), 1);
    assert_eq!(scene.next("2001:db8::1"), []);
    assert_eq!(scene.banned_for("2001:db8::1", 5000, "j"), 300);
}

#[test]
fn the_history_survives_a_restart_and_counts_what_ended_meanwhile() {
    let given = || settings(vec![growing("j", Scope::Jail)], &["web"]);
    let mut scene = Scene::with(given());
    scene.banned_for("203.0.113.7", 0, "j");
    scene.tick(300);
    scene.banned_for("203.0.113.8", 350, "j");
    let restored = Restored {
        bans: scene.engine.bans().map(|ban| Ban::clone(ban)).collect(),
        priors: scene.engine.take_changed_priors(),
        ..Restored::default()
    };
    let (engine, _) = Engine::new(given(), restored, at(5000));
    let mut scene = Scene { engine, now: 5000 };
    scene.settle("web");
    assert_eq!(scene.banned_for("203.0.113.7", 5010, "j"), 1200);
    assert_eq!(scene.banned_for("203.0.113.8", 5010, "j"), 1200);
}

#[test]
fn jitter_is_the_same_for_the_same_seed_only() {
    let until = |seed| {
        let jitter = Some(Jitter::UpTo(SignedDuration::from_secs(1000)));
        let given = Settings { seed, ..settings(vec![jail::Settings { jitter, ..jail("j") }], &["web"]) };
        Scene::with(given).banned_for("203.0.113.7", 0, "j")
    };
    assert_eq!(until(1), until(1));
    let all: std::collections::BTreeSet<i64> = (0..20).map(until).collect();
    assert!(all.len() > 10 && all.iter().all(|length| (300..=1300).contains(length)), "{all:?}");
}
