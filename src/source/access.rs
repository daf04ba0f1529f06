//! Why a path cannot be opened: the first part of it that permits too little, and what would help.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgroups};

const READ: u32 = 0o4;
const SEARCH: u32 = 0o1;

/// The part of a path that keeps us out, by its permission bits (access control lists are not looked at).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The first directory that cannot be entered, else the directory or file that cannot be read.
    pub blocked: PathBuf,
    /// Its owner, by name where it has one.
    pub owner: String,
    /// Its group, by name where it has one.
    pub group: String,
    /// Its permission bits.
    pub mode: u32,
    /// Whether members of its group are let in.
    pub group_suffices: bool,
    /// Whom it keeps out: the user that banmap runs as.
    pub user: String,
}

impl Access {
    /// What keeps this process out of `path`; `None` where permission bits do not explain it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let us = Identity::ours();
        let mut parts: Vec<&Path> = path.ancestors().collect();
        parts.reverse();
        parts.iter().find_map(|part| us.kept_out_of(part, *part == path))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blocked, owner, group, mode, user, .. } = self;
        let path = blocked.display();
        write!(f, "; {path} is {owner}:{group} {mode:04o}: ")?;
        if self.group_suffices {
            write!(
                f,
                "add the user banmap runs as to group {group} (usermod -aG {group} {user}) and restart banmap"
            )
        } else {
            write!(
                f,
                "let the user banmap runs as read it (setfacl -m u:{user}:rX {path}, or a group with that right)"
            )
        }
    }
}

struct Identity {
    user: Uid,
    groups: Vec<Gid>,
}

impl Identity {
    fn ours() -> Self {
        let mut groups = getgroups().unwrap_or_default();
        groups.push(getegid());
        Self { user: geteuid(), groups }
    }

    /// `last`: it is to be read, not only passed through.
    fn kept_out_of(&self, path: &Path, last: bool) -> Option<Access> {
        let stat = path.metadata().ok()?;
        let needed = match (last, stat.is_dir()) {
            (true, true) => READ | SEARCH,
            (true, false) => READ,
            (false, _) => SEARCH,
        };
        let mode = stat.mode() & 0o7777;
        let kept_out = !self.may(&stat, needed);
        kept_out.then(|| Access {
            blocked: path.to_owned(),
            owner: user_name(stat.uid().into()),
            group: group_name(stat.gid().into()),
            mode,
            group_suffices: (mode >> 3) & needed == needed,
            user: user_name(self.user),
        })
    }

    fn may(&self, stat: &Metadata, needed: u32) -> bool {
        let bits = match () {
            () if self.user.is_root() => return true,
            () if self.user == stat.uid().into() => stat.mode() >> 6,
            () if self.groups.contains(&stat.gid().into()) => stat.mode() >> 3,
            () => stat.mode(),
        };
        bits & needed == needed
    }
}

fn user_name(user: Uid) -> String {
    User::from_uid(user).ok().flatten().map_or_else(|| user.to_string(), |user| user.name)
}

fn group_name(group: Gid) -> String {
    Group::from_gid(group).ok().flatten().map_or_else(|| group.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Someone who owns nothing here and is in no group of ours.
    fn stranger(group: Option<u32>) -> Identity {
        Identity { user: Uid::from_raw(64_999), groups: group.map(Gid::from_raw).into_iter().collect() }
    }

    #[test]
    fn the_directory_that_keeps_us_out_is_named_with_the_group_that_would_help() {
        let root = tempfile::tempdir().unwrap();
        let logs = root.path().join("nginx");
        create_dir(&logs).unwrap();
        set_permissions(&logs, Permissions::from_mode(0o750)).unwrap();
        let access = stranger(None).kept_out_of(&logs, false).unwrap();
        assert_eq!(
            (access.blocked.as_path(), access.mode, access.group_suffices),
            (logs.as_path(), 0o750, true)
        );
        let text = access.to_string();
        assert!(text.contains(&format!("add the user banmap runs as to group {}", access.group)), "{text}");
        assert!(text.contains("0750"), "{text}");
        let group = logs.metadata().unwrap().gid();
        assert_eq!(stranger(Some(group)).kept_out_of(&logs, false), None);
    }

    #[test]
    fn where_no_group_helps_another_way_is_shown() {
        let root = tempfile::tempdir().unwrap();
        set_permissions(root.path(), Permissions::from_mode(0o700)).unwrap();
        let access = stranger(None).kept_out_of(root.path(), true).unwrap();
        assert!(!access.group_suffices);
        assert!(access.to_string().contains("setfacl -m u:64999:rX"), "{access}");
    }
}
