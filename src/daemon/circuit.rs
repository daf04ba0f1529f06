//! The daemon as a whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::answers::Reports;
use super::host::Host;
use super::outputs::Outputs;
use super::owner::Owner;
use super::sources::{Readers, Reading};
use super::verify::Answered;
use crate::address::Address;
use crate::config::Config;
use crate::control::{Call, Peer, Reply};
use crate::os::lock::Lock;
use crate::publish::Wanted;
use crate::reader::Surroundings;
use crate::resolve::{Following, Lists, News};
use crate::source::Registry;
use crate::terms::SourceName;

/// Everything that runs, and the ends of all wires.
pub(super) struct Circuit {
    pub(super) started: Timestamp,
    pub(super) path: Option<PathBuf>,
    pub(super) config: Arc<Config>,
    pub(super) lists: Lists,
    /// The threads that follow the lists, until they are followed anew.
    pub(super) following: Following,
    pub(super) news: mpsc::Receiver<News>,
    /// What is true of those who say to be crawlers.
    pub(super) answers: mpsc::UnboundedReceiver<Answered>,
    pub(super) host: Host,
    /// What the readers know of the machines around; the same as the engine does.
    pub(super) around: Surroundings,
    /// What the wrong-client guard holds, as the readers last told.
    pub(super) crowds: BTreeMap<SourceName, Vec<Address>>,
    pub(super) owner: Owner,
    pub(super) outputs: Outputs,
    pub(super) reports: watch::Sender<Reports>,
    pub(super) wanted: watch::Sender<Wanted>,
    pub(super) calls: mpsc::Receiver<Call>,
    /// What outlives the readers of one configuration.
    pub(super) registry: Registry,
    pub(super) readers: Readers,
    pub(super) readings: mpsc::Receiver<Reading>,
    /// How many sources have looked at their files once.
    pub(super) opened: usize,
    /// How many sources have read their backlog.
    pub(super) caught_up: usize,
    /// Pings that wait until outputs exist.
    pub(super) pings: Vec<oneshot::Sender<Reply>>,
    /// Requests to read the configuration again: by whom, and where the answer goes.
    pub(super) reloads: Vec<(Option<oneshot::Sender<Reply>>, Option<Peer>)>,
    /// The control socket's task; ends once `calls` is closed and the last replies are out.
    pub(super) serving: tokio::task::JoinHandle<()>,
    /// What readers hash different values with, the same over restarts.
    pub(super) seed: u64,
    pub(super) state_lock: Lock,
}
