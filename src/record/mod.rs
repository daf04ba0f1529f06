//! A line becomes a record: fields by position, the time, the client.
//!
//! Each format is parsed by position and by its server's own escaping rules, never by searching: what a client can
//! write into a field cannot move another one. A path is normalised as the servers normalise it before they match.

mod access;
mod apache_error;
mod clf;
mod client;
mod date;
mod escape;
mod field;
mod format;
mod parsed;
mod path;
mod request;
mod slots;

pub use client::{ClientError, ClientFrom};
pub use date::Reference;
pub use field::{Field, FieldError};
pub use format::{Format, FormatError, ParseError};
pub use parsed::Record;

#[cfg(test)]
mod tests;
