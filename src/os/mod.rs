//! The machine under us: clock, atomic file replacement, child processes, locks, the host's own addresses.
//!
//! Only this room reads the clock, starts processes and renames files.

pub mod aside;
pub mod child;
pub mod clock;
pub mod files;
pub mod host;
pub mod lock;
pub mod owner;
pub mod process;
pub mod spout;
