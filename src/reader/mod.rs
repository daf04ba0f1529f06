//! From buffers of lines to observations: literals of all filters → record → filters, for `run`, `replay` and `test`.
//!
//! A buffer is searched as a whole for the literals that the filters require; only lines that hold one are parsed,
//! and every 1,024th other line, so that a wrong format is noticed. Protection (allow lists, trusted proxies) is not
//! applied here: the engine does that.

mod clients;
mod counts;
mod crowd;
mod examine;
mod follow;
#[cfg(test)]
mod guarding;
mod lens;
mod meter;
mod pairs;
mod prefilter;
mod scan;
#[cfg(test)]
mod soundness;
#[cfg(test)]
mod tests;
mod whole;

pub use clients::{Clients, Surroundings};
pub use counts::{Example, FileReading};
pub use crowd::Crowd;
pub use examine::{Examined, Outcome, examine};
pub use follow::{FileView, Follow, Following, Listener, Told, View};
pub use lens::Lens;
pub use meter::Meter;
pub use scan::{Basis, Reader, detect, lines};
pub use whole::{Lines, ReadError, Whole, next_of};
