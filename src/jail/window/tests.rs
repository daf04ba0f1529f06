//! The window against a naive count of all offences.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Counted, Rule, TextId, Verdict, Window};
use crate::jail::{Rate, Settings};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn rule(maxretry: usize, findtime: i64) -> Rule {
    Rule { maxretry, findtime: findtime * 1_000_000_000, distinct: false, leak: None }
}

/// The deciding second of the first verdict, and after how many offences it came.
fn first(rule: Rule, offences: &[(i64, u64)]) -> Option<(usize, i64)> {
    let mut window = Window::default();
    offences.iter().enumerate().find_map(|(number, (second, distinct))| {
        let offence = Counted { at: at(*second), distinct: *distinct, weight: 1, text: TextId::NONE };
        window.count(offence, rule).map(|verdict| (number + 1, verdict.since.as_second()))
    })
}

#[test]
fn an_offence_bans_when_it_is_the_maxretry_th_inside_findtime() {
    for (seconds, expected) in [
        (&[100, 101, 102][..], Some((3, 102))),
        // Both ends of the window belong to it.
        (&[100, 105, 110], Some((3, 110))),
        (&[100, 105, 111], None),
        (&[100, 105, 111, 115], Some((4, 115))),
        // A drip that is slow enough never bans, however long it goes on.
        (&[100, 106, 112, 118, 124, 130, 136, 142, 148], None),
        (&[100, 100, 100], Some((3, 100))),
        // Late ones are counted where they belong: the deciding offence may be a later one.
        (&[100, 110, 105], Some((3, 110))),
        (&[100, 108, 92], None),
        (&[100, 108, 92, 98], Some((4, 100))),
        (&[94, 96, 105, 107, 97], Some((5, 97))),
    ] {
        let offences: Vec<(i64, u64)> = seconds.iter().map(|second| (*second, 0)).collect();
        assert_eq!(first(rule(3, 10), &offences), expected, "{seconds:?}");
    }
}

#[test]
fn different_values_count_once_at_their_newest_time() {
    let distinct = Rule { distinct: true, ..rule(3, 10) };
    for (offences, expected) in [
        (&[(100, 1), (101, 1), (102, 1), (103, 1)][..], None),
        (&[(100, 1), (101, 2), (102, 1), (103, 3)], Some((4, 103))),
        (&[(100, 1), (105, 2), (109, 1), (113, 3)], Some((4, 113))),
        (&[(100, 1), (105, 2), (111, 3)], None),
        // A late repetition of a value does not make it older.
        (&[(110, 1), (99, 1), (112, 2), (113, 3)], Some((4, 113))),
    ] {
        assert_eq!(first(distinct, offences), expected, "{offences:?}");
    }
}

#[test]
fn a_verdict_names_the_newest_offences_of_its_window() {
    let mut window = Window::default();
    let rule = rule(30, 1000);
    let mut count =
        |second| window.count(Counted { at: at(second), distinct: 0, weight: 1, text: TextId::NONE }, rule);
    assert!((0..29).all(|second| count(second).is_none()));
    let verdict = count(29).unwrap();
    assert_eq!((verdict.offences, verdict.texts.len()), (30, Verdict::TEXTS));
    assert_eq!(verdict.texts.last().map(|(second, _)| *second), Some(at(29)));
}

#[test]
fn a_ban_consumes_what_lies_before_its_end() {
    let mut window = Window::default();
    for second in [100, 110, 120] {
        window.count(Counted { at: at(second), distinct: 0, weight: 1, text: TextId::NONE }, rule(5, 10));
    }
    window.consume(Some(at(110)));
    assert_eq!(window.marks().iter().map(|mark| mark.at.as_second()).collect::<Vec<_>>(), [110, 120]);
    window.consume(None);
    assert!(window.is_empty());
}

/// Every offence there was, and every window that could be full.
fn naive(rule: Rule, offences: &[(i64, u64)]) -> Option<(usize, i64)> {
    let findtime = rule.findtime / 1_000_000_000;
    let mut seen: Vec<i64> = Vec::new();
    for (number, (second, _)) in offences.iter().enumerate() {
        seen.push(*second);
        seen.sort_unstable();
        let full = |last: &&i64| {
            seen.iter().filter(|other| (**last - findtime..=**last).contains(*other)).count() >= rule.maxretry
        };
        if let Some(last) = seen.iter().find(full) {
            return Some((number + 1, *last));
        }
    }
    None
}

proptest! {
    #[test]
    fn verdicts_are_those_of_all_offences_if_none_is_later_than_findtime(
        maxretry in 1_usize..6,
        findtime in 1_i64..20,
        steps in prop::collection::vec((0_i64..12, 0_i64..20), 1..120),
    ) {
        let mut newest = 0;
        let offences: Vec<(i64, u64)> = steps
            .iter()
            .map(|(ahead, late)| {
                newest += ahead;
                (newest - late.min(&findtime), 0)
            })
            .collect();
        let rule = rule(maxretry, findtime);
        prop_assert_eq!(first(rule, &offences), naive(rule, &offences));
    }
}

/// Two requests a second, four at once: the first second at which it flows over, and how many the bucket holds then.
fn overflow(requests: &[i64]) -> Option<(i64, u32)> {
    let rate = Rate { requests: 120, per: SignedDuration::from_mins(1), burst: 4 };
    let settings = Settings { rate: Some(rate), ..Settings::new("j".parse().unwrap()) };
    let rule = Rule::from(&settings);
    let mut window = Window::default();
    requests.iter().find_map(|second| {
        let request = Counted { at: at(*second), distinct: 3, weight: 1, text: TextId::NONE };
        let verdict = window.count(request, rule)?;
        Some((verdict.since.as_second(), verdict.offences))
    })
}

#[test]
fn a_bucket_flows_over_when_more_comes_than_leaks() {
    for (requests, expected) in [
        (&[100, 100, 100, 100][..], None),
        (&[100, 100, 100, 100, 100], Some((100, 5))),
        // Two leak out in each second.
        (&[100, 100, 100, 100, 101, 101, 102, 102, 103, 103], None),
        (&[100, 100, 100, 100, 101, 101, 101], Some((101, 5))),
        // After a while it is empty again.
        (&[100, 100, 100, 100, 200, 200, 200, 200], None),
        (&[100, 200, 200, 200, 200, 200], Some((200, 5))),
        // Late ones count with the last; very late ones are of another time.
        (&[100, 100, 100, 99, 98], Some((100, 5))),
        (&[100, 100, 100, 100, 39], None),
    ] {
        assert_eq!(overflow(requests), expected, "{requests:?}");
    }
    let steady: Vec<i64> = (0..10_000).map(|n| n / 2).collect();
    assert_eq!(overflow(&steady), None, "a rate that is kept never bans");
    let faster: Vec<i64> = (0..10_000).map(|n| n * 100 / 201).collect();
    assert!(overflow(&faster).is_some(), "one that is not bans in the end");
}

fn weighted(rule: Rule, offences: &[(i64, u64, u8)]) -> Option<(usize, i64, u32, u32)> {
    let mut window = Window::default();
    offences.iter().enumerate().find_map(|(number, (second, distinct, weight))| {
        let offence = Counted { at: at(*second), distinct: *distinct, weight: *weight, text: TextId::NONE };
        let verdict = window.count(offence, rule)?;
        Some((number + 1, verdict.since.as_second(), verdict.offences, verdict.weight))
    })
}

#[test]
fn an_offence_counts_as_often_as_it_weighs() {
    for (offences, expected) in [
        (&[(100, 0, 3)][..], Some((1, 100, 1, 3))),
        (&[(100, 0, 100)], Some((1, 100, 1, 100))),
        (&[(100, 0, 1), (101, 0, 2)], Some((2, 101, 2, 3))),
        (&[(100, 0, 2), (111, 0, 1), (112, 0, 1)], None),
        // As few as are enough.
        (&[(100, 0, 1), (105, 0, 1), (106, 0, 2)], Some((3, 106, 2, 3))),
        // A late one completes a window whose last offence is later.
        (&[(100, 0, 1), (108, 0, 1), (104, 0, 1)], Some((3, 108, 3, 3))),
    ] {
        assert_eq!(weighted(rule(3, 10), offences), expected, "{offences:?}");
    }
}

#[test]
fn of_a_value_that_comes_again_the_greatest_weight_counts() {
    let distinct = Rule { distinct: true, ..rule(5, 10) };
    for (offences, expected) in [
        (&[(100, 1, 3), (101, 1, 3), (102, 1, 3)][..], None),
        (&[(100, 1, 3), (101, 1, 1), (102, 2, 2)], Some((3, 102, 2, 5))),
        (&[(100, 1, 1), (101, 2, 2), (99, 1, 3)], Some((3, 101, 2, 5))),
    ] {
        assert_eq!(weighted(distinct, offences), expected, "{offences:?}");
    }
}

proptest! {
    #[test]
    fn a_weight_is_so_many_offences_at_once(
        offences in proptest::collection::vec((0..60i64, 1..4u8), 1..40),
        maxretry in 2..12usize,
    ) {
        let mut offences = offences;
        offences.sort_unstable();
        let mut one = Window::default();
        let mut many = Window::default();
        for (second, weight) in offences {
            let offence = |weight| Counted { at: at(second), distinct: 0, weight, text: TextId::NONE };
            let heavy = one.count(offence(weight), rule(maxretry, 10)).map(|verdict| verdict.since);
            let light = (0..weight).filter_map(|_| many.count(offence(1), rule(maxretry, 10)));
            let light = light.last().map(|verdict| verdict.since);
            prop_assert_eq!(heavy, light);
            if heavy.is_some() {
                one.consume(None);
                many.consume(None);
            }
        }
    }
}
