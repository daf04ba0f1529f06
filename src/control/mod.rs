//! The unix-socket protocol of a running daemon: requests, replies, its server and its client.
//!
//! Newline-delimited JSON over a stream socket: one request a line, one reply a line, in order. Who may connect is
//! decided by the socket's permissions (0660); who connected is told with each request. The server bounds what it
//! keeps for a client and waits for each client in a task of its own: a slow or silent one delays nobody.

mod client;
mod error;
mod history;
mod length;
mod listener;
mod reply;
mod request;
mod server;
mod status;
mod why;
mod wire;

pub use client::Client;
pub use error::ControlError;
pub use history::HistoryRow;
pub use length::BanLength;
pub use listener::Listener;
pub use reply::{AllowedRow, BanRow, FailCode, Refusal, Reply, Spared};
pub use request::{FormerBan, Request};
pub use server::{Call, Event, Peer, serve};
pub use status::{Cap, FileState, FileStatus, JailStatus, OutputState, OutputStatus, SourceStatus, Status};
pub use why::{ClientWay, Counting, Earlier, EvidenceRow, HeldRow, Holding, Hop, Near, WayEnd, Why};
