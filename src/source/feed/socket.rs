//! A unix socket's place in the file system: made with mode and owner, a stale one replaced, removed in the end.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

use crate::os::owner::{Owner, group_name, user_name};
use crate::source::{Listen, SourceError};

/// The name of a bound socket. It is removed when this is dropped, unless another one stands there by then.
pub(super) struct Name {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Name {
    /// Binds a new socket of this kind at the path, replacing one that nobody reads.
    pub(super) fn bind(path: &Path, kind: SockType) -> io::Result<(OwnedFd, Self)> {
        clear_stale(path, kind)?;
        let socket = open(kind)?;
        socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        let identity = identity(path)?;
        Ok((socket, Self { path: path.to_owned(), identity }))
    }

    /// Whether the path still leads to the socket.
    pub(super) fn stands(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }

    /// Gives the socket its mode and owner; in words, what it has then.
    pub(super) fn admit(&self, listen: &Listen) -> Result<String, SourceError> {
        let refused = |error: &io::Error| listen.at.refused(error);
        if let Some(owner) = &listen.owner {
            let Owner { uid, gid } = Owner::resolve(owner).map_err(SourceError::Owner)?;
            chown(&self.path, uid, gid).map_err(|error| refused(&error))?;
        }
        let mode = Permissions::from_mode(listen.mode);
        fs::set_permissions(&self.path, mode).map_err(|error| refused(&error))?;
        let stat = fs::symlink_metadata(&self.path).map_err(|error| refused(&error))?;
        let (owner, group) = (user_name(stat.uid()), group_name(stat.gid()));
        Ok(format!("mode {:04o}, {owner}:{group}", stat.mode() & 0o777))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.stands() {
            // One that stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(kind: SockType) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket::socket(AddressFamily::Unix, kind, flags, None)?)
}

/// Removes a socket that a dead process left behind. Anything else that stands there stays, and is an error.
fn clear_stale(path: &Path, kind: SockType) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !found.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let dialled = socket::connect(open(kind)?.as_raw_fd(), &UnixAddr::new(path)?);
    match dialled {
        // Of another kind than ours: nobody can be asked, so it is taken for somebody's.
        Ok(()) | Err(Errno::EPROTOTYPE | Errno::EAGAIN) => Err(io::ErrorKind::AddrInUse.into()),
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Err(Errno::ENOENT) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
