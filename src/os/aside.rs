//! Putting a damaged file out of the way without losing it.
#![allow(
    clippy::disallowed_methods,
    reason = "this is where renaming is allowed; the directory is synced below"
)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Renames `path` to `path` + `.suffix`, and each `path` + companion (as `-wal`) to the same name + that companion.
///
/// Nothing is ever replaced: where a name is taken, `.2`, `.3` … is added. Companions go first, so that a crash in
/// between leaves the main file to be found, and set aside, again. Returns the new name of `path`; the renames are on
/// disk when it does.
pub fn set_aside(path: &Path, suffix: &str, companions: &[&str]) -> io::Result<PathBuf> {
    let aside = free_name(path, suffix, companions);
    for companion in companions {
        match fs::rename(extended(path, companion), extended(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    File::open(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(aside)
}

fn free_name(path: &Path, suffix: &str, companions: &[&str]) -> PathBuf {
    let taken = |name: &Path| {
        let all = std::iter::once(&"").chain(companions);
        all.into_iter().any(|companion| extended(name, companion).symlink_metadata().is_ok())
    };
    let first = extended(path, &format!(".{suffix}"));
    let later = (2_u64..).map(|n| extended(&first, &format!(".{n}")));
    std::iter::once(first.clone()).chain(later).find(|name| !taken(name)).unwrap_or(first)
}

fn extended(path: &Path, tail: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(tail);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::set_aside;

    #[test]
    fn nothing_is_lost_and_nothing_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for round in ["first", "second", "third"] {
            fs::write(&path, round).unwrap();
            fs::write(dir.path().join("state-wal"), round).unwrap();
            let aside = set_aside(&path, "corrupt-1", &["-wal", "-shm"]).unwrap();
            assert_eq!(fs::read_to_string(&aside).unwrap(), round);
            assert!(!path.exists());
        }
        for (name, text) in [("state.corrupt-1", "first"), ("state.corrupt-1.3-wal", "third")] {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), text);
        }
    }

    #[test]
    fn a_companion_that_was_left_alone_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("state.corrupt-1-wal"), "old").unwrap();
        fs::write(dir.path().join("state"), "new").unwrap();
        let aside = set_aside(&dir.path().join("state"), "corrupt-1", &["-wal"]).unwrap();
        assert_eq!(aside, dir.path().join("state.corrupt-1.2"));
    }
}
