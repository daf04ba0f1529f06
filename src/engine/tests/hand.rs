//! Orders by hand.

use super::*;

fn ordered(text: &str, jail: Option<&str>, term: Term) -> Order {
    Order { prefix: prefix(text), jail: jail.map(jail_name), term, reason: Some("why not".to_owned()) }
}

#[test]
fn a_ban_by_hand_lasts_as_told_and_the_later_end_is_kept() {
    let mut scene =
        Scene::with(settings(vec![jail::Settings { bantime: None, ..jail("j") }], &["web", "other"]));
    let mut ban = |order| scene.engine.ban(order, at(1000)).map(|effects| told(&effects)).unwrap();
    let hour = Term::For(SignedDuration::from_hours(1));
    assert_eq!(ban(ordered("203.0.113.7", None, Term::Usual)), ["banned 203.0.113.7 by manual until 1300"]);
    assert_eq!(ban(ordered("203.0.113.7", None, hour)), ["prolonged 203.0.113.7 by manual until 4600"]);
    assert_eq!(ban(ordered("203.0.113.7", None, Term::Usual)), [""; 0]);
    assert_eq!(
        ban(ordered("203.0.113.7", Some("j"), Term::Usual)),
        ["banned 203.0.113.7 by j until forever"]
    );
    assert_eq!(
        ban(ordered("203.0.113.7", None, Term::Forever)),
        ["prolonged 203.0.113.7 by manual until forever"]
    );
    assert_eq!((scene.published("web").0.len(), scene.published("other").0.len()), (1, 1));
    let hand = scene.engine.bans().find(|ban| ban.jail.is_manual()).unwrap();
    assert_eq!((hand.reason.as_deref(), hand.offences), (Some("why not"), 0));
}

#[test]
fn what_is_protected_or_too_wide_is_refused_by_name() {
    let mut given = settings(vec![jail("j"), jail::Settings { simulate: true, ..jail("s") }], &["web"]);
    given.manual.allow = allow(&["198.51.100.0/24"]);
    let mut scene = Scene::with(given);
    for (text, message) in [
        ("127.0.0.1", "`127.0.0.1` is never banned: a loopback address"),
        ("10.20.1.4", "`10.20.1.4` is never banned: trusted proxy 10.20.1.0/24 (ignoreip)"),
        ("10.20.1.0/25", "`10.20.1.0/25` is never banned: trusted proxy 10.20.1.0/24 (ignoreip)"),
        ("192.0.2.80", "`192.0.2.80` is never banned: an address of this host"),
        ("198.51.100.0/24", "`198.51.100.0/24` is never banned: allowed: 198.51.100.0/24 (ignoreip)"),
        (
            "203.0.0.0/7",
            "`202.0.0.0/7` is too wide: a ban holds at most an IPv4 /8 or an IPv6 /19; ban narrower prefixes",
        ),
        (
            "2001::/18",
            "`2001::/18` is too wide: a ban holds at most an IPv4 /8 or an IPv6 /19; ban narrower prefixes",
        ),
    ] {
        assert_eq!(scene.ban(text).unwrap_err().to_string(), message);
    }
    let mut refused = |order| scene.engine.ban(order, at(0)).unwrap_err().to_string();
    assert_eq!(
        refused(ordered("203.0.113.7", Some("x"), Term::Usual)),
        "there is no jail `x`; the jails are j, manual, s"
    );
    assert_eq!(
        refused(ordered("203.0.113.7", Some("s"), Term::Usual)),
        "jail `s` only simulates, its bans have no effect; leave the jail out to ban in all outputs"
    );
    assert_eq!(
        refused(ordered("203.0.113.7", None, Term::For(SignedDuration::ZERO))),
        "a ban of 0s is over at once; give a longer time, or `forever`"
    );
    assert_eq!(scene.engine.bans().count(), 0);
    scene.ban("203.0.0.0/8").unwrap();
    scene.ban("2001::/19").unwrap();
}

#[test]
fn unban_clears_rows_and_windows_and_says_what_else_bans() {
    let mut scene = Scene::new(vec![jail("j"), jail("k")]);
    scene.ban_by_log("203.0.113.7", 100);
    scene.offend("203.0.113.9", 100, &["j"]);
    let now = at(101);
    let refused = |scene: &mut Scene, text, jail: Option<&str>| {
        let jail = jail.map(jail_name);
        scene.engine.unban(prefix(text), jail.as_ref(), now).unwrap_err().to_string()
    };
    assert_eq!(refused(&mut scene, "203.0.113.9", None), "`203.0.113.9` is not banned");
    assert_eq!(refused(&mut scene, "203.0.113.7", Some("k")), "`203.0.113.7` is not banned by jail `k`");
    assert_eq!(
        refused(&mut scene, "203.0.113.7", Some("x")),
        "there is no jail `x`; the jails are j, k, manual"
    );
    scene.now = 101;
    scene.ban("203.0.113.0/24").unwrap();
    assert_eq!(
        refused(&mut scene, "203.0.113.9", None),
        "`203.0.113.9` is banned as part of `203.0.113.0/24` by jail `manual`: unban `203.0.113.0/24`, or allow \
         `203.0.113.9`"
    );
    let effects = scene.engine.unban(prefix("203.0.113.7"), None, now).unwrap();
    let still = Notice::StillBanned {
        prefix: prefix("203.0.113.7"),
        by: prefix("203.0.113.0/24"),
        jail: jail_name("manual"),
    };
    assert_eq!((effects.changes.len(), effects.notices), (1, vec![still]));
    let effects = scene.engine.unban(prefix("203.0.113.0/24"), None, now).unwrap();
    assert_eq!(told(&effects), ["unbanned 203.0.113.0/24 by manual until 401"]);
    assert!(scene.engine.why(address("203.0.113.9"), now).windows.is_empty(), "windows inside are cleared");
}

#[test]
fn unban_of_an_ipv6_address_clears_the_window_of_its_group() {
    let mut scene = Scene::new(vec![jail("j")]);
    scene.offend("2001:db8::1", 100, &["j"]);
    scene.ban("2001:db8::1").unwrap();
    scene.engine.unban(prefix("2001:db8::1"), None, at(100)).unwrap();
    assert!(scene.engine.why(address("2001:db8::1"), at(100)).windows.is_empty());
}

#[test]
fn many_bans_end_in_one_step() {
    let mut scene = Scene::new(vec![jail("j")]);
    for (client, second) in [("203.0.113.1", 100), ("203.0.113.2", 200), ("203.0.113.3", 300)] {
        scene.ban_by_log(client, second);
    }
    scene.ban("198.51.100.0/24").unwrap();
    scene.offend("203.0.113.9", 300, &["j"]);
    let j = jail_name("j");
    let effects = scene.engine.unban_all(Some(&j), Some(at(200)), at(300)).unwrap();
    assert_eq!(
        told(&effects),
        ["unbanned 203.0.113.2 by j until 500", "unbanned 203.0.113.3 by j until 600"]
    );
    assert!(!scene.engine.why(address("203.0.113.9"), at(300)).windows.is_empty());
    let effects = scene.engine.unban_all(None, None, at(300)).unwrap();
    assert_eq!(told(&effects).len(), 2);
    assert_eq!(scene.engine.bans().count(), 0);
    assert!(scene.engine.why(address("203.0.113.9"), at(300)).windows.is_empty());
    assert!(scene.engine.unban_all(Some(&jail_name("x")), None, at(300)).is_err());
}

#[test]
fn what_is_seldom_meant_is_refused_unless_somebody_insists() {
    let mut given = settings(vec![jail("j")], &["web"]);
    given.manual.allow = allow(&["198.51.100.0/24"]);
    let mut scene = Scene::with(given);
    let own = Some(address("203.0.113.7"));
    let caution = |scene: &Scene, text, own| {
        scene.engine.caution(&ordered(text, None, Term::Usual), own).map_err(|refusal| refusal.to_string())
    };
    for (text, message) in [
        (
            "203.0.113.7",
            "`203.0.113.7` is your own address: you are logged in from it (SSH); --force bans it all the same",
        ),
        (
            "203.0.0.0/16",
            "`203.0.0.0/16` holds your own address 203.0.113.7: you are logged in from it (SSH); --force bans it all the \
             same",
        ),
        (
            "198.18.0.0/15",
            "`198.18.0.0/15` is wider than an IPv4 /16 or an IPv6 /32: it holds 131,072 addresses; --force bans it all \
             the same",
        ),
        (
            "2001:db8::/31",
            "`2001:db8::/31` is wider than an IPv4 /16 or an IPv6 /32: it holds 8,589,934,592 networks of /64; --force \
             bans it all the same",
        ),
        ("127.0.0.0/8", "`127.0.0.0/8` is never banned: a loopback address"),
    ] {
        assert_eq!(caution(&scene, text, own), Err(message.to_owned()), "{text}");
    }
    for text in ["203.0.113.8", "198.18.0.0/16", "2001:db8::/32"] {
        assert_eq!(caution(&scene, text, own), Ok(()), "{text}");
    }
    // Who is allowed is not banned with the prefix, so that nothing is to be said of them.
    assert_eq!(caution(&scene, "198.51.0.0/16", Some(address("198.51.100.9"))), Ok(()));
    assert_eq!(scene.ban("203.0.0.0/15").unwrap().len(), 1);
}

#[test]
fn a_rehearsed_ban_is_the_one_that_is_made() {
    let mut scene = Scene::new(vec![jail("j")]);
    let hour = Term::For(SignedDuration::from_hours(1));
    for (term, changed) in [(Term::Usual, true), (Term::Usual, false), (hour, true), (Term::Forever, true)] {
        let order = Order { reason: None, ..ordered("203.0.113.7", None, term) };
        let would = scene.engine.would_ban(order.clone(), at(0)).unwrap();
        let effects = scene.engine.ban(order, at(0)).unwrap();
        assert_eq!((would.is_some(), would.as_ref()), (changed, effects.changes.first().map(|c| &**c.ban())));
    }
    let refused = |text| scene.engine.would_ban(ordered(text, None, Term::Usual), at(0)).unwrap_err();
    assert!(matches!(refused("127.0.0.1"), Refusal::Protected { .. }));
    assert_eq!(scene.engine.bans().count(), 1);
}

#[test]
fn who_stays_free_inside_a_prefix_is_told_with_the_rule() {
    let mut given = settings(vec![jail("j")], &["web", "keys"]);
    given.manual.allow = allow(&["10.20.7.0/24", "10.20.7.9", "198.51.100.0/24"]);
    given.picky = vec![(output("keys"), |_, holes| holes.is_empty())];
    let scene = Scene::with(given);
    let (wide, manual) = (prefix("10.20.0.0/16"), JailName::manual());
    let spared = scene.engine.spared(wide, &manual);
    let told: Vec<String> = spared.iter().map(|(prefix, rule)| format!("{prefix}: {rule}")).collect();
    assert_eq!(
        told,
        [
            "10.20.1.0/24: trusted proxy 10.20.1.0/24 (ignoreip)",
            "10.20.7.0/24: allowed: 10.20.7.0/24 (ignoreip)"
        ]
    );
    assert_eq!(scene.engine.unable(wide, &manual, &spared), [output("keys")]);
    assert_eq!(scene.engine.unable(prefix("203.0.0.0/16"), &manual, &[]), []);
    assert!(scene.engine.spared(prefix("203.0.113.0/24"), &manual).is_empty());
    assert!(scene.engine.spared(prefix("10.20.7.9"), &manual).is_empty());
}

#[test]
fn changes_made_in_one_step_have_one_generation_and_count_as_published_with_it() {
    let mut scene = Scene::new(vec![jail("j")]);
    let before = scene.engine.generation();
    let clients = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    scene.engine.in_one_step(|engine| {
        for client in clients {
            engine.ban(ordered(client, None, Term::Usual), at(0)).unwrap();
        }
    });
    assert_eq!(scene.engine.generation(), before + 1);
    scene.now = 1;
    scene.settle("web");
    for client in clients {
        scene.offend(client, 10, &["j"]);
    }
    let passed: u64 = scene.engine.counts(at(10)).iter().map(|counts| counts.hits_passed).sum();
    assert_eq!(passed, 3, "each ban had taken hold");
    let prefixes = clients.map(prefix);
    let done = scene.engine.in_one_step(|engine| engine.unban_each(&prefixes, None, at(20)));
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(scene.engine.generation(), before + 2);
    scene.ban("203.0.113.4").unwrap();
    assert_eq!(scene.engine.generation(), before + 3);
}

#[test]
fn of_many_only_the_windows_of_the_unbanned_are_forgotten() {
    let mut scene = Scene::new(vec![jail("j")]);
    for client in ["203.0.113.9", "203.0.114.9", "198.51.100.9", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
        scene.offend(client, 100, &["j"]);
    }
    for banned in ["203.0.113.0/24", "2001:db8:0:1::/64"] {
        scene.ban(banned).unwrap();
    }
    let asked = ["203.0.113.0/24", "198.51.100.0/24", "2001:db8:0:1::/64"].map(prefix);
    let done = scene.engine.unban_each(&asked, None, at(100));
    assert_eq!(done.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let counted = |text| !scene.engine.why(address(text), at(100)).windows.is_empty();
    assert!(!counted("203.0.113.9") && !counted("2001:db8:0:1::1"));
    assert!(counted("203.0.114.9") && counted("198.51.100.9") && counted("2001:db8:0:2::1"));
}

#[test]
fn a_prefix_is_asked_for_as_such_and_not_as_its_first_address() {
    let mut given = settings(vec![jail("j"), jail::Settings { simulate: true, ..jail("s") }], &["web"]);
    given.manual.allow = allow(&["198.51.100.9", "198.51.100.64/26", "198.51.100.248/30"]);
    let mut scene = Scene::with(given);
    for banned in ["198.51.100.0", "198.51.100.3", "203.0.113.0/24"] {
        scene.ban(banned).unwrap();
    }
    scene.offend("198.51.100.5", 0, &["j", "s"]);
    (0..2).for_each(|_| drop(scene.offend("198.51.100.7", 0, &["j"])));
    let net = scene.engine.why(prefix("198.51.100.0/24"), at(1));
    assert!(!net.banned && net.bans.is_empty() && net.protected_by.is_none());
    let inside: Vec<String> = net.inside.0.iter().map(|ban| ban.prefix.to_string()).collect();
    assert_eq!((inside, net.inside.1), (vec!["198.51.100.0".to_owned(), "198.51.100.3".to_owned()], 2));
    let spared: Vec<String> = net.spared.0.iter().map(|(prefix, _)| prefix.to_string()).collect();
    let expected = ["198.51.100.9", "198.51.100.64/26", "198.51.100.248/30"].map(str::to_owned);
    assert_eq!((spared, net.spared.1), (expected.to_vec(), 3));
    let near: Vec<_> = net.windows.iter().map(|n| (n.prefix.to_string(), n.offences, n.simulated)).collect();
    let expected = [("198.51.100.7", 2, false), ("198.51.100.5", 1, false), ("198.51.100.5", 1, true)];
    assert_eq!(near, expected.map(|(prefix, offences, simulated)| (prefix.to_owned(), offences, simulated)));
    // What lies inside a banned prefix is banned with it; what is allowed there, and what reaches beyond, is not.
    scene.ban("198.51.100.0/24").unwrap();
    let banned = |text| scene.engine.why(prefix(text), at(1)).banned;
    assert!(banned("198.51.100.0/24") && banned("198.51.100.0/25") && banned("198.51.100.7"));
    assert!(banned("198.51.100.248/29"), "but those who are allowed in it");
    assert!(!banned("198.51.100.64/27") && !banned("198.51.100.9") && !banned("198.51.96.0/20"));
    let member = scene.engine.why(prefix("198.51.100.9"), at(1));
    assert_eq!(member.protected_by.as_deref(), Some("allowed: 198.51.100.9 (ignoreip)"));
    assert_eq!(member.bans.iter().map(|ban| ban.prefix.to_string()).collect::<Vec<_>>(), ["198.51.100.0/24"]);
}
