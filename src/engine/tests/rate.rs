//! Jails that count every request.

use super::*;
use crate::jail::{Rate, Widen};
use crate::terms::Tracked;

/// One request a second, five at once.
fn limited(name: &str) -> jail::Settings {
    let rate = Some(Rate { requests: 60, per: SignedDuration::from_mins(1), burst: 5 });
    jail::Settings { rate, maxretry: 1, ..jail(name) }
}

impl Scene {
    fn ask(&mut self, client: &str, second: i64, times: usize) -> Vec<String> {
        (0..times).flat_map(|_| self.offend(client, second, &["j"])).collect()
    }
}

#[test]
fn who_asks_too_often_is_banned_and_who_keeps_to_the_rate_is_not() {
    let mut scene = Scene::new(vec![limited("j")]);
    assert_eq!(scene.ask("203.0.113.7", 0, 5), [""; 0]);
    let near = scene.engine.why(address("203.0.113.7"), at(2)).windows;
    assert_eq!((near[0].offences, near[0].maxretry, near[0].what), (3, 6, Tracked::Rate));
    assert_eq!(scene.ask("203.0.113.7", 2, 2), [""; 0]);
    assert_eq!(scene.ask("203.0.113.7", 2, 1), ["banned 203.0.113.7 by j until 302"]);
    let ban = scene.engine.bans().next().unwrap();
    assert_eq!(ban.offences, 6);
    let mut scene = Scene::new(vec![limited("j")]);
    for second in 0..500 {
        assert_eq!(scene.ask("203.0.113.8", second, 1), [""; 0]);
    }
    assert_eq!(scene.ask("2001:db8::1", 500, 3), [""; 0]);
    assert_eq!(
        scene.ask("2001:db8::2", 500, 3),
        ["banned 2001:db8::/64 by j until 800"],
        "a group asks as one"
    );
}

#[test]
fn the_level_survives_a_restart_and_another_way_of_counting_begins_anew() {
    let given = |jail| settings(vec![jail], &["web"]);
    let mut scene = Scene::with(given(limited("j")));
    scene.ask("203.0.113.7", 0, 5);
    let trackers = scene.engine.take_changed_trackers();
    let restored = || Restored { trackers: trackers.clone(), ..Restored::default() };
    let (engine, _) = Engine::new(given(limited("j")), restored(), at(0));
    assert_eq!(Scene { engine, now: 0 }.ask("203.0.113.7", 0, 1), ["banned 203.0.113.7 by j until 300"]);
    let (mut engine, _) = Engine::new(given(jail("j")), restored(), at(0));
    let gone = |engine: &mut Engine| {
        let gone = engine.take_changed_trackers();
        gone.iter().map(|entry| (entry.what, entry.marks.len())).collect::<Vec<_>>()
    };
    assert_eq!(gone(&mut engine), [(Tracked::Rate, 0)]);
    let mut scene = Scene { engine, now: 0 };
    assert_eq!(scene.ask("203.0.113.7", 0, 2), [""; 0]);
    gone(&mut scene.engine);
    scene.engine.reconfigure(given(limited("j")), at(0));
    assert_eq!(gone(&mut scene.engine), [(Tracked::Offences, 0)]);
}

#[test]
fn requests_within_the_rate_make_no_prefix_suspicious() {
    let rule = Widen { distinct: 2, v4: Some(24), v6: None, within: SignedDuration::from_secs(60) };
    let mut scene = Scene::new(vec![jail::Settings { widen: vec![rule], ..limited("j") }]);
    for last in 1..50 {
        assert_eq!(scene.ask(&format!("203.0.113.{last}"), 0, 5), [""; 0]);
    }
    assert_eq!(scene.ask("203.0.113.1", 0, 1), ["banned 203.0.113.1 by j until 300"]);
    let both = ["banned 203.0.113.2 by j until 300", "banned 203.0.113.0/24 by j until 300"];
    assert_eq!(scene.ask("203.0.113.2", 0, 1), both);
}
