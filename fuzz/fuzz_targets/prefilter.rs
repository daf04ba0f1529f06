//! No spelling hides an offence: a line that a shipped filter takes is found where it stands between other lines.
#![no_main]

use std::sync::{Arc, LazyLock};

use banmap::reader::{Basis, FileReading, Lens, Reader};
use banmap::record::Format;
use banmap_fuzz::{FILTERS, REFERENCE};
use libfuzzer_sys::fuzz_target;

/// A line that no filter takes; the first one is always parsed, whatever it holds.
const FILLER: &[u8] =
    b"192.0.2.1 - - [01/May/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"https://x.example/\" \"Mozilla/5.0\"\n";

/// A reader for each filter alone: what one requires would have the lines of another parsed.
static READERS: LazyLock<Vec<Reader>> = LazyLock::new(|| {
    let lens = |known: &banmap_fuzz::Known| Lens {
        jail: "fuzzed".parse().expect("this is a name"),
        filter: Arc::clone(&known.filter),
        only: Vec::new(),
        ignore: Vec::new(),
        distinct: None,
    };
    FILTERS.iter().map(|known| Reader::new(vec![lens(known)], false)).collect()
});

fuzz_target!(|data: &[u8]| {
    let line = banmap_fuzz::line_from(data);
    for format in [Format::Combined, Format::Common, Format::VhostCombined] {
        let buffer = [FILLER, &line, b"\n", FILLER].concat();
        for (known, reader) in FILTERS.iter().zip(READERS.iter()) {
            if !banmap_fuzz::offends(&known.filter, &format, &line) {
                continue;
            }
            let (mut file, mut out) = (FileReading::new(Some(format.clone())), Vec::new());
            reader.read(&mut file, &buffer, Basis::Logged, &REFERENCE, &mut out);
            let found = out.iter().any(|observation| !observation.offences.is_empty());
            assert!(found, "{} does not find {}", known.name, String::from_utf8_lossy(&line));
        }
    }
});
