//! Where lines come from: files that are discovered, followed through rotation and truncation, and read once.
//!
//! A [`Follower`] owns the files of one source on a blocking thread of its own: [`Follower::turn`] looks and hands
//! whole lines to a [`Consumer`], [`Follower::wait`] sleeps until there may be more. Events from the system are hints;
//! a stat tick decides. What was handed out is told as changed checkpoints through [`Positions`].

mod access;
mod chunker;
mod consumer;
mod copies;
mod discover;
mod error;
mod event;
mod follower;
mod head;
mod positions;
mod recent;
mod rotate;
mod settings;
mod siblings;
mod start;
mod status;
mod tail;
#[cfg(test)]
mod tests;
mod troubles;
mod watch;

pub use access::Access;
pub use chunker::{Chunker, MAX_LINE};
pub use consumer::{Chunk, Consumer, FileId, FileInfo};
pub use error::SourceError;
pub use event::{Event, Start};
pub use follower::{Follower, Turn};
pub use positions::Positions;
pub use settings::{FirstRead, Settings};
pub use siblings::live_names;
pub use status::{FileState, FileStatus};
pub use watch::Waker;
