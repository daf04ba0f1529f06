//! Everything that has to stand before the first line is judged, in the order in which it must stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::answers::Reports;
use super::circuit::Circuit;
use super::host::Host;
use super::outputs::{Outputs, event_sink, make_outputs};
use super::owner::Owner;
use super::plan;
use super::sources::{Readers, StartError};
use super::verify::{Answered, Verifier};
use crate::config::{self, Config, Needs, Options, Problems};
use crate::control::{Call, ControlError, Listener, serve};
use crate::engine::{self, Engine, Restored};
use crate::observe::Log;
use crate::os::clock;
use crate::os::lock::{Lock, LockError};
use crate::publish::{self, Wanted};
use crate::resolve::{ListError, Lists, system_lookup};
use crate::source::Registry;
use crate::store::{Keeper, Kept, Store, StoreError};
use crate::terms::{PublishedFile, ResolvedName};

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration has errors; nothing was touched.
    #[error("{}", .0.render(false))]
    Config(Problems),
    /// An address list cannot be read.
    #[error("{}", join(.0))]
    Lists(Vec<ListError>),
    /// The state directory cannot be made.
    #[error("cannot make the state directory {}: {error}; make it, or set `state` under [daemon]", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another daemon uses the state directory, or it cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A source cannot be followed.
    #[error(transparent)]
    Sources(#[from] StartError),
    /// A list cannot be written.
    #[error(transparent)]
    Publish(#[from] publish::PublishError),
    /// Nothing of that name was ever written.
    #[error("`{0}` is neither an output nor a file that an output has written")]
    NoOutput(String),
    /// The system gives no thread or no signal.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

fn join(errors: &[ListError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The name of the lock file in the state directory.
pub(super) const LOCK: &str = "banmap.lock";
/// The name of the database in the state directory.
pub(super) const DATABASE: &str = "banmap.sqlite3";

/// So much news of lists waits; the threads that find more wait for their turn.
pub(super) const NEWS: usize = 16;

/// What is true of those who say to be crawlers, as it is found.
type Answers = mpsc::UnboundedReceiver<Answered>;

/// A configuration with its lists.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) lists: Lists,
}

/// Reads the configuration and the lists it names: all of it, or all problems.
pub(super) fn load(path: Option<&Path>) -> Result<Loaded, DaemonError> {
    let options = Options::new(path.map(Path::to_owned), Needs::RUN);
    let config = config::load(&options).map_err(DaemonError::Config)?;
    let lists = Lists::open(config.list_entries()).map_err(DaemonError::Lists)?;
    Ok(Loaded { config, lists })
}

/// Takes the state directory for this process.
pub(super) fn lock(state: &Path) -> Result<Lock, DaemonError> {
    std::fs::create_dir_all(state).map_err(|error| DaemonError::State { path: state.to_owned(), error })?;
    Ok(Lock::take(&state.join(LOCK))?)
}

/// Builds the whole circuit, outputs first.
///
/// Must be called within a tokio runtime.
pub(super) fn start(path: Option<PathBuf>, loaded: Loaded, log: &Log) -> Result<Circuit, DaemonError> {
    let Loaded { config, mut lists } = loaded;
    let now = clock::now();
    let state_lock = lock(&config.daemon.state)?;
    let (store, mut kept) = open_store(&config, now, log)?;
    let seed = kept.seed.unwrap_or_else(plan::chance);
    for ResolvedName { name, addresses } in std::mem::take(&mut kept.names) {
        // A name that is no name is not asked for.
        let _ = name.parse().map(|name| lists.resolved(&name, addresses));
    }
    let host = Host::new(clock::monotonic());
    let settings = plan::settings(&config, &lists, host.addresses(), Vec::new());
    let verifier = Verifier::new(&config, &lists);
    let (owner, answers, wanted) = own(&config, settings, (store, kept), verifier, (now, log))?;
    let (reports, _) = watch::channel(unreported(&config));
    let files: Vec<PublishedFile> = owner.files().cloned().collect();
    let outputs = Outputs::start(&config, &files, &wanted, log);
    let (calls, serving) = listen(&config, log)?;
    let registry = Registry::default();
    let around = plan::around(&config, &lists, host.addresses());
    let followings = plan::followings(&config, &around, &owner.positions(), &registry, seed);
    let (readers, readings) = Readers::start(followings)?;
    let (tell, news) = mpsc::channel(NEWS);
    let following = lists.follow(system_lookup(), tell)?;
    Ok(Circuit {
        started: now,
        path,
        config: Arc::new(config),
        lists,
        following,
        news,
        answers,
        host,
        around,
        crowds: BTreeMap::new(),
        owner,
        outputs,
        reports,
        wanted,
        calls,
        registry,
        readers,
        readings,
        opened: 0,
        caught_up: 0,
        pings: Vec::new(),
        reloads: Vec::new(),
        serving,
        seed,
        state_lock,
    })
}

/// Opens the store; what it had to do for that is told.
fn open_store(config: &Config, now: Timestamp, log: &Log) -> Result<(Store, Kept), DaemonError> {
    let (store, kept, events) = Store::open(&config.daemon.state.join(DATABASE), now)?;
    for event in &events {
        log.store(event);
    }
    Ok((store, kept))
}

/// Puts the engine, with what the store kept, into the hands of its owner. Outputs that are missing are made before.
fn own(
    config: &Config,
    settings: engine::Settings,
    (store, kept): (Store, Kept),
    (verifier, answers): (Verifier, Answers),
    (now, log): (Timestamp, &Log),
) -> Result<(Owner, Answers, watch::Sender<Wanted>), DaemonError> {
    let Kept { generation, bans, trackers, priors, held, pauses, allowed, .. } = kept;
    let restored = Restored { generation, bans, trackers, priors, held, pauses, allowed };
    let (engine, effects) = Engine::new(settings, restored, now);
    log.left_behind(&config.outputs, &kept.files);
    let files = make_outputs(config, &engine, kept.files, &event_sink(log), log);
    let keeper = Keeper::start(store, {
        let log = log.clone();
        move |event| log.store(&event)
    })?;
    let (wanted, _) = watch::channel(Wanted { generation: engine.generation(), by_hand: 0, hold: true });
    let known = (kept.checkpoints, files, kept.totals);
    let mut owner = Owner::new(engine, log.clone(), keeper, verifier, known, wanted.clone());
    owner.carry(effects, false);
    Ok((owner, answers, wanted))
}

/// Opens the control socket and serves it in a task.
fn listen(config: &Config, log: &Log) -> Result<(mpsc::Receiver<Call>, JoinHandle<()>), DaemonError> {
    let (calls_to, calls) = mpsc::channel(16);
    let listener = Listener::bind(&config.daemon.socket)?;
    let log = log.clone();
    Ok((calls, tokio::spawn(serve(listener, calls_to, move |event| log.control(&event)))))
}

/// Outputs of which nothing was heard yet.
fn unreported(config: &Config) -> Reports {
    config.outputs.iter().map(|output| (output.name.clone(), None)).collect()
}
