//! The file work of one output, all of it blocking: render, stage, check by reading again, commit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::error::PublishError;
use super::render::{self, LeftOut, Rendered};
use super::reread;
use super::settings::{Kind, Settings};
use crate::ban::Snapshot;
use crate::os::files::{self, Attributes, Committed, Staged};
use crate::os::owner::Owner;

/// What a new file holds.
pub(super) struct Facts {
    pub(super) entries: usize,
    pub(super) digest: u64,
    /// Its length.
    pub(super) bytes: usize,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) snapshot: Arc<Snapshot>,
}

/// A new file, staged and checked by ourselves.
pub(super) struct New {
    pub(super) facts: Facts,
    staged: Staged,
}

/// What a snapshot means for an output's file.
pub(super) enum Prepared {
    /// The same bytes are in place already.
    Same(Facts),
    /// There is something to commit.
    New(New),
}

/// A file just put in place, and what was there before.
pub(super) struct Put {
    pub(super) facts: Facts,
    pub(super) committed: Committed,
    /// The old content, where it was asked for and was usable.
    pub(super) old: Option<Vec<u8>>,
    /// The copy of a file that was not ours.
    pub(super) foreign: Option<PathBuf>,
}

impl New {
    /// Where it lies until it is committed.
    pub(super) fn path(&self) -> &Path {
        self.staged.path()
    }
}

/// Renders the snapshot and, where it differs from what is `in_place` (its digest), stages and checks it.
pub(super) fn prepare(
    settings: &Settings,
    snapshot: Arc<Snapshot>,
    in_place: Option<u64>,
    now: Timestamp,
) -> Result<Prepared, PublishError> {
    let rendered = render::render(settings, &snapshot, now);
    let facts = Facts {
        entries: rendered.entries,
        digest: rendered.digest,
        bytes: rendered.bytes.len(),
        left_out: rendered.left_out.clone(),
        snapshot,
    };
    if in_place == Some(facts.digest) {
        return Ok(Prepared::Same(facts));
    }
    let staged = files::stage(&settings.path, &rendered.bytes, attributes(settings)?)?;
    check(settings, &staged, &rendered)?;
    Ok(Prepared::New(New { facts, staged }))
}

/// Puts a new file in place. A file that banmap did not make is copied first; `keep_old` asks for the old content.
pub(super) fn commit(settings: &Settings, new: New, keep_old: bool) -> Result<Put, PublishError> {
    let New { facts, staged } = new;
    let found = files::read(&settings.path)?;
    let is_foreign =
        found.as_ref().is_some_and(|bytes| !bytes.is_empty() && !bytes.starts_with(render::MARK));
    let foreign = match &found {
        Some(bytes) if is_foreign => keep_foreign(&settings.path, bytes)?,
        _ => None,
    };
    let old = found.filter(|bytes| keep_old && is_usable(&settings.kind, bytes));
    Ok(Put { facts, committed: staged.commit()?, old, foreign })
}

/// Puts bytes back that were in place before.
pub(super) fn put_back(settings: &Settings, bytes: &[u8]) -> Result<Committed, PublishError> {
    Ok(files::stage(&settings.path, bytes, attributes(settings)?)?.commit()?)
}

/// The content in place, where the server can use it: nginx does not start with a broken include.
pub(super) fn usable(settings: &Settings) -> Result<Option<Vec<u8>>, PublishError> {
    let found = files::read(&settings.path)?;
    Ok(found.filter(|bytes| is_usable(&settings.kind, bytes)))
}

fn is_usable(kind: &Kind, bytes: &[u8]) -> bool {
    match kind {
        Kind::NginxGeo { variable, style } => reread::geo(bytes, variable, *style).is_ok(),
        Kind::ApacheRewritemap | Kind::List => true,
    }
}

/// How many entries a body has.
pub(super) fn count_entries(kind: &Kind, bytes: &[u8]) -> usize {
    let lines = render::body_of(bytes).split(|b| *b == b'\n');
    match kind {
        Kind::NginxGeo { .. } => lines.filter(|line| line.ends_with(b" 1;")).count(),
        Kind::ApacheRewritemap | Kind::List => lines.filter(|line| !line.is_empty()).count(),
    }
}

fn attributes(settings: &Settings) -> Result<Attributes, PublishError> {
    let owner = settings.owner.as_deref().map(Owner::resolve).transpose();
    let owner = owner.map_err(|source| PublishError::Owner { path: settings.path.clone(), source })?;
    Ok(Attributes { owner: owner.unwrap_or_default(), mode: settings.mode })
}

/// Reads the staged file again: every byte is as rendered, and a geo file says exactly what is banned.
fn check(settings: &Settings, staged: &Staged, rendered: &Rendered) -> Result<(), PublishError> {
    let damaged = |what: String| PublishError::Damaged { path: settings.path.clone(), what };
    let bytes = files::read(staged.path())?.ok_or_else(|| damaged("it is gone".to_owned()))?;
    if bytes != rendered.bytes {
        return Err(damaged(format!("{} bytes written, {} read", rendered.bytes.len(), bytes.len())));
    }
    if let Kind::NginxGeo { variable, style } = &settings.kind {
        let read = reread::geo(&bytes, variable, *style).map_err(|error| damaged(error.to_string()))?;
        if read != rendered.geo {
            return Err(damaged("other prefixes than those that are banned".to_owned()));
        }
    }
    Ok(())
}

/// Copies a file that was not made by us to `.NAME.before-banmap`, once: what an operator had there is not lost.
fn keep_foreign(path: &Path, bytes: &[u8]) -> Result<Option<PathBuf>, PublishError> {
    let real = files::resolve(path)?;
    let mut name = OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(".before-banmap");
    let copy = real.with_file_name(name);
    if copy.exists() {
        return Ok(None);
    }
    // The original may be secret.
    let attributes = Attributes { mode: Some(0o600), ..Attributes::default() };
    files::stage(&copy, bytes, attributes)?.commit()?;
    Ok(Some(copy))
}
