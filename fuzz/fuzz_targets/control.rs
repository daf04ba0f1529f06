//! Any bytes as a request or a reply of the control socket: refused, or read back as it is written again.
#![no_main]

use banmap::control::{Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        let text = serde_json::to_string(&request).expect("a request can be written");
        assert_eq!(serde_json::from_str::<Request>(&text).expect("it was written by us"), request);
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
        let text = serde_json::to_string(&reply).expect("a reply can be written");
        assert_eq!(serde_json::from_str::<Reply>(&text).expect("it was written by us"), reply);
    }
});
