//! Any text as a configuration: settings, or problems that can be shown.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use banmap::config::{Needs, Options, load};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static PLACE: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a directory can be made"));

fuzz_target!(|text: &[u8]| {
    // A list that it names would be read wherever it is, and a pattern of logs looked up.
    if [&b"file:"[..], b"*", b"/"].iter().any(|part| text.windows(part.len()).any(|window| window == *part)) {
        return;
    }
    let path: PathBuf = PLACE.path().join("banmap.toml");
    std::fs::write(&path, text).expect("a file can be written");
    let options = Options {
        path: Some(path),
        fallback: PathBuf::new(),
        environment: Vec::new(),
        needs: Needs::RUN,
        root: false,
    };
    if let Err(problems) = load(&options) {
        assert!(problems.has_errors());
        let _ = problems.to_string();
    }
});
