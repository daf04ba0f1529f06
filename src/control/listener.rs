//! The socket itself: how it comes to be, who may use it, how a stale one gives way, how a client reaches it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use tokio::net::{UnixListener, UnixStream};

use super::ControlError;

/// Owner and group may ask; the group is that of the daemon's process.
const MODE: u32 = 0o660;

/// So many connections may wait to be accepted.
const BACKLOG: i32 = 128;

/// `sun_path` of unix(7) has 108 bytes, one of them for the end.
const LONGEST_PATH: usize = 107;

/// The daemon's socket. It is removed when this is dropped, unless another one stands in its place by then.
#[derive(Debug)]
pub struct Listener {
    inner: UnixListener,
    path: PathBuf,
    /// Device and inode, by which our own socket is known again.
    identity: (u64, u64),
}

impl Listener {
    /// Creates the socket (mode 0660) and, where needed, its directory (0755); replaces a socket on which nobody
    /// listens. Must be called inside a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let address = address(path)?;
        let failed =
            |step| move |error: io::Error| ControlError::Serve { step, path: path.to_owned(), error };
        make_directory(path).map_err(failed("create the directory of"))?;
        clear_stale(path)?;
        let socket = open(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK).map_err(failed("open"))?;
        socket::bind(socket.as_raw_fd(), &address).map_err(|errno| failed("bind")(errno.into()))?;
        // Between bind and listen every connect is refused, so that nobody gets in before the mode is set.
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed("set the mode of"))?;
        let backlog = Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN);
        socket::listen(&socket, backlog).map_err(|errno| failed("listen on")(errno.into()))?;
        let identity = identity(path).map_err(failed("look at"))?;
        let inner = UnixListener::from_std(StdListener::from(socket)).map_err(failed("serve"))?;
        Ok(Self { inner, path: path.to_owned(), identity })
    }

    /// Waits for the next client.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.inner.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // A socket that stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects without ever waiting: a daemon whose queue is full is as good as none (`EAGAIN`).
pub(super) fn dial(path: &Path) -> Result<io::Result<StdStream>, ControlError> {
    let address = address(path)?;
    Ok(dial_address(&address))
}

fn dial_address(address: &UnixAddr) -> io::Result<StdStream> {
    let socket = open(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    socket::connect(socket.as_raw_fd(), address)?;
    let stream = StdStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn open(flags: SockFlag) -> io::Result<OwnedFd> {
    Ok(socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}

fn address(path: &Path) -> Result<UnixAddr, ControlError> {
    UnixAddr::new(path).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => ControlError::TooLong {
            path: path.to_owned(),
            length: path.as_os_str().len(),
            limit: LONGEST_PATH,
        },
        other => ControlError::Serve { step: "use", path: path.to_owned(), error: other.into() },
    })
}

fn make_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)
        }
        _ => Ok(()),
    }
}

/// Removes a socket that a dead process left behind; anything else that stands there stays, and is an error.
fn clear_stale(path: &Path) -> Result<(), ControlError> {
    let failed = |step| move |error: io::Error| ControlError::Serve { step, path: path.to_owned(), error };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed("look at"))?,
    };
    if !found.file_type().is_socket() {
        return Err(ControlError::NotASocket(path.to_owned()));
    }
    match dial(path)? {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed("remove the stale socket"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(failed("try the socket that is already at")(error))
        }
        _ => Err(ControlError::InUse(path.to_owned())),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
