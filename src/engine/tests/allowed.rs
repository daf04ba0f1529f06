//! The allow list by hand: it unbans, protects, makes holes, ends by itself, and survives a restart.

use super::*;
use crate::terms::Allowance;

fn entry(text: &str, until: Option<i64>) -> Allowance {
    let reason = Some("the new office".to_owned());
    Allowance { prefix: prefix(text), since: at(0), until: until.map(at), uid: Some(1000), reason }
}

fn allow_one(scene: &mut Scene, text: &str, until: Option<i64>) -> Vec<String> {
    let (effects, refused) = scene.engine.allow(vec![entry(text, until)], at(scene.now));
    assert!(refused.is_empty(), "{refused:?}");
    told(&effects)
}

#[test]
fn whom_it_allows_is_unbanned_in_every_jail_and_not_counted_again() {
    let mut scene = Scene::new(vec![jail("j"), jail("k")]);
    for _ in 0..3 {
        scene.offend("203.0.113.7", 10, &["j", "k"]);
    }
    scene.ban("203.0.113.7").unwrap();
    let generation = scene.engine.generation();
    let ended = allow_one(&mut scene, "203.0.113.0/28", None);
    let expected = [
        "allowed 203.0.113.7 by j until 310",
        "allowed 203.0.113.7 by k until 310",
        "allowed 203.0.113.7 by manual until 310",
    ];
    assert_eq!(
        {
            let mut ended = ended;
            ended.sort();
            ended
        },
        expected
    );
    assert!(scene.engine.generation() > generation);
    assert_eq!(scene.published("web").0, [""; 0]);
    assert_eq!(scene.ban_by_log("203.0.113.7", 20), [""; 0]);
    let rule = "allowed by hand: 203.0.113.0/28, by uid 1000 since 1970-01-01T00:00:00Z: the new office";
    assert_eq!(scene.engine.why(address("203.0.113.7"), at(20)).protected_by.as_deref(), Some(rule));
    let refused = scene.ban("203.0.113.7").unwrap_err().to_string();
    assert_eq!(refused, format!("`203.0.113.7` is never banned: {rule}"));
}

#[test]
fn it_ends_by_itself_and_brings_no_ban_back() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 10);
    allow_one(&mut scene, "203.0.113.7", Some(50));
    assert_eq!(scene.engine.next_expiry(), Some(at(50)));
    assert_eq!(scene.ban_by_log("203.0.113.7", 49), [""; 0]);
    let over = scene.ban_by_log("203.0.113.7", 50);
    assert_eq!(over.len(), 2, "{over:?}");
    assert!(over[0].starts_with("AllowanceOver"), "{over:?}");
    assert_eq!(over[1], "banned 203.0.113.7 by j until 350");
    assert_eq!(scene.engine.allowed().count(), 0);
}

#[test]
fn a_wider_ban_goes_on_without_them_and_holds_them_again_after_the_end() {
    let mut given = settings(vec![jail("j")], &["web", "map"]);
    given.picky = vec![(output("map"), |_, holes| holes.is_empty())];
    let mut scene = Scene::with(given);
    scene.ban("203.0.113.0/24").unwrap();
    let before = scene.engine.generation();
    let split = allow_one(&mut scene, "203.0.113.7", None);
    assert_eq!(split.len(), 1, "{split:?}");
    assert!(split[0].contains("Split") && split[0].contains("left_out: [map]"), "{split:?}");
    assert!(scene.engine.generation() > before, "the hole is to be published");
    assert_eq!(scene.published("web"), (vec!["203.0.113.0/24".to_owned()], vec!["203.0.113.7".to_owned()]));
    assert!(!scene.engine.why(address("203.0.113.7"), at(0)).banned);
    let before = scene.engine.generation();
    let (effects, refused) = scene.engine.disallow(&[prefix("203.0.113.7")], at(0));
    assert!(refused.is_empty());
    let notice = effects.notices[0].to_string();
    assert_eq!(notice, "203.0.113.7 is banned as part of 203.0.113.0/24 by manual from now on");
    assert!(scene.engine.generation() > before);
    assert_eq!(scene.published("web"), (vec!["203.0.113.0/24".to_owned()], Vec::new()));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let mut given = settings(vec![jail("j")], &["web"]);
    given.manual.allow = allow(&["198.51.100.0/24"]);
    let mut scene = Scene::with(given);
    let wide = scene.engine.allow(vec![entry("0.0.0.0/0", None), entry("203.0.113.7", None)], at(0)).1;
    assert!(matches!(wide[..], [(_, Refusal::TooMuchAllowed { .. })]), "{wide:?}");
    assert_eq!(scene.engine.allowed().count(), 1, "the rest is done");
    let refused = scene.engine.disallow(&[prefix("198.51.100.7")], at(0)).1;
    let said = refused[0].1.to_string();
    assert!(
        said.ends_with("not allowed by hand; it is protected: allowed: 198.51.100.0/24 (ignoreip)"),
        "{said}"
    );
    let many = (0..Engine::MAX_ALLOWED as u32)
        .map(|n| entry(&format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255), None));
    let refused = scene.engine.allow(many.collect(), at(0)).1;
    assert!(matches!(refused[..], [(_, Refusal::AllowedFull { .. })]), "one was there before");
}

#[test]
fn it_holds_after_a_restart_and_under_another_configuration() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 10);
    let restored = Restored {
        bans: scene.engine.bans().map(|ban| Ban::clone(ban)).collect(),
        allowed: vec![entry("203.0.113.7", None), entry("203.0.113.8", Some(5))],
        ..Restored::default()
    };
    let (mut engine, effects) = Engine::new(settings(vec![jail("j")], &["web"]), restored, at(20));
    assert_eq!(told(&effects)[0], "allowed 203.0.113.7 by j until 310");
    engine.reconfigure(settings(vec![jail("j")], &["web"]), at(20));
    let mut scene = Scene { engine, now: 20 };
    assert_eq!(scene.ban_by_log("203.0.113.7", 30), [""; 0]);
    assert_eq!(
        scene.ban_by_log("203.0.113.8", 30),
        ["banned 203.0.113.8 by j until 330"],
        "its time was over"
    );
}
