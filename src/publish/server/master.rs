//! Which process is the server's master: the only one that is ever signalled.

use std::path::Path;

use crate::os::clock;
use crate::os::files::{self, FileId};
use crate::os::process::{self, Process};
use crate::publish::settings::{Kind, Settings};

/// What kind of server reads the outputs of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// nginx and those that descend from it.
    Nginx,
    /// Apache httpd.
    Apache,
    /// A program that we know nothing about.
    Other,
}

/// What a look for the master found.
#[derive(Debug)]
pub(super) enum Found {
    /// The master.
    Master(Process),
    /// No such server runs; how that was seen.
    Absent(String),
    /// It cannot be said which process it is; why, and what to do.
    Unclear(String),
}

impl Program {
    pub(super) fn of<'a>(mut outputs: impl Iterator<Item = &'a Settings>) -> Self {
        match outputs.next().map(|output| &output.kind) {
            Some(Kind::NginxGeo { .. }) => Self::Nginx,
            Some(Kind::ApacheRewritemap) => Self::Apache,
            Some(Kind::List) => Self::of(outputs),
            None => Self::Other,
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx", "openresty", "angie", "freenginx", "tengine", "nginx-debug"],
            Self::Apache => &["apache2", "httpd"],
            Self::Other => &[],
        }
    }

    /// Whether the process runs this server's program; every process may be an unknown one.
    fn is(self, process: &Process) -> bool {
        self == Self::Other || process.runs(self.names())
    }

    /// Whether it is a master: its parent is another program. nginx says it itself, which tells the new master of a
    /// binary upgrade (its parent is the old one) from a worker.
    fn is_master(self, process: &Process) -> bool {
        if process.is_zombie() || self == Self::Other {
            return !process.is_zombie();
        }
        if !self.is(process) {
            return false;
        }
        let title = process::title(process.pid);
        if title.contains("master process") {
            return true;
        }
        let parent = process::find(process.parent);
        !title.contains("worker process") && parent.is_none_or(|parent| parent.name != process.name)
    }

    /// Whether no process at all runs this program.
    pub(super) fn is_absent(self) -> bool {
        self != Self::Other && !process::all().iter().any(|process| !process.is_zombie() && self.is(process))
    }
}

/// The master whose pid the file holds.
pub(super) fn by_pid_file(path: &Path, program: Program) -> Found {
    let bytes = match files::read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Found::Absent(format!("there is no {}", path.display())),
        Err(error) => return Found::Unclear(error.to_string()),
    };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]);
    let Some(pid) = text.trim().parse::<i32>().ok().filter(|pid| *pid > 0) else {
        return Found::Absent(format!("{} holds no process id", path.display()));
    };
    let Some(process) = process::find(pid) else {
        return unseen(pid, path);
    };
    if !program.is_master(&process) || (program == Program::Other && is_younger(&process, path)) {
        let name = &process.name;
        return Found::Absent(format!(
            "process {pid} of {} is `{name}`, not the server's master",
            path.display()
        ));
    }
    Found::Master(process)
}

/// /proc does not show the process: it has ended, or it is hidden from us.
fn unseen(pid: i32, pid_file: &Path) -> Found {
    if process::exists(pid) {
        return Found::Unclear(format!(
            "process {pid} is hidden (/proc is mounted with hidepid): run as root, or set reload = \"external\""
        ));
    }
    Found::Absent(format!("process {pid} of {} has ended", pid_file.display()))
}

/// The process began after the file was written: its pid is an old one, used again.
fn is_younger(process: &Process, pid_file: &Path) -> bool {
    let age = process::ticks_since_boot().saturating_sub(process.started) / process::ticks_per_second();
    let began = clock::now().as_second() - i64::try_from(age).unwrap_or(i64::MAX);
    // Both times are whole seconds.
    FileId::of(pid_file).is_some_and(|file| began > file.modified() + 2)
}

/// The master of that name; there must be only one.
pub(super) fn by_name(name: &str, program: Program) -> Found {
    let named = |process: &Process| process.runs(&[name]) && program.is_master(process);
    let is_child = |process: &Process, all: &[Process]| {
        let parent = all.iter().find(|other| other.pid == process.parent);
        program == Program::Other && parent.is_some_and(|parent| parent.name == process.name)
    };
    let all = process::all();
    let mut masters: Vec<&Process> = all.iter().filter(|p| named(p) && !is_child(p, &all)).collect();
    match (masters.pop(), masters.is_empty()) {
        (None, _) => Found::Absent(format!("no process is called {name}")),
        (Some(master), true) => Found::Master(master.clone()),
        (Some(_), false) => Found::Unclear(format!(
            "{} masters called {name} are running: say which one with reload = {{ pid_file = … }}",
            masters.len() + 1
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Program, by_name, by_pid_file};

    #[test]
    fn a_pid_of_another_program_is_no_master() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let absent = |text: &str| {
            std::fs::File::create(&file)
                .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()))
                .unwrap();
            matches!(by_pid_file(&file, Program::Nginx), Found::Absent(_))
        };
        assert!(matches!(by_pid_file(&directory.path().join("none"), Program::Nginx), Found::Absent(_)));
        assert!(absent("") && absent("x") && absent("-1") && absent("0") && absent("1 2"));
        assert!(absent(&std::process::id().to_string()), "this test is no nginx");
        assert!(absent("2147483647"));
    }

    #[test]
    fn a_process_older_than_its_pid_file_is_taken_where_the_program_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let own = std::process::id();
        std::fs::File::create(&file)
            .and_then(|mut f| std::io::Write::write_all(&mut f, own.to_string().as_bytes()))
            .unwrap();
        assert!(matches!(by_pid_file(&file, Program::Other), Found::Master(p) if p.pid == own as i32));
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
        assert!(matches!(by_pid_file(&file, Program::Other), Found::Absent(_)));
    }

    #[test]
    fn a_name_that_nobody_has_is_absent() {
        assert!(matches!(by_name("banmap-no-such", Program::Other), Found::Absent(_)));
    }
}
