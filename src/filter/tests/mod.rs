//! Tests of the room as a whole.

mod crafted;
mod judging;
mod reading;
mod shipped;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::*;

fn read(text: &str) -> Result<Definition, Vec<Problem>> {
    Definition::read(&text.parse().unwrap())
}

pub(super) fn compile(text: &str) -> Filter {
    Filter::compile(&read(text).unwrap()).unwrap()
}

/// What a reader takes as a candidate, written as plainly as can be.
fn is_candidate(line: &[u8], required: &Required) -> bool {
    let line = String::from_utf8_lossy(line);
    let folded = if required.ignore_case { line.to_ascii_lowercase() } else { line.to_string() };
    let holds =
        required.literals.iter().any(|literal| folded.contains(std::str::from_utf8(literal).unwrap()));
    let request = line.split_once("] \"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
    let encoded = line.contains(['%', '\\']);
    holds
        || (required.except_slashes && request.contains("//"))
        || (required.except_dots && request.contains("/."))
        || (required.except_encoded && encoded)
}

/// The CPU time that this takes, the least of some runs: what else the machine does hardly shows in it.
pub(super) fn cost(times: usize, work: impl Fn()) -> Duration {
    let used = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let once = |_| {
        let began = used();
        work();
        used().saturating_sub(began)
    };
    (0..times).map(once).min().unwrap()
}
