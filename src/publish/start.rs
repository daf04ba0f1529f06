//! What is done to output files without a running publisher: made before anything else at start, written by hand.

use std::path::Path;

use jiff::Timestamp;

use super::error::PublishError;
use super::event::{Event, EventSink, What};
use super::place::{self, Prepared};
use super::render::LeftOut;
use super::settings::{Kind, Settings, is_variable_name};
use crate::ban::Snapshot;
use crate::os::{clock, files};
use crate::terms::{OutputName, PublishedFile};

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// For the store; nobody is known to have read it.
    pub file: PublishedFile,
    /// Its entry lines.
    pub entries: usize,
    /// What is banned and could not be written.
    pub left_out: Vec<LeftOut>,
}

/// Makes each output's file that is missing, or that its server could not use, from the stored bans; removes temporary
/// files that a crash left. Existing files stay as they are.
///
/// To be called before anything else at start: without its file a web server may be unable to start. An error of one
/// output does not keep the others from being made; `None` is a file that was there.
pub fn create_missing(
    outputs: &[Settings],
    snapshot_of: &dyn Fn(&OutputName) -> Snapshot,
    events: &EventSink,
) -> Vec<(OutputName, Result<Option<Written>, PublishError>)> {
    let create = |output: &Settings| {
        let made = create_if_missing(output, snapshot_of);
        if let Ok(Some(written)) = &made {
            let what = What::Created { path: output.path.clone(), entries: written.entries };
            events(Event { output: output.name.clone(), what });
        }
        (output.name.clone(), made)
    };
    outputs.iter().map(create).collect()
}

fn create_if_missing(
    output: &Settings,
    snapshot_of: &dyn Fn(&OutputName) -> Snapshot,
) -> Result<Option<Written>, PublishError> {
    if let Some(directory) = output.path.parent().filter(|directory| *directory != Path::new("")) {
        files::create_directory(directory)?;
    }
    files::remove_stale(&output.path)?;
    if place::usable(output)?.is_some() {
        return Ok(None);
    }
    write(output, snapshot_of(&output.name), clock::now()).map(Some)
}

/// Writes one file whole and at once, whatever is there; no server is told. For `empty` and `replay --write`.
pub fn write(output: &Settings, snapshot: Snapshot, now: Timestamp) -> Result<Written, PublishError> {
    let prepared = place::prepare(output, snapshot.into(), None, now)?;
    let facts = match prepared {
        Prepared::Same(facts) => facts,
        Prepared::New(new) => place::commit(output, new, false)?.facts,
    };
    let file = PublishedFile {
        output: output.name.clone(),
        path: output.path.clone(),
        kind: output.kind.name().to_owned(),
        generation: facts.snapshot.generation,
        digest: facts.digest,
        verified_by: None,
    };
    Ok(Written { file, entries: facts.entries, left_out: facts.left_out })
}

/// The files of former runs that no output writes any more: the output is gone, or its path or kind is another now.
/// They keep their bans until somebody empties them.
pub fn left_behind<'a>(outputs: &[Settings], kept: &'a [PublishedFile]) -> Vec<&'a PublishedFile> {
    let is_written = |kept: &PublishedFile| {
        outputs.iter().any(|output| output.path == kept.path && output.kind.name() == kept.kind)
    };
    kept.iter().filter(|kept| !is_written(kept)).collect()
}

/// Empties the file of an output that is no more. A block keeps its variable: the web server may still use it.
pub fn empty(file: &PublishedFile) -> Result<Written, PublishError> {
    let kind = Kind::named(&file.kind).unwrap_or(Kind::List);
    let kind = match (kind, variable_in(&file.path)) {
        (Kind::NginxGeo { style, .. }, Some(variable)) => Kind::NginxGeo { variable, style },
        (kind, _) => kind,
    };
    let output = Settings { name: file.output.clone(), ..Settings::plain(kind, file.path.clone()) };
    write(&output, Snapshot::empty(file.output.clone(), file.generation), clock::now())
}

/// The variable of the `geo` block in a file of ours.
fn variable_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let named = text.lines().find_map(|line| line.strip_prefix("geo $")?.strip_suffix(" {"))?;
    is_variable_name(named).then(|| named.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{create_missing, left_behind, write};
    use crate::ban::Snapshot;
    use crate::publish::settings::{Kind, Settings};
    use crate::terms::{OutputName, PublishedFile};

    fn snapshot(output: &OutputName, prefixes: &[&str]) -> Snapshot {
        let prefixes = prefixes.iter().map(|text| text.parse().unwrap()).collect();
        Snapshot { prefixes, ..Snapshot::empty(output.clone(), 3) }
    }

    #[test]
    fn only_what_is_missing_or_unusable_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let output = |name: &str, kind: &str| Settings {
            name: name.parse().unwrap(),
            ..Settings::plain(Kind::named(kind).unwrap(), directory.path().join("out").join(name))
        };
        let outputs =
            [output("geo", "nginx-geo"), output("map", "apache-rewritemap"), output("list", "list")];
        let create = || {
            let made =
                create_missing(&outputs, &|name| snapshot(name, &["192.0.2.1"]), &(Arc::new(|_| ()) as _));
            made.into_iter().map(|(_, made)| made.unwrap().map(|written| written.entries)).collect::<Vec<_>>()
        };
        assert_eq!(create(), [Some(1), Some(1), Some(1)]);
        assert_eq!(create(), [None, None, None]);
        let cut = |name: &str, len| {
            let file = std::fs::File::options().write(true).open(directory.path().join("out").join(name));
            file.unwrap().set_len(len).unwrap();
        };
        cut("geo", 120);
        cut("map", 0);
        assert_eq!(create(), [Some(1), None, None], "nginx would not start with a broken block");
        assert!(std::fs::read_to_string(&outputs[0].path).unwrap().contains("192.0.2.1 1;"));
    }

    #[test]
    fn what_was_not_ours_is_copied_once() {
        let directory = tempfile::tempdir().unwrap();
        let output = Settings::plain(Kind::List, directory.path().join("list"));
        std::io::Write::write_all(&mut std::fs::File::create(&output.path).unwrap(), b"mine\n").unwrap();
        write(&output, snapshot(&output.name, &[]), jiff::Timestamp::UNIX_EPOCH).unwrap();
        write(&output, snapshot(&output.name, &["192.0.2.1"]), jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(std::fs::read(directory.path().join(".list.before-banmap")).unwrap(), b"mine\n");
    }

    #[test]
    fn files_that_nobody_writes_any_more_are_named() {
        let output = Settings::plain(Kind::List, "/x/list".into());
        let kept = |path: &str, kind: &str| PublishedFile {
            output: output.name.clone(),
            path: path.into(),
            kind: kind.to_owned(),
            generation: 1,
            digest: 1,
            verified_by: None,
        };
        let all = [kept("/x/list", "list"), kept("/y/list", "list"), kept("/x/list", "nginx-geo")];
        assert_eq!(left_behind(std::slice::from_ref(&output), &all), [&all[1], &all[2]]);
    }
}
