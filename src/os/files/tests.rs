//! The sweep over every step that can fail, and what is kept of the old file.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::{Attributes, FileId, Step, create_directory, remove_stale, stage, stage_with};
use crate::os::owner::Owner;

const EVERY_STEP: [Step; 8] = [
    Step::Resolve,
    Step::Create,
    Step::Chown,
    Step::Chmod,
    Step::Write,
    Step::Sync,
    Step::Rename,
    Step::SyncDirectory,
];

fn put(target: &Path, bytes: &[u8]) -> super::Committed {
    stage(target, bytes, Attributes::default()).unwrap().commit().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Replaces `target`, failing at the n-th step; says which step failed.
fn replace_failing_at(n: usize, target: &Path, new: &[u8]) -> Option<Step> {
    let (mut asked, mut failed) = (0, None);
    let mut probe = |step| {
        asked += 1;
        if asked <= n {
            return Ok(());
        }
        failed = Some(step);
        Err(io::Error::from(io::ErrorKind::StorageFull))
    };
    let staged = stage_with(target, new, Attributes::default(), &mut probe);
    let _ = staged.and_then(|staged| staged.commit_with(&mut probe));
    failed
}

#[test]
fn a_failure_at_any_step_leaves_old_or_new_content_whole_and_no_rest() {
    let old = vec![b'o'; 300_000];
    let new = vec![b'n'; 200_000];
    let mut seen = Vec::new();
    for n in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("list");
        put(&target, &old);
        let failed = replace_failing_at(n, &target, &new);
        let found = fs::read(&target).unwrap();
        let expected = if matches!(failed, None | Some(Step::SyncDirectory)) { &new } else { &old };
        assert!(found == *expected, "failed at {failed:?}: {} bytes found", found.len());
        assert_eq!(names(directory.path()), ["list"], "failed at {failed:?}");
        match failed {
            Some(step) => seen.push(step),
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen, EVERY_STEP);
}

#[test]
fn an_unsynced_directory_is_told_although_the_content_is_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("list");
    let mut probe = |step| if step == Step::SyncDirectory { Err(io::Error::other("no")) } else { Ok(()) };
    let staged = stage(&target, b"x", Attributes::default()).unwrap();
    let committed = staged.commit_with(&mut probe).unwrap();
    assert_eq!(committed.unsynced.map(|error| error.step), Some(Step::SyncDirectory));
}

#[test]
fn owner_and_mode_are_set_before_the_rename_and_kept_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("list");
    let mode_of = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    put(&target, b"1");
    assert_eq!(mode_of(&target), 0o644, "a new file is readable for servers");
    let attributes = Attributes { mode: Some(0o640), ..Attributes::default() };
    let staged = stage(&target, b"2", attributes).unwrap();
    assert_eq!(mode_of(staged.path()), 0o640);
    staged.commit().unwrap();
    put(&target, b"3");
    assert_eq!(mode_of(&target), 0o640);
}

#[test]
fn root_sets_and_keeps_owners() {
    if !crate::os::owner::is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("list");
    let owner = Owner { uid: Some(4711), gid: Some(4712) };
    stage(&target, b"1", Attributes { owner, mode: None }).unwrap().commit().unwrap();
    put(&target, b"2");
    let metadata = fs::metadata(&target).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
}

#[test]
fn a_symbolic_link_stays_and_its_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = directory.path().join("link");
    symlink("real/list", &link).unwrap();
    put(&link, b"1");
    put(&link, b"2");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(real.join("list")).unwrap(), b"2");
    assert_eq!(names(&real), ["list"]);
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let error = stage(directory.path(), b"x", Attributes::default()).unwrap_err();
    assert_eq!(error.step, Step::Resolve);
    let circle = directory.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert_eq!(stage(&circle, b"x", Attributes::default()).unwrap_err().step, Step::Resolve);
}

#[test]
fn a_missing_directory_is_named_with_the_fix() {
    let error = stage(Path::new("/nonexistent/list"), b"x", Attributes::default()).unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("/nonexistent/list") && told.contains("create the directory /nonexistent"),
        "{told}"
    );
}

#[test]
fn stale_temporary_files_are_removed_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("list");
    for name in [".list.banmap-abcdef.tmp", ".list2.banmap-abcdef.tmp", ".list.other.tmp", "list.tmp"] {
        fs::File::create(directory.path().join(name)).unwrap();
    }
    assert_eq!(remove_stale(&target).unwrap(), 1);
    assert_eq!(names(directory.path()), [".list.other.tmp", ".list2.banmap-abcdef.tmp", "list.tmp"]);
}

#[test]
fn made_directories_let_servers_through() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("a/b");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    create_directory(&deep).unwrap();
    create_directory(&deep).unwrap();
    assert_eq!(fs::metadata(&deep).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(
        fs::metadata(directory.path()).unwrap().mode() & 0o7777,
        0o700,
        "existing ones are left alone"
    );
}

#[test]
fn a_committed_file_is_known_again_until_somebody_else_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("list");
    let committed = put(&target, b"1");
    assert_eq!(FileId::of(&target), Some(committed.id));
    put(&target, b"22");
    assert_ne!(FileId::of(&target), Some(committed.id));
}

/// In a mount name space of its own, with `target` a mount point; see the test below, which runs it so.
#[test]
fn inside_a_mount_name_space() {
    let Some(target) = std::env::var_os("BANMAP_TEST_MOUNT_POINT") else { return };
    let committed = put(Path::new(&target), b"new");
    assert!(committed.in_place, "a mount point cannot be renamed over");
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn a_mount_point_is_written_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let (source, target) = (directory.path().join("source"), directory.path().join("target"));
    put(&source, b"old and longer");
    put(&target, b"below");
    let test = std::env::current_exe().unwrap();
    let script = format!(
        "mount --bind {} {} || exit 77; exec {} --exact os::files::tests::inside_a_mount_name_space",
        source.display(),
        target.display(),
        test.display()
    );
    let ended = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .env("BANMAP_TEST_MOUNT_POINT", &target)
        .output()
        .unwrap();
    if ended.status.code() == Some(77) || !crate::os::owner::is_root() {
        // Without the right to mount there is nothing to see.
        return;
    }
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert_eq!(fs::read(&source).unwrap(), b"new");
    assert_eq!(names(directory.path()), ["source", "target"]);
}
