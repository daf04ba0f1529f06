//! The protocol over a real socket, with a task in the daemon's place.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::{Call, Limits, serve_within};
use crate::address::Prefix;
use crate::control::{Client, ControlError, FailCode, Listener, Reply, Request};

/// Longer than anything here takes; a test that reaches it has failed.
const DEADLINE: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits { clients: 8, request: 4_096, idle: DEADLINE, ..Limits::default() }
}

struct Served {
    dir: TempDir,
    calls: mpsc::Receiver<Call>,
    server: JoinHandle<()>,
}

impl Served {
    fn new(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&dir.path().join("run/b.sock")).unwrap();
        let (to, calls) = mpsc::channel(4);
        let server = tokio::spawn(serve_within(limits, listener, to, |event| panic!("{event:?}")));
        Self { dir, calls, server }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("run/b.sock")
    }

    /// Answers every call with what it was: the request and the uid.
    fn echo(mut self) -> (PathBuf, TempDir) {
        let path = self.path();
        tokio::spawn(async move {
            while let Some(call) = self.calls.recv().await {
                let _ = call.reply.send(Reply::done(format!("{} {:?}", call.peer.uid, call.request)));
            }
        });
        (path, self.dir)
    }

    async fn call(&mut self) -> Call {
        timeout(DEADLINE, self.calls.recv()).await.unwrap().unwrap()
    }
}

async fn ask(path: &Path, request: Request) -> Result<Reply, ControlError> {
    let path = path.to_owned();
    spawn_blocking(move || Client::connect(&path)?.ask_within(&request, DEADLINE)).await.unwrap()
}

/// Sends bytes as they are and reads to the end of the stream, or to the first newline.
async fn raw(path: &Path, bytes: &[u8]) -> Reply {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // Hanging up on bytes that were never read resets the connection, behind the answer.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

#[track_caller]
fn assert_failed(reply: &Reply, expected: FailCode, part: &str) {
    let Reply::Failed { message, code } = reply else { panic!("{reply:?}") };
    assert_eq!(*code, expected, "{message}");
    assert!(message.contains(part), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_arrives_with_its_sender_and_its_reply_comes_back() {
    let (path, _dir) = Served::new(limits()).echo();
    let request = Request::Resume { jail: Some("wordpress".parse().unwrap()) };
    let expected = Reply::done(format!("{} {request:?}", nix::unistd::getuid()));
    assert_eq!(ask(&path, request).await.unwrap(), expected);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_carries_many_requests() {
    let (path, _dir) = Served::new(limits()).echo();
    let replies = spawn_blocking(move || {
        let mut client = Client::connect(&path).unwrap();
        [Request::Ping, Request::Reload, Request::Ping].map(|request| client.ask(&request).unwrap())
    });
    let texts = replies.await.unwrap().map(|reply| format!("{reply:?}"));
    assert!(
        texts[0].contains("Ping") && texts[1].contains("Reload") && texts[2].contains("Ping"),
        "{texts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_waits_for_its_own_answer_only() {
    let mut served = Served::new(limits());
    let path = served.path();
    let waiting = tokio::spawn({
        let path = path.clone();
        async move { ask(&path, Request::Ping).await }
    });
    let held = served.call().await;
    let second = tokio::spawn(async move { ask(&path, Request::Reload).await });
    served.call().await.reply.send(Reply::done("second")).unwrap();
    assert_eq!(timeout(DEADLINE, second).await.unwrap().unwrap().unwrap(), Reply::done("second"));
    held.reply.send(Reply::done("first")).unwrap();
    assert_eq!(timeout(DEADLINE, waiting).await.unwrap().unwrap().unwrap(), Reply::done("first"));
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_and_not_kept() {
    let (path, _dir) = Served::new(limits()).echo();
    assert_failed(&raw(&path, &vec![b' '; 1 << 20]).await, FailCode::Usage, "longer than 4096 bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_that_its_request_was_too_long() {
    let (path, _dir) = Served::new(limits()).echo();
    let long = Request::Empty { what: "x".repeat(1 << 20) };
    assert_failed(&ask(&path, long).await.unwrap(), FailCode::Usage, "longer than");
}

#[tokio::test]
async fn garbage_is_answered_and_does_not_reach_the_daemon() {
    let mut served = Served::new(limits());
    let path = served.path();
    for bytes in [&b"\xff\xfe\x00\n"[..], b"hello\n", b"{\"verb\":\"ban\"", b"\n"] {
        assert_failed(&raw(&path, bytes).await, FailCode::Usage, "does not understand");
    }
    let flaw = raw(&path, b"{\"verb\":\"unban\"}\n").await;
    assert_failed(&flaw, FailCode::Usage, "nobody to unban");
    assert!(served.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_and_is_let_go() {
    let mut served = Served::new(Limits { write: Duration::from_millis(50), clients: 2, ..limits() });
    let path = served.path();
    let mut lazy = UnixStream::connect(&path).await.unwrap();
    lazy.write_all(b"{\"verb\":\"ping\"}\n").await.unwrap();
    served.call().await.reply.send(Reply::done("x".repeat(16 << 20))).unwrap();
    let mut second = UnixStream::connect(&path).await.unwrap();
    second.write_all(b"{\"verb\":\"ping\"}\n").await.unwrap();
    served.call().await.reply.send(Reply::done("second")).unwrap();
    assert!(timeout(DEADLINE, second.read_u8()).await.unwrap().is_ok());
    let (path, _dir) = served.echo();
    let let_go = async {
        while matches!(raw(&path, b"{\"verb\":\"ping\"}\n").await, Reply::Failed { .. }) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, let_go).await.expect("the lazy client keeps its place");
}

#[tokio::test]
async fn a_silent_client_is_let_go() {
    let served = Served::new(Limits { idle: Duration::from_millis(20), ..limits() });
    let mut silent = UnixStream::connect(served.path()).await.unwrap();
    // It may have been let go already.
    let _ = silent.write_all(b"{\"verb\":").await;
    let mut rest = Vec::new();
    timeout(DEADLINE, silent.read_to_end(&mut rest)).await.unwrap().ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let mut served = Served::new(Limits { clients: 1, ..limits() });
    let path = served.path();
    let mut first = UnixStream::connect(&path).await.unwrap();
    first.write_all(b"{\"verb\":\"ping\"}\n").await.unwrap();
    let held = served.call().await;
    assert_failed(&raw(&path, b"{\"verb\":\"ping\"}\n").await, FailCode::Unavailable, "too many clients");
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_daemon_answers_and_takes_its_socket_away() {
    let mut served = Served::new(limits());
    let path = served.path();
    let waiting = tokio::spawn({
        let path = path.clone();
        async move { ask(&path, Request::Ping).await }
    });
    let call = served.call().await;
    drop(served.calls);
    drop(call);
    let reply = timeout(DEADLINE, waiting).await.unwrap().unwrap().unwrap();
    assert_failed(&reply, FailCode::Unavailable, "stopping");
    timeout(DEADLINE, served.server).await.unwrap().unwrap();
    assert!(!path.exists());
    assert!(matches!(ask(&path, Request::Ping).await, Err(ControlError::NotRunning(_))));
}

#[tokio::test]
async fn a_stale_socket_gives_way_and_a_live_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(Client::connect(&path), Err(ControlError::NotRunning(_))));
    let listener = Listener::bind(&path).unwrap();
    assert!(matches!(Listener::bind(&path), Err(ControlError::InUse(_))));
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.sock");
    std::fs::File::create(&path).unwrap();
    assert!(matches!(Listener::bind(&path), Err(ControlError::NotASocket(_))));
    assert!(path.exists());
}

#[tokio::test]
async fn a_socket_of_another_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.sock");
    let old = Listener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _new = Listener::bind(&path).unwrap();
    drop(old);
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_that_does_not_fit_is_named_with_the_limit() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
    let error = Listener::bind(&path).unwrap_err().to_string();
    assert!(error.contains("125 bytes") && error.contains("107"), "{error}");
}

fn hosts(count: u32) -> Vec<Prefix> {
    (0..count).map(|n| Prefix::host(std::net::IpAddr::from(n.to_be_bytes()).into())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_with_many_targets_arrives_whole_and_in_order() {
    let mut served = Served::new(Limits::default());
    let path = served.path();
    let all = hosts(25_001);
    let asked = spawn_blocking({
        let (path, all) = (path.clone(), all.clone());
        move || Client::connect(&path).unwrap().order(Request::ban(all)).unwrap()
    });
    let call = served.call().await;
    assert!(matches!(&call.request, Request::Ban { targets, .. } if *targets == all));
    call.reply.send(Reply::done("banned")).unwrap();
    assert_eq!(asked.await.unwrap(), Reply::done("banned"));
    // What was sent ahead is for the next command alone.
    let asked = spawn_blocking(move || {
        let mut client = Client::connect(&path).unwrap();
        client.ask(&Request::Targets { targets: hosts(7), bans: Vec::new() }).unwrap();
        client.ask_within(&Request::Ping, DEADLINE).unwrap();
        client.ask_within(&Request::ban(hosts(1)), DEADLINE).unwrap()
    });
    served.call().await.reply.send(Reply::done("pong")).unwrap();
    let call = served.call().await;
    assert!(matches!(&call.request, Request::Ban { targets, .. } if targets.len() == 1));
    drop(call);
    asked.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_are_being_sent_are_bounded_together_and_make_room_when_they_end() {
    let served = Served::new(Limits { targets: 100, request: 1 << 20, ..limits() });
    let (path, _dir) = served.echo();
    let asked = spawn_blocking(move || {
        let mut clients = [(); 2].map(|()| Client::connect(&path).unwrap());
        let ahead = |client: &mut Client, count| {
            client.ask(&Request::Targets { targets: hosts(count), bans: Vec::new() }).unwrap()
        };
        assert!(matches!(ahead(&mut clients[0], 60), Reply::Done { .. }));
        assert!(matches!(ahead(&mut clients[0], 10), Reply::Done { .. }));
        assert_failed(&ahead(&mut clients[1], 31), FailCode::Usage, "too many addresses");
        clients[0].ask(&Request::ban(hosts(1))).unwrap();
        assert!(matches!(ahead(&mut clients[1], 100), Reply::Done { .. }));
    });
    asked.await.unwrap();
}
