//! Format strings: which are refused, what the others read, and lines written by the servers' rules and read back.

mod compiling;
mod lines;
mod written;
