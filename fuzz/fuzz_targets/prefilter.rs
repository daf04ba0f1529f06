//! No spelling hides an offence: a line that a shipped filter takes is found where it stands between other lines.
#![no_main]

use std::sync::{Arc, LazyLock};

use banmap::reader::{Basis, FileReading, Lens, Reader};
use banmap::record::Format;
use banmap_fuzz::{FILTERS, Known, REFERENCE};
use libfuzzer_sys::fuzz_target;

/// A line that no filter takes; the first one is always parsed, whatever it holds.
const FILLER: &[u8] =
    b"192.0.2.1 - - [01/May/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"https://x.example/\" \"Mozilla/5.0\"\n";

/// A reader for each filter alone, and one for all together: in that, each filter judges only lines that hold what it
/// requires itself.
static READERS: LazyLock<Vec<Reader>> = LazyLock::new(|| {
    let alone = FILTERS.iter().map(|known| Reader::new(vec![lens(known)], false));
    let together = Reader::new(FILTERS.iter().map(lens).collect(), false);
    alone.chain([together]).collect()
});

fn lens(known: &Known) -> Lens {
    let (jail, filter) = (known.name.parse().expect("this is a name"), Arc::clone(&known.filter));
    Lens::new(jail, filter)
}

/// The jails that the line is an offence for, where it stands between others.
fn jails(reader: &Reader, format: &Format, line: &[u8]) -> Vec<String> {
    let buffer = [FILLER, line, b"\n", FILLER].concat();
    let (mut file, mut out) = (FileReading::new(Some(format.clone())), Vec::new());
    reader.read(&mut file, &buffer, Basis::Logged, &REFERENCE, &mut out);
    out.iter().flat_map(|observation| &observation.offences).map(|offence| offence.jail.to_string()).collect()
}

fuzz_target!(|data: &[u8]| {
    let line = banmap_fuzz::line_from(data);
    for format in [Format::Combined, Format::Common, Format::VhostCombined] {
        let offending = FILTERS.iter().zip(READERS.iter());
        let offending = offending.filter(|(known, _)| banmap_fuzz::offends(&known.filter, &format, &line));
        let offending: Vec<(&Known, &Reader)> = offending.collect();
        let together = READERS.last().filter(|_| !offending.is_empty());
        let together = together.map_or_else(Vec::new, |reader| jails(reader, &format, &line));
        for (known, alone) in offending {
            let text = String::from_utf8_lossy(&line);
            assert_eq!(jails(alone, &format, &line), [known.name], "{} alone: {text}", known.name);
            assert!(together.iter().any(|jail| jail == known.name), "{} among others: {text}", known.name);
        }
    }
});
