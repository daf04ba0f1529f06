//! nginx: verified reloads, and everything that can go wrong with one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use banmap::publish::{Kind, Reload, Settings, State, Style, snippet};
use jiff::SignedDuration;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::harness::{World, end, is_open, output, prefixes, read, section, status, stays, until, write};
use super::ports::free_port;

/// An nginx with a configuration of its own, which includes `list` as its snippet says.
struct Nginx {
    directory: PathBuf,
    port: u16,
}

impl Nginx {
    fn configure(directory: &Path, list: &Settings) -> Self {
        let (port, at) = (free_port(), directory.display());
        let snippet = snippet(list, &["127.0.0.1".parse().unwrap()]);
        let user = if nix::unistd::geteuid().is_root() { "user root root;\n" } else { "" };
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let paths = paths.map(|kind| format!("{kind}_temp_path {at}/{kind};\n")).concat();
        let (main, http, server) = (
            section(&snippet, "main context"),
            section(&snippet, "http {"),
            section(&snippet, "each server"),
        );
        let configuration = format!(
            "{user}{main}worker_processes 2;\npid {at}/nginx.pid;\nerror_log {at}/error.log notice;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}{http}include {at}/operators.conf;\n\
             server {{\nlisten 127.0.0.1:{port};\n{server}location / {{ return 200 \"ok\"; }}\n}}\n}}\n"
        );
        write(&directory.join("operators.conf"), "");
        write(&directory.join("nginx.conf"), &configuration);
        Self { directory: directory.to_owned(), port }
    }

    fn run(&self) -> std::process::Output {
        let configuration = self.directory.join("nginx.conf");
        Command::new("nginx")
            .args(["-e", "stderr", "-c"])
            .arg(configuration)
            .output()
            .expect("nginx is installed")
    }

    async fn start(&self) {
        let started = self.run();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        until("nginx listens", || is_open(self.port) && self.pid().is_some()).await;
    }

    fn pid(&self) -> Option<i32> {
        read(&self.directory.join("nginx.pid")).trim().parse().ok()
    }

    async fn stop(&self) {
        let Some(pid) = self.pid() else { return };
        end(pid, Signal::SIGTERM);
        until("nginx has ended", || !Path::new(&format!("/proc/{pid}")).exists()).await;
    }

    fn reloads(&self) -> usize {
        read(&self.directory.join("error.log")).matches("signal 1 (SIGHUP) received").count()
    }

    fn refuses(&self, client: &str) -> bool {
        status(self.port, client).is_none()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(pid) =
            self.pid().filter(|pid| read(Path::new(&format!("/proc/{pid}/comm"))).trim() == "nginx")
        {
            // Noted before: once the master is gone they are nobody's children.
            let children = read(Path::new(&format!("/proc/{pid}/task/{pid}/children")));
            end(pid, Signal::SIGKILL);
            for child in children.split_whitespace() {
                child.parse().into_iter().for_each(|child| end(child, Signal::SIGKILL));
            }
        }
    }
}

fn geo(directory: &Path, style: Style) -> Settings {
    let kind = Kind::NginxGeo { variable: "bad_user".to_owned(), style };
    Settings {
        reload: Reload::PidFile { path: directory.join("nginx.pid"), signal: "HUP".to_owned() },
        error_log: Some(directory.join("error.log")),
        ..output("nginx", kind, directory.join("out/list.conf"))
    }
}

fn at_once(settings: Settings) -> Settings {
    Settings { min_interval: Some(SignedDuration::from_millis(50)), ..settings }
}

/// A running nginx with an empty list, and a publisher that has seen it.
async fn set_up(change: impl FnOnce(Settings, &Path) -> Settings) -> (TempDir, Nginx, World) {
    let directory = tempfile::tempdir().unwrap();
    let settings = change(geo(directory.path(), Style::Block), directory.path());
    let nginx = Nginx::configure(directory.path(), &settings);
    let mut world = World::of(vec![settings]);
    nginx.start().await;
    world.start(&[]);
    world.reaches(State::Verified, 1).await;
    (directory, nginx, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_takes_hold_and_is_verified() {
    let (_directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    assert_eq!(status(nginx.port, "192.0.2.1"), Some(200));
    let generation = world.ban(&["192.0.2.1", "198.51.100.0/24", "2001:db8:1::/64"]);
    let report = world.reaches(State::Verified, generation).await;
    assert!(report.settled && report.error.is_none() && report.reloaded.is_some());
    for banned in ["192.0.2.1", "198.51.100.77", "2001:db8:1::77", "::ffff:192.0.2.1"] {
        assert!(nginx.refuses(banned), "{banned}");
    }
    for other in ["192.0.2.2", "2001:db8:1:1::1", "127.0.0.1"] {
        assert_eq!(status(nginx.port, other), Some(200), "{other}");
    }
    let generation = world.ban_by_hand(&["192.0.2.2"]);
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.2") && !nginx.refuses("192.0.2.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_alone_work_inside_a_block_of_the_operator() {
    let (_directory, nginx, world) = set_up(|settings, directory| {
        let include = geo(directory, Style::Include);
        at_once(Settings { kind: include.kind, ..settings })
    })
    .await;
    let generation = world.ban(&["192.0.2.1"]);
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.1") && !nginx.refuses("192.0.2.3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_of_the_operator_harms_neither_the_file_nor_later_bans() {
    let (directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    let operators = directory.path().join("operators.conf");
    write(&operators, "nonsense on;\n");
    let generation = world.ban(&["192.0.2.1"]);
    until("the fault is told", || world.report().is_some_and(|report| report.error.is_some())).await;
    let report = world.report().unwrap();
    assert_eq!((report.state, report.generation, report.settled), (State::Published, generation, false));
    assert!(report.error.unwrap().contains("operators.conf"));
    let generation = world.ban(&["192.0.2.1", "192.0.2.2"]);
    world.reaches(State::Published, generation).await;
    assert!(read(&world.settings[0].path).contains("192.0.2.1 1;"), "our file stays");
    assert_eq!(status(nginx.port, "192.0.2.1"), Some(200), "nginx goes on with what it had");
    write(&operators, "");
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.1") && nginx.refuses("192.0.2.2"));
    let generation = world.ban(&["192.0.2.3"]);
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_ours_that_is_refused_is_rolled_back() {
    let (directory, nginx, world) = set_up(|settings, directory| {
        // The server's check refuses our file while the flag is there.
        let (flag, path) = (directory.join("flag"), settings.path.clone());
        let script = format!(
            "test ! -e {} || {{ echo 'nginx: [emerg] invalid number in {}:4'; exit 1; }}",
            flag.display(),
            path.display()
        );
        at_once(Settings { validate: Some(vec!["sh".to_owned(), "-c".to_owned(), script]), ..settings })
    })
    .await;
    let good = world.ban(&["192.0.2.1"]);
    world.reaches(State::Verified, good).await;
    let before = read(&world.settings[0].path);
    let flag = directory.path().join("flag");
    write(&flag, "");
    world.ban(&["192.0.2.1", "192.0.2.2"]);
    let report = world.reaches(State::Failed, good).await;
    assert_eq!(report.generation, good);
    assert!(report.error.unwrap().contains("invalid number"));
    assert_eq!(read(&world.settings[0].path), before, "the last good file is back");
    assert!(nginx.refuses("192.0.2.1") && !nginx.refuses("192.0.2.2"));
    std::fs::remove_file(&flag).unwrap();
    let generation = world.ban(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_fails_without_a_word_is_rolled_back() {
    let (directory, _nginx, world) = set_up(|settings, directory| {
        let script = format!("test ! -e {}", directory.join("flag").display());
        at_once(Settings {
            reload: Reload::Command(vec!["sh".to_owned(), "-c".to_owned(), script]),
            ..settings
        })
    })
    .await;
    let before = read(&world.settings[0].path);
    write(&directory.path().join("flag"), "");
    world.ban(&["192.0.2.1"]);
    let report = world.reaches(State::Failed, 1).await;
    assert!(report.error.unwrap().contains("exit code 1"));
    assert_eq!(read(&world.settings[0].path), before);
    std::fs::remove_file(directory.path().join("flag")).unwrap();
    world.reaches(State::Verified, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_waited_for_and_verified_by_its_start() {
    let (_directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    nginx.stop().await;
    let before = nginx.reloads();
    let generation = world.ban(&["192.0.2.1"]);
    until("nobody runs", || world.report().is_some_and(|r| r.settled && r.generation == generation)).await;
    let report = world.report().unwrap();
    assert_eq!((report.state, report.error), (State::Published, None));
    // Other tests run an nginx too, so its absence cannot be seen here: the start must be clearly later.
    tokio::time::sleep(Duration::from_secs(4)).await;
    nginx.start().await;
    world.reaches(State::Verified, generation).await;
    assert_eq!(nginx.reloads(), before, "it was not reloaded");
    assert!(nginx.refuses("192.0.2.1"));
}

/// A process that a HUP would end.
struct Bystander(Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_used_again_by_another_program_is_never_signalled() {
    let (directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    let master = nginx.pid().unwrap();
    end(master, Signal::SIGKILL);
    let mut bystander = Bystander(Command::new("sleep").arg("600").spawn().unwrap());
    write(&directory.path().join("nginx.pid"), &format!("{}\n", bystander.0.id()));
    let generation = world.ban(&["192.0.2.1"]);
    until("nobody runs", || world.report().is_some_and(|r| r.settled && r.generation == generation)).await;
    assert_eq!(world.report().unwrap().state, State::Published);
    stays("the other program lives", Duration::from_secs(2), || bystander.0.try_wait().unwrap().is_none())
        .await;
    end_orphans(directory.path());
}

/// Ends the workers of a killed master: those that write this test's log.
fn end_orphans(directory: &Path) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let is_nginx = read(&entry.path().join("comm")).trim() == "nginx";
        let log = directory.join("error.log");
        let files = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let ours = files.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|file| file == log);
        if is_nginx && ours {
            end(pid, Signal::SIGKILL);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_generations_are_few_reloads() {
    let (_directory, nginx, world) = set_up(|settings, _| settings).await;
    let before = nginx.reloads();
    let all: Vec<String> = (1..=250).map(|n| format!("192.0.2.{n}")).collect();
    let mut generation = 0;
    for n in 1..=all.len() {
        let some: Vec<&str> = all[..n].iter().map(String::as_str).collect();
        generation = world.ban(&some);
        tokio::task::yield_now().await;
    }
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.250"));
    let reloads = nginx.reloads() - before;
    assert!((1..=3).contains(&reloads), "{reloads} reloads");
    assert!(*world.fetched.lock().unwrap() <= 6, "snapshots are not asked for at each generation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_knows_who_has_read_the_file() {
    let (_directory, nginx, mut world) = set_up(|settings, _| at_once(settings)).await;
    let generation = world.ban(&["192.0.2.1"]);
    world.reaches(State::Verified, generation).await;
    let kept = world.kept();
    assert!(kept[0].verified_by.is_some_and(|master| Some(master.pid) == nginx.pid()));
    world.stop().await;
    let reloads = nginx.reloads();
    let written = std::fs::metadata(&world.settings[0].path).unwrap().modified().unwrap();
    assert!(nginx.refuses("192.0.2.1"), "stopping changes nothing");

    let mut again = World::of(world.settings.clone());
    again.hold(true);
    again.change(|bans| bans.generation = generation, false);
    again.start(&kept);
    again.reaches(State::Verified, generation).await;
    assert_eq!(nginx.reloads(), reloads, "nothing to reload");
    stays("the file is held", Duration::from_secs(1), || {
        std::fs::metadata(&world.settings[0].path).unwrap().modified().unwrap() == written
    })
    .await;
    assert!(nginx.refuses("192.0.2.1"));
    again.hold(false);
    until("the new list is out", || !nginx.refuses("192.0.2.1")).await;

    // What the store does not know is reloaded once.
    again.stop().await;
    let reloads = nginx.reloads();
    let mut third = World::of(world.settings.clone());
    third.hold(true);
    third.start(&[]);
    third.reaches(State::Verified, 0).await;
    assert_eq!(nginx.reloads(), reloads + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_hand_do_not_wait_while_the_list_is_held() {
    let (_directory, nginx, world) = set_up(|settings, _| settings).await;
    world.hold(true);
    world.ban(&["192.0.2.1"]);
    stays("it is held", Duration::from_millis(300), || !nginx.refuses("192.0.2.1")).await;
    let generation = world.ban_by_hand(&["192.0.2.1", "192.0.2.2"]);
    world.reaches(State::Verified, generation).await;
    let generation = world.ban_by_hand(&["192.0.2.2"]);
    world.reaches(State::Verified, generation).await;
    assert!(nginx.refuses("192.0.2.2") && !nginx.refuses("192.0.2.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_missing_is_told_and_bans_still_take_hold() {
    let (_directory, nginx, world) = set_up(|settings, _| {
        at_once(Settings { validate: Some(vec!["banmap-no-such-program".to_owned()]), ..settings })
    })
    .await;
    let generation = world.ban(&["192.0.2.1"]);
    let report = world.reaches(State::Verified, generation).await;
    assert!(report.error.unwrap().contains("there is no program `banmap-no-such-program`"));
    assert!(nginx.refuses("192.0.2.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_written_is_named_and_tried_again() {
    let (directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    let (out, aside) = (directory.path().join("out"), directory.path().join("aside"));
    #[allow(clippy::disallowed_methods)]
    std::fs::rename(&out, &aside).unwrap();
    world.ban(&["192.0.2.1"]);
    until("the fault is told", || world.report().is_some_and(|report| report.state == State::Failed)).await;
    let error = world.report().unwrap().error.unwrap();
    assert!(error.contains("create the directory"), "{error}");
    #[allow(clippy::disallowed_methods)]
    std::fs::rename(&aside, &out).unwrap();
    world.reaches(State::Verified, 2).await;
    assert!(nginx.refuses("192.0.2.1"));
    let failures =
        world.events.lock().unwrap().iter().filter(|e| e.to_string().contains("create the dir")).count();
    assert_eq!(failures, 1, "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_is_found_by_its_name_and_must_be_the_only_one() {
    let (directory, nginx, mut world) = set_up(|settings, _| at_once(settings)).await;
    world.stop().await;
    let by_name = Reload::Process { name: "nginx".to_owned(), signal: "HUP".to_owned() };
    let mut named = World::of(vec![Settings { reload: by_name, ..world.settings[0].clone() }]);
    let others = tempfile::tempdir().unwrap();
    let second = Nginx::configure(others.path(), &world.settings[0]);
    second.start().await;
    named.start(&[]);
    named.ban(&["192.0.2.1"]);
    until("it is told", || named.report().is_some_and(|report| report.error.is_some())).await;
    let error = named.report().unwrap().error.unwrap();
    assert!(error.contains("pid_file"), "{error}");
    assert_eq!(named.report().unwrap().state, State::Published);
    assert!(read(&directory.path().join("out/list.conf")).contains("192.0.2.1"));
    assert!(!nginx.refuses("192.0.2.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenged_client_gets_another_answer_and_a_banned_one_none() {
    let (_directory, nginx, world) = set_up(|settings, _| at_once(settings)).await;
    let generation = world.change(
        |bans| {
            bans.prefixes = prefixes(&["192.0.2.0/28", "198.51.100.7"]);
            bans.challenged = prefixes(&["192.0.2.3", "198.51.100.0/24", "2001:db8::/64"]);
            bans.spared = prefixes(&["198.51.100.99"]);
        },
        false,
    );
    world.reaches(State::Verified, generation).await;
    for client in ["192.0.2.3", "192.0.2.9", "198.51.100.7"] {
        until(&format!("{client} is refused"), || nginx.refuses(client)).await;
    }
    for client in ["198.51.100.8", "2001:db8::7"] {
        until(&format!("{client} is challenged"), || status(nginx.port, client) == Some(429)).await;
    }
    for client in ["192.0.2.16", "198.51.100.99", "198.51.101.1", "2001:db8:0:1::7"] {
        assert_eq!(status(nginx.port, client), Some(200), "{client}");
    }
}
