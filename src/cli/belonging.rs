//! Which source a log belongs to that `replay` is given.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::exit::CliError;
use super::load;
use crate::config::Source;
use crate::source::live_names;
use crate::terms::escape;

/// As the daemon's own search for files has it: `*` ends at a slash.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The source that a log belongs to: the one whose pattern matches its path (also as a rotated name), else `fallback`,
/// else the only one.
pub(super) fn source_of<'a>(
    path: &Path,
    sources: &'a [Source],
    fallback: Option<&'a Source>,
) -> Result<&'a Source, CliError> {
    let matching = names_of(path).into_iter().find_map(|name| {
        sources.iter().find(|source| source.settings.patterns().iter().any(|pattern| matches(pattern, &name)))
    });
    let only = || sources.first().filter(|_| sources.len() == 1);
    matching.or(fallback).or_else(only).ok_or_else(|| {
        let path = escape::bytes(path.as_os_str().as_encoded_bytes());
        let names = load::listed(sources.iter().map(|source| source.settings.name.as_str()));
        CliError::Unusable(format!(
            "{path}: no source's path matches it; say --source NAME (there are: {names})"
        ))
    })
}

/// Each log with the source that it belongs to, as [`source_of`] finds it.
pub(super) fn owned<'a, 'p>(
    paths: impl Iterator<Item = &'p PathBuf>,
    sources: &'a [Source],
    fallback: Option<&'a Source>,
) -> Result<Vec<(PathBuf, &'a Source)>, CliError> {
    paths.map(|path| Ok((path.clone(), source_of(path, sources, fallback)?))).collect()
}

/// The files that the patterns of the sources match now, each once.
pub(super) fn logs_of<'a>(sources: impl Iterator<Item = &'a Source>) -> Vec<(PathBuf, &'a Source)> {
    let mut files = Vec::new();
    for source in sources {
        let found = source.settings.patterns().iter().filter_map(|pattern| glob::glob(pattern).ok());
        let existing = found.flatten().flatten().filter(|path| path.is_file());
        files.extend(existing.map(|path| (path, source)));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files.dedup_by(|a, b| a.0 == b.0);
    files
}

fn matches(pattern: &str, path: &Path) -> bool {
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path_with(path, OPTIONS))
}

/// What a log may be called in a configuration: its path as it was given and with links followed, each also without what
/// compression and rotation appended.
fn names_of(path: &Path) -> Vec<PathBuf> {
    let ways = [std::path::absolute(path), path.canonicalize()];
    ways.into_iter().flatten().flat_map(|way| unrotated(&way)).collect()
}

fn unrotated(path: &Path) -> Vec<PathBuf> {
    let zipped = path.extension().is_some_and(|ending| ending == "gz");
    let plain = zipped.then(|| path.with_extension(""));
    let names = [path.to_owned()].into_iter().chain(plain);
    names.flat_map(|name| [vec![name.clone()], live_names(&name)].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_name_leads_to_the_live_one() {
        for name in ["access.log", "access.log.1", "access.log.2.gz", "access.log-20261120", "access.log.gz"]
        {
            let names = unrotated(&Path::new("/var/log").join(name));
            assert!(names.contains(&PathBuf::from("/var/log/access.log")), "{name}: {names:?}");
        }
        assert_eq!(unrotated(Path::new("/l/shop-a.log")), [PathBuf::from("/l/shop-a.log")]);
    }

    #[test]
    fn a_star_ends_at_a_slash_as_it_does_for_the_daemon() {
        assert!(matches("/l/*.log", Path::new("/l/a.log")));
        assert!(!matches("/l/*.log", Path::new("/l/old/a.log")));
        assert!(matches("/l/**/*.log", Path::new("/l/old/a.log")));
    }
}
