//! Prefixes that are banned for what is inside them.

use super::*;
use crate::jail::Widen;
use crate::terms::Tracked;

/// Three different clients within 60 s ban their /24, or three /64 their /48.
fn wide(name: &str) -> jail::Settings {
    let rule = Widen { distinct: 3, v4: Some(24), v6: Some(48), within: SignedDuration::from_secs(60) };
    jail::Settings { widen: vec![rule], ..jail(name) }
}

impl Scene {
    /// One offence each of these clients, at this second.
    fn offend_each(&mut self, second: i64, clients: &[&str]) -> Vec<String> {
        clients.iter().flat_map(|client| self.offend(client, second, &["j"])).collect()
    }
}

const THREE: [&str; 3] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];

#[test]
fn so_many_clients_with_an_offence_ban_their_prefix_and_its_members_are_told_of_it() {
    let mut scene = Scene::new(vec![wide("j")]);
    assert_eq!(scene.offend_each(0, &["203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.114.3"]), [""; 0]);
    assert_eq!(scene.offend_each(10, &["203.0.113.3"]), ["banned 203.0.113.0/24 by j until 310"]);
    let ban = scene.engine.bans().next().unwrap().clone();
    let reason = "3 different addresses of it with offences within 1m";
    assert_eq!((ban.offences, ban.reason.as_deref()), (3, Some(reason)));
    let why = scene.engine.why(address("203.0.113.77"), at(10));
    assert!(why.banned && why.bans[0].prefix == prefix("203.0.113.0/24"));
    let networks = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", "2001:db8:0:3::1"];
    assert_eq!(scene.offend_each(20, &networks), ["banned 2001:db8::/48 by j until 320"]);
    let crowd = scene.offend_each(30, &["198.51.100.1"]);
    let near = scene.engine.why(address("198.51.100.9"), at(30)).windows;
    assert!(crowd.is_empty() && near.len() == 1 && near[0].what == Tracked::Groups);
    assert_eq!((near[0].prefix, near[0].offences, near[0].maxretry), (prefix("198.51.100.0/24"), 1, 3));
}

#[test]
fn the_lines_of_the_members_speak_for_the_ban() {
    let mut scene = Scene::new(vec![wide("j")]);
    let effects: Vec<Effects> = THREE.iter().map(|client| scene.observe(record(client, 0, &["j"]))).collect();
    let texts: Vec<&str> = effects[2].changes[0].ban().evidence.iter().map(|line| &*line.text).collect();
    assert_eq!(texts, ["203.0.113.1 at 0", "203.0.113.2 at 0", "203.0.113.3 at 0"]);
}

#[test]
fn narrower_bans_stay_and_come_back_when_the_wide_one_ends() {
    let long = jail::Settings { bantime: Some(SignedDuration::from_secs(1000)), ..jail("k") };
    let mut scene = Scene::new(vec![wide("j"), long]);
    (0..3).for_each(|_| drop(scene.offend("203.0.113.9", 0, &["k"])));
    scene.offend_each(0, &THREE);
    assert_eq!(scene.published("web").0, ["203.0.113.0/24", "203.0.113.9"]);
    scene.tick(300);
    assert_eq!(scene.published("web").0, ["203.0.113.9"]);
}

#[test]
fn who_is_protected_inside_is_left_out_and_an_output_that_cannot_gets_no_prefix() {
    let mut given = settings(vec![wide("j")], &["web"]);
    given.jails[0].allow = allow(&["203.0.113.200"]);
    let mut scene = Scene::with(given.clone());
    scene.offend_each(0, &THREE);
    assert_eq!(scene.published("web"), (vec!["203.0.113.0/24".to_owned()], vec!["203.0.113.200".to_owned()]));
    assert!(!scene.engine.why(address("203.0.113.200"), at(0)).banned);
    given.picky = vec![(output("web"), |_, holes| holes.is_empty())];
    let mut scene = Scene::with(given.clone());
    let told = scene.offend_each(0, &THREE);
    let said = Notice::NotWidened {
        prefix: prefix("203.0.113.0/24"),
        jail: jail_name("j"),
        outputs: vec![output("web")],
    };
    assert_eq!(told, [format!("{said:?}")]);
    assert_eq!(scene.offend_each(1, &THREE), [""; 0], "said seldom");
    assert_eq!(scene.engine.bans().count(), 0);
    given.jails[0].allow = Allowlist::default();
    assert_eq!(Scene::with(given).offend_each(0, &THREE), ["banned 203.0.113.0/24 by j until 300"]);
}

#[test]
fn hits_and_the_unbanned_do_not_count() {
    let mut scene = Scene::new(vec![wide("j")]);
    scene.ban_by_log("203.0.113.1", 0);
    scene.tick(50);
    scene.engine.unban(prefix("203.0.113.1"), None, at(50)).unwrap();
    scene.ban("203.0.113.2").unwrap();
    assert_eq!(scene.offend_each(50, &["203.0.113.2", "203.0.113.3", "203.0.113.4"]), [""; 0]);
    assert_eq!(scene.offend_each(51, &["203.0.113.5"]), ["banned 203.0.113.0/24 by j until 351"]);
}

#[test]
fn what_was_counted_survives_a_restart_and_goes_with_its_rule() {
    let given = || settings(vec![wide("j")], &["web"]);
    let mut scene = Scene::with(given());
    scene.offend_each(0, &THREE[..2]);
    let trackers = scene.engine.take_changed_trackers();
    assert_eq!(trackers.len(), 3);
    let restored = || Restored { trackers: trackers.clone(), ..Restored::default() };
    let (engine, _) = Engine::new(given(), restored(), at(1));
    let mut scene = Scene { engine, now: 1 };
    assert_eq!(scene.offend_each(1, &THREE[2..]), ["banned 203.0.113.0/24 by j until 301"]);
    let (mut engine, _) = Engine::new(given(), restored(), at(1));
    engine.reconfigure(settings(vec![jail("j")], &["web"]), at(1));
    let gone = engine.take_changed_trackers();
    let gone: Vec<_> = gone.iter().map(|entry| (entry.prefix, entry.marks.len())).collect();
    assert_eq!(gone, [(prefix("203.0.113.0/24"), 0)]);
}

#[test]
fn a_simulated_jail_would_ban_prefixes_and_a_paused_one_bans_none() {
    let mut scene = Scene::new(vec![jail::Settings { simulate: true, ..wide("j") }]);
    assert_eq!(scene.offend_each(0, &THREE), ["banned 203.0.113.0/24 by j until 300"]);
    assert_eq!(scene.published("web").0, [""; 0]);
    let mut scene = Scene::new(vec![wide("j")]);
    scene.engine.pause(None, None).unwrap();
    assert_eq!(scene.offend_each(0, &THREE), ["withheld 203.0.113.0/24 by j until 300"]);
}
