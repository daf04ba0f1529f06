//! Outputs: the ban list rendered in the form a gate reads, put in place atomically, and the server made to read it.
//!
//! The way of one publish: render → stage → check → commit → validate → reload → verify, or roll back. Outputs that
//! reload the same server are one group with one interval.

mod banned;
mod cycle;
mod error;
mod event;
mod feed;
mod group;
mod native;
mod output;
mod place;
mod publisher;
mod readable;
mod reading;
mod render;
mod report;
mod reread;
mod schedule;
mod server;
mod settings;
mod snippet;
mod start;
mod teller;

pub use banned::{FLOOR_V4, FLOOR_V6};
pub use error::PublishError;
pub use event::{Event, EventSink, NAMED, Severity, What};
pub use feed::{Feed, SnapshotRequest, Wanted};
pub use output::SLOW_MAP;
pub use publisher::{Publisher, Told, tell_server};
pub use render::{LeftOut, Why};
pub use report::{Report, State};
pub use settings::{Kind, Reload, Settings, Style, is_variable_name};
pub use snippet::snippet;
pub use start::{Written, create_missing, empty, left_behind, write};
