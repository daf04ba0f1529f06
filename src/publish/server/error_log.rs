//! What a server appends to its error log after it was told to reload.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How much of what was appended is looked at, from its end.
const LOOK: u64 = 256 * 1024;

/// How much of the message is kept.
const KEEP: usize = 2000;

/// A place in an error log: what is appended behind it is news.
#[derive(Debug)]
pub(super) struct ErrorLog {
    path: PathBuf,
    /// Device, inode and length; `None` where the log could not be read.
    mark: Option<(u64, u64, u64)>,
}

impl ErrorLog {
    /// Marks the log's present end.
    pub(super) fn mark(path: &Path) -> Self {
        let open = File::open(path).and_then(|file| file.metadata());
        let mark = open.ok().map(|metadata| (metadata.dev(), metadata.ino(), metadata.len()));
        Self { path: path.to_owned(), mark }
    }

    /// The `[emerg]` messages that the master of that pid wrote since the mark.
    ///
    /// nginx begins each line with the time, the level and the pid; anything that a client can bring into the log
    /// stands behind that.
    pub(super) fn emergencies(&self, master: i32) -> Vec<String> {
        let text = self.appended().unwrap_or_default();
        let mark = format!(" [emerg] {master}#");
        let messages = text.lines().filter_map(|line| message(line, &mark));
        let mut kept = 0;
        messages
            .take_while(|message| {
                kept += message.len();
                kept <= KEEP
            })
            .map(str::to_owned)
            .collect()
    }

    fn appended(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let same = |(device, inode, len): (u64, u64, u64)| {
            (device == metadata.dev() && inode == metadata.ino() && len <= metadata.len()).then_some(len)
        };
        // Another file, or a shorter one: it was rotated meanwhile, and all of it is news.
        let from = self.mark.and_then(same).unwrap_or(0).max(metadata.len().saturating_sub(LOOK));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LOOK).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What follows `2026/11/20 15:51:57 [emerg] PID#TID: `.
fn message<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let (time, rest) = line.split_at_checked("2026/11/20 15:51:57".len())?;
    let is_time = time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b':' | b' '));
    let rest = rest.strip_prefix(mark).filter(|_| is_time)?;
    rest.split_once(": ").map(|(_thread, message)| message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::ErrorLog;

    #[test]
    fn only_new_emergencies_of_that_master_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("error.log");
        let mut log = std::fs::File::create(&path).unwrap();
        writeln!(log, "2026/11/20 15:51:57 [emerg] 77#77: old").unwrap();
        let marked = ErrorLog::mark(&path);
        assert!(marked.emergencies(77).is_empty());
        writeln!(log, "2026/11/20 15:51:58 [emerg] 78#78: of another").unwrap();
        writeln!(log, "2026/11/20 15:51:58 [error] 77#77: *1 request: \"GET /[emerg] 77#77: x\"").unwrap();
        writeln!(log, "x 2026/11/20 15:51:58 [emerg] 77#77: not at the start").unwrap();
        writeln!(log, "2026/11/20 15:51:58 [emerg] 77#77: unknown directive in /etc/x:3").unwrap();
        assert_eq!(marked.emergencies(77), ["unknown directive in /etc/x:3"]);
    }

    #[test]
    fn a_rotated_log_is_read_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("error.log");
        std::fs::File::create(&path).unwrap().write_all(&[b'x'; 500]).unwrap();
        let marked = ErrorLog::mark(&path);
        std::fs::remove_file(&path).unwrap();
        let mut log = std::fs::File::create(&path).unwrap();
        writeln!(log, "2026/11/20 15:51:58 [emerg] 77#77: news").unwrap();
        assert_eq!(marked.emergencies(77), ["news"]);
        assert!(ErrorLog::mark(&directory.path().join("none")).emergencies(77).is_empty());
    }
}
