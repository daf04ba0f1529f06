//! Bans that another program made.

use super::growing::growing;
use super::*;
use crate::engine::Inherited;
use crate::jail::Scope;

/// Banned by `jail` at 1000 for the `bans`th time.
fn former(text: &str, jail: &str, until: Option<i64>, bans: u32) -> Inherited {
    let reason = Some("taken over".to_owned());
    let (since, until) = (at(1000), until.map(at));
    Inherited { prefix: prefix(text), jail: jail_name(jail), since, until, bans, offences: 5, reason }
}

impl Scene {
    /// As the daemon does it; what it led to.
    fn inherit(&mut self, given: &[Inherited]) -> Vec<Result<Vec<String>, Refusal>> {
        let now = at(self.now);
        let done = given.iter().map(|one| self.engine.inherit(one, now).map(|effects| told(&effects)));
        let done = done.collect();
        let news = self.engine.news_of_earlier(given, now);
        self.engine.learn_earlier(&news);
        self.engine.priors.check_invariants();
        done
    }
}

#[test]
fn a_ban_goes_on_until_its_end_and_the_next_one_is_as_long_as_if_all_had_been_here() {
    let mut scene = Scene::new(vec![growing("j", Scope::Jail)]);
    scene.now = 1500;
    let given = [former("203.0.113.7", "j", Some(2000), 2)];
    let would = scene.engine.would_inherit(&given[0], at(1500)).unwrap().unwrap();
    assert_eq!((would.since, would.until, would.offences), (at(1000), Some(at(2000)), 5));
    assert_eq!(scene.inherit(&given), [Ok(vec!["banned 203.0.113.7 by j until 2000".to_owned()])]);
    assert_eq!(scene.published("web").0, ["203.0.113.7"]);
    assert_eq!(scene.next("203.0.113.7"), [("j".to_owned(), 1)]);
    let kept = scene.engine.priors.entries();
    assert_eq!(scene.inherit(&given), [Ok(Vec::new())], "the same again changes nothing");
    assert_eq!(
        (scene.engine.would_inherit(&given[0], at(1500)), scene.engine.priors.entries()),
        (Ok(None), kept)
    );
    assert_eq!(scene.tick(2000), ["expired 203.0.113.7 by j until 2000"]);
    scene.settle("web");
    scene.tick(2010);
    assert_eq!(scene.next("203.0.113.7"), [("j".to_owned(), 2)]);
    (0..3).for_each(|_| drop(scene.offend("203.0.113.7", 2020, &["j"])));
    let third = scene.engine.bans().next().unwrap();
    assert_eq!(third.until, Some(at(2020 + 4800)), "300 s, four times as long for each of two");
}

#[test]
fn of_a_ban_that_is_over_the_count_is_left_and_one_without_end_stays() {
    let mut scene = Scene::new(vec![growing("j", Scope::Jail)]);
    scene.now = 1500;
    let over = former("203.0.113.7", "j", Some(1500), 3);
    let done = scene.inherit(&[over, former("203.0.113.8", "j", None, 1)]);
    assert_eq!(done, [Ok(Vec::new()), Ok(vec!["banned 203.0.113.8 by j until forever".to_owned()])]);
    assert_eq!(scene.next("203.0.113.7"), [("j".to_owned(), 3)]);
    assert_eq!(scene.next("203.0.113.8"), [], "there was none before it");
}

#[test]
fn who_may_not_be_banned_is_refused_and_nothing_is_kept_of_them() {
    let simulating = jail::Settings { simulate: true, ..growing("s", Scope::Jail) };
    let mut scene = Scene::new(vec![growing("j", Scope::Jail), simulating]);
    scene.now = 1500;
    let given = [
        former("10.20.1.4", "j", Some(2000), 3),
        former("203.0.113.7", "s", Some(2000), 3),
        former("203.0.113.7", "x", Some(2000), 3),
        former("203.0.0.0/7", "j", None, 3),
    ];
    assert!(scene.inherit(&given).iter().all(Result::is_err));
    assert_eq!((scene.engine.bans().count(), scene.engine.priors.entries()), (0, Vec::new()));
    let heir = |name| scene.engine.check_heir(&jail_name(name)).is_ok();
    assert_eq!([heir("j"), heir("s"), heir("x")], [true, false, false]);
}

#[test]
fn counts_of_all_jails_are_added_and_an_ipv6_clients_count_for_its_network() {
    let mut scene = Scene::new(vec![growing("j", Scope::All), growing("k", Scope::Jail)]);
    scene.now = 5000;
    let over = |text, jail, bans| former(text, jail, Some(2000), bans);
    let mut given = vec![over("203.0.113.7", "j", 2), over("203.0.113.7", "k", 3)];
    given.push(former("2001:db8::7", "k", Some(9000), 2));
    given.push(over("2001:db8::9", "k", 1));
    scene.inherit(&given);
    assert_eq!(scene.next("203.0.113.7"), [("j".to_owned(), 5), ("k".to_owned(), 3)]);
    assert_eq!(scene.published("web").0, ["2001:db8::7"], "nobody else of that network");
    // The next ban is the network's.
    assert_eq!(scene.next("2001:db8::8")[1], ("k".to_owned(), 2));
}

#[test]
fn a_longer_ban_of_ours_stays() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 1490);
    scene.now = 1500;
    assert_eq!(scene.inherit(&[former("203.0.113.7", "j", Some(1600), 1)]), [Ok(Vec::new())]);
    assert_eq!(
        scene.inherit(&[former("203.0.113.7", "j", Some(9000), 1)]),
        [Ok(vec!["prolonged 203.0.113.7 by j until 9000".to_owned()])]
    );
}
