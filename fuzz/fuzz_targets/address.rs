//! Any text as an address, a prefix or a duration: what is read is read back from how it is shown.
#![no_main]

use banmap::address::{Address, Prefix};
use banmap::terms::{parse_duration, show_duration};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Some(address) = Address::parse(text) {
        assert_eq!(Address::parse(address.to_string().as_bytes()), Some(address));
        assert!(Prefix::host(address).contains(address));
    }
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(prefix) = text.parse::<Prefix>() {
        assert_eq!(prefix.to_string().parse(), Ok(prefix));
        assert!(prefix.contains(prefix.first()));
    }
    if let Ok(Some(duration)) = parse_duration(text) {
        assert_eq!(
            parse_duration(&show_duration(duration)),
            Ok(Some(duration)),
            "{}",
            show_duration(duration)
        );
    }
});
