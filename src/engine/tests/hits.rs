//! Hit or offence, hits that a gate lets pass, and hits that prolong.

use super::*;

fn refused(observation: Observation) -> Observation {
    Observation { refused: true, ..observation }
}

#[test]
fn records_of_a_banned_address_are_hits_for_every_jail_whose_outputs_have_the_ban() {
    let narrow = jail("j");
    let wide = jail::Settings { outputs: vec![output("web"), output("other")], ..jail("k") };
    let silent = jail::Settings { outputs: Vec::new(), ..jail("s") };
    let mut scene = Scene::with(settings(vec![narrow, wide, silent], &["web", "other"]));
    scene.ban_by_log("203.0.113.7", 100);
    scene.offend("203.0.113.7", 101, &["j"]);
    assert_eq!(scene.counted("j"), (3, 1, 1));
    // The ban of `j` is not in every output of `k`; `s` has none, so only its own bans count.
    scene.offend("203.0.113.7", 102, &["k", "s"]);
    assert_eq!((scene.counted("k"), scene.counted("s")), ((1, 0, 0), (1, 0, 0)));
    assert_eq!(scene.counted("j"), (3, 2, 1), "it is a hit of the jail that has the ban");
    // Refused: somebody's ban works, whosever it is.
    let effects = scene.observe(refused(record("203.0.113.7", 103, &["k", "s"])));
    assert!(told(&effects).is_empty());
    assert_eq!((scene.counted("k"), scene.counted("s")), ((1, 0, 0), (1, 0, 0)));
    // Together two bans cover what one does not.
    let order = |prefix| Order { prefix, jail: None, term: Term::Usual, reason: None };
    scene.engine.ban(order(prefix("203.0.113.0/24")), at(103)).unwrap();
    scene.offend("203.0.113.7", 104, &["k"]);
    assert_eq!((scene.counted("k").0, scene.counted("manual").1), (1, 1));
}

#[test]
fn a_refused_record_without_a_ban_is_an_offence() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.observe(refused(record("203.0.113.7", 0, &["j"])));
    assert_eq!(scene.counted("j"), (1, 0, 0));
}

#[test]
fn a_simulated_ban_makes_hits_in_its_own_jail_only_and_none_once_the_jail_is_serious() {
    let simulating = || jail::Settings { simulate: true, ..jail("s") };
    let mut scene = Scene::new(vec![simulating(), jail("j")]);
    for _ in 0..3 {
        scene.offend("203.0.113.7", 100, &["s"]);
    }
    assert_eq!(scene.published("web").0, [""; 0]);
    let generation = scene.engine.generation();
    scene.offend("203.0.113.7", 101, &["s", "j"]);
    scene.observe(refused(record("203.0.113.7", 101, &["j"])));
    assert_eq!((scene.counted("s"), scene.counted("j").0), ((3, 2, 1), 2));
    assert_eq!(scene.engine.generation(), generation);
    // Leaving the simulation enforces nothing; offences count anew and ban.
    let effects = scene.engine.reconfigure(settings(vec![jail("s"), jail("j")], &["web"]), at(102));
    assert_eq!(told(&effects), ["simulation 203.0.113.7 by s until 400"]);
    assert_eq!(scene.published("web").0, [""; 0]);
    let banned: Vec<String> = (0..3).flat_map(|_| scene.offend("203.0.113.7", 103, &["s"])).collect();
    assert_eq!(banned, ["banned 203.0.113.7 by s until 403"]);
    assert_eq!((scene.published("web").0.len(), scene.engine.bans().count()), (1, 1));
}

#[test]
fn a_ban_that_ended_makes_hits_until_its_outputs_settled_and_two_seconds_more() {
    let mut scene = Scene::with(settings(
        vec![jail::Settings { outputs: vec![output("web"), output("other")], ..jail("j") }],
        &["web", "other"],
    ));
    scene.ban_by_log("203.0.113.7", 100);
    let before = scene.engine.generation();
    scene.tick(400);
    let offences = |scene: &mut Scene, second| {
        let before = scene.counted("j").0;
        scene.offend("203.0.113.7", second, &["j"]);
        scene.counted("j").0 - before
    };
    assert_eq!(offences(&mut scene, 405), 0, "nobody has told the gate");
    scene.engine.settled(&output("web"), before, at(405));
    scene.settle("other");
    assert_eq!(offences(&mut scene, 410), 0, "one output has an older generation");
    scene.settle("web");
    assert_eq!(offences(&mut scene, 411), 0, "requests in flight");
    assert_eq!(offences(&mut scene, 412), 1);
    assert_eq!(offences(&mut scene, 399), 0, "logged before the end");
    scene.tick(5000);
    assert!(scene.engine.echoes.is_empty());
}

#[test]
fn an_unbanned_address_starts_afresh_once_its_outputs_settled() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    scene.engine.unban(prefix("203.0.113.7"), None, at(101)).unwrap();
    scene.offend("203.0.113.7", 101, &["j"]);
    assert_eq!(scene.counted("j"), (3, 1, 1));
    scene.settle("web");
    // Lines from before the command are not hits for ever.
    scene.now = 110;
    scene.offend("203.0.113.7", 100, &["j"]);
    assert_eq!(scene.counted("j"), (4, 1, 1));
}

#[test]
fn a_removed_output_is_not_waited_for() {
    let both = || jail::Settings { outputs: vec![output("web"), output("other")], ..jail("j") };
    let mut scene = Scene::with(settings(vec![both()], &["web", "other"]));
    scene.ban_by_log("203.0.113.7", 100);
    scene.engine.unban(prefix("203.0.113.7"), None, at(101)).unwrap();
    scene.engine.reconfigure(settings(vec![jail("j")], &["web"]), at(102));
    scene.now = 103;
    scene.settle("web");
    scene.offend("203.0.113.7", 105, &["j"]);
    assert_eq!(scene.counted("j").0, 4);
}

#[test]
fn records_without_offence_are_hits_where_their_address_is_banned() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban("203.0.113.0/24").unwrap();
    for client in ["203.0.113.7", "203.0.113.8", "203.0.114.1"] {
        scene.observe(record(client, 0, &[]));
    }
    assert_eq!((scene.counted("manual").1, scene.counted("j").1), (2, 0));
}

#[test]
fn hits_that_pass_the_gate_are_told_from_the_third_on_and_not_for_each() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    let passed = |scene: &Scene| scene.engine.counts(at(scene.now))[1].hits_passed;
    assert_eq!(scene.offend("203.0.113.7", 105, &["j"]), [""; 0]);
    scene.settle("web");
    assert_eq!(passed(&scene), 0, "the output did not have it yet");
    scene.offend("203.0.113.7", 107, &["j"]);
    assert_eq!(passed(&scene), 0, "requests in flight");
    scene.observe(refused(record("203.0.113.7", 107, &["j"])));
    let late = Observation { logged: Some(at(101)), ..record("203.0.113.7", 107, &["j"]) };
    scene.now = 120;
    scene.observe(late);
    assert_eq!(passed(&scene), 0, "refused, or logged before");
    let said: Vec<Effects> =
        (0..9).map(|second| scene.observe(record("203.0.113.7", 110 + second, &["j"]))).collect();
    let said: Vec<&Notice> = said.iter().flat_map(|effects| &effects.notices).collect();
    let expected = Notice::NoEffect {
        prefix: prefix("203.0.113.7"),
        jail: jail_name("j"),
        outputs: vec![output("web")],
        passed: 3,
    };
    assert_eq!((passed(&scene), said), (9, vec![&expected]));
}

#[test]
fn a_gate_that_a_ban_is_not_meant_for_is_not_blamed() {
    let other = jail::Settings { outputs: vec![output("other")], ..jail("k") };
    let mut scene = Scene::with(settings(vec![jail("j"), other], &["web", "other"]));
    scene.ban_by_log("203.0.113.7", 100);
    scene.settle("web");
    scene.now = 200;
    for _ in 0..5 {
        scene.observe(record("203.0.113.7", 150, &[]));
        scene.observe(record("203.0.113.7", 150, &["k"]));
    }
    let counts = scene.engine.counts(at(200));
    assert!(counts.iter().all(|counts| counts.hits_passed == 0), "{counts:?}");
}

#[test]
fn hits_prolong_a_ban_where_the_jail_says_so_and_never_one_by_hand() {
    let mut scene = Scene::new(vec![jail::Settings { extend: true, ..jail("j") }, jail("k")]);
    scene.ban_by_log("203.0.113.7", 0);
    assert_eq!(scene.offend("203.0.113.7", 100, &["k"]), ["extended 203.0.113.7 by j until 400"]);
    assert_eq!(scene.offend("203.0.113.7", 102, &["j"]), [""; 0], "hardly later");
    let late = Observation { at: at(50), ..record("203.0.113.7", 150, &[]) };
    assert_eq!(told(&scene.observe(late)), [""; 0], "it happened before the last one");
    assert_eq!(scene.tick(399), [""; 0]);
    assert_eq!(scene.tick(400), ["expired 203.0.113.7 by j until 400"]);
    let order =
        Order { prefix: prefix("203.0.113.8"), jail: Some(jail_name("j")), term: Term::Usual, reason: None };
    scene.engine.ban(order, at(400)).unwrap();
    assert_eq!(scene.offend("203.0.113.8", 500, &["j"]), [""; 0]);
}
