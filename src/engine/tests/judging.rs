//! Windows, groups, times, pauses, restart.

use super::*;
use crate::terms::Pause;

#[test]
fn the_third_offence_bans_and_consumes_the_window() {
    let mut scene = Scene::new(vec![jail("j")]);
    assert!(scene.offend("203.0.113.7", 100, &["j"]).is_empty());
    assert!(scene.offend("203.0.113.7", 101, &["j"]).is_empty());
    let near = scene.engine.why(address("203.0.113.7"), at(101));
    assert_eq!((near.windows[0].offences, near.evidence.len()), (2, 2));
    scene.now = 102;
    let effects = scene.observe(record("203.0.113.7", 102, &["j"]));
    let ban = effects.changes[0].ban();
    assert_eq!((ban.prefix.to_string().as_str(), ban.until), ("203.0.113.7", Some(at(402))));
    let lines: Vec<&str> = ban.evidence.iter().map(|evidence| &*evidence.text).collect();
    assert_eq!(lines, ["203.0.113.7 at 100", "203.0.113.7 at 101", "203.0.113.7 at 102"]);
    let why = scene.engine.why(address("203.0.113.7"), at(102));
    assert!(why.banned && why.windows.is_empty());
    assert_eq!(why.bans[0].offences, 3);
    assert!(why.bans[0].evidence.is_empty(), "its lines went out with the change");
    assert_eq!(scene.tick(401), [""; 0]);
    assert_eq!(scene.engine.next_expiry(), Some(at(402)));
    assert_eq!(scene.tick(402), ["expired 203.0.113.7 by j until 402"]);
    assert_eq!(scene.engine.next_expiry(), None);
}

#[test]
fn what_is_over_ends_before_a_record_is_judged() {
    let mut scene = Scene::with(settings(vec![jail::Settings { maxretry: 1, ..jail("j") }], &[]));
    assert_eq!(scene.offend("203.0.113.7", 100, &["j"]), ["banned 203.0.113.7 by j until 400"]);
    assert_eq!(scene.offend("203.0.113.7", 399, &["j"]), [""; 0]);
    assert_eq!(
        scene.offend("203.0.113.7", 400, &["j"]),
        ["expired 203.0.113.7 by j until 400", "banned 203.0.113.7 by j until 700"]
    );
    assert_eq!(scene.counted("j"), (2, 1, 2));
}

#[test]
fn ipv6_clients_are_counted_and_banned_by_their_64() {
    let mut scene = Scene::new(vec![jail("j")]);
    for client in ["2001:db8:0:1::1", "2001:db8:0:1::2"] {
        assert!(scene.offend(client, 100, &["j"]).is_empty());
    }
    assert_eq!(
        scene.offend("2001:db8:0:1:8000::3", 100, &["j"]),
        ["banned 2001:db8:0:1::/64 by j until 400"]
    );
    assert!(scene.engine.why(address("2001:db8:0:1::77"), at(100)).banned);
    assert!(!scene.engine.why(address("2001:db8:0:2::1"), at(100)).banned);
}

#[test]
fn a_network_that_a_line_names_is_counted_and_banned_whole_unless_that_is_too_much() {
    for (client, length, banned) in [
        ("203.0.113.0", 24, "203.0.113.0/24"),
        ("203.0.0.0", 16, "203.0.0.0/16"),
        ("203.0.0.0", 15, "203.0.0.0"),
        ("203.0.113.0", 0, "203.0.113.0"),
        ("203.0.113.7", 32, "203.0.113.7"),
        ("2001:db8::", 48, "2001:db8::/48"),
        ("2001:db8::", 31, "2001:db8::/64"),
        ("2001:db8::", 96, "2001:db8::/64"),
        // A trusted proxy, or who is allowed, lies inside: the address alone.
        ("10.10.1.0", 24, "10.10.1.0"),
        ("198.51.100.0", 24, "198.51.100.0"),
    ] {
        let mut protected = settings(vec![jail::Settings { maxretry: 2, ..jail("j") }], &["web"]);
        protected.jails[0].allow = allow(&["198.51.100.77"]);
        let mut scene = Scene::with(protected);
        let mut offend = || {
            let offences = [Offence { network: Some(length), ..offence("j") }].into_iter().collect();
            told(&scene.observe(Observation { offences, ..record(client, 0, &[]) }))
        };
        assert!(offend().is_empty());
        assert_eq!(offend(), [format!("banned {banned} by j until 300")], "{client}/{length}");
    }
}

#[test]
fn jails_count_apart_and_a_record_may_make_several_ban() {
    let mut scene = Scene::new(vec![jail("j"), jail("k")]);
    scene.offend("203.0.113.7", 100, &["j", "k"]);
    scene.offend("203.0.113.7", 100, &["j", "k"]);
    assert_eq!(scene.engine.why(address("203.0.113.7"), at(100)).windows.len(), 2);
    assert_eq!(
        scene.offend("203.0.113.7", 100, &["j", "k", "unknown"]),
        ["banned 203.0.113.7 by j until 400", "banned 203.0.113.7 by k until 400"]
    );
    assert_eq!(scene.published("web").0, ["203.0.113.7"]);
}

#[test]
fn an_output_releases_an_address_with_its_last_row() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    let order = Order { prefix: prefix("203.0.113.7"), jail: None, term: Term::Forever, reason: None };
    scene.engine.ban(order, at(100)).unwrap();
    scene.tick(400);
    assert_eq!(scene.published("web").0, ["203.0.113.7"]);
    scene.engine.unban(prefix("203.0.113.7"), None, at(401)).unwrap();
    assert_eq!(scene.published("web").0, [""; 0]);
}

#[test]
fn a_ban_found_when_it_is_over_is_history_only() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.now = 10_000;
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["past 203.0.113.7 by j until 400"]);
    assert_eq!(scene.engine.bans().count(), 0);
    assert_eq!(scene.published("web").0, [""; 0]);
    // What was logged before its end would have been hits.
    scene.offend("203.0.113.7", 399, &["j"]);
    assert_eq!(scene.counted("j"), (3, 1, 0));
    assert_eq!(scene.ban_by_log("203.0.113.7", 400), ["past 203.0.113.7 by j until 700"]);
    assert_eq!(scene.ban_by_log("203.0.113.7", 9_800), ["banned 203.0.113.7 by j until 10100"]);
}

#[test]
fn a_ban_that_is_over_consumes_only_what_lies_before_its_end() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.now = 10_000;
    for second in [100, 110, 500] {
        assert_eq!(scene.offend("203.0.113.7", second, &["j"]), [""; 0]);
    }
    assert_eq!(scene.offend("203.0.113.7", 120, &["j"]), ["past 203.0.113.7 by j until 420"]);
    assert_eq!(scene.offend("203.0.113.7", 510, &["j"]), [""; 0]);
    assert_eq!(scene.offend("203.0.113.7", 520, &["j"]), ["past 203.0.113.7 by j until 820"]);
}

#[test]
fn a_late_offence_completes_the_window_of_a_later_one() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.offend("203.0.113.7", 100, &["j"]);
    scene.offend("203.0.113.7", 150, &["j"]);
    assert_eq!(scene.offend("203.0.113.7", 120, &["j"]), ["banned 203.0.113.7 by j until 450"]);
}

#[test]
fn an_event_time_is_never_later_than_now() {
    let mut scene = Scene::new(vec![jail::Settings { maxretry: 1, ..jail("j") }]);
    scene.now = 50;
    let effects = scene.observe(record("203.0.113.7", 9999, &["j"]));
    assert_eq!(told(&effects), ["banned 203.0.113.7 by j until 350"]);
}

#[test]
fn a_ban_of_forever_never_ends_nor_does_one_beyond_the_calendar() {
    let long = |bantime| jail::Settings { bantime, maxretry: 1, ..jail("j") };
    let mut scene = Scene::new(vec![long(None)]);
    assert_eq!(scene.offend("203.0.113.7", 1, &["j"]), ["banned 203.0.113.7 by j until forever"]);
    let mut scene = Scene::new(vec![long(Some(SignedDuration::MAX))]);
    scene.offend("203.0.113.7", 1, &["j"]);
    assert_eq!(scene.engine.next_expiry(), Some(Timestamp::MAX));
}

#[test]
fn a_paused_jail_judges_and_bans_nobody() {
    let mut scene = Scene::new(vec![jail("j"), jail("k")]);
    assert!(matches!(scene.engine.pause(Some(jail_name("x")), None), Err(Refusal::UnknownJail { .. })));
    scene.engine.pause(Some(jail_name("j")), Some(at(200))).unwrap();
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["withheld 203.0.113.7 by j until 400"]);
    assert_eq!(scene.ban_by_log("203.0.113.7", 101), ["withheld 203.0.113.7 by j until 401"], "consumed");
    for _ in 0..2 {
        scene.offend("203.0.113.7", 102, &["k"]);
    }
    assert_eq!(scene.offend("203.0.113.7", 102, &["k"]), ["banned 203.0.113.7 by k until 402"]);
    assert_eq!(scene.engine.next_expiry(), Some(at(200)));
    assert_eq!(scene.tick(200).len(), 1, "it is said that the pause is over");
    assert_eq!(scene.ban_by_log("203.0.113.8", 201), ["banned 203.0.113.8 by j until 501"]);
}

#[test]
fn pauses_end_by_resume_and_survive_a_restart() {
    let mut scene = Scene::new(vec![jail("j")]);
    assert_eq!(scene.engine.resume(None), Err(Refusal::NotPaused(None)));
    scene.engine.pause(None, None).unwrap();
    assert_eq!(scene.engine.resume(Some(&jail_name("j"))), Err(Refusal::AllPaused(jail_name("j"))));
    let pauses = scene.engine.pauses().to_vec();
    assert_eq!(pauses, [Pause { jail: None, until: None }]);
    let restored = Restored { pauses, ..Restored::default() };
    let (engine, _) = Engine::new(settings(vec![jail("j")], &["web"]), restored, at(0));
    let mut scene = Scene { engine, now: 0 };
    assert_eq!(scene.ban_by_log("203.0.113.7", 100), ["withheld 203.0.113.7 by j until 400"]);
    scene.engine.resume(None).unwrap();
    assert_eq!(scene.ban_by_log("203.0.113.7", 101), ["banned 203.0.113.7 by j until 401"]);
}

#[test]
fn a_restart_keeps_bans_and_windows_and_goes_on_with_generations() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    scene.offend("203.0.113.8", 100, &["j"]);
    scene.offend("203.0.113.8", 100, &["j"]);
    let trackers = scene.engine.take_changed_trackers();
    let kept: Vec<_> = trackers.iter().map(|entry| (entry.prefix, entry.marks.len())).collect();
    assert_eq!(kept, [(prefix("203.0.113.8"), 2)]);
    let restored = Restored {
        generation: 77,
        bans: scene.engine.bans().map(|ban| Ban::clone(ban)).collect(),
        trackers,
        ..Restored::default()
    };
    let (engine, effects) = Engine::new(settings(vec![jail("j")], &["web"]), restored.clone(), at(110));
    assert!(told(&effects).is_empty() && engine.generation() > 77);
    let mut scene = Scene { engine, now: 110 };
    assert_eq!(scene.published("web").0, ["203.0.113.7"]);
    assert_eq!(scene.offend("203.0.113.8", 110, &["j"]), ["banned 203.0.113.8 by j until 410"]);
    // What ended meanwhile is told, and what was read before the end is a hit.
    let (engine, effects) = Engine::new(settings(vec![jail("j")], &["web"]), restored, at(1000));
    assert_eq!(told(&effects), ["expired 203.0.113.7 by j until 400"]);
    let mut scene = Scene { engine, now: 1000 };
    scene.offend("203.0.113.7", 300, &["j"]);
    assert_eq!(scene.counted("j"), (0, 1, 0));
}

#[test]
fn windows_of_a_jail_that_is_gone_are_forgotten_by_the_store() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.offend("203.0.113.8", 100, &["j"]);
    let trackers = scene.engine.take_changed_trackers();
    let restored = Restored { trackers, ..Restored::default() };
    let (mut engine, _) = Engine::new(settings(vec![jail("k")], &["web"]), restored, at(110));
    let gone = engine.take_changed_trackers();
    assert_eq!(gone.len(), 1);
    assert!(gone[0].marks.is_empty() && gone[0].jail == jail_name("j"));
}

#[test]
fn distinct_values_count_only_where_the_jail_says_so() {
    let distinct = jail::Settings { distinct: true, ..jail("d") };
    let mut scene = Scene::new(vec![distinct, jail("j")]);
    let mut with_value = |value| {
        let offence =
            |name: &str| Offence { jail: jail_name(name), distinct: Some(value), weight: 1, network: None };
        let offences = [offence("d"), offence("j")].into_iter().collect();
        told(&scene.observe(Observation { offences, ..record("203.0.113.7", 0, &[]) }))
    };
    assert!(with_value(1).is_empty() && with_value(1).is_empty());
    assert_eq!(with_value(1), ["banned 203.0.113.7 by j until 300"]);
}

#[test]
fn a_full_tracker_is_said_once_in_a_while() {
    let mut scene = Scene::new(vec![jail::Settings { max_tracked: 4, ..jail("j") }]);
    let mut said = Vec::new();
    for number in 0..200 {
        said.extend(scene.offend(&format!("203.0.113.{number}"), 100 + number, &["j"]));
    }
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(scene.offend("203.0.113.222", 1000, &["j"]).len(), 1);
}

#[test]
fn many_bans_that_end_at_once_end_in_parts_and_nobody_is_judged_by_one_of_them() {
    let mut scene = Scene::new(vec![jail("j"), jail::Settings { outputs: Vec::new(), ..jail("silent") }]);
    let client = |number: usize| format!("198.51.{}.{}", number / 256, number % 256);
    for number in 0..3 * Engine::SLICE {
        (0..3).for_each(|_| drop(scene.offend(&client(number), 100, &["silent"])));
    }
    assert_eq!(scene.tick(400).len(), Engine::SLICE);
    assert!(scene.engine.is_behind(at(400)) && scene.engine.next_expiry() == Some(at(400)));
    // Of one that has not ended yet a record is an offence, not a hit, and a new ban is a new one.
    let last = client(3 * Engine::SLICE - 1);
    assert!(scene.engine.bans().any(|ban| ban.prefix == prefix(&last)));
    let told: Vec<String> = (0..3).flat_map(|_| scene.offend(&last, 401, &["silent"])).collect();
    let told: Vec<&String> = told.iter().filter(|told| told.contains(&last)).collect();
    assert_eq!(
        told,
        [&format!("expired {last} by silent until 400"), &format!("banned {last} by silent until 701")]
    );
    while scene.engine.is_behind(at(401)) {
        assert!(scene.tick(401).len() <= Engine::SLICE);
    }
    assert_eq!(scene.engine.bans().count(), 1);
}

#[test]
fn what_is_over_is_not_unbanned_by_hand() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.engine.slice = 0;
    scene.ban_by_log("203.0.113.7", 100);
    let now = at(400);
    assert!(scene.engine.unban(prefix("203.0.113.7"), None, now).is_err());
    assert!(told(&scene.engine.unban_all(None, None, now).unwrap()).is_empty());
    scene.now = 400;
    let by_hand = scene.ban("203.0.113.7").unwrap();
    assert_eq!(
        by_hand,
        ["expired 203.0.113.7 by j until 400", "banned 203.0.113.7 by manual until 700"],
        "the old one does not stand in the way"
    );
}
