//! What makes a source unusable from the start.

/// Why a source cannot be followed. Everything else is an [`Event`](super::Event) and is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A path pattern is not understood.
    #[error("`path`: `{pattern}` is no pattern: {message} (write `[*]` for a literal `*`)")]
    Pattern {
        /// The pattern as configured.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// A path pattern does not begin at the root: which file it means would depend on the working directory.
    #[error("`path`: `{pattern}` is not absolute: begin it with `/`")]
    Relative {
        /// The pattern as configured.
        pattern: String,
    },
    /// A socket cannot be listened at.
    #[error("`listen`: cannot listen at {at}: {error}; {fix}")]
    Listen {
        /// Where.
        at: String,
        /// What the system said.
        error: String,
        /// What helps.
        fix: String,
    },
    /// The owner of a socket does not exist.
    #[error("`owner`: {0}")]
    Owner(crate::os::owner::OwnerError),
    /// The program that reads the journal cannot be run.
    #[error("`journal`: {error} (the journal is read through systemd's journalctl)")]
    Journal {
        /// Why.
        error: String,
    },
    /// The system gives no descriptors.
    #[error("cannot make a pipe: {error}")]
    System {
        /// What it said.
        error: String,
    },
}
