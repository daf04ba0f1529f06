//! Jails whose source is bans.

use super::*;
use crate::terms::Tracked;

/// Two bans within 1,000 s ban for 5,000 s, in all outputs.
fn again() -> jail::Settings {
    jail::Settings {
        of_bans: true,
        maxretry: 2,
        findtime: SignedDuration::from_secs(1000),
        bantime: Some(SignedDuration::from_secs(5000)),
        outputs: vec![output("web"), output("other")],
        ..jail("again")
    }
}

fn scene(jails: Vec<jail::Settings>) -> Scene {
    Scene::with(settings(jails, &["web", "other"]))
}

#[test]
fn who_is_banned_again_and_again_by_whichever_jail_is_banned_for_that() {
    let mut scene = scene(vec![jail("j"), jail("k"), again()]);
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["banned 203.0.113.7 by j until 400"]);
    let near = &scene.engine.why(address("203.0.113.7"), at(100)).windows[0];
    assert_eq!((near.jail.as_str(), near.offences, near.maxretry, near.what), ("again", 1, 2, Tracked::Bans));
    scene.tick(410);
    scene.settle("web");
    scene.tick(420);
    scene.offend("203.0.113.7", 420, &["k"]);
    scene.offend("203.0.113.7", 421, &["k"]);
    let told = scene.offend("203.0.113.7", 422, &["k"]);
    assert_eq!(told, ["banned 203.0.113.7 by k until 722", "banned 203.0.113.7 by again until 5422"]);
    assert_eq!(scene.published("other").0, ["203.0.113.7"]);
    let ban = scene.engine.bans().find(|ban| ban.jail.as_str() == "again").unwrap().clone();
    assert_eq!((ban.offences, ban.reason.as_deref()), (2, Some("2 bans by other jails within 16m40s")));
    assert_eq!(scene.counted("again"), (2, 0, 1));
}

#[test]
fn its_lines_say_which_bans_they_were() {
    let mut scene = scene(vec![jail("j"), jail::Settings { maxretry: 1, ..again() }]);
    let mut effects = Effects::default();
    for _ in 0..3 {
        scene.engine.observe(record("203.0.113.7", 100, &["j"]), at(100), &mut effects);
    }
    let lines = &effects.changes.last().unwrap().ban().evidence;
    assert_eq!(lines.len(), 1);
    assert_eq!(&*lines[0].text, "203.0.113.7 banned by jail j for 3 offences");
}

#[test]
fn bans_by_hand_simulated_ones_and_challenges_do_not_count() {
    let others = [
        jail::Settings { simulate: true, ..jail("j") },
        jail::Settings { value: Measure::Challenge, ..jail("j") },
    ];
    for other in others {
        let mut scene = scene(vec![other, jail::Settings { maxretry: 1, ..again() }]);
        scene.ban_by_log("203.0.113.7", 100);
        scene.ban("203.0.113.8").unwrap();
        assert_eq!(scene.counted("again"), (0, 0, 0));
    }
}

#[test]
fn whom_it_allows_or_has_banned_itself_it_does_not_count() {
    let own = jail::Settings { allow: allow(&["203.0.113.7"]), maxretry: 1, ..again() };
    let mut scene = scene(vec![jail("j"), jail::Settings { outputs: vec![output("far")], ..jail("k") }, own]);
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["banned 203.0.113.7 by j until 400"]);
    assert_eq!(scene.ban_by_log("203.0.113.8", 100).len(), 2);
    (0..3).for_each(|_| drop(scene.offend("203.0.113.8", 101, &["k"])));
    assert_eq!((scene.counted("k").2, scene.counted("again")), (1, (1, 3, 1)));
}

#[test]
fn a_banned_prefix_counts_as_such_and_a_narrow_one_for_its_group() {
    let group = Group { v4: 24, v6: 48 };
    let own = || jail::Settings { group, ..again() };
    let wide = jail::Settings { group: Group { v4: 20, v6: 64 }, ..jail("k") };
    let mut scene = scene(vec![jail("j"), wide, own()]);
    scene.ban_by_log("203.0.113.7", 100);
    let told = scene.ban_by_log("203.0.113.8", 101);
    assert_eq!(told, ["banned 203.0.113.8 by j until 401", "banned 203.0.113.0/24 by again until 5101"]);
    (0..3).for_each(|_| drop(scene.offend("198.51.100.1", 102, &["k"])));
    let near = &scene.engine.why(address("198.51.100.1"), at(102)).windows;
    assert!(near.is_empty(), "it is counted as 198.51.96.0/20: {near:?}");
    assert_eq!(scene.counted("again").0, 3);
}

#[test]
fn what_it_has_counted_survives_a_restart_and_another_source_begins_anew() {
    let mut scene = scene(vec![jail("j"), again()]);
    scene.ban_by_log("203.0.113.7", 100);
    let trackers = scene.engine.take_changed_trackers();
    let begun = |jails: Vec<jail::Settings>| {
        let restored = Restored { trackers: trackers.clone(), ..Restored::default() };
        let (engine, _) = Engine::new(settings(jails, &["web", "other"]), restored, at(500));
        Scene { engine, now: 500 }
    };
    let mut same = begun(vec![jail("j"), again()]);
    assert_eq!(same.ban_by_log("203.0.113.7", 501).len(), 2);
    let mut other = begun(vec![jail("j"), jail::Settings { of_bans: false, ..again() }]);
    assert_eq!(other.offend("203.0.113.7", 501, &["again"]), [""; 0]);
}

#[test]
fn a_ban_that_was_over_when_it_was_found_counts_and_one_that_is_withheld_does_not() {
    let mut scene = scene(vec![jail("j"), again()]);
    scene.now = 900;
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["past 203.0.113.7 by j until 400"]);
    assert_eq!(scene.counted("again").0, 1);
    scene.engine.pause(Some(jail_name("j")), None).unwrap();
    assert_eq!(scene.ban_by_log("203.0.113.8", 900), ["withheld 203.0.113.8 by j until 1200"]);
    assert_eq!(scene.counted("again").0, 1);
}
