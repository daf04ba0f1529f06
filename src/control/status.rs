//! What `status` answers: jails, sources and outputs with their counts and their health.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire;
use crate::address::Prefix;
use crate::terms::{JailName, Measure, OutputName, SourceName};

/// The daemon as it is now. Other programs read its JSON: fields may be added, none changes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// When it started.
    #[serde(with = "wire::time")]
    pub started: Timestamp,
    /// Every jail, the built-in one included once it holds a ban.
    pub jails: BTreeMap<JailName, JailStatus>,
    /// Every source.
    pub sources: BTreeMap<SourceName, SourceStatus>,
    /// Every output.
    pub outputs: BTreeMap<OutputName, OutputStatus>,
    /// What is bounded over all jails; `evidence` in bytes.
    #[serde(default)]
    pub caps: BTreeMap<String, Cap>,
    /// What an operator has to do something about, a sentence each: what is wrong where, and the fix.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// One jail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailStatus {
    /// Offences that lie in a window now.
    pub offences_current: u64,
    /// Offences since the daemon's first start.
    pub offences_total: u64,
    /// Records from addresses that were banned already.
    pub hits_total: u64,
    /// Bans in force.
    pub bans_current: u64,
    /// Those of them that are only simulated, in no output.
    #[serde(default)]
    pub bans_simulated: u64,
    /// Bans ever made.
    pub bans_total: u64,
    /// It judges, but bans nobody new.
    pub paused: bool,
    /// When the pause ends by itself; `null` while there is none, and until `resume`.
    #[serde(default, with = "wire::optional_time")]
    pub paused_until: Option<Timestamp>,
    /// It judges and shows, but publishes nothing.
    #[serde(default)]
    pub simulate: bool,
    /// What its verdicts do: ban, or challenge.
    #[serde(default)]
    pub value: Measure,
    /// Hits that the gate did not refuse although its list was verified before them.
    #[serde(default)]
    pub hits_passed: u64,
    /// Addresses whose offences are counted now.
    #[serde(default)]
    pub tracked: u64,
    /// Addresses that gave way since no more can be tracked.
    #[serde(default)]
    pub evicted: u64,
    /// Wider prefixes that are watched for their clients.
    #[serde(default)]
    pub watched: u64,
    /// Those of them that gave way since no more can be watched.
    #[serde(default)]
    pub unwatched: u64,
    /// Verdicts that banned nobody, since the jail has as many bans as it may.
    #[serde(default)]
    pub refused: u64,
    /// Verdicts that the storm breaker holds: they ban nobody until they are released.
    #[serde(default)]
    pub held: u64,
    /// Since when it bans suspiciously many; `null` while it does not.
    #[serde(default, with = "wire::optional_time")]
    pub storm: Option<Timestamp>,
}

/// Something of which no more than so much is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// How much is kept.
    pub used: u64,
    /// How much may be.
    pub limit: u64,
    /// How much gave way since the start.
    pub gave_way: u64,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The files it follows, by path.
    pub files: Vec<FileStatus>,
}

/// One followed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// Its path, lossily decoded.
    pub path: String,
    /// Lines read since the start.
    pub lines: u64,
    /// Lines among those that were looked at that are not of the format.
    pub unparsed: u64,
    /// When the last line arrived.
    #[serde(with = "wire::optional_time")]
    pub last_line: Option<Timestamp>,
    /// How reading it goes.
    pub state: FileState,
    /// Datagrams that the system dropped before they were read.
    #[serde(default)]
    pub dropped: u64,
    /// What its lines are read as, after what they are wrapped in: `combined`, `docker: combined, apache_error`; `null` while
    /// nothing fits.
    #[serde(default)]
    pub format: Option<String>,
    /// The address that most lines come from though it can be no client: the wrong-client guard protects it.
    #[serde(default)]
    pub mostly_from: Option<Prefix>,
    /// What is wrong, where something is.
    #[serde(default)]
    pub error: Option<String>,
}

/// How reading a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Read to its end; new lines are read as they come.
    Live,
    /// There is more to read.
    CatchingUp,
    /// Renamed, or a copy of what was truncated; let go when it is silent.
    Rotated,
    /// It has no name any more; let go when it is silent.
    Deleted,
    /// It cannot be opened or read.
    Unreadable,
    /// It is not there, or no file matches the pattern.
    Missing,
    /// Standard input that was read to its end.
    Ended,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputStatus {
    /// Its kind, as the configuration names it.
    pub kind: String,
    /// How many entries the file in place has.
    pub entries: u64,
    /// Which state of the ban table the file in place holds.
    pub generation: u64,
    /// When the file in place was committed.
    #[serde(with = "wire::optional_time")]
    pub published: Option<Timestamp>,
    /// When the server was last made to read it.
    #[serde(with = "wire::optional_time")]
    pub reloaded: Option<Timestamp>,
    /// How far the newest generation came.
    pub state: OutputState,
    /// What is wrong, in the server's words where it said something.
    pub error: Option<String>,
    /// Where the file is.
    #[serde(default)]
    pub path: Option<String>,
    /// Banned prefixes that this kind of output cannot hold.
    #[serde(default)]
    pub left_out: u64,
}

/// How far an output's newest generation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputState {
    /// It is not in place yet.
    Pending,
    /// The file is in place.
    Published,
    /// The server has it.
    Verified,
    /// It could not be published; the last good one is in force.
    Failed,
}

impl Status {
    /// Whether an operator has to look: a problem, a file that cannot be read or is read in vain, or an output that failed.
    pub fn needs_operator(&self) -> bool {
        let failed_output = |output: &OutputStatus| output.state == OutputState::Failed;
        let unread_file = |file: &FileStatus| file.state == FileState::Unreadable || file.error.is_some();
        !self.problems.is_empty()
            || self.outputs.values().any(failed_output)
            || self.sources.values().flat_map(|source| &source.files).any(unread_file)
    }
}
