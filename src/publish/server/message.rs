//! Whether what a server said speaks of one of our files.

use std::fs;
use std::path::Path;

/// Whether `message` names one of `files`, under its own path or under another one that leads to it.
pub(super) fn names_one_of(message: &str, files: &[impl AsRef<Path>]) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let ours: Vec<_> = files.iter().filter_map(|file| real(file.as_ref())).collect();
    let written = |file: &Path| file.to_str().is_some_and(|path| contains_path(message, path));
    files.iter().any(|file| written(file.as_ref()))
        || paths(message).any(|path| real(path).is_some_and(|path| ours.contains(&path)))
}

/// `path` occurs and does not go on.
fn contains_path(message: &str, path: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    message.match_indices(path).any(|(at, _)| {
        let rest = &message[at + path.len()..];
        // A full stop at the end of a sentence is not a part of the name.
        !rest.trim_start_matches('.').starts_with(goes_on)
    })
}

/// The words that look like absolute paths, without `:LINE` and punctuation.
fn paths(message: &str) -> impl Iterator<Item = &Path> {
    let words = message.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | ','));
    words.filter(|word| word.starts_with('/')).map(|word| {
        let word = word.trim_end_matches(['.', ';', ':']);
        let unnumbered = word.trim_end_matches(|c: char| c.is_ascii_digit());
        Path::new(unnumbered.strip_suffix(':').unwrap_or(word))
    })
}

#[cfg(test)]
mod tests {
    use super::names_one_of;

    #[test]
    fn only_our_own_file_is_meant() {
        let directory = tempfile::tempdir().unwrap();
        let ours = directory.path().join("nginx.conf");
        std::fs::File::create(&ours).unwrap();
        let link = directory.path().join("link.conf");
        std::os::unix::fs::symlink(&ours, &link).unwrap();
        let named = |message: &str| names_one_of(message, &[&ours]);
        assert!(named(&format!("unexpected end of file, expecting \";\" in {}:7", ours.display())));
        assert!(named(&format!("open() \"{}\" failed (13: Permission denied)", ours.display())));
        assert!(named(&format!("invalid parameter in {}:9", link.display())));
        assert!(named(&format!("broken: {}.", ours.display())));
        assert!(!named("unknown directive \"x\" in /etc/nginx/nginx.conf:3"));
        assert!(!named(&format!("open() \"{}.d/x\" failed", ours.display())));
        assert!(!named(&format!("open() \"{}2\" failed", ours.display())));
        assert!(!named("Job for nginx.service failed."));
    }
}
