//! How a verb ends: exit codes, and what can go wrong before one is reached.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::screen;
use crate::config::Problems;
use crate::control::{ControlError, FailCode, Reply};
use crate::daemon::DaemonError;
use crate::reader::ReadError;
use crate::terms::escape;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done; for a question: yes.
    Done = 0,
    /// It failed; for a question: no.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The daemon cannot be reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The daemon could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The daemon said no.
    #[error("{}", escape::lines(message))]
    Daemon {
        /// Its words.
        message: String,
        /// What kind of no.
        code: FailCode,
    },
    /// The daemon answered something else than was asked: it is of another version.
    #[error("the daemon answered something else than was asked: after an upgrade restart it")]
    Unexpected,
    /// A list of addresses cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write to {path}: {error}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// stdout could not be written.
    #[error("cannot write to stdout: {0}")]
    Stdout(#[from] io::Error),
    /// A log cannot be read.
    #[error("{}", escape::line(&.0.to_string()))]
    Log(#[from] ReadError),
    /// The daemon does not start.
    #[error("{}", escape::lines(&.0.to_string()))]
    Start(#[from] DaemonError),
    /// The configuration, or something it names, cannot be used; or the arguments do not fit it.
    #[error("{0}")]
    Unusable(String),
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// A configuration with these problems cannot be used.
    pub(super) fn problems(problems: &Problems) -> Self {
        let told = problems.render(screen::styled_errors());
        Self::Unusable(format!("the configuration cannot be used:\n{told}"))
    }

    /// Turns a reply that is not the expected one into an error.
    pub(super) fn from_reply(reply: Reply) -> Self {
        match reply {
            Reply::Failed { message, code } => Self::Daemon { message, code },
            _ => Self::Unexpected,
        }
    }

    /// Whether who reads our output has seen enough.
    pub(super) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code that tells it to a script.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Control(ControlError::TooLong { .. })
            | Self::Daemon { code: FailCode::Usage, .. }
            | Self::Read { .. }
            | Self::Unusable(_)
            | Self::Start(DaemonError::Config(_) | DaemonError::Lists(_) | DaemonError::NoOutput(_)) => {
                Exit::Usage
            }
            Self::Control(
                ControlError::NotRunning(_)
                | ControlError::Forbidden { .. }
                | ControlError::NoAnswer { .. }
                | ControlError::HungUp(_)
                | ControlError::Garbled { .. }
                | ControlError::Ask { .. },
            )
            | Self::Daemon { code: FailCode::Unavailable, .. } => Exit::Unreachable,
            Self::Control(
                ControlError::NotASocket(_) | ControlError::InUse(_) | ControlError::Serve { .. },
            )
            | Self::Daemon { code: FailCode::Failed, .. }
            | Self::Unexpected
            | Self::Write { .. }
            | Self::Stdout(_)
            | Self::Log(_)
            | Self::Failed(_)
            | Self::Start(_) => Exit::Failed,
        }
    }
}
