//! One source, whatever it reads: files that are followed, or a feed.

use jiff::Timestamp;

use super::feed::Feed;
use super::{Consumer, FileStatus, Follower, Input, Positions, Registry, Settings, SourceError, Turn, Waker};
use crate::terms::Checkpoint;

/// Reads one source. Owned and used by one thread; blocks only in [`Intake::wait`] and in reading.
pub struct Intake(Kind);

enum Kind {
    Files(Box<Follower>),
    Feed(Box<Feed>),
}

impl Intake {
    /// Opens a source that goes on at `checkpoints`: all unfinished ones that it has.
    ///
    /// # Errors
    /// For what an operator must mend before anything can be read: a pattern that is none, a socket that cannot be
    /// listened at, a journalctl that is missing.
    pub fn open(
        settings: Settings,
        checkpoints: Vec<Checkpoint>,
        registry: &Registry,
    ) -> Result<Self, SourceError> {
        Ok(Self(match settings.input {
            Input::Files(_) => Kind::Files(Box::new(Follower::new(settings, checkpoints)?.sharing(registry))),
            Input::Stdin | Input::Listen(_) | Input::Journal(_) => {
                Kind::Feed(Box::new(Feed::open(&settings, &checkpoints, registry)?))
            }
        }))
    }

    /// Ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        match &self.0 {
            Kind::Files(follower) => follower.waker(),
            Kind::Feed(feed) => Waker::of_feed(feed.bell()),
        }
    }

    /// One turn: takes what is there, bounded, and hands it out. All times are measured by `now`.
    pub fn turn(&mut self, now: Timestamp, consumer: &mut dyn Consumer) -> Turn {
        match &mut self.0 {
            Kind::Files(follower) => follower.turn(now, consumer),
            Kind::Feed(feed) => feed.turn(now, consumer),
        }
    }

    /// Sleeps until something may have changed.
    pub fn wait(&mut self) {
        match &mut self.0 {
            Kind::Files(follower) => follower.wait(),
            Kind::Feed(feed) => feed.wait(),
        }
    }

    /// What changed since it was last taken: after each turn, and within a chunk.
    pub fn positions(&mut self) -> &mut Positions {
        match &mut self.0 {
            Kind::Files(follower) => follower.positions(),
            Kind::Feed(feed) => feed.positions(),
        }
    }

    /// Whether everything that was there at the start was read once, or cannot be read.
    pub fn backlog_read(&self) -> bool {
        match &self.0 {
            Kind::Files(follower) => follower.backlog_read(),
            Kind::Feed(feed) => feed.backlog_read(),
        }
    }

    /// Each file, and what cannot be followed; of what is no file one row.
    pub fn status(&self) -> Vec<FileStatus> {
        match &self.0 {
            Kind::Files(follower) => follower.status(),
            Kind::Feed(feed) => feed.status(),
        }
    }
}
