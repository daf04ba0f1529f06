//! Where lines come from: files that are discovered, followed through rotation and truncation, and read once; standard
//! input, sockets and the journal.
//!
//! An [`Intake`] reads one source on a blocking thread of its own: [`Intake::turn`] looks and hands whole lines to a
//! [`Consumer`], [`Intake::wait`] sleeps until there may be more. Of files ([`Follower`]) the system's events are hints;
//! a stat tick decides. What was handed out is told as changed checkpoints through [`Positions`].

mod access;
mod chunker;
mod consumer;
mod copies;
mod discover;
mod endpoint;
mod error;
mod event;
mod feed;
mod follower;
mod head;
mod intake;
mod journal_match;
mod positions;
mod recent;
mod registry;
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
pub use discover::{FileIdentity, matching};
pub use endpoint::{Endpoint, EndpointError};
pub use error::SourceError;
pub use event::{Event, Start};
pub use feed::check_journal;
pub use follower::{Follower, Turn};
pub use head::{last_lines, lines_before};
pub use intake::Intake;
pub use journal_match::{JournalInput, JournalMatch, JournalMatchError};
pub use positions::Positions;
pub use recent::{first_since, lines_end};
pub use registry::Registry;
pub use settings::{FirstRead, Input, Listen, Settings};
pub use siblings::live_names;
pub use status::{FileState, FileStatus};
pub use watch::Waker;
