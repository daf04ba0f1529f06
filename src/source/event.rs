//! What a follower has to tell, each with what the operator should do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::Access;
use crate::terms::SourceName;

/// Why a file is read from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Start {
    /// Reading goes on at its checkpoint.
    #[error("where it was left")]
    Checkpoint,
    /// It has no checkpoint: at the first line that still matters.
    #[error("at the first recent line")]
    Recent,
    /// It has no checkpoint: at its first byte.
    #[error("at its beginning")]
    Beginning,
    /// It has no checkpoint: behind its last line.
    #[error("at its end")]
    End,
    /// It took the place of a rotated file: at its first byte.
    #[error("at its beginning, as the successor of a rotated file")]
    Successor,
    /// It holds the rest of a file that was truncated or replaced.
    #[error("at the rest that the truncated or replaced file had")]
    Copy,
}

/// What happened. Each is told once, until its cause is gone.
#[derive(Debug, thiserror::Error)]
pub enum Event {
    /// A file is followed from now on.
    #[error("following {} from byte {offset} of {size}: {start}", path.display())]
    Opened {
        /// The file.
        path: PathBuf,
        /// Where reading begins.
        offset: u64,
        /// How long it is.
        size: u64,
        /// Why there.
        start: Start,
    },
    /// A file lost its name to another or was renamed; it is read to its end.
    #[error("{} was rotated{}: its rest is read first", from.display(), to.as_ref().map_or(" away".to_owned(), |to| format!(" to {}", to.display())))]
    Rotated {
        /// Its name until now.
        from: PathBuf,
        /// Its name now, where it was found.
        to: Option<PathBuf>,
    },
    /// A file became shorter than what was read of it, or begins with other bytes; it is read anew from its first byte.
    #[error("{} was truncated after byte {read_to}{}", path.display(), copy.as_ref().map_or(String::new(), |copy| format!("; its old lines are in {}, whose rest is read first", copy.display())))]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How far it was read.
        read_to: u64,
        /// The copy that holds its old bytes.
        copy: Option<PathBuf>,
    },
    /// A rotated or deleted file was silent for a minute and is closed.
    #[error("{} is read to its end at byte {offset} and let go", path.display())]
    LetGo {
        /// Its last name.
        path: PathBuf,
        /// Its length.
        offset: u64,
    },
    /// The file of a checkpoint is not there any more, under any name.
    #[error("{} was last read to byte {offset}, but that file is gone: lines written to it since are lost (keep one rotated log uncompressed: logrotate's delaycompress)", path.display())]
    Lost {
        /// Its last name.
        path: PathBuf,
        /// How far it was read.
        offset: u64,
    },
    /// No file matches a pattern.
    #[error("no log matches {pattern}{}; it is picked up when it appears", absent.as_ref().map_or(String::new(), |absent| format!(" ({} does not exist)", absent.display())))]
    Missing {
        /// The pattern.
        pattern: String,
        /// The first part of the path that does not exist, where it has no wildcard.
        absent: Option<PathBuf>,
    },
    /// A file or directory cannot be opened; it is tried again each second.
    #[error("cannot read {}: {error}{}", path.display(), access.as_ref().map_or(String::new(), Access::to_string))]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// What keeps us out, where permission bits explain it.
        access: Option<Access>,
    },
    /// Reading failed half-way; it is tried again each second.
    #[error("reading {} failed at byte {offset}: {error}; trying again each second", path.display())]
    ReadFailed {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What the system said.
        error: io::Error,
    },
    /// What a pattern matches is no regular file.
    #[error("{}", not_a_file(path, *is_directory))]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// Whether it is a directory.
        is_directory: bool,
    },
    /// A pattern matches a compressed file.
    #[error("{} is compressed and is not followed (`banmap replay` reads it)", path.display())]
    Compressed {
        /// The path.
        path: PathBuf,
    },
    /// A pattern matches a copy of a file that is followed.
    #[error("{} is a copy of {} and is not read a second time", path.display(), of.display())]
    CopySkipped {
        /// The copy.
        path: PathBuf,
        /// The file that is followed.
        of: PathBuf,
    },
    /// A line was longer than [`MAX_LINE`](super::MAX_LINE) and was left out.
    #[error("{}: the line at byte {offset} has {length} bytes and was left out; it begins with {:?}", path.display(), String::from_utf8_lossy(sample))]
    Overlong {
        /// The file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// Its length, newline included.
        length: u64,
        /// Its first bytes.
        sample: Vec<u8>,
    },
    /// The first position of a file could not be stored; no line of it is read before.
    #[error("cannot store where reading of {} begins: {error}; it is not read before that", path.display())]
    NotStored {
        /// The file.
        path: PathBuf,
        /// What the store said.
        error: io::Error,
    },
    /// Another source reads this file already: a line is counted once.
    #[error("{} is already read by source {by}: this source leaves it alone (a file belongs to one source: make one of the two patterns match less)", path.display())]
    ReadElsewhere {
        /// The file.
        path: PathBuf,
        /// The source that reads it.
        by: SourceName,
    },
    /// A socket is listened at.
    #[error("listening at {at} {}", access.as_ref().map_or(DATAGRAM.to_owned(), |access| format!("({access}: who may write there may send)")))]
    Listening {
        /// Where.
        at: String,
        /// Mode and owner of a unix socket.
        access: Option<String>,
    },
    /// The path of a unix socket led to it no more: it is bound anew.
    #[error("{at} was removed or replaced by another program: listening there anew")]
    Unlinked {
        /// Where.
        at: String,
    },
    /// What is no file cannot be read at present; it is tried again.
    #[error("cannot read {at}: {error}; trying again each second")]
    Broken {
        /// What.
        at: String,
        /// What the system said.
        error: String,
    },
    /// Standard input has ended.
    #[error("{at} has ended, nothing more comes from it{}; everything else goes on", if *unfinished == 0 { String::new() } else { format!(" (its last {unfinished} bytes lack their newline and do not count)") })]
    Ended {
        /// What.
        at: String,
        /// So many bytes followed the last newline.
        unfinished: usize,
    },
    /// The system dropped datagrams since nobody took them in time.
    #[error(
        "{at}: the system dropped {count} datagrams since its buffer was full; their lines are lost (raise net.core.rmem_max, or let the server log to a file)"
    )]
    Dropped {
        /// Where.
        at: String,
        /// How many since this was last told.
        count: u64,
    },
    /// A line that came otherwise than in a file was longer than [`MAX_LINE`](super::MAX_LINE) and was left out.
    #[error(
        "{at}: a line of {length} bytes was left out; it begins with {:?}",
        String::from_utf8_lossy(sample)
    )]
    OverlongMessage {
        /// Where.
        at: String,
        /// Its length.
        length: u64,
        /// Its first bytes.
        sample: Vec<u8>,
    },
    /// The program that reads a journal said something.
    #[error("{at}: journalctl says: {said}{}", journal_fix(said))]
    JournalSays {
        /// Which journal.
        at: String,
        /// Its words.
        said: String,
    },
    /// The program that reads a journal ended.
    #[error("{at}: journalctl ended ({ending}); it is started again in {seconds} s")]
    JournalEnded {
        /// Which journal.
        at: String,
        /// How it ended.
        ending: String,
        /// When it is started again.
        seconds: i64,
    },
    /// The system tells no changes (limits, permissions, file systems without them): the tick alone finds them.
    #[error("no change notifications{}: {error}; looking each second instead (is fs.inotify.max_user_watches or max_user_instances used up?)", directory.as_ref().map_or(String::new(), |at| format!(" for {}", at.display())))]
    NoNotifications {
        /// The directory; `None` is all.
        directory: Option<PathBuf>,
        /// What the system said.
        error: String,
    },
    /// The system dropped change notifications; everything was looked at instead.
    #[error("change notifications were dropped: everything is looked at again")]
    NotificationsDropped,
}

/// What one should know of a port: measured with nginx, whose escaping makes 71 kB of two headers of 8 kB.
const DATAGRAM: &str = "(a datagram holds 65,507 bytes: longer lines, which a client can make nginx write, come through unix: only)";

/// What helps where journalctl may not see what it should.
fn journal_fix(said: &str) -> String {
    if said.contains("not seeing messages") || said.contains("ermission") {
        let user = crate::os::owner::own_user();
        return format!(
            " (add the user banmap runs as to group systemd-journal: usermod -aG systemd-journal {user}, and restart banmap)"
        );
    }
    String::new()
}

fn not_a_file(path: &Path, is_directory: bool) -> String {
    let path = path.display();
    if is_directory {
        format!("{path} is a directory: name the logs in it, as in {path}/*.log")
    } else {
        format!(
            "{path} is no regular file and cannot be followed: let the server log to a file, or use `stdin` or `listen`"
        )
    }
}
