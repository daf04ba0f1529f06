//! Events of all rooms → log lines on stderr, as text or JSON.
//!
//! Our own log stays bounded under a flood: of each kind so many lines a second are written, the rest is counted. Bytes
//! that came from a log are escaped before they are written.

mod flood;
mod log;

pub use log::Log;
