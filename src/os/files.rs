//! Files that other programs read, replaced as a whole: staged beside the target, synced, renamed, directory synced.
//!
//! A reader sees the old content or the new one, at every instant and after a crash at any step. The one exception is
//! a target that is itself a mount point (a single file bound into a container): it cannot be renamed over, so it
//! is written in place, and `Committed::in_place` says so.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::owner::{self, Owner};

/// How much is written between two looks at the probe: a failing disk leaves a part behind, as it really does.
const CHUNK: usize = 64 * 1024;

/// The permission bits of a file that is new and has none configured: every server's workers can read it.
const NEW_FILE_MODE: u32 = 0o644;

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding the real file behind symbolic links.
    Resolve,
    /// Reading a file.
    Read,
    /// Creating the temporary file.
    Create,
    /// Setting owner and group.
    Chown,
    /// Setting the permission bits.
    Chmod,
    /// Writing the content.
    Write,
    /// Syncing the content to the disk.
    Sync,
    /// Renaming the temporary file over the target.
    Rename,
    /// Syncing the directory, so that the rename survives a power cut.
    SyncDirectory,
    /// Writing into the target itself, which cannot be renamed over.
    WriteInPlace,
    /// Creating the directory.
    CreateDirectory,
    /// Removing a stale temporary file.
    Remove,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "use",
            Self::Read => "read",
            Self::Create => "create a temporary file beside",
            Self::Chown => "set the owner of the new",
            Self::Chmod => "set the mode of the new",
            Self::Write => "write the new",
            Self::Sync => "sync the new",
            Self::Rename => "rename the new file to",
            Self::SyncDirectory => "sync the directory of",
            Self::WriteInPlace => "write in place",
            Self::CreateDirectory => "create the directory",
            Self::Remove => "remove the stale temporary file",
        })
    }
}

/// A file that could not be read or replaced; the old content is still in place, except where `step` is
/// `WriteInPlace`.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}{}", path.display(), fix(path, *step, source))]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What was being done.
    pub step: Step,
    /// What the system said.
    pub source: io::Error,
}

/// What the operator can do about it, as the end of a sentence; empty where nothing is known.
fn fix(path: &Path, step: Step, error: &io::Error) -> String {
    let directory = if step == Step::CreateDirectory { path } else { path.parent().unwrap_or(path) };
    let directory = directory.display();
    let user = owner::own_user();
    match (step, error.kind()) {
        (Step::Chown, ErrorKind::PermissionDenied) => format!(
            ": only root may give files away; run as root, or set `owner` to `{user}` and a group of that user"
        ),
        (Step::Read | Step::Resolve, ErrorKind::PermissionDenied) => {
            format!(": run as root, or make it readable for user {user}")
        }
        (_, ErrorKind::PermissionDenied) => {
            format!(": run as root, or make {directory} writable for user {user}")
        }
        (_, ErrorKind::ReadOnlyFilesystem) => {
            format!(": mount it writable (in a systemd unit: `ReadWritePaths={directory}`)")
        }
        (_, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            format!(": free some space on the file system of {directory}")
        }
        (_, ErrorKind::NotADirectory) => format!(": {directory} has to be a directory"),
        (Step::Create, ErrorKind::NotFound) => format!(": create the directory {directory}"),
        _ => String::new(),
    }
}

/// Makes a `FileError` of an `io::Error`.
fn at(path: &Path, step: Step) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, step, source }
}

/// Asked before each step; a test answers the n-th question with an error. Real runs say yes to everything.
pub(crate) type Probe<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

/// Owner and permission bits of a new file; what is unset is kept as the old file has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Owner and group.
    pub owner: Owner,
    /// Permission bits; for a new file 0644.
    pub mode: Option<u32>,
}

/// What tells whether a file is still the one that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl FileId {
    /// The file at `path` (through symbolic links) as it is now; `None` where there is none or it cannot be seen.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from(&metadata))
    }

    /// When its content last changed, in seconds after the epoch.
    pub fn modified(self) -> i64 {
        self.modified.0
    }
}

impl From<&fs::Metadata> for FileId {
    fn from(metadata: &fs::Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), modified }
    }
}

/// New content, whole and synced, beside the target it is for. Dropped, it is removed and nothing happened.
#[derive(Debug)]
pub struct Staged {
    temporary: NamedTempFile,
    target: PathBuf,
}

/// A target that holds the new content.
#[derive(Debug)]
pub struct Committed {
    /// Which file is in place now.
    pub id: FileId,
    /// The target is a mount point: it was written in place, and a reader may have seen a part of it.
    pub in_place: bool,
    /// The content is in place, but after a power cut the old one may be back.
    pub unsynced: Option<FileError>,
}

/// Writes `bytes` beside `target`, with its final owner and mode, and syncs them. A symbolic link is followed: its
/// file will be replaced, the link stays.
pub fn stage(target: &Path, bytes: &[u8], attributes: Attributes) -> Result<Staged, FileError> {
    stage_with(target, bytes, attributes, &mut |_| Ok(()))
}

/// `stage`, asking `probe` before each step.
pub(crate) fn stage_with(
    target: &Path,
    bytes: &[u8],
    attributes: Attributes,
    probe: Probe<'_>,
) -> Result<Staged, FileError> {
    let mut ask = |step| probe(step).map_err(at(target, step));
    ask(Step::Resolve)?;
    let target = &resolve(target)?;
    let old = regular(target)?;
    ask(Step::Create)?;
    let mut temporary = create_beside(target).map_err(at(target, Step::Create))?;
    ask(Step::Chown)?;
    let mode = attributes.mode.or(old.as_ref().map(fs::Metadata::mode)).unwrap_or(NEW_FILE_MODE) & 0o7777;
    give_away(temporary.as_file(), attributes.owner, old.as_ref(), mode).map_err(at(target, Step::Chown))?;
    ask(Step::Chmod)?;
    let permissions = Permissions::from_mode(mode);
    temporary.as_file().set_permissions(permissions).map_err(at(target, Step::Chmod))?;
    for chunk in bytes.chunks(CHUNK) {
        ask(Step::Write)?;
        temporary.as_file_mut().write_all(chunk).map_err(at(target, Step::Write))?;
    }
    ask(Step::Sync)?;
    temporary.as_file().sync_all().map_err(at(target, Step::Sync))?;
    Ok(Staged { temporary, target: target.clone() })
}

impl Staged {
    /// Where the content lies until it is committed.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Puts the content in place. After an error the old one is there, unless `step` is `WriteInPlace`.
    pub fn commit(self) -> Result<Committed, FileError> {
        self.commit_with(&mut |_| Ok(()))
    }

    /// `commit`, asking `probe` before each step.
    pub(crate) fn commit_with(self, probe: Probe<'_>) -> Result<Committed, FileError> {
        let Self { temporary, target } = self;
        probe(Step::Rename).map_err(at(&target, Step::Rename))?;
        match temporary.persist(&target) {
            Ok(file) => {
                let id = FileId::from(&file.metadata().map_err(at(&target, Step::Rename))?);
                let unsynced = sync_directory(&target, probe).err();
                Ok(Committed { id, in_place: false, unsynced })
            }
            Err(refused) if refused.error.kind() == ErrorKind::ResourceBusy => {
                let id = overwrite(refused.file, &target).map_err(at(&target, Step::WriteInPlace))?;
                Ok(Committed { id, in_place: true, unsynced: None })
            }
            Err(refused) => Err(at(&target, Step::Rename)(refused.error)),
        }
    }
}

/// The whole content of `path`; `None` where there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path, Step::Read)(error)),
    }
}

/// Makes the directory and its missing parents, with mode 0755 whatever the umask is: servers must get through.
pub fn create_directory(path: &Path) -> Result<(), FileError> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|parent| !parent.exists()).collect();
    while let Some(directory) = missing.pop().filter(|directory| !directory.as_os_str().is_empty()) {
        let made = DirBuilder::new().mode(0o755).create(directory);
        let made = made.and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o755)));
        made.map_err(at(directory, Step::CreateDirectory))?;
    }
    Ok(())
}

/// Removes the temporary files that a crash left beside `target`; says how many.
pub fn remove_stale(target: &Path) -> Result<usize, FileError> {
    let target = &resolve(target)?;
    let (directory, prefix) = (directory_of(target), temporary_prefix(target));
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(at(directory, Step::Read)(error)),
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(prefix.as_encoded_bytes()) && bytes.ends_with(b".tmp") {
            fs::remove_file(entry.path()).map_err(at(&entry.path(), Step::Remove))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The real file behind symbolic links; the last name need not exist.
pub fn resolve(target: &Path) -> Result<PathBuf, FileError> {
    let mut path = target.to_owned();
    // As many links as the kernel follows; more are a loop.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = directory_of(&path).join(next);
    }
    Err(at(target, Step::Resolve)(io::Error::other(
        "too many symbolic links, one leads to another in a circle",
    )))
}

/// The old file, which must be an ordinary one.
fn regular(target: &Path) -> Result<Option<fs::Metadata>, FileError> {
    match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(at(target, Step::Resolve)(io::Error::other(
            "it is no regular file: move it away, or set another `path`",
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(target, Step::Resolve)(error)),
    }
}

fn directory_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `.NAME.banmap-`: no server's glob takes a name that begins with a dot.
fn temporary_prefix(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".banmap-");
    prefix
}

fn create_beside(target: &Path) -> io::Result<NamedTempFile> {
    let prefix = temporary_prefix(target);
    tempfile::Builder::new().prefix(&prefix).suffix(".tmp").rand_bytes(6).tempfile_in(directory_of(target))
}

/// Sets owner and group: as configured, else as the old file has them. Keeping them may fail where nobody loses the
/// right to read by it.
fn give_away(file: &File, wanted: Owner, old: Option<&fs::Metadata>, mode: u32) -> io::Result<()> {
    let now = file.metadata()?;
    let uid = wanted.uid.or(old.map(MetadataExt::uid)).filter(|uid| *uid != now.uid());
    let gid = wanted.gid.or(old.map(MetadataExt::gid)).filter(|gid| *gid != now.gid());
    let configured = (wanted.uid.is_some() && uid.is_some()) || (wanted.gid.is_some() && gid.is_some());
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    match fchown(file, uid, gid) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !configured => {
            let group_kept = gid.is_none() || fchown(file, None, gid).is_ok();
            let others_read = mode & 0o004 != 0;
            let group_lost = !group_kept && mode & 0o040 != 0;
            let user_lost = uid.is_some_and(|uid| uid != 0) && mode & 0o400 != 0;
            if others_read || !(group_lost || user_lost) { Ok(()) } else { Err(error) }
        }
        done => done,
    }
}

fn sync_directory(target: &Path, probe: Probe<'_>) -> Result<(), FileError> {
    probe(Step::SyncDirectory)
        .and_then(|()| File::open(directory_of(target)))
        .and_then(|directory| directory.sync_all())
        .map_err(at(target, Step::SyncDirectory))
}

/// Copies the staged content into the target itself. The length is cut last, so that the file is never empty.
fn overwrite(staged: NamedTempFile, target: &Path) -> io::Result<FileId> {
    let mut bytes = Vec::new();
    let mut from = staged.into_file();
    from.seek(SeekFrom::Start(0))?;
    from.read_to_end(&mut bytes)?;
    let mut to = OpenOptions::new().write(true).open(target)?;
    to.write_all(&bytes)?;
    to.set_len(bytes.len() as u64)?;
    to.sync_all()?;
    Ok(FileId::from(&to.metadata()?))
}

#[cfg(test)]
mod tests;
