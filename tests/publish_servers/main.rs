//! Outputs at work, on real servers: nginx, Apache and `HAProxy`, started here on free loopback ports in temporary
//! directories.
#![allow(clippy::unwrap_used, reason = "a test's own helpers may panic as the test may")]

mod apache;
mod harness;
mod nginx;
mod plain;
#[path = "../integration/harness/ports.rs"]
mod ports;
