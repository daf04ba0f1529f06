//! Every shipped filter judges any line, in any format: nothing panics, and the address stands in the line.
#![no_main]

use banmap::filter::Judgement;
use banmap::record::Format;
use banmap_fuzz::{FILTERS, REFERENCE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let changed = banmap_fuzz::line_from(data);
    for line in [data, &changed] {
        for format in &Format::ALL {
            let Ok(record) = format.parse_at(line, &REFERENCE) else { continue };
            for known in FILTERS.iter() {
                if let Judgement::Offence(found) | Judgement::Ignored(found) = known.filter.judge(&record) {
                    let place = found.host.or_else(|| record.client_range());
                    assert!(place.is_none_or(|place| line.get(place).is_some()), "{}", known.name);
                }
            }
        }
    }
});
