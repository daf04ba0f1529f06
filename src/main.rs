//! The `banmap` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    banmap::cli::main()
}
