//! What the tests are built of: a server or a daemon is a value, whose drop ends the process that it started.
//!
//! Every server has a directory of its own (mode 0755, since workers of another user read it) and a free port on
//! loopback. A program that is not installed fails the test with the name of its package.

mod apache;
mod banmap;
mod client;
mod guard;
mod haproxy;
mod nginx;
mod place;
mod ports;
mod process;
pub(crate) mod scene;
mod wait;

pub(crate) use apache::Apache;
pub(crate) use banmap::{Daemon, cli};
pub(crate) use client::{Answer, Request, send, send_raw};
pub(crate) use guard::guarding;
pub(crate) use haproxy::Haproxy;
pub(crate) use nginx::Nginx;
pub(crate) use place::{Place, text};
pub(crate) use ports::free_port;
pub(crate) use process::installed;
pub(crate) use scene::Scene;
pub(crate) use wait::{wait_or, wait_until};
