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
mod haproxy;
mod json;
mod nginx_error;
mod nginx_proxy_manager;
mod parsed;
mod path;
mod request;
mod slots;
mod template;
mod traefik_clf;
mod wrapper;

pub use client::{ClientError, ClientFrom, Trace, TraceEnd};
pub use date::Reference;
pub use field::{Field, FieldError};
pub use format::{Format, FormatError, ParseError, Targets};
pub use json::{JsonError, JsonFields};
pub use parsed::Record;
pub use template::{FormatEscape, Template, TemplateError};
pub use wrapper::{Container, Header, Part, Stream, header, is_syslog, payload, time_of, wrapper_time};

#[cfg(test)]
mod tests;
