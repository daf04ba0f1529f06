//! What an output writes, where, and how its server is made to read it.

use std::path::PathBuf;
use std::str::FromStr;

use jiff::SignedDuration;

use super::render::apache_can_hold;
use crate::address::Prefix;
use crate::os::owner::Owner;
use crate::terms::OutputName;

/// The form of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An nginx `geo` include.
    NginxGeo {
        /// The variable of a whole block, without `$`.
        variable: String,
        /// A whole `geo $variable { … }` block, or its lines only.
        style: Style,
    },
    /// An Apache `RewriteMap` text file: `<key> -` lines.
    ApacheRewritemap,
    /// One address or prefix a line.
    List,
}

/// How much of the nginx configuration a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// The whole block: include it in `http {}`.
    #[default]
    Block,
    /// The lines only: include it inside the operator's own block.
    Include,
}

/// How the server is made to read the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    /// A signal to the master whose pid a file holds.
    PidFile {
        /// The pid file.
        path: PathBuf,
        /// The signal's name without `SIG`: `HUP`.
        signal: String,
    },
    /// A signal to the master process of that name.
    Process {
        /// The executable's name: `nginx`.
        name: String,
        /// The signal's name without `SIG`.
        signal: String,
    },
    /// A command; exit 0 is success.
    Command(Vec<String>),
    /// Somebody else reloads: `published` is the best that can be said.
    External,
    /// Nothing to do: the server notices by itself, or nobody has to.
    None,
}

/// One output, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: OutputName,
    /// What is written.
    pub kind: Kind,
    /// Where: an absolute path.
    pub path: PathBuf,
    /// The least time between two commits, where it was set; else the kind's default, which adapts.
    pub min_interval: Option<SignedDuration>,
    /// The operator's whole-configuration check, run after the commit; `None` where it is `"none"` or unset.
    pub validate: Option<Vec<String>>,
    /// How the server is made to read it.
    pub reload: Reload,
    /// Where the server says why it refused a reload.
    pub error_log: Option<PathBuf>,
    /// `user`, `user:group` or `:group`, names or numbers; unset: kept as the old file has it.
    pub owner: Option<String>,
    /// Permission bits; unset: kept as the old file has them, 0644 for a new file.
    pub mode: Option<u32>,
}

impl Kind {
    /// What it can hold, where that is not every prefix: whether it can this one without these holes.
    pub fn can_hold(&self) -> Option<fn(Prefix, &[Prefix]) -> bool> {
        match self {
            Self::ApacheRewritemap => Some(apache_can_hold),
            Self::NginxGeo { .. } | Self::List => None,
        }
    }

    /// The kind of that name, as the configuration and `replay --write KIND=PATH` write it; variants at their defaults.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "nginx-geo include" => {
                Some(Self::NginxGeo { variable: "bad_user".to_owned(), style: Style::Include })
            }
            "nginx-geo" => Some(Self::NginxGeo { variable: "bad_user".to_owned(), style: Style::default() }),
            "apache-rewritemap" => Some(Self::ApacheRewritemap),
            "list" => Some(Self::List),
            _ => None,
        }
    }

    /// The names that `named` knows.
    pub const NAMES: [&str; 3] = ["nginx-geo", "apache-rewritemap", "list"];

    /// Its name in the configuration; with `style = "include"` that is added, as `PublishedFile::kind` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NginxGeo { style: Style::Block, .. } => "nginx-geo",
            Self::NginxGeo { style: Style::Include, .. } => "nginx-geo include",
            Self::ApacheRewritemap => "apache-rewritemap",
            Self::List => "list",
        }
    }
}

impl Settings {
    /// What is wrong with `owner` on this host: a user or group that it does not have.
    pub fn owner_problem(&self) -> Option<String> {
        let owner = self.owner.as_deref()?;
        Owner::resolve(owner).err().map(|error| error.to_string())
    }

    /// A file that no server is told about, with everything at its default.
    pub fn plain(kind: Kind, path: PathBuf) -> Self {
        Self {
            name: OutputName::from_str("file").expect("it is made of letters"),
            kind,
            path,
            min_interval: None,
            validate: None,
            reload: Reload::None,
            error_log: None,
            owner: None,
            mode: None,
        }
    }
}

/// Whether nginx takes it as a variable's name (without `$`): letters, digits and `_`.
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
