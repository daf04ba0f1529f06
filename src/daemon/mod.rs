//! Wiring: start, run, reload the configuration, stop. What is decided is decided in the rooms; here what one tells is
//! carried to the others.

mod allow;
mod answers;
mod circuit;
mod commands;
mod empty;
mod exchange;
mod hand;
mod host;
mod inherit;
mod outputs;
mod owner;
mod pause;
mod plan;
mod release;
mod run;
mod sources;
mod start;
mod status;
#[cfg(test)]
mod tests;
mod totals;
mod verify;
mod why;

pub use empty::empty;
pub use plan::{clients, engine_settings, lenses, surroundings};
pub use run::run;
pub use start::DaemonError;
