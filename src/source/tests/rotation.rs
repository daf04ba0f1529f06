//! Rotation, truncation, deletion, and what else happens to a log while it is followed.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn lines_are_handed_out_once_and_only_whole() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\ntwo\nthr");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two"]);
    lab.append("access.log", "ee\n");
    lab.catch_up();
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three"]);
}

#[test]
fn a_missing_log_is_told_once_and_picked_up() {
    let mut lab = Lab::new(&["logs/access.log"], FirstRead::End);
    lab.catch_up();
    lab.catch_up();
    assert_eq!(
        lab.told(),
        ["no log matches logs/access.log (logs does not exist); it is picked up when it appears"]
    );
    assert_eq!(lab.status(), [("access.log".to_owned(), FileState::Missing)]);
    fs::create_dir(lab.path("logs")).unwrap();
    lab.append("logs/access.log", "first\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["first"], "a log that is born while we follow has no old lines");
}

#[test]
fn the_rest_of_a_renamed_log_is_read_before_its_successor() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    lab.rename("access.log", "access.log.1");
    lab.append("access.log", "four\n");
    lab.append("access.log.1", "three\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three", "four"]);
    assert_eq!(
        lab.status(),
        [("access.log.1".to_owned(), FileState::Rotated), ("access.log".to_owned(), FileState::Live)]
    );
}

#[test]
fn a_renamed_log_is_followed_until_it_is_silent_and_has_a_successor() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.rename("access.log", "access.log.1");
    lab.turn_after(61);
    lab.turn_after(61);
    lab.append("access.log.1", "two\n");
    lab.turn_after(1);
    assert_eq!(lab.lines(), ["one", "two"], "without a successor it is followed, however silent");
    lab.append("access.log", "three\n");
    lab.turn_after(30);
    lab.append("access.log.1", "four\n");
    lab.turn_after(29);
    lab.turn_after(59);
    assert_eq!(lab.recorder.stored.len(), 2, "both have checkpoints");
    lab.turn_after(2);
    assert_eq!(lab.lines(), ["one", "two", "three", "four"]);
    assert_eq!(lab.recorder.stored.len(), 1, "the store forgets what was let go");
    assert_eq!(lab.status(), [("access.log".to_owned(), FileState::Live)]);
}

#[test]
fn a_copied_and_truncated_log_is_finished_in_its_copy() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "three is longer than what was there before\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three is longer than what was there before"]);
    assert!(lab.told().iter().any(|event| event.contains("its old lines are in access.log.1")));
}

#[test]
fn identical_lines_survive_a_truncation() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "same\nsame\nsame\n");
    lab.catch_up();
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "same\n");
    lab.catch_up();
    lab.append("access.log", "same\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["same"; 5]);
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    for (line, old) in [
        ("two\n", "access.log-20261120"),
        ("three\n", "access.log-20261121"),
        ("four\n", "access.log-20261122"),
    ] {
        lab.append("access.log", line);
        lab.rename("access.log", old);
    }
    lab.append("access.log", "five\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three", "four", "five"]);
}

#[test]
fn copytruncate_twice_between_two_looks_loses_nothing() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "three\n");
    lab.rename("access.log.1", "access.log.2");
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "four\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three", "four"]);
}

#[test]
fn rotated_names_that_match_are_never_read_twice() {
    let mut lab = Lab::new(&["access.log*"], FirstRead::Beginning);
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    lab.rename("access.log", "access.log.1");
    lab.append("access.log", "three\n");
    lab.catch_up();
    lab.rename("access.log.1", "access.log.2");
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "four\n");
    lab.catch_up();
    lab.turn_after(61);
    lab.turn_after(61);
    lab.restart();
    lab.catch_up();
    fs::remove_file(lab.path("access.log.2")).unwrap();
    lab.rename("access.log.1", "access.log.2");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three", "four"]);
}

#[test]
fn a_copy_in_the_making_is_not_read() {
    let mut lab = Lab::new(&["access.log*"], FirstRead::Beginning);
    lab.append("access.log", "one\n");
    lab.catch_up();
    fs::copy(lab.path("access.log"), lab.path("access.log.1")).unwrap();
    lab.catch_up();
    assert!(
        lab.told()
            .iter()
            .any(|event| event == "access.log.1 is a copy of access.log and is not read a second time")
    );
    lab.append("access.log", "two\n");
    fs::copy(lab.path("access.log"), lab.path("access.log.1")).unwrap();
    File::create(lab.path("access.log")).unwrap();
    lab.append("access.log", "three\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three"]);
}

#[test]
fn a_log_with_several_names_is_read_once() {
    let mut lab = Lab::new(&["*.log", "access.log"], FirstRead::Beginning);
    lab.append("access.log", "one\n");
    fs::hard_link(lab.path("access.log"), lab.path("hard.log")).unwrap();
    symlink(lab.path("access.log"), lab.path("soft.log")).unwrap();
    lab.catch_up();
    fs::remove_file(lab.path("access.log")).unwrap();
    lab.append("hard.log", "two\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two"]);
}

#[test]
fn a_switched_link_is_a_rotation_and_switching_back_repeats_nothing() {
    let mut lab = Lab::beginning();
    let switch = |lab: &Lab, to: &str| {
        symlink(lab.path(to), lab.path("new")).unwrap();
        lab.rename("new", "access.log");
    };
    lab.append("monday", "one\n");
    switch(&lab, "monday");
    lab.catch_up();
    lab.append("monday", "two\n");
    lab.append("tuesday", "three\n");
    switch(&lab, "tuesday");
    lab.catch_up();
    lab.turn_after(61);
    lab.turn_after(61);
    assert!(lab.told().iter().any(|event| event.starts_with("monday is read to its end")));
    switch(&lab, "monday");
    lab.append("monday", "four\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three", "four"]);
}

#[test]
fn a_deleted_log_is_finished_and_not_held_for_ever() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    fs::remove_file(lab.path("access.log")).unwrap();
    lab.turn_after(1);
    assert_eq!(lab.lines(), ["one", "two"]);
    assert_eq!(lab.status().first().map(|(_, state)| *state), Some(FileState::Deleted));
    lab.turn_after(61);
    lab.turn_after(1);
    assert!(lab.follower.tails.is_empty() && lab.recorder.stored.is_empty());
}

#[test]
fn a_file_that_an_editor_replaced_goes_on_where_it_was() {
    let mut lab = Lab::beginning();
    let old: String = (0..20).flat_map(|n| [format!("an old line, number {n}\n")]).collect();
    lab.append("access.log", &old);
    lab.catch_up();
    lab.append("edited", &(old + "added\n"));
    lab.rename("edited", "access.log");
    lab.catch_up();
    assert_eq!(lab.lines().len(), 21);
    assert_eq!(lab.lines().last(), Some(&"added"));
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_told() {
    let mut lab = Lab::beginning();
    let long = "x".repeat(MAX_LINE);
    lab.append("access.log", &format!("before\n{long}"));
    lab.catch_up();
    lab.append("access.log", "still the same line\nafter\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["before", "after"]);
    let told = lab.told();
    let length = MAX_LINE + "still the same line\n".len();
    assert!(
        told.iter().any(|event| event.contains(&format!("the line at byte 7 has {length} bytes"))),
        "{told:?}"
    );
    assert!(told.iter().all(|event| event.len() < 500));
}

#[test]
fn a_long_line_that_fits_is_whole() {
    let mut lab = Lab::beginning();
    let long = "x".repeat(MAX_LINE - 1);
    lab.append("access.log", &format!("before\n{long}\nafter\n"));
    lab.catch_up();
    assert!(lab.lines() == ["before", &long, "after"]);
}

#[test]
fn the_hole_of_a_server_that_does_not_append_hides_no_line() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    let file = File::options().write(true).open(lab.path("access.log")).unwrap();
    file.set_len(0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"two\n", 3 << 20).unwrap();
    lab.catch_up();
    lab.append("access.log", "three\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "three"]);
}

#[test]
fn a_backlog_does_not_starve_the_others() {
    let mut lab = Lab::new(&["*.log"], FirstRead::Beginning);
    lab.append("a.log", &"backlog of one file\n".repeat(200_000));
    lab.append("b.log", "live\n");
    assert!(lab.turn_after(0).more);
    assert_eq!(lab.lines().last(), Some(&"live"));
    assert!(!lab.follower.backlog_read());
    lab.catch_up();
    assert!(lab.follower.backlog_read());
    assert_eq!(lab.lines().len(), 200_001);
}

#[test]
fn a_live_log_is_read_in_every_turn_of_a_long_catching_up() {
    let mut lab = Lab::new(&["*.log"], FirstRead::Beginning);
    lab.append("live.log", "0\n");
    lab.catch_up();
    for name in ["a.log", "z.log"] {
        lab.append(name, &"backlog of one file\n".repeat(200_000));
    }
    lab.turn_after(1);
    for n in 1..=2 {
        lab.append("live.log", &format!("{n}\n"));
        assert!(lab.turn_after(0).more, "the backlog takes more turns");
        let n = n.to_string();
        assert!(lab.recorder.lines.iter().any(|(_, line)| *line == n), "read in the same turn");
    }
    lab.catch_up();
    assert_eq!(lab.lines().len(), 400_003);
}

#[test]
fn caught_up_is_the_look_before_at_most_two_seconds_ago() {
    let mut lab = Lab::beginning();
    for (pause, expected) in [(0, false), (1, true), (2, true), (3, false), (0, true)] {
        lab.append("access.log", "line\n");
        lab.turn_after(pause);
        assert_eq!(lab.recorder.caught_up.last(), Some(&expected), "after {pause} s");
    }
}

#[test]
fn a_stopped_turn_goes_on_behind_the_chunk_that_was_taken() {
    let mut lab = Lab::beginning();
    lab.append("access.log", &"0123456789\n".repeat(50_000));
    lab.recorder.stop_after = Some(1);
    let turn = lab.turn_after(0);
    assert!(turn.stopped && turn.more);
    let taken = lab.lines().len();
    assert!(taken > 0 && taken < 50_000);
    lab.recorder.stop_after = None;
    lab.catch_up();
    assert_eq!(lab.lines().len(), 50_000);
}

#[test]
fn more_files_than_descriptors_are_followed() {
    let mut lab = Lab::new(&["*.log"], FirstRead::Beginning);
    for n in 0..300 {
        lab.append(&format!("{n}.log"), "first\n");
    }
    lab.catch_up();
    assert_eq!(lab.follower.tails.iter().filter(|tail| tail.is_open()).count(), 256);
    for n in 0..300 {
        lab.append(&format!("{n}.log"), "second\n");
        lab.rename(&format!("{n}.log"), &format!("{n}.log.1"));
    }
    lab.catch_up();
    assert_eq!(lab.lines().len(), 600);
}
