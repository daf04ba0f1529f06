//! Where a file begins that has no checkpoint.

use super::*;

const NOW: i64 = 1_800_000_000;

/// A line each second up to `NOW`, `count` of them.
fn log(count: i64) -> String {
    (0..count).flat_map(|n| [format!("@{} request\n", NOW - count + n)]).collect()
}

fn recent(text: &str, seconds: i64) -> Vec<String> {
    let mut lab = Lab::new(&["access.log"], FirstRead::Recent);
    lab.append("access.log", text);
    lab.restart();
    lab.recorder.since = Some(Timestamp::from_second(NOW - seconds).unwrap());
    lab.catch_up();
    lab.lines().into_iter().map(ToOwned::to_owned).collect()
}

#[test]
fn recent_begins_at_the_first_line_that_still_matters() {
    for count in [1, 2, 10, 1_000, 50_000] {
        for seconds in [1, 5, 600] {
            let lines = recent(&log(count), seconds);
            assert_eq!(lines.len() as i64, count.min(seconds), "{count} lines, {seconds} s");
        }
    }
    assert!(recent(&log(1_000), 0).is_empty());
}

#[test]
fn recent_is_found_among_late_and_foreign_lines() {
    let mut lines: Vec<String> = log(50_000).lines().map(ToOwned::to_owned).collect();
    for n in (0..lines.len()).step_by(7) {
        // A request that took up to a minute is logged with its start; others are no records at all.
        lines[n] = format!("@{} slow", NOW - 50_000 + n as i64 - (n as i64 % 50));
    }
    for n in (0..lines.len()).step_by(5) {
        lines.insert(n, "not a record".to_owned());
    }
    let first = lines.iter().position(|line| {
        line.strip_prefix('@')
            .is_some_and(|line| line.split(' ').next().unwrap().parse::<i64>().unwrap() >= NOW - 600)
    });
    assert_eq!(recent(&(lines.join("\n") + "\n"), 600), lines[first.unwrap()..]);
}

#[test]
fn without_times_an_old_file_begins_at_its_last_whole_line() {
    let mut lab = Lab::new(&["access.log"], FirstRead::Recent);
    lab.append("access.log", "no time\nno time\nunfini");
    lab.follower.started += SignedDuration::from_hours(1);
    lab.catch_up();
    assert!(lab.lines().is_empty());
    lab.append("access.log", "shed\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["unfinished"]);
}

#[test]
fn end_skips_what_is_old() {
    let mut lab = Lab::new(&["access.log"], FirstRead::End);
    lab.append("access.log", "old\n");
    lab.follower.started += SignedDuration::from_hours(1);
    lab.catch_up();
    lab.append("access.log", "new\n");
    lab.catch_up();
    assert_eq!(lab.lines(), ["new"]);
}

#[test]
fn no_line_counts_before_the_first_position_is_stored() {
    let mut lab = Lab::beginning();
    lab.append("access.log", "one\n");
    lab.recorder.refuses = true;
    lab.catch_up();
    lab.catch_up();
    assert!(lab.lines().is_empty() && lab.recorder.stored.is_empty());
    assert_eq!(
        lab.told(),
        ["cannot store where reading of access.log begins: the disk is full; it is not read before that"]
    );
    lab.recorder.refuses = false;
    lab.catch_up();
    assert_eq!(lab.lines(), ["one"]);
}

#[test]
fn compressed_logs_and_pipes_are_told_and_left() {
    let mut lab = Lab::new(&["access.log*"], FirstRead::Beginning);
    lab.append("access.log.2.gz", "compressed\n");
    nix::unistd::mkfifo(&lab.path("access.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    lab.catch_up();
    lab.catch_up();
    assert!(lab.lines().is_empty());
    let told = lab.told();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("access.log is no regular file"));
    assert!(told[1].starts_with("access.log.2.gz is compressed"));
}
