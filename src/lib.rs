//! banmap reads the access logs of web servers behind a reverse proxy, decides which client addresses to ban, and
//! publishes the list in the form the gate already reads.
//!
//! The flow runs through the rooms in this order: `source` (lines) → `record` (fields, time, client) → `filter`
//! (offences) → `jail` (counting, verdicts) → `ban` (the table) → `publish` (outputs). `reader` joins the first
//! three, `engine` the two in the middle, `daemon` the whole.

pub mod address;
pub mod ban;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod filter;
pub mod jail;
pub mod migrate;
pub mod observe;
pub mod os;
pub mod publish;
pub mod reader;
pub mod record;
pub mod resolve;
pub mod source;
pub mod store;
pub mod terms;
