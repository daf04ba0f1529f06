//! Other processes of this host, as /proc shows them: who they are, whose children they are, and signals to them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::str::FromStr;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// A process at the moment of the look. The pid alone may be used again: with `started` it is one process only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its start, in clock ticks after boot (field 22 of /proc/PID/stat, see proc(5)).
    pub started: u64,
    /// The name of its program, at most 15 bytes.
    pub name: String,
    /// `R` running, `S` sleeping, `Z` zombie … (field 3).
    state: u8,
}

impl Process {
    /// Whether it has ended and only waits for its parent to notice.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// Whether it waits for something: for a server's master, that it is not reading its configuration just now.
    pub fn is_waiting(&self) -> bool {
        self.state == b'S'
    }

    /// Whether it runs one of these programs: by its name (cut to 15 bytes, as the kernel does) or by its file.
    pub fn runs(&self, programs: &[&str]) -> bool {
        let cut = |program: &str| program.as_bytes()[..program.len().min(15)].to_vec();
        let by_name = programs.iter().any(|program| self.name.as_bytes() == cut(program));
        by_name
            || executable(self.pid).is_some_and(|file| programs.iter().any(|program| file.ends_with(program)))
    }
}

/// The process of that id; `None` where there is none.
pub fn find(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &stat)
}

/// Reads `PID (NAME) STATE PARENT …`; the name may hold anything, brackets too.
fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|b| *b == b'(')?;
    let close = stat.iter().rposition(|b| *b == b')')?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22; the iterator stands before field 5.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Process { pid, parent, started, name, state })
}

/// All processes that can be seen.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    pids.filter_map(find).collect()
}

/// The living children of a process, by pid.
pub fn children(pid: i32) -> Vec<i32> {
    let mut found = listed_children(pid).unwrap_or_else(|_| {
        // A kernel without CONFIG_PROC_CHILDREN.
        all().into_iter().filter(|other| other.parent == pid).map(|other| other.pid).collect()
    });
    found.retain(|child| find(*child).is_some_and(|process| !process.is_zombie()));
    found.sort_unstable();
    found
}

/// The kernel lists children under the thread that made them.
fn listed_children(pid: i32) -> std::io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let list = fs::read_to_string(thread.path().join("children"))?;
        found.extend(list.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok()));
    }
    Ok(found)
}

/// The processes that this one descends from, its parent first.
pub fn ancestors() -> impl Iterator<Item = i32> {
    /// More generations than anybody has; a parent may end and its id be used again while we look.
    const GENERATIONS: usize = 64;
    std::iter::successors(find(std::process::id().cast_signed()), |child| find(child.parent))
        .map(|process| process.parent)
        .take_while(|parent| *parent > 0)
        .take(GENERATIONS)
}

/// A variable of the environment that a process was started with; readable for root and for its own user.
pub fn variable(pid: i32, name: &str) -> Option<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(OsString::from_vec(value.to_vec()))
}

/// The command line, or what the process shows instead of it (`nginx: master process …`); empty where unreadable.
pub fn title(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned()
}

/// The file it runs, without the mark of one that was replaced; readable for root and for its own user.
pub fn executable(pid: i32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let text = path.to_str()?;
    Some(PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(text)))
}

/// User, group and further groups that a process acts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user that files are accessed as.
    pub uid: u32,
    /// The group that files are accessed as, and the supplementary ones.
    pub groups: Vec<u32>,
}

/// With which rights a process accesses files.
pub fn credentials(pid: i32) -> Option<Credentials> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    // Real, effective, saved, file system.
    let last = |numbers: &str| numbers.split_ascii_whitespace().nth(3)?.parse::<u32>().ok();
    let mut groups = vec![last(line("Gid:")?)?];
    groups.extend(line("Groups:")?.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    Some(Credentials { uid: last(line("Uid:")?)?, groups })
}

/// A signal that could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// The name is none of this system's.
    #[error("`{0}` is no signal: write HUP, USR1, USR2 …")]
    Unknown(String),
    /// The process belongs to another user.
    #[error("user {user} may not signal process {pid}")]
    Forbidden {
        /// The process.
        pid: i32,
        /// Us.
        user: String,
    },
    /// It ended meanwhile.
    #[error("process {0} has ended")]
    Gone(i32),
}

/// The signal of that name, written without `SIG`.
pub fn signal_named(name: &str) -> Result<Signal, SignalError> {
    Signal::from_str(&format!("SIG{name}")).map_err(|_| SignalError::Unknown(name.to_owned()))
}

/// Sends a signal, by its name without `SIG`, to one process: 0 and negative numbers, which mean
/// groups, are refused.
pub fn signal(pid: i32, name: &str) -> Result<(), SignalError> {
    let signal = signal_named(name)?;
    if pid < 1 {
        return Err(SignalError::Gone(pid));
    }
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => Err(SignalError::Forbidden { pid, user: super::owner::own_user() }),
        Err(_) => Err(SignalError::Gone(pid)),
    }
}

/// Whether there is a process of that id, even if /proc hides it from us.
pub fn exists(pid: i32) -> bool {
    pid > 0 && matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// How many clock ticks make a second, as /proc counts them: 100 on Linux.
pub fn ticks_per_second() -> u64 {
    let asked = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    asked.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// Now, in clock ticks after boot: comparable with `Process::started`, whatever happens to the wall clock.
pub fn ticks_since_boot() -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_BOOTTIME) else { return 0 };
    let per_second = ticks_per_second();
    now.tv_sec() as u64 * per_second + now.tv_nsec() as u64 * per_second / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    use super::{
        SignalError, all, ancestors, children, find, parse, signal, ticks_since_boot, title, variable,
    };

    fn own() -> i32 {
        std::process::id() as i32
    }

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let stat = b"77 (a) b (c) S 5 77 77 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 1 0 237049 3133440 388";
        let found = parse(77, stat).unwrap();
        assert_eq!((found.name.as_str(), found.parent, found.started), ("a) b (c", 5, 237_049));
        assert!(found.is_waiting() && !found.is_zombie());
        assert_eq!(parse(77, b"77 (cut"), None);
    }

    #[test]
    fn we_find_ourselves_and_our_children() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        assert!(children(own()).contains(&pid));
        assert_eq!(find(pid).unwrap().parent, own());
        assert!(all().iter().any(|process| process.pid == own()));
        assert!(find(pid).unwrap().started <= ticks_since_boot());
        signal(pid, "KILL").unwrap();
        child.wait().unwrap();
        assert!(!children(own()).contains(&pid));
        assert!(!title(own()).is_empty());
    }

    #[test]
    fn we_know_whose_descendants_we_are_and_what_a_process_was_started_with() {
        let ancestors: Vec<i32> = ancestors().collect();
        assert_eq!(ancestors.first(), Some(&find(own()).unwrap().parent));
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo started; read -r end"])
            .env("PLACE", "a=b")
            .env("EMPTY", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The kernel shows the environment only some moments after it let `spawn` return.
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "started\n");
        let pid = child.id() as i32;
        assert_eq!(variable(pid, "PLACE").unwrap(), "a=b");
        assert_eq!((variable(pid, "EMPTY"), variable(pid, "PLAC")), (Some(OsString::new()), None));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn wrong_signals_and_groups_are_refused() {
        assert!(matches!(signal(own(), "NOTHING"), Err(SignalError::Unknown(_))));
        assert!(matches!(signal(0, "HUP"), Err(SignalError::Gone(0))));
        assert!(matches!(signal(-1, "HUP"), Err(SignalError::Gone(-1))));
    }
}
