//! The built binary, and what it does to the world around it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command_line;
mod fake_daemon;
