//! temporary
use super::*;
use crate::address::Prefix;
use crate::ban::Snapshot;
use crate::terms::*;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Published,
    Verified,
    Failed,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub output: OutputName,
    pub state: State,
    pub generation: u64,
    pub entries: usize,
    pub left_out: usize,
    pub published: Option<Timestamp>,
    pub reloaded: Option<Timestamp>,
    pub error: Option<String>,
    pub settled: bool,
    pub file: Option<PublishedFile>,
}
pub enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}
#[derive(Debug)]
pub struct Event;
impl Event {
    pub fn severity(&self) -> Severity {
        Severity::Info
    }
}
impl std::fmt::Display for Event {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    File(#[from] crate::os::files::FileError),
}
pub struct Wanted {
    pub generation: u64,
    pub by_hand: u64,
    pub hold: bool,
}
pub struct SnapshotRequest {
    pub output: OutputName,
    pub reply: oneshot::Sender<Snapshot>,
}
pub struct Feed {
    pub wanted: watch::Receiver<Wanted>,
    pub snapshots: mpsc::Sender<SnapshotRequest>,
}
pub struct Publisher(Vec<tokio::task::JoinHandle<()>>);
fn put(s: &Settings, snap: &Snapshot, now: Timestamp) -> Result<usize, PublishError> {
    let r = render::render(s, snap, now);
    crate::os::files::create_directory(s.path.parent().unwrap())?;
    crate::os::files::stage(&s.path, &r.bytes, Default::default())?.commit()?;
    Ok(r.entries)
}
pub fn create_missing(
    settings: &[Settings],
    snap: &dyn Fn(&OutputName) -> Snapshot,
    now: Timestamp,
) -> Vec<()> {
    for s in settings {
        if !s.path.exists() {
            let _ = put(s, &snap(&s.name), now);
        }
    }
    vec![]
}
impl Publisher {
    pub fn start(
        settings: Vec<Settings>,
        _kept: Vec<PublishedFile>,
        feed: Feed,
        reports: mpsc::UnboundedSender<Report>,
        _e: Arc<dyn Fn(Event) + Send + Sync>,
    ) -> Self {
        Self(
            settings
                .into_iter()
                .map(|s| {
                    let mut w = feed.wanted.clone();
                    let q = feed.snapshots.clone();
                    let r = reports.clone();
                    tokio::spawn(async move {
                        loop {
                            if !w.borrow_and_update().hold {
                                let (a, b) = oneshot::channel();
                                if q.send(SnapshotRequest { output: s.name.clone(), reply: a }).await.is_err()
                                {
                                    return;
                                }
                                let Ok(sn) = b.await else { return };
                                let s2 = s.clone();
                                let sn2 = sn.clone();
                                let n = tokio::task::spawn_blocking(move || {
                                    put(&s2, &sn2, crate::os::clock::now())
                                })
                                .await
                                .unwrap();
                                let _ = r.send(Report {
                                    output: s.name.clone(),
                                    state: State::Verified,
                                    generation: sn.generation,
                                    entries: n.unwrap_or(0),
                                    left_out: 0,
                                    published: Some(crate::os::clock::now()),
                                    reloaded: None,
                                    error: None,
                                    settled: true,
                                    file: None,
                                });
                                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                            }
                            if w.changed().await.is_err() {
                                return;
                            }
                        }
                    })
                })
                .collect(),
        )
    }
    pub async fn stop(self) {
        for h in self.0 {
            h.abort();
        }
    }
}
pub fn orphans<'a>(_s: &[Settings], _f: &'a [PublishedFile]) -> Vec<&'a PublishedFile> {
    vec![]
}
pub fn write_empty(_f: &PublishedFile) -> Result<(), PublishError> {
    Ok(())
}
pub fn write_list(
    kind: &Kind,
    path: &std::path::Path,
    prefixes: &[Prefix],
    holes: &[Prefix],
    now: Timestamp,
) -> Result<(), PublishError> {
    let s = Settings {
        name: "x".parse().unwrap(),
        kind: kind.clone(),
        path: path.to_owned(),
        min_interval: None,
        validate: None,
        reload: Reload::None,
        error_log: None,
        owner: None,
        mode: None,
    };
    put(
        &s,
        &Snapshot {
            generation: 1,
            output: s.name.clone(),
            prefixes: prefixes.to_vec(),
            holes: holes.to_vec(),
        },
        now,
    )
    .map(|_| ())
}
pub fn snippet(_s: &Settings, _t: &[Prefix]) -> String {
    String::new()
}
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::NginxGeo { .. } => "nginx-geo",
            Kind::ApacheRewritemap => "apache-rewritemap",
            Kind::List => "list",
        })
    }
}
