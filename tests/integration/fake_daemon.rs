//! A daemon that answers what a test tells it to, on a real socket that a real configuration names.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use banmap::control::{Call, Listener, Reply, Request, serve};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Lives as long as the test; the socket goes with it.
pub(crate) struct FakeDaemon {
    runtime: Option<Runtime>,
    dir: TempDir,
    heard: Arc<Mutex<Vec<Request>>>,
}

impl FakeDaemon {
    /// Answers every request with what `answer` makes of it.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        configure(dir.path());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let runtime = Runtime::new().unwrap();
        let (to, mut calls) = mpsc::channel::<Call>(8);
        let entered = runtime.enter();
        let listener = Listener::bind(&dir.path().join("b.sock")).unwrap();
        drop(entered);
        runtime.spawn(serve(listener, to, |event| panic!("{event:?}")));
        let seen = Arc::clone(&heard);
        runtime.spawn(async move {
            while let Some(call) = calls.recv().await {
                let reply = answer(&call.request);
                seen.lock().unwrap().push(call.request);
                let _ = call.reply.send(reply);
            }
        });
        Self { runtime: Some(runtime), dir, heard }
    }

    /// The command, told to use this daemon.
    pub(crate) fn banmap(&self, arguments: &[&str]) -> Command {
        banmap_at(self.dir.path(), arguments)
    }

    /// What was asked so far.
    pub(crate) fn heard(&self) -> Vec<Request> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Writes a configuration that names a socket beside it.
pub(crate) fn configure(dir: &Path) {
    let path = dir.join("banmap.toml");
    File::create(&path).unwrap().write_all(b"[daemon]\nsocket = \"b.sock\"\n").unwrap();
}

/// The command with the configuration of a directory, and nothing of this process's environment that it looks at.
pub(crate) fn banmap_at(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = banmap();
    command.arg("-c").arg(dir.join("banmap.toml")).args(arguments);
    command
}

/// The command without a configuration.
pub(crate) fn banmap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banmap"));
    for name in ["BANMAP_CONFIG", "BANMAP_DAEMON__SOCKET", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}
