//! Outputs: the ban list rendered in the form a gate reads, put in place atomically, and the server made to read it.
//!
//! The way of one publish: render → stage → check → commit → validate → reload → verify, or roll back. Outputs that
//! reload the same server are one group with one interval.

mod banned;
mod render;
mod settings;

pub use banned::{FLOOR_V4, FLOOR_V6};
pub use render::{LeftOut, Why};
pub use settings::{Kind, Reload, Settings, Style, is_variable_name};
#[allow(missing_docs, clippy::all)]
mod stub;
pub use stub::*;
