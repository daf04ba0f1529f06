//! From buffers of lines to observations: wrappers off → literals of all filters → record → filters, for `run`, `replay` and
//! `test`.
//!
//! A buffer is searched as a whole for the literals that the filters require; only lines that hold one are parsed,
//! and every 1,024th other line, so that a wrong format is noticed. Protection (allow lists, trusted proxies) is not
//! applied here: the engine does that.

mod clientele;
mod clients;
mod counts;
mod crowd;
mod examine;
mod follow;
mod formats;
#[cfg(test)]
mod guarding;
mod host;
mod lens;
mod line;
mod meter;
mod pairs;
mod pass;
mod prefilter;
mod scan;
#[cfg(test)]
mod soundness;
mod survey;
mod targets;
#[cfg(test)]
mod tests;
mod unwrap;
mod whole;

pub use clients::{Clients, Surroundings, Traced};
pub use counts::{Example, FileReading};
pub use crowd::Crowd;
pub use examine::{Examined, Examiner, Outcome};
pub use follow::{FileView, Follow, Following, Listener, Told, View};
pub use host::{HostFromPath, HostFromPathError};
pub use lens::Lens;
pub use meter::Meter;
pub use scan::{Basis, Reader, lines};
pub use survey::{Begin, Survey};
pub use whole::{Lines, ReadError, Whole, next_of};
