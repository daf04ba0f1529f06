//! Tests of the room as a whole.

mod judging;
mod reading;
mod shipped;

use super::*;

fn read(text: &str) -> Result<Definition, Vec<Problem>> {
    Definition::read(&text.parse().unwrap())
}

fn compile(text: &str) -> Filter {
    Filter::compile(&read(text).unwrap()).unwrap()
}

/// What a reader takes as a candidate, written as plainly as can be.
fn is_candidate(line: &[u8], required: &Required) -> bool {
    let line = String::from_utf8_lossy(line);
    let folded = if required.ignore_case { line.to_ascii_lowercase() } else { line.to_string() };
    let holds =
        required.literals.iter().any(|literal| folded.contains(std::str::from_utf8(literal).unwrap()));
    let after_date = line.split_once("] \"").map_or("", |(_, rest)| rest);
    let target = after_date.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
    let respelled = ["%", "//", "/.", "\\"].iter().any(|spelling| target.contains(spelling));
    let encoded = after_date.contains(['%', '\\']);
    holds || (required.except_respelled && respelled) || (required.except_encoded && encoded)
}
