//! The storm breaker: what is one, who waits, and who is let go.

use std::collections::BTreeSet;

use super::*;
use crate::engine::Pace;
use crate::jail::StormMode;
use crate::terms::{ClientSample, SourceName};

/// One offence bans for 300 s.
fn breaker(storm: StormMode) -> jail::Settings {
    jail::Settings { maxretry: 1, storm, sources: vec![source("site")], max_tracked: 100_000, ..jail("j") }
}

fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

fn sample(second: i64, clients: u64) -> ClientSample {
    ClientSample { at: at(second), level: 0, hashes: (0..clients).collect(), unseen: 0.0 }
}

fn client(number: u32) -> String {
    format!("203.0.{}.{}", number / 250, number % 250)
}

/// The first words of what is told, each once with how often.
fn verbs(told: &[String]) -> Vec<(String, usize)> {
    let first = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
    let words: BTreeSet<String> = told.iter().map(first).collect();
    words
        .into_iter()
        .map(|word| (word.clone(), told.iter().filter(|text| first(text) == word).count()))
        .collect()
}

impl Scene {
    fn hear(&mut self, pace: Pace, clients: u64) {
        self.engine.hear(&source("site"), pace, Some(sample(self.now, clients)));
    }

    /// An offence of each of these clients.
    fn rush(&mut self, clients: std::ops::Range<u32>, second: i64) -> Vec<(String, usize)> {
        let told: Vec<String> = clients.flat_map(|n| self.offend(&client(n), second, &["j"])).collect();
        self.engine.check_held();
        verbs(&told)
    }

    fn release(&mut self, drop: bool) -> Result<(Vec<String>, usize), Refusal> {
        let done = self.engine.release(&jail_name("j"), drop, at(self.now));
        done.map(|(effects, verdicts)| (told(&effects), verdicts))
    }

    fn held(&self) -> usize {
        self.engine.counts(at(self.now)).iter().find(|counts| counts.jail.as_str() == "j").unwrap().held
    }

    fn bans(&self) -> usize {
        self.engine.bans().count()
    }
}

fn count(word: &str, number: usize) -> (String, usize) {
    (word.to_owned(), number)
}

#[test]
fn verdicts_wait_once_more_than_fifty_and_a_twentieth_of_the_clients_are_banned() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 1000);
    assert_eq!(scene.rush(0..80, 0), [count("Storm", 1), count("banned", 50), count("held", 30)]);
    assert_eq!((scene.bans(), scene.held(), scene.published("web").0.len()), (50, 30, 50));
    let why = scene.engine.why(address(&client(79)), at(0));
    assert!(!why.banned && why.bans.is_empty());
    assert_eq!((why.held[0].until, why.asked_about.len()), (at(3600), 0));
    assert_eq!(why.held[0].ban.evidence.len(), 1);
    // Of many clients so many are no storm.
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 1600);
    assert_eq!(scene.rush(0..80, 0), [count("banned", 80)]);
    assert_eq!(scene.rush(80..81, 0), [count("Storm", 1), count("held", 1)]);
}

#[test]
fn a_warning_is_said_once_and_holds_nothing() {
    let mut scene = Scene::new(vec![breaker(StormMode::Warn)]);
    scene.hear(Pace::Live, 100);
    assert_eq!(scene.rush(0..200, 0), [count("Storm", 1), count("banned", 200)]);
    assert_eq!(scene.release(false), Ok((vec![], 0)), "an operator has looked");
    assert_eq!(scene.release(false), Err(Refusal::NothingHeld(jail_name("j"))));
    let mut scene = Scene::new(vec![breaker(StormMode::Off)]);
    scene.hear(Pace::Live, 100);
    assert_eq!(scene.rush(0..200, 0), [count("banned", 200)]);
}

#[test]
fn nothing_is_held_in_a_rehearsal_nor_from_a_backlog_nor_by_hand() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Rehearsed, 100);
    assert_eq!(scene.rush(0..200, 0), [count("Storm", 1), count("banned", 200)]);
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Behind, 100);
    assert_eq!(scene.rush(0..200, 0), [count("banned", 200)]);
    scene.hear(Pace::Live, 100);
    assert_eq!(scene.rush(200..300, 0), [count("Storm", 1), count("banned", 50), count("held", 50)]);
    assert_eq!(scene.ban("198.51.100.7").unwrap(), ["banned 198.51.100.7 by manual until 300"]);
}

#[test]
fn who_is_not_banned_makes_no_storm() {
    let mut scene = Scene::new(vec![jail::Settings { simulate: true, ..breaker(StormMode::Hold) }]);
    scene.hear(Pace::Live, 1000);
    assert_eq!(scene.rush(0..80, 0), [count("banned", 80)], "simulated");
    assert_eq!((scene.bans(), scene.held()), (80, 0));
}

#[test]
fn what_is_let_go_bans_as_long_as_it_would_have_and_the_storm_is_over_with_that() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 100);
    scene.rush(0..80, 0);
    let allowed = jail::Settings { allow: allow(&["203.0.0.60"]), ..breaker(StormMode::Hold) };
    scene.engine.reconfigure(settings(vec![allowed], &["web"]), at(0));
    scene.now = 20;
    let (told, verdicts) = scene.release(false).unwrap();
    assert_eq!((verdicts, told.len()), (29, 29), "one is allowed now, and waits no longer");
    assert_eq!(told[0], "banned 203.0.0.50 by j until 320");
    assert_eq!((scene.held(), scene.published("web").0.len()), (0, 79));
    scene.hear(Pace::Live, 100);
    assert_eq!(scene.rush(100..300, 21), [count("banned", 200)], "the rest of it is not held any more");
    assert_eq!(scene.tick(200), [""; 0]);
    scene.hear(Pace::Live, 100);
    let again = scene.rush(400..500, 200);
    assert_eq!(again, [count("Storm", 1), count("banned", 50), count("held", 50)]);
    assert_eq!(scene.release(true), Ok((vec![], 50)));
    assert_eq!(scene.rush(500..510, 201), [count("held", 10)], "what was dropped does not end it");
}

#[test]
fn when_it_calms_new_verdicts_ban_and_those_that_waited_are_dropped_after_an_hour() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 100);
    scene.rush(0..80, 0);
    assert_eq!(scene.tick(59), [""; 0]);
    assert_eq!(scene.tick(118), [""; 0]);
    assert_eq!(scene.tick(119), ["Calm { jail: j, held: 30 }"]);
    assert_eq!((scene.held(), scene.bans()), (30, 50));
    // Who goes on offending is banned now.
    assert_eq!(scene.rush(79..80, 120), [count("banned", 1)]);
    assert_eq!(scene.held(), 29);
    let told = scene.tick(3600);
    assert!(told.contains(&"Dropped { jail: j, verdicts: 29 }".to_owned()), "{told:?}");
    assert_eq!((scene.held(), scene.bans()), (0, 0));
}

#[test]
fn a_filter_that_is_wrong_bans_no_more_than_fifty_however_long_its_victims_go_on() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    for second in 0..3000 {
        scene.hear(Pace::Live, 600);
        // Each of 600 clients offends every 20 s.
        scene.now = second;
        let first = (second % 20) as u32 * 30;
        scene.rush(first..first + 30, second);
        scene.tick(second);
    }
    assert_eq!(scene.counted("j").2, 50);
    // One heavy client is no storm.
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 600);
    for second in 0..300 {
        assert!(!scene.engine.wants_clients(at(second)));
        scene.offend("203.0.113.1", second, &["j"]);
    }
}

#[test]
fn a_storm_and_what_waits_survive_a_restart() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 100);
    scene.rush(0..80, 0);
    let kept = scene.engine.take_changed_held();
    assert_eq!(kept.len(), 30);
    assert!(scene.engine.take_changed_held().is_empty());
    let held = kept.into_iter().filter_map(|entry| entry.held).collect();
    let restored = Restored { held, ..Restored::default() };
    let (engine, _) =
        Engine::new(settings(vec![breaker(StormMode::Hold)], &["web"]), restored.clone(), at(9));
    let mut again = Scene { engine, now: 9 };
    again.hear(Pace::Live, 100);
    assert_eq!(again.held(), 30);
    assert_eq!(again.rush(200..210, 9), [count("held", 10)], "the storm goes on");
    assert_eq!(again.engine.take_changed_held().len(), 10);
    assert_eq!(again.release(true), Ok((vec![], 40)));
    assert!(again.engine.take_changed_held().iter().all(|entry| entry.held.is_none()));
    // Of a jail that is no more they are forgotten.
    let (mut gone, _) = Engine::new(settings(vec![], &["web"]), restored, at(9));
    assert_eq!(gone.take_changed_held().iter().filter(|entry| entry.held.is_none()).count(), 30);
}

#[test]
fn an_unban_forgets_what_waits_too() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 100);
    scene.rush(0..80, 0);
    scene.ban(&client(70)).unwrap();
    scene.engine.unban(prefix(&client(70)), None, at(0)).unwrap();
    assert_eq!(scene.held(), 29);
    scene.engine.unban_all(None, None, at(0)).unwrap();
    assert_eq!((scene.held(), scene.bans()), (0, 0));
}

#[test]
fn a_flood_of_held_verdicts_is_bounded() {
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 100);
    let told: usize = (0..60).map(|n| scene.rush(n * 1000..(n + 1) * 1000, i64::from(n))[..].len()).sum();
    assert!(told > 0);
    let cap = scene.engine.caps().into_iter().find(|cap| cap.name == "held verdicts").unwrap();
    assert_eq!((cap.used, cap.limit, cap.gave_way), (20_000, 20_000, 60_000 - 50 - 20_000));
    assert_eq!(scene.engine.take_changed_held().len(), 20_000, "the store hears only of those that are left");
    assert_eq!(scene.held(), 20_000);
}

#[test]
fn the_clients_of_several_sources_count_once() {
    let mut jail = breaker(StormMode::Hold);
    jail.sources.push(source("other"));
    let mut scene = Scene::new(vec![jail]);
    scene.hear(Pace::Live, 1000);
    // 500 of them are the same.
    let hashes = (500..1500).collect();
    let other = ClientSample { at: at(0), level: 0, hashes, unseen: 100.0 };
    scene.engine.hear(&source("other"), Pace::Live, Some(other));
    assert_eq!(scene.rush(0..80, 0), [count("banned", 80)], "80 of 1600");
    assert_eq!(scene.rush(80..81, 0), [count("Storm", 1), count("held", 1)]);
    // What was told long ago tells nothing.
    let mut scene = Scene::new(vec![breaker(StormMode::Hold)]);
    scene.hear(Pace::Live, 1_000_000);
    assert_eq!(scene.rush(0..51, 100), [count("Storm", 1), count("banned", 50), count("held", 1)]);
}

#[test]
fn a_jail_has_no_more_bans_than_it_may_and_gives_none_up() {
    let mut scene = Scene::new(vec![jail::Settings { max_bans: 60, ..breaker(StormMode::Off) }]);
    assert_eq!(scene.rush(0..100, 0), [count("Full", 1), count("banned", 60)]);
    assert_eq!(scene.rush(100..110, 1), []);
    assert!(scene.engine.why(address(&client(0)), at(1)).banned);
    assert_eq!(scene.ban("198.51.100.7").unwrap(), ["banned 198.51.100.7 by manual until 301"], "by hand");
    let counts = scene.engine.counts(at(1));
    let jail = counts.iter().find(|counts| counts.jail.as_str() == "j").unwrap();
    assert_eq!((jail.bans_current, jail.refused), (60, 50));
    assert_eq!(scene.engine.full().count(), 1);
    scene.tick(300);
    assert_eq!(scene.engine.full().count(), 0);
    assert_eq!(scene.rush(200..210, 300), [count("banned", 10)]);
}
