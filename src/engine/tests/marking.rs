//! Weights of rules, and jails that challenge.

use super::*;

fn heavy(client: &str, second: i64, weight: u8) -> Observation {
    let offences = [Offence { weight, ..offence("j") }].into_iter().collect();
    Observation { offences, ..record(client, second, &[]) }
}

#[test]
fn an_offence_counts_as_often_as_its_rule_says_and_is_one_offence() {
    let mut scene = Scene::new(vec![jail::Settings { maxretry: 10, ..jail("j") }]);
    scene.now = 102;
    assert!(told(&scene.observe(heavy("203.0.113.7", 100, 6))).is_empty());
    assert!(told(&scene.observe(heavy("203.0.113.7", 101, 3))).is_empty());
    let near = &scene.engine.why(address("203.0.113.7"), at(101)).windows[0];
    assert_eq!((near.offences, near.weight, near.maxretry), (2, 9, 10));
    let effects = scene.observe(heavy("203.0.113.7", 102, 1));
    assert_eq!(told(&effects), ["banned 203.0.113.7 by j until 402"]);
    let ban = effects.changes[0].ban();
    assert_eq!(ban.offences, 3);
    assert_eq!(ban.reason.as_deref(), Some("they count 10 times by the weight of their rules"));
    assert_eq!(scene.counted("j").0, 3);
}

#[test]
fn weights_survive_a_restart() {
    let jails = || vec![jail::Settings { maxretry: 10, ..jail("j") }];
    let mut scene = Scene::new(jails());
    scene.observe(heavy("203.0.113.7", 0, 9));
    let restored = Restored { trackers: scene.engine.take_changed_trackers(), ..Restored::default() };
    let (engine, _) = Engine::new(settings(jails(), &["web"]), restored, at(1));
    let mut scene = Scene { engine, now: 1 };
    assert_eq!(scene.offend("203.0.113.7", 1, &["j"]).len(), 1);
}

/// `c` challenges, `j` bans.
fn challenging() -> Scene {
    Scene::new(vec![jail::Settings { value: Measure::Challenge, ..jail("c") }, jail("j")])
}

fn challenge(scene: &mut Scene, client: &str, second: i64) -> Vec<String> {
    (0..3).flat_map(|_| scene.offend(client, second, &["c"])).collect()
}

fn lists(scene: &Scene) -> (usize, usize) {
    let snapshot = scene.engine.snapshot(&output("web"));
    (snapshot.prefixes.len(), snapshot.challenged.len())
}

#[test]
fn a_challenged_client_can_still_be_banned_and_makes_hits_for_those_that_challenge() {
    let mut scene = challenging();
    assert_eq!(challenge(&mut scene, "203.0.113.7", 100).len(), 1);
    assert_eq!(lists(&scene), (0, 1));
    let why = scene.engine.why(address("203.0.113.7"), at(100));
    assert!(why.challenged && !why.banned);
    // To `c` it is a hit, to `j` an offence.
    scene.offend("203.0.113.7", 101, &["c", "j"]);
    assert_eq!((scene.counted("c"), scene.counted("j")), ((3, 1, 1), (1, 0, 0)));
    // The page of the challenge may be a 403: that is no offence.
    scene.observe(Observation { refused: true, ..record("203.0.113.7", 101, &["j"]) });
    assert_eq!(scene.counted("j").0, 1);
    scene.offend("203.0.113.7", 102, &["j"]);
    assert_eq!(scene.offend("203.0.113.7", 103, &["j"]), ["banned 203.0.113.7 by j until 403"]);
    assert_eq!(lists(&scene), (1, 1));
    let why = scene.engine.why(address("203.0.113.7"), at(103));
    assert!(!why.challenged && why.banned);
}

#[test]
fn that_a_challenged_client_is_answered_is_no_ban_without_effect() {
    let mut scene = challenging();
    challenge(&mut scene, "203.0.113.7", 100);
    scene.settle("web");
    for second in 110..120 {
        scene.now = second;
        let effects = scene.observe(record("203.0.113.7", second, &["c"]));
        assert!(effects.notices.is_empty(), "{:?}", effects.notices);
    }
    let counts = scene.engine.counts(at(120));
    let counts = counts.iter().find(|counts| counts.jail.as_str() == "c").unwrap();
    assert_eq!((counts.hits_total, counts.hits_passed), (10, 0));
}

#[test]
fn a_jail_that_bans_from_now_on_replaces_its_challenges() {
    let mut scene = challenging();
    challenge(&mut scene, "203.0.113.7", 100);
    scene.engine.reconfigure(settings(vec![jail("c")], &["web"]), at(101));
    assert_eq!(lists(&scene), (0, 1), "what was decided stays");
    assert_eq!(challenge(&mut scene, "203.0.113.7", 102), ["banned 203.0.113.7 by c until 402"]);
    assert_eq!(lists(&scene), (1, 0));
}

#[test]
fn challenges_make_bans_of_their_own_jail_longer_and_of_no_other() {
    let growing = |scope| Some(jail::Escalation { scope, ..jail::Escalation::default() });
    let c = jail::Settings { value: Measure::Challenge, escalation: growing(jail::Scope::Jail), ..jail("c") };
    let j = jail::Settings { escalation: growing(jail::Scope::All), ..jail("j") };
    let mut scene = Scene::new(vec![c, j]);
    challenge(&mut scene, "203.0.113.7", 100);
    scene.tick(410);
    scene.settle("web");
    scene.tick(420);
    assert_eq!(scene.ban_by_log("203.0.113.7", 420), ["banned 203.0.113.7 by j until 720"]);
    let earlier = &scene.engine.why(address("203.0.113.7"), at(420)).earlier;
    assert_eq!(earlier.iter().map(|e| e.jail.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_challenge_spares_whom_its_jail_allows_and_by_hand_it_does_what_the_jail_does() {
    let c = jail::Settings { value: Measure::Challenge, allow: allow(&["203.0.113.9"]), ..jail("c") };
    let mut scene = Scene::new(vec![c]);
    let order = Order {
        prefix: prefix("203.0.113.0/24"),
        jail: Some(jail_name("c")),
        term: Term::Usual,
        reason: None,
    };
    scene.engine.ban(order, at(1)).unwrap();
    let snapshot = scene.engine.snapshot(&output("web"));
    assert_eq!((snapshot.prefixes.len(), snapshot.challenged.len(), snapshot.spared.len()), (0, 1, 1));
}
