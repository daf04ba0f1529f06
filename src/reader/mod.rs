//! From buffers of lines to observations: literals of all filters → record → filters, for `run`, `replay` and `test`.
//!
//! and every 1,024th other line, so that a wrong format is noticed. Protection (allow lists, trusted proxies) is not
//! applied here: the engine does that.

mod counts;
mod examine;
mod lens;
mod prefilter;
mod scan;
#[cfg(test)]
mod tests;

pub use counts::{Example, FileReading};
pub use examine::{Examined, Outcome, examine};
pub use lens::Lens;
pub use scan::{Basis, Reader};
