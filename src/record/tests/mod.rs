//! Whole lines: what servers write, what clients can make them write, and arbitrary bytes.

mod hostile;
mod lines;
mod written;
