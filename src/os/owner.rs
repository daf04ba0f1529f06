//! Who owns a file, as an operator writes it: `user`, `user:group`, `:group`, names or numbers.

use nix::unistd::{Group, User, geteuid};

/// User and group ids, as far as they were said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user's id.
    pub uid: Option<u32>,
    /// The group's id.
    pub gid: Option<u32>,
}

/// Text that names no owner of this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// No such user.
    #[error("there is no user `{0}` on this host: create it, or name another in `owner`")]
    NoUser(String),
    /// No such group.
    #[error("there is no group `{0}` on this host: create it, or name another in `owner`")]
    NoGroup(String),
    /// Neither a user nor a group is said.
    #[error("`owner` is empty: write `user`, `user:group` or `:group`")]
    Empty,
}

impl Owner {
    /// Looks the names up on this host. A number need not exist there.
    pub fn resolve(text: &str) -> Result<Self, OwnerError> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        if user.is_empty() && group.is_empty() {
            return Err(OwnerError::Empty);
        }
        let uid = (!user.is_empty()).then(|| uid_of(user)).transpose()?;
        let gid = (!group.is_empty()).then(|| gid_of(group)).transpose()?;
        Ok(Self { uid, gid })
    }
}

fn uid_of(name: &str) -> Result<u32, OwnerError> {
    let known = || User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    name.parse().ok().or_else(known).ok_or_else(|| OwnerError::NoUser(name.to_owned()))
}

fn gid_of(name: &str) -> Result<u32, OwnerError> {
    let known = || Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    name.parse().ok().or_else(known).ok_or_else(|| OwnerError::NoGroup(name.to_owned()))
}

/// The account of that name: its user id and primary group; `None` where this host has none.
pub fn account(name: &str) -> Option<(u32, u32)> {
    User::from_name(name).ok().flatten().map(|user| (user.uid.as_raw(), user.gid.as_raw()))
}

/// The name of a user id, or the number where it has none.
pub fn user_name(uid: u32) -> String {
    let known = User::from_uid(uid.into()).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}

/// The name of a group id, or the number where it has none.
pub fn group_name(gid: u32) -> String {
    let known = Group::from_gid(gid.into()).ok().flatten();
    known.map_or_else(|| gid.to_string(), |group| group.name)
}

/// The groups of an account beside its primary one, from the group data base.
pub fn groups_of(name: &str, gid: u32) -> Vec<u32> {
    let Ok(name) = std::ffi::CString::new(name) else { return vec![gid] };
    let listed = nix::unistd::getgrouplist(&name, gid.into()).unwrap_or_default();
    listed.into_iter().map(nix::unistd::Gid::as_raw).collect()
}

/// Whether this process may do everything: its effective user is root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The name of the user this process runs as.
pub fn own_user() -> String {
    user_name(geteuid().as_raw())
}

/// The name of the group this process runs as.
pub fn own_group() -> String {
    group_name(nix::unistd::getegid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::{Owner, OwnerError};

    #[test]
    fn names_and_numbers_are_read() {
        let owner = |uid, gid| Ok(Owner { uid, gid });
        assert_eq!(Owner::resolve("root"), owner(Some(0), None));
        assert_eq!(Owner::resolve("root:root"), owner(Some(0), Some(0)));
        assert_eq!(Owner::resolve(":root"), owner(None, Some(0)));
        assert_eq!(Owner::resolve("4711:4712"), owner(Some(4711), Some(4712)));
    }

    #[test]
    fn what_does_not_exist_is_named() {
        assert_eq!(Owner::resolve("no-such-user"), Err(OwnerError::NoUser("no-such-user".to_owned())));
        assert_eq!(Owner::resolve(":no-such-group"), Err(OwnerError::NoGroup("no-such-group".to_owned())));
        assert_eq!(Owner::resolve(":"), Err(OwnerError::Empty));
    }
}
