//! A path is normal once it is normalised: no `//`, no `.` and no `..` as a segment, and the root stays the root.
#![no_main]

use banmap::record::{Field, Format};
use libfuzzer_sys::fuzz_target;

/// As nginx writes what a client sent.
fn logged(target: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match *byte {
        0..0x20 | 0x7f.. | b'"' | b'\\' => format!("\\x{byte:02X}").into_bytes(),
        byte => vec![byte],
    };
    target.iter().flat_map(escape).collect()
}

fuzz_target!(|target: &[u8]| {
    let line = [
        b"203.0.113.7 - - [01/May/2026:10:00:00 +0000] \"GET ",
        &logged(target)[..],
        b" HTTP/1.1\" 200 5 \"-\" \"-\"",
    ]
    .concat();
    let record = Format::Combined.parse(&line).expect("a server wrote it");
    let Some(path) = record.field(&Field::Path) else { return };
    let closed = [&path[..], b"/"].concat();
    let holds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    assert!(!holds(&path, b"//") && !holds(&closed, b"/./") && !holds(&closed, b"/../"));
    assert!(!path.starts_with(b"../") && !path.starts_with(b"./"));
    // White space before a target is no part of it.
    let from_root = target.trim_ascii_start().starts_with(b"/");
    assert!(!from_root || path.starts_with(b"/"));
    assert_eq!(record.address().map(|address| address.to_string()).as_deref(), Some("203.0.113.7"));
});
