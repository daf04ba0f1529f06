//! Who says to be a crawler: held, let go, spared; and the filter for those who only say so.

use std::sync::Arc;

use super::*;
use crate::jail::Widen;
use crate::terms::{Claim, Crawler, Verification};

const BOT: &str = "203.0.113.7";

fn ignoring(name: &str) -> jail::Settings {
    jail::Settings { crawlers: vec![Crawler::Google], ..jail(name) }
}

fn claim() -> Claim {
    Claim { address: address(BOT), crawler: Crawler::Google }
}

/// Three offences of one that says to be Google's; what they led to, and the questions.
fn thrice(scene: &mut Scene, second: i64) -> (Vec<String>, Vec<Claim>) {
    scene.now = scene.now.max(second);
    let (mut all, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let effects =
            scene.observe(Observation { claims: Some(Crawler::Google), ..record(BOT, second, &["j"]) });
        asked.extend(effects.verify.clone());
        all.extend(told(&effects));
    }
    (all, asked)
}

fn answer(scene: &mut Scene, second: i64, answer: &Verification) -> Vec<String> {
    scene.now = second;
    told(&scene.engine.verified(claim(), answer, at(second)))
}

fn yes() -> Verification {
    Verification::Confirmed(Arc::from("crawl.googlebot.com"))
}

#[test]
fn a_verdict_waits_for_the_answer_and_goes_its_way_when_that_is_no() {
    for no in [Verification::Refuted, Verification::Unknown] {
        let mut scene = Scene::new(vec![ignoring("j")]);
        assert_eq!(thrice(&mut scene, 10), (Vec::new(), vec![claim()]), "one question, no ban yet");
        assert_eq!(scene.engine.next_expiry(), Some(at(15)));
        assert_eq!(answer(&mut scene, 12, &no), ["banned 203.0.113.7 by j until 310"], "since the offence");
        assert_eq!(scene.engine.bans().count(), 1);
    }
}

#[test]
fn without_an_answer_the_ban_goes_out_and_a_late_one_still_ends_it() {
    let mut scene = Scene::new(vec![ignoring("j")]);
    thrice(&mut scene, 10);
    assert_eq!(scene.tick(14), [""; 0]);
    assert_eq!(scene.tick(15), ["banned 203.0.113.7 by j until 310"]);
    let (led_to, asked) = thrice(&mut scene, 16);
    assert_eq!((led_to, asked), (Vec::new(), Vec::new()), "hits, and the question is out already");
    let ended = answer(&mut scene, 18, &yes());
    assert_eq!(ended[0], "allowed 203.0.113.7 by j until 310");
    assert!(ended[1].starts_with("CrawlerSpared"), "{ended:?}");
    assert_eq!(thrice(&mut scene, 20), (Vec::new(), Vec::new()));
}

#[test]
fn a_crawler_that_is_one_is_allowed_where_it_is_ignored_until_that_is_old() {
    let mut scene = Scene::new(vec![ignoring("j"), jail("k")]);
    thrice(&mut scene, 10);
    assert!(answer(&mut scene, 11, &yes())[0].starts_with("CrawlerSpared"));
    assert_eq!(thrice(&mut scene, 12), (Vec::new(), Vec::new()));
    let rule = scene.engine.why(address(BOT), at(12)).protected_by;
    assert_eq!(
        rule.as_deref(),
        Some("allowed: 203.0.113.7 (verified crawler google: crawl.googlebot.com), in jail `j`")
    );
    scene.engine.reconfigure(settings(vec![ignoring("j"), jail("k")], &["web"]), at(12));
    assert_eq!(thrice(&mut scene, 13), (Vec::new(), Vec::new()), "another configuration forgets nothing");
    let banned: Vec<String> = (0..3).flat_map(|_| scene.offend(BOT, 13, &["k"])).collect();
    assert_eq!(banned, ["banned 203.0.113.7 by k until 313"], "another jail bans it");
    scene.tick(7 * 3600);
    assert_eq!(scene.engine.why(address(BOT), at(7 * 3600)).protected_by, None);
    assert_eq!(thrice(&mut scene, 7 * 3600).1, [claim()], "asked again");
}

#[test]
fn who_says_nothing_or_something_else_is_judged_at_once() {
    let mut scene = Scene::new(vec![ignoring("j")]);
    assert_eq!(scene.ban_by_log(BOT, 10), ["banned 203.0.113.7 by j until 310"]);
    let mut scene = Scene::new(vec![jail("j")]);
    let (led_to, asked) = thrice(&mut scene, 10);
    assert_eq!(led_to, ["banned 203.0.113.7 by j until 310"], "this jail ignores no crawler");
    assert_eq!(asked, []);
    let mut rehearsed = settings(vec![ignoring("j")], &["web"]);
    rehearsed.verifies = false;
    let mut scene = Scene::with(rehearsed);
    let (led_to, asked) = thrice(&mut scene, 10);
    assert_eq!(led_to, ["banned 203.0.113.7 by j until 310"], "nobody answers in a rehearsal");
    assert_eq!(asked, []);
}

#[test]
fn a_refuted_claim_is_asked_about_once_an_hour() {
    let mut scene = Scene::new(vec![ignoring("j")]);
    thrice(&mut scene, 10);
    answer(&mut scene, 11, &Verification::Refuted);
    scene.settle("web");
    scene.tick(311);
    scene.settle("web");
    let (led_to, asked) = thrice(&mut scene, 320);
    assert_eq!(led_to, ["banned 203.0.113.7 by j until 620"]);
    assert_eq!(asked, []);
}

#[test]
fn what_its_network_is_banned_for_waits_too() {
    let widen = vec![Widen { distinct: 2, v4: Some(24), v6: None, within: SignedDuration::from_secs(60) }];
    let mut scene = Scene::new(vec![jail::Settings { widen, ..ignoring("j") }]);
    scene.offend("203.0.113.8", 10, &["j"]);
    assert_eq!(thrice(&mut scene, 10).0, [""; 0]);
    let led_to = answer(&mut scene, 11, &Verification::Refuted);
    assert!(led_to.contains(&"banned 203.0.113.0/24 by j until 310".to_owned()), "{led_to:?}");
}

#[test]
fn to_say_so_is_an_offence_only_when_the_answer_is_no() {
    let fakes = || jail::Settings { fakes: true, maxretry: 1, ..jail("j") };
    let mut scene = Scene::new(vec![fakes()]);
    assert_eq!(thrice(&mut scene, 10), (Vec::new(), vec![claim()]));
    assert_eq!(scene.tick(60), [""; 0], "no answer is no answer");
    assert_eq!(answer(&mut scene, 61, &Verification::Refuted)[0], "banned 203.0.113.7 by j until 310");
    for other in [yes(), Verification::Unknown] {
        let mut scene = Scene::new(vec![fakes()]);
        thrice(&mut scene, 10);
        let led_to = answer(&mut scene, 11, &other);
        assert!(!led_to.iter().any(|line| line.starts_with("banned")), "{led_to:?}");
        assert_eq!(thrice(&mut scene, 12).0, [""; 0]);
        assert_eq!(scene.counted("j").0, 0);
    }
    let mut scene = Scene::new(vec![fakes()]);
    assert_eq!(scene.ban_by_log(BOT, 10), [""; 0], "who says nothing is no false crawler");
}

#[test]
fn a_flood_of_claims_keeps_to_its_room() {
    let mut scene = Scene::new(vec![ignoring("j")]);
    let mut asked = 0;
    for number in 0..12_000_u32 {
        let client = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
        let effects =
            scene.observe(Observation { claims: Some(Crawler::Google), ..record(&client, 10, &["j"]) });
        asked += effects.verify.len();
        if number == 0 {
            let crawler = Claim { address: address(&client), crawler: Crawler::Google };
            scene.engine.verified(crawler, &yes(), at(10));
        }
    }
    assert_eq!(asked, 10_000, "nobody gives way to whom is still asked about");
    assert!(
        scene.engine.why(address("10.0.0.0"), at(10)).protected_by.is_some(),
        "a crawler is not forgotten"
    );
}
