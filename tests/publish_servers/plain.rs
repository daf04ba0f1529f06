//! Outputs that no server is told about: when they are written, and when not.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use banmap::publish::{Kind, Settings, State, What};
use jiff::SignedDuration;
use tempfile::TempDir;

use super::harness::{World, output, prefixes, read, stays, until};

fn list() -> (TempDir, World) {
    let directory = tempfile::tempdir().unwrap();
    let settings = output("plain", Kind::List, directory.path().join("deep/er/list"));
    (directory, World::of(vec![settings]))
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_not_written_again() {
    let (_directory, mut world) = list();
    world.start(&[]);
    let generation = world.ban(&["192.0.2.1"]);
    world.reaches(State::Published, generation).await;
    let path = world.settings[0].path.clone();
    let before = (inode(&path), read(&path));
    let generation = world.ban(&["192.0.2.1"]);
    let report = world.reaches(State::Published, generation).await;
    assert!(report.settled && report.entries == 1);
    assert_eq!((inode(&path), read(&path)), before);
    std::fs::remove_file(&path).unwrap();
    let generation = world.ban(&["192.0.2.1"]);
    world.reaches(State::Published, generation).await;
    assert!(read(&path).ends_with("\n192.0.2.1\n"), "but a file that is gone is");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lost_when_a_flood_of_generations_is_coalesced() {
    let (_directory, mut world) = list();
    world.start(&[]);
    let all: Vec<String> = (0..2000).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    let mut generation = 0;
    for n in (0..=all.len()).step_by(10) {
        generation = world.ban(&all[..n].iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::yield_now().await;
    }
    let report = world.reaches(State::Published, generation).await;
    assert_eq!(report.entries, 2000);
    assert!(*world.fetched.lock().unwrap() < 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_wait_a_little_and_additions_do_not() {
    let (_directory, mut world) = list();
    world.settings[0].min_interval = Some(SignedDuration::from_millis(500));
    world.start(&[]);
    let path = world.settings[0].path.clone();
    let both = world.ban(&["192.0.2.1", "192.0.2.2"]);
    world.reaches(State::Published, both).await;
    world.ban(&["192.0.2.1"]);
    stays("the removal waits", Duration::from_millis(700), || read(&path).contains("192.0.2.2")).await;
    until("it is out", || !read(&path).contains("192.0.2.2")).await;
    world.ban(&[]);
    let added = world.ban(&["192.0.2.3"]);
    world.reaches(State::Published, added).await;
    assert!(read(&path).ends_with("\n192.0.2.3\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_member_splits_its_prefix_and_what_is_too_wide_is_told() {
    let (_directory, mut world) = list();
    world.start(&[]);
    let generation = world.change(
        |bans| {
            bans.prefixes = prefixes(&["192.0.2.0/30", "0.0.0.0/0"]);
            bans.holes = prefixes(&["192.0.2.1"]);
        },
        false,
    );
    let report = world.reaches(State::Published, generation).await;
    assert_eq!((report.entries, report.left_out), (2, 1));
    assert!(read(&world.settings[0].path).ends_with("\n192.0.2.0\n192.0.2.2/31\n"));
    let told = |event: &banmap::publish::Event| matches!(event.what, What::LeftOut { total: 1, .. });
    assert_eq!(world.events.lock().unwrap().iter().filter(|event| told(event)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_and_mode_are_as_configured_on_the_first_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let settings = output("plain", Kind::ApacheRewritemap, directory.path().join("map"));
    let mut world = World::of(vec![Settings { mode: Some(0o640), ..settings }]);
    let mode = |world: &World| std::fs::metadata(&world.settings[0].path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&world), 0o640);
    world.start(&[]);
    world.ban(&["192.0.2.1"]);
    until("it is in place", || read(&world.settings[0].path).contains("192.0.2.1 -")).await;
    assert_eq!(mode(&world), 0o640);
    world.stop().await;
    assert!(read(&world.settings[0].path).contains("192.0.2.1 -"), "stopping changes nothing");
}
