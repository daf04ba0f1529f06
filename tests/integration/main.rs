//! Tests against real nginx, Apache and `HAProxy` on loopback, each started for one test and ended by it.
#![allow(clippy::unwrap_used, reason = "whatever is not as it should be fails the test")]
#![allow(clippy::disallowed_methods, reason = "the tests stand outside the rooms that these calls belong to")]

mod harness;

mod allowed;
mod banning;
mod chains;
mod command_line;
mod crash;
mod crowd;
mod daemon;
mod fake_daemon;
mod feeds;
mod formats;
mod forwarded;
mod gates;
mod hostile;
mod json;
mod ordinary_day;
mod other_logs;
mod quickstart;
mod reading;
mod rotation;
mod server_logs;
mod servers;
mod state;
mod storm;
mod trouble;
mod verbs;
mod wrapped;
