//! What happens to logs while nobody follows them.

use super::*;

/// A log of which one line was read, and one was not, when the process ended.
fn stopped() -> Lab {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.catch_up();
    lab.append("access.log", "two\n");
    lab
}

fn resumes(mut lab: Lab, expected: &[&str]) {
    lab.restart();
    lab.catch_up();
    assert_eq!(lab.lines(), expected);
    lab.restart();
    lab.catch_up();
    assert_eq!(lab.lines(), expected, "nothing is read again");
}

#[test]
fn reading_goes_on_where_it_was_left() {
    resumes(stopped(), &["one", "two"]);
}

#[test]
fn a_crash_repeats_only_what_was_not_stored() {
    let mut lab = stopped();
    lab.follower.turn(lab.now + SignedDuration::from_secs(1), &mut lab.recorder);
    assert_eq!(lab.recorder.judged.len(), 1);
    resumes(lab, &["one", "two"]);
}

#[test]
fn a_log_that_was_renamed_meanwhile_is_finished_and_its_successor_begun() {
    let lab = stopped();
    lab.rename("access.log", "access.log-20261120");
    lab.append("access.log", "three\n");
    resumes(lab, &["one", "two", "three"]);
}

#[test]
fn a_log_that_was_copied_and_truncated_meanwhile_is_finished_in_its_copy() {
    let lab = stopped();
    lab.copy_and_truncate("access.log", "access.log.1");
    lab.append("access.log", "three\nfour\nfive\n");
    resumes(lab, &["one", "two", "three", "four", "five"]);
}

#[test]
fn logs_that_came_and_went_meanwhile_are_read() {
    let lab = stopped();
    lab.append("access.log.3", "older than all\n");
    let old = File::options().write(true).open(lab.path("access.log.3")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    lab.rename("access.log", "access.log.2");
    lab.append("access.log.1", "three\n");
    lab.append("access.log", "four\n");
    resumes(lab, &["one", "two", "three", "four"]);
}

#[test]
fn a_log_without_a_successor_gets_one_later() {
    let mut lab = stopped();
    lab.rename("access.log", "access.log.1");
    lab.restart();
    lab.turn_after(1);
    lab.append("access.log.1", "three\n");
    lab.append("access.log", "four\n");
    resumes(lab, &["one", "two", "three", "four"]);
}

#[test]
fn a_rotated_log_is_still_followed_and_then_let_go() {
    let mut lab = stopped();
    lab.rename("access.log", "access.log.1");
    lab.append("access.log", "four\n");
    lab.turn_after(1);
    lab.append("access.log.1", "three\n");
    lab.restart();
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two", "four", "three"]);
    lab.turn_after(61);
    lab.turn_after(1);
    assert_eq!(lab.recorder.stored.len(), 1);
}

#[test]
fn a_log_that_is_gone_is_told_and_its_successor_is_read_whole() {
    let mut lab = stopped();
    fs::remove_file(lab.path("access.log")).unwrap();
    // Keeps the inode from being used again.
    lab.append("other", "");
    lab.append("access.log", "three\n");
    lab.restart();
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "three"]);
    assert!(
        lab.told()
            .iter()
            .any(|event| event.starts_with("access.log was last read to byte 4, but that file is gone"))
    );
}

#[test]
fn the_checkpoint_of_a_volume_that_is_not_mounted_yet_is_kept() {
    let mut lab = Lab::new(&["volume/access.log"], FirstRead::End);
    fs::create_dir(lab.path("volume")).unwrap();
    lab.append("volume/access.log", "one\n");
    lab.catch_up();
    lab.rename("volume", "elsewhere");
    lab.restart();
    lab.turn_after(1);
    lab.turn_after(3_600);
    lab.append("elsewhere/access.log", "two\n");
    lab.rename("elsewhere", "volume");
    lab.catch_up();
    assert_eq!(lab.lines(), ["one", "two"]);
}

#[test]
fn a_checkpoint_of_a_file_that_never_comes_back_is_forgotten() {
    let mut lab = stopped();
    fs::remove_file(lab.path("access.log")).unwrap();
    lab.restart();
    lab.turn_after(1);
    assert_eq!(lab.recorder.stored.len(), 1);
    lab.turn_after(61);
    assert!(lab.recorder.stored.is_empty());
}
