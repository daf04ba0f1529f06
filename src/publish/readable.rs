//! Whether a server's workers can read a file: Apache lets everybody in when it cannot read its map.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::os::files;
use crate::os::owner::{self, Owner};
use crate::os::process::{self, Credentials};

/// The accounts that Apache's workers have in the distributions.
const CUSTOMARY: [&str; 4] = ["www-data", "apache", "http", "wwwrun"];

/// Who reads a map, and how sure we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Readers {
    /// For the message: `user www-data`, `group www-data`.
    who: String,
    rights: Credentials,
    /// They run, or were configured; else it is only what is customary.
    pub(super) certain: bool,
}

/// The workers of the Apache that runs; else whom the output's `owner` names; else the customary account.
pub(super) fn readers(owner: Option<Owner>) -> Option<Readers> {
    running().or_else(|| owner.and_then(configured)).or_else(customary)
}

fn running() -> Option<Readers> {
    let all = process::all();
    let is_apache = |name: &str| matches!(name, "apache2" | "httpd");
    let masters: Vec<i32> = all.iter().filter(|p| is_apache(&p.name)).map(|p| p.pid).collect();
    let workers = all.iter().filter(|p| is_apache(&p.name) && masters.contains(&p.parent));
    workers.filter_map(|worker| process::credentials(worker.pid)).find(|rights| rights.uid != 0).map(
        |rights| Readers { who: format!("user {}", owner::user_name(rights.uid)), rights, certain: true },
    )
}

/// A configured group is there to let the workers read.
fn configured(owner: Owner) -> Option<Readers> {
    // Nobody has this id: only the group counts.
    let uid = u32::MAX;
    let group = owner.gid.map(|gid| {
        let who = format!("group {}", owner::group_name(gid));
        Readers { who, rights: Credentials { uid, groups: vec![gid] }, certain: true }
    });
    let user = || {
        let uid = owner.uid.filter(|uid| *uid != 0)?;
        let who = format!("user {}", owner::user_name(uid));
        Some(Readers { who, rights: Credentials { uid, groups: Vec::new() }, certain: true })
    };
    group.or_else(user)
}

fn customary() -> Option<Readers> {
    CUSTOMARY.iter().find_map(|name| {
        let (uid, gid) = owner::account(name)?;
        let rights = Credentials { uid, groups: owner::groups_of(name, gid) };
        Some(Readers { who: format!("user {name}"), rights, certain: false })
    })
}

impl Readers {
    /// What keeps them from reading the file, and the fix; `None` where nothing does. Access lists are not looked at.
    pub(super) fn hindered(&self, path: &Path) -> Option<String> {
        let real = files::resolve(path).unwrap_or_else(|_| path.to_owned());
        let directories = [path, &real].into_iter().filter_map(Path::parent).flat_map(Path::ancestors);
        let mut directories: Vec<&Path> = directories.collect();
        directories.sort_unstable();
        directories.dedup();
        let closed = directories.into_iter().find(|directory| !self.may(directory, 0o1));
        if let Some(directory) = closed {
            return Some(self.complaint("enter", directory, "x"));
        }
        (!self.may(&real, 0o4)).then(|| self.complaint("read", &real, "r"))
    }

    /// What cannot be looked at is not complained about.
    fn may(&self, path: &Path, bit: u32) -> bool {
        let Ok(metadata) = fs::metadata(path) else { return true };
        let shift = if self.rights.uid == metadata.uid() {
            6
        } else if self.rights.groups.contains(&metadata.gid()) {
            3
        } else {
            0
        };
        metadata.mode() >> shift & bit != 0
    }

    fn complaint(&self, verb: &str, path: &Path, bit: &str) -> String {
        let who = &self.who;
        let path = PathBuf::from(path);
        let shown = path.display();
        let mode = fs::metadata(&path).map_or(0, |metadata| metadata.mode() & 0o7777);
        let fix = if bit == "x" {
            format!("chmod o+x {shown}, or write the map elsewhere")
        } else {
            "set `owner` and `mode` of the output, as `banmap:www-data` and `0640`".to_owned()
        };
        format!("Apache ({who}) cannot {verb} {shown} (mode {mode:04o}), and lets everybody in: {fix}")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use super::Readers;
    use crate::os::process::Credentials;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_closed_directory_and_a_closed_file_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        fs::create_dir(&out).unwrap();
        let map = out.join("map");
        fs::File::create(&map).unwrap();
        let gid = fs::metadata(&map).unwrap().gid();
        let stranger = Readers {
            who: "user stranger".to_owned(),
            rights: Credentials { uid: 4_000_000, groups: vec![4_000_000] },
            certain: true,
        };
        let member =
            Readers { rights: Credentials { uid: 4_000_000, groups: vec![gid] }, ..stranger.clone() };
        mode(directory.path(), 0o755);
        mode(&out, 0o755);
        mode(&map, 0o644);
        assert_eq!(stranger.hindered(&map), None);
        mode(&map, 0o640);
        assert!(stranger.hindered(&map).unwrap().contains("map (mode 0640)"));
        assert_eq!(member.hindered(&map), None);
        mode(&out, 0o700);
        assert!(stranger.hindered(&map).unwrap().contains("out (mode 0700)"));
        assert!(member.hindered(&map).is_some());
        mode(&out, 0o711);
        assert_eq!(member.hindered(&map), None);
    }
}
