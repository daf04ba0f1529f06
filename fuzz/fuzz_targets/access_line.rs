//! Any line, read as every format: nothing panics, and no field lies outside the line.
#![no_main]

use banmap::record::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let changed = banmap_fuzz::line_from(data);
    for line in [data, &changed] {
        for format in &Format::ALL {
            banmap_fuzz::ask_everything(format, line);
        }
        let _ = Format::detect(std::iter::once(line));
    }
});
