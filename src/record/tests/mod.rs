//! Whole lines: what servers write, what clients can make them write, and arbitrary bytes.

pub(super) mod fields;
mod hostile;
mod lines;
pub(super) mod pieces;
mod written;
