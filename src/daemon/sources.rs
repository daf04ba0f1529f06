//! The reader threads: one for each source, each sending to the engine's owner over one bounded channel.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::reader::{Follow, Following, Listener, Told, View};
use crate::source::{SourceError, Waker};
use crate::terms::{Batch, Checkpoint, SourceName};

/// So many batches wait for the engine; then the reader waits, and the file is the buffer.
const BATCHES: usize = 8;

/// What a reader thread sends.
pub(super) enum Reading {
    /// Observations and how far they take the source.
    Batch(Batch),
    /// A position to be stored before its first line counts.
    FirstLook(Checkpoint, oneshot::Sender<io::Result<()>>),
    /// Something happened.
    Told(SourceName, Told),
}

/// All reader threads of one configuration.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<(JoinHandle<()>, Waker)>,
    views: Vec<(SourceName, View)>,
    /// The sources whose thread ended though nobody asked it to: it panicked.
    lost: Vec<SourceName>,
}

impl Readers {
    /// Starts a thread for each source. The receiver yields nothing more once all have ended.
    pub(super) fn start(sources: Vec<Following>) -> Result<(Self, mpsc::Receiver<Reading>), StartError> {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let mut readers =
            Self { stop: Arc::default(), threads: Vec::new(), views: Vec::new(), lost: Vec::new() };
        // All are opened before the first is read: where one cannot be, none has begun.
        let opened = sources.into_iter().map(|following| open(following, &sender));
        for (name, view, follow) in opened.collect::<Result<Vec<_>, _>>()? {
            // Those that have begun would go on without anybody to hear them.
            readers.run(name, view, follow).inspect_err(|_| readers.stop())?;
        }
        Ok((readers, receiver))
    }

    fn run(&mut self, name: SourceName, view: View, follow: Follow<Wire>) -> Result<(), StartError> {
        let (waker, stop) = (follow.waker(), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new()
            .name(format!("read {name}"))
            .spawn(move || follow.run(&|| stop.load(Ordering::Relaxed)))
            .map_err(StartError::Thread)?;
        self.threads.push((thread, waker));
        self.views.push((name, view));
        Ok(())
    }

    /// Asks all threads to end after what they are doing. Their channel must still be emptied.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for (_, waker) in &self.threads {
            waker.wake();
        }
    }

    /// The sources that are not read any more since their thread panicked, as far as they were not told before.
    pub(super) fn newly_lost(&mut self) -> Vec<SourceName> {
        if self.stop.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let ended = self.threads.iter().zip(&self.views).filter(|((thread, _), _)| thread.is_finished());
        let lost = ended.map(|(_, (name, _))| name).filter(|name| !self.lost.contains(name));
        let lost: Vec<SourceName> = lost.cloned().collect();
        self.lost.extend_from_slice(&lost);
        lost
    }

    /// Those that were told.
    pub(super) fn lost(&self) -> &[SourceName] {
        &self.lost
    }

    /// The files of each source.
    pub(super) fn views(&self) -> &[(SourceName, View)] {
        &self.views
    }

    /// How many sources there are.
    pub(super) fn count(&self) -> usize {
        self.views.len()
    }
}

fn open(
    following: Following,
    sender: &mpsc::Sender<Reading>,
) -> Result<(SourceName, View, Follow<Wire>), StartError> {
    let (name, view) = (following.settings.name.clone(), View::default());
    let wire = Wire { source: name.clone(), sender: sender.clone() };
    let follow = Follow::new(following, wire, Arc::clone(&view));
    let follow = follow.map_err(|error| StartError::Source(name.clone(), error))?;
    Ok((name, view, follow))
}

/// A source that cannot be followed at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings cannot be used.
    #[error("source {0}: {1}")]
    Source(SourceName, SourceError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A reader thread's end of the channel.
struct Wire {
    source: SourceName,
    sender: mpsc::Sender<Reading>,
}

impl Wire {
    fn send(&self, reading: Reading) -> ControlFlow<()> {
        match self.sender.blocking_send(reading) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_closed) => ControlFlow::Break(()),
        }
    }
}

impl Listener for Wire {
    fn batch(&mut self, batch: Batch) -> ControlFlow<()> {
        self.send(Reading::Batch(batch))
    }

    fn first_look(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        let (stored, durable) = oneshot::channel();
        let stopping = || io::Error::new(io::ErrorKind::Interrupted, "the daemon is stopping");
        if self.send(Reading::FirstLook(checkpoint.clone(), stored)).is_break() {
            return Err(stopping());
        }
        durable.blocking_recv().map_err(|_| stopping())?
    }

    fn event(&mut self, event: Told) {
        let _ = self.send(Reading::Told(self.source.clone(), event));
    }
}
