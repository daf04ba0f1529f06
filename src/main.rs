//! The `banmap` command.
fn main() {}
