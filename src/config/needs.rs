//! Which parts of the configuration a verb uses.

/// What a verb does with a part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It is not looked at: nothing that is wrong in it keeps the verb from working.
    Unread,
    /// It is read, and may be absent.
    Optional,
    /// There must be at least one.
    Required,
}

/// What a verb uses. `[daemon]` is always read, and so is a filter that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// `[source.*]`.
    pub sources: Need,
    /// `[jail.*]`, `[defaults]`, `jails`, `[real_ip]`.
    pub jails: Need,
    /// `[output.*]`.
    pub outputs: Need,
}

impl Needs {
    /// The daemon, and `check`: everything, and at least one source.
    pub const RUN: Self = Self { sources: Need::Required, jails: Need::Optional, outputs: Need::Optional };
    /// `replay`: what judges; a log can be named on the command line.
    pub const REPLAY: Self = Self { sources: Need::Optional, outputs: Need::Unread, ..Self::RUN };
    /// `test --source`: the format of a source, and filters.
    pub const TEST: Self = Self { sources: Need::Optional, ..Self::FILTERS };
    /// `snippet`: outputs, and the trusted proxies that stand among what judges.
    pub const SNIPPET: Self =
        Self { sources: Need::Optional, jails: Need::Optional, outputs: Need::Required };
    /// `empty`: outputs alone.
    pub const OUTPUTS: Self = Self { sources: Need::Unread, jails: Need::Unread, outputs: Need::Optional };
    /// `test`: no more than the filters, which are always found when they are asked for.
    pub const FILTERS: Self = Self { sources: Need::Unread, jails: Need::Unread, outputs: Need::Unread };
}
