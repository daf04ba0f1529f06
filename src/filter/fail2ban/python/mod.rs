//! Python's regular expressions, with fail2ban's tags, read into a tree and written for the engines that we have.
//!
//! Source of the dialect: the manual of Python's `re` module. `parse` reads, `write` writes for the linear engine (`regex`)
//! or the backtracking one (`fancy-regex`); what only the latter can do is told by `Node::backtracks`.

mod class;
mod escape;
mod node;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub(super) use node::Node;
pub(super) use parse::parse;
pub(super) use write::{Hosts, Style, write};
