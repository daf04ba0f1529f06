//! The machine under us: clock, atomic file replacement, child processes, locks, the host's own addresses.
//!
//! Only this room reads the clock, starts processes and renames files.

pub mod aside;
pub mod clock;
pub mod host;
pub mod lock;
