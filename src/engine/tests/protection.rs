//! Never the wrong client: proxies, loopback, this host, allow lists, holes.

use super::*;

fn thrice(scene: &mut Scene, clients: [&str; 3]) -> Vec<String> {
    clients.into_iter().flat_map(|client| scene.offend(client, 100, &["j"])).collect()
}

#[test]
fn protected_addresses_are_never_counted() {
    let mut scene = Scene::new(vec![jail::Settings { allow: allow(&["198.51.100.0/24"]), ..jail("j") }]);
    for client in [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
        "::",
        "10.10.1.25",
        "10.20.1.99",
        "192.0.2.80",
        "198.51.100.4",
    ] {
        assert_eq!(thrice(&mut scene, [client; 3]), [""; 0], "{client}");
        assert!(scene.engine.why(address(client), at(100)).protected_by.is_some(), "{client}");
    }
    assert_eq!(scene.counted("j"), (0, 0, 0));
}

#[test]
fn an_offence_that_protection_keeps_from_counting_is_told_with_the_entry() {
    let by_jail = jail::Settings { allow: allow(&["198.51.100.0/24"]), ..jail("j") };
    let mut scene = Scene::new(vec![by_jail, jail("k")]);
    scene.now = 100;
    let mut spared = |client: &str| {
        let effects = scene.observe(record(client, 90, &["j", "k", "gone"]));
        let told = effects.spared.iter().map(|spared| {
            assert_eq!((spared.address, spared.at), (address(client), at(90)));
            format!("{} by {} ({})", spared.offence.jail, spared.by.prefix, spared.by.origin)
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(spared("198.51.100.4"), ["j by 198.51.100.0/24 (ignoreip)"]);
    let proxy = "by 10.20.1.0/24 (trusted proxy 10.20.1.0/24 (ignoreip))";
    assert_eq!(spared("10.20.1.9"), [format!("j {proxy}"), format!("k {proxy}")]);
    assert_eq!(spared("203.0.113.7"), [""; 0]);
}

#[test]
fn why_names_the_rule() {
    let by_jail = jail::Settings { allow: allow(&["198.51.100.0/24"]), ..jail("j") };
    let mut given = settings(vec![by_jail], &["web"]);
    given.manual.allow = allow(&["2001:db8::/32"]);
    let scene = Scene::with(given);
    for (client, rule) in [
        ("127.0.0.1", Some("a loopback address")),
        ("10.20.1.7", Some("trusted proxy 10.20.1.0/24 (ignoreip)")),
        ("192.0.2.80", Some("an address of this host")),
        ("2001:db8::1", Some("allowed: 2001:db8::/32 (ignoreip)")),
        ("198.51.100.4", Some("allowed: 198.51.100.0/24 (ignoreip), in jail `j`")),
        ("203.0.113.7", None),
    ] {
        let why = scene.engine.why(address(client), at(0));
        assert_eq!(why.protected_by.as_deref(), rule, "{client}");
    }
}

#[test]
fn a_crowd_is_released_and_not_banned_again_while_it_is_one() {
    let mut scene = Scene::new(vec![jail("j")]);
    let proxy = "10.9.9.9";
    assert_eq!(thrice(&mut scene, [proxy; 3]), ["banned 10.9.9.9 by j until 400"]);
    let mut given = settings(vec![jail("j")], &["web"]);
    given.protected.crowds = vec![("site".parse().unwrap(), address(proxy))];
    let released = scene.engine.reconfigure(given.clone(), at(100));
    assert_eq!(released.changes.len(), 1);
    assert!(
        matches!(&released.changes[0], Change::Ended(ban, Ended::Allowed) if ban.prefix == prefix(proxy))
    );
    assert_eq!(thrice(&mut scene, [proxy; 3]), [""; 0]);
    let why = scene.engine.why(address(proxy), at(100)).protected_by;
    assert_eq!(why.as_deref(), Some("wrong-client guard: most lines of source site come from it"));
    let order = Order { prefix: prefix(proxy), jail: None, term: Term::Usual, reason: None };
    assert!(matches!(scene.engine.ban(order, at(100)), Err(Refusal::Protected { .. })));
    given.protected.crowds.clear();
    scene.engine.reconfigure(given, at(100));
    assert_eq!(thrice(&mut scene, [proxy; 3]), ["banned 10.9.9.9 by j until 400"]);
}

#[test]
fn members_count_one_by_one_where_one_of_the_group_is_protected() {
    let grouped = jail::Settings {
        group: Group { v4: 24, v6: 64 },
        allow: allow(&["203.0.113.1", "2001:db8::1"]),
        ..jail("j")
    };
    let mut scene = Scene::new(vec![grouped]);
    assert_eq!(thrice(&mut scene, ["203.0.113.7", "203.0.113.8", "203.0.113.9"]), [""; 0]);
    assert_eq!(thrice(&mut scene, ["203.0.113.1"; 3]), [""; 0]);
    assert_eq!(thrice(&mut scene, ["203.0.113.50"; 3]), ["banned 203.0.113.50 by j until 400"]);
    assert_eq!(thrice(&mut scene, ["2001:db8::2"; 3]), ["banned 2001:db8::2 by j until 400"]);
    assert_eq!(
        thrice(&mut scene, ["198.51.100.1", "198.51.100.2", "198.51.100.3"]),
        ["banned 198.51.100.0/24 by j until 400"]
    );
    // A proxy inside splits a group just so.
    assert_eq!(thrice(&mut scene, ["10.20.1.1", "10.20.1.2", "10.10.1.24"]), [""; 0]);
    assert_eq!(thrice(&mut scene, ["10.10.1.26"; 3]), ["banned 10.10.1.26 by j until 400"]);
}

#[test]
fn protected_members_of_a_banned_prefix_are_holes_and_make_no_hits() {
    let mut given = settings(vec![jail("j")], &["web"]);
    given.manual.allow = allow(&["10.10.1.0/28", "203.0.113.9"]);
    given.jails[0].allow = given.manual.allow.clone();
    let mut scene = Scene::with(given);
    scene.ban("10.10.0.0/16").unwrap();
    assert_eq!(
        scene.published("web"),
        (vec!["10.10.0.0/16".to_owned()], vec!["10.10.1.0/28".to_owned(), "10.10.1.25".to_owned()])
    );
    for (client, banned) in [("10.10.1.25", false), ("10.10.1.3", false), ("10.10.1.26", true)] {
        assert_eq!(scene.engine.why(address(client), at(0)).banned, banned, "{client}");
        scene.observe(record(client, 0, &["j"]));
    }
    assert_eq!((scene.counted("manual").1, scene.counted("j").0), (1, 0));
}

#[test]
fn what_one_jail_allows_and_another_bans_is_split_exactly() {
    let lenient = jail::Settings { allow: allow(&["203.0.113.8/29"]), ..jail("lenient") };
    let mut scene = Scene::with(settings(vec![jail("j"), lenient], &["web"]));
    let order = |text, name| Order {
        prefix: prefix(text),
        jail: Some(jail_name(name)),
        term: Term::Usual,
        reason: None,
    };
    scene.engine.ban(order("203.0.113.0/28", "lenient"), at(0)).unwrap();
    let whole = (vec!["203.0.113.0/28".to_owned()], vec!["203.0.113.8/29".to_owned()]);
    assert_eq!(scene.published("web"), whole);
    scene.engine.ban(order("203.0.113.9", "j"), at(0)).unwrap();
    let split = vec!["203.0.113.0/29".to_owned(), "203.0.113.9".to_owned()];
    assert_eq!(scene.published("web"), (split, Vec::new()));
    scene.engine.ban(order("203.0.113.0/28", "j"), at(0)).unwrap();
    let union = ["203.0.113.0/28", "203.0.113.0/29", "203.0.113.9"].map(str::to_owned).to_vec();
    assert_eq!(scene.published("web"), (union, Vec::new()));
}

#[test]
fn what_becomes_allowed_is_unbanned_at_once_and_members_become_holes() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    scene.ban_by_log("203.0.113.8", 100);
    scene.ban("198.51.100.0/24").unwrap();
    let mut given = settings(vec![jail("j")], &["web"]);
    given.jails[0].allow = allow(&["203.0.113.7"]);
    given.protected.trusted = allow(&["203.0.113.8", "198.51.100.1"]);
    let effects = scene.engine.reconfigure(given.clone(), at(101));
    assert_eq!(told(&effects), ["allowed 203.0.113.7 by j until 400", "allowed 203.0.113.8 by j until 400"]);
    assert_eq!(scene.published("web"), (vec!["198.51.100.0/24".to_owned()], vec!["198.51.100.1".to_owned()]));
    // The same at a restart; and holes close when nothing is allowed any more.
    given.manual.allow = allow(&["198.51.0.0/16"]);
    let (_, effects) = scene.restart(given);
    assert_eq!(effects, ["allowed 198.51.100.0/24 by manual until 400"]);
    scene.engine.reconfigure(settings(vec![jail("j")], &["web"]), at(102));
    assert_eq!(scene.published("web").1, [""; 0]);
}

#[test]
fn bans_of_a_removed_jail_run_out_in_its_outputs() {
    let other = jail::Settings { outputs: vec![output("other")], ..jail("j") };
    let mut scene = Scene::with(settings(vec![other], &["web", "other"]));
    scene.ban_by_log("203.0.113.7", 100);
    scene.ban_by_log("203.0.113.8", 100);
    let effects = scene.engine.reconfigure(settings(vec![jail("k")], &["web", "other"]), at(101));
    assert!(told(&effects).is_empty());
    assert_eq!((scene.published("other").0.len(), scene.published("web").0.len()), (2, 0));
    assert_eq!(scene.offend("203.0.113.9", 102, &["j"; 3]), [""; 0], "it judges no more");
    // After a restart nobody knows its outputs: all carry them.
    let (mut scene, _) = scene.restart(settings(vec![jail("k")], &["web", "other"]));
    assert_eq!((scene.published("other").0.len(), scene.published("web").0.len()), (2, 2));
    let mut given = settings(vec![jail("k")], &["web", "other"]);
    given.manual.allow = allow(&["203.0.113.8"]);
    given.jails[0].allow = given.manual.allow.clone();
    let effects = scene.engine.reconfigure(given, at(103));
    assert_eq!(told(&effects), ["allowed 203.0.113.8 by j until 400"]);
    assert_eq!(scene.tick(400), ["expired 203.0.113.7 by j until 400"]);
}

#[test]
fn a_new_bantime_holds_for_new_bans_and_windows_stay() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.ban_by_log("203.0.113.7", 100);
    scene.offend("203.0.113.8", 100, &["j"]);
    scene.offend("203.0.113.8", 100, &["j"]);
    let longer = jail::Settings { bantime: Some(SignedDuration::from_secs(1000)), ..jail("j") };
    scene.engine.reconfigure(settings(vec![longer], &["web"]), at(101));
    assert_eq!(scene.offend("203.0.113.8", 102, &["j"]), ["banned 203.0.113.8 by j until 1102"]);
    assert_eq!(scene.engine.next_expiry(), Some(at(400)));
}
