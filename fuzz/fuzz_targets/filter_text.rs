//! Any text as a filter: refused with its problems, or a filter that judges without a panic.
#![no_main]

use banmap::filter::{Definition, Filter};
use banmap::record::Format;
use banmap_fuzz::{FILTERS, REFERENCE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(table) = text.parse::<toml::Table>() else { return };
    let Ok(definition) = Definition::read(&table) else { return };
    let Ok(filter) = Filter::compile(&definition) else { return };
    for format in &Format::ALL {
        let _ = filter.required(format);
        for line in FILTERS.iter().flat_map(|known| known.samples.iter().take(2)) {
            if let Ok(record) = format.parse_at(line.as_bytes(), &REFERENCE) {
                let _ = filter.judge(&record);
            }
        }
    }
});
