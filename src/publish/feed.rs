//! What publishing hears from its owner: which generation is wanted, and the snapshots themselves.

use tokio::sync::{mpsc, oneshot, watch};

use crate::ban::Snapshot;
use crate::terms::OutputName;

/// What is to be published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The newest generation of the ban table.
    pub generation: u64,
    /// The newest generation that a person caused: it does not wait for an interval.
    pub by_hand: u64,
    /// At start, until the backlog is read: a usable file is not rewritten yet, but for changes by hand.
    pub hold: bool,
}

/// A request for the newest bans of one output.
#[derive(Debug)]
pub struct SnapshotRequest {
    /// Which output.
    pub output: OutputName,
    /// Where the answer goes. Dropped, the request is answered by nothing and repeated later.
    pub reply: oneshot::Sender<Snapshot>,
}

/// The two ends that a publisher is given.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Changes with every change of the ban table.
    pub wanted: watch::Receiver<Wanted>,
    /// Asked at each publish. When the other end is gone, nothing more is published.
    pub snapshots: mpsc::Sender<SnapshotRequest>,
}

impl Feed {
    /// The newest bans of an output; `None` where nobody answers.
    pub(super) async fn snapshot(&self, output: &OutputName) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.snapshots.send(SnapshotRequest { output: output.clone(), reply }).await.ok()?;
        answer.await.ok()
    }
}
