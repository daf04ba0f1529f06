//! Entering and leaving a simulation: no verdict of the one holds in the other.

use super::*;

fn with(simulate: bool) -> Settings {
    settings(vec![jail::Settings { simulate, ..jail("j") }, jail("k")], &["web"])
}

fn simulated(scene: &Scene) -> usize {
    scene.engine.counts(at(scene.now)).iter().map(|counts| counts.bans_simulated).sum()
}

#[test]
fn leaving_the_simulation_enforces_none_of_its_verdicts_but_its_windows_count() {
    let mut scene = Scene::with(with(true));
    scene.ban_by_log("203.0.113.7", 100);
    scene.offend("203.0.113.8", 100, &["j"]);
    scene.offend("203.0.113.8", 101, &["j"]);
    assert_eq!(simulated(&scene), 1);
    let why = scene.engine.why(address("203.0.113.7"), at(102));
    assert!(!why.banned && why.bans.len() == 1 && why.bans[0].simulated);
    let effects = scene.engine.reconfigure(with(false), at(102));
    assert_eq!(told(&effects), ["simulation 203.0.113.7 by j until 400"]);
    assert_eq!((scene.published("web").0, simulated(&scene)), (Vec::new(), 0));
    assert!(scene.engine.why(address("203.0.113.7"), at(102)).bans.is_empty());
    // Offences were made, whatever was to follow from them.
    assert_eq!(scene.offend("203.0.113.8", 103, &["j"]), ["banned 203.0.113.8 by j until 403"]);
    // What was used up by a verdict of the simulation is gone.
    scene.offend("203.0.113.7", 103, &["j"]);
    scene.offend("203.0.113.7", 103, &["j"]);
    assert_eq!(scene.offend("203.0.113.7", 104, &["j"]), ["banned 203.0.113.7 by j until 404"]);
}

#[test]
fn entering_the_simulation_releases_what_the_jail_banned_but_nothing_else() {
    let mut scene = Scene::with(with(false));
    scene.ban_by_log("203.0.113.7", 100);
    (0..3).for_each(|_| drop(scene.offend("203.0.113.8", 100, &["k"])));
    let by_hand =
        |text| Order { prefix: prefix(text), jail: Some(jail_name("j")), term: Term::Forever, reason: None };
    scene.engine.ban(by_hand("203.0.113.9"), at(101)).unwrap();
    let effects = scene.engine.reconfigure(with(true), at(102));
    assert_eq!(told(&effects), ["simulation 203.0.113.7 by j until 400"]);
    assert_eq!(scene.published("web").0, ["203.0.113.8", "203.0.113.9"]);
    // The gate still refuses until it knows: these are hits, and then offences of a simulation.
    scene.offend("203.0.113.7", 103, &["j"]);
    scene.settle("web");
    scene.now = 110;
    assert_eq!(scene.ban_by_log("203.0.113.7", 110), ["banned 203.0.113.7 by j until 410"]);
    assert_eq!((scene.published("web").0.len(), simulated(&scene)), (2, 1));
}

#[test]
fn both_hold_over_a_restart() {
    for before in [true, false] {
        let mut scene = Scene::with(with(before));
        scene.ban_by_log("203.0.113.7", 100);
        scene.now = 101;
        let (scene, told) = scene.restart(with(before));
        assert_eq!((told.len(), scene.engine.bans().count()), (0, 1));
        let (scene, told) = scene.restart(with(!before));
        assert_eq!(told, ["simulation 203.0.113.7 by j until 400"]);
        assert_eq!((scene.published("web").0.len(), scene.engine.bans().count()), (0, 0));
    }
}

#[test]
fn what_is_over_when_the_simulation_ends_ended_by_itself() {
    let mut scene = Scene::with(with(true));
    scene.ban_by_log("203.0.113.7", 100);
    scene.now = 500;
    let (_, told) = scene.restart(with(false));
    assert_eq!(told, ["expired 203.0.113.7 by j until 400"]);
}
