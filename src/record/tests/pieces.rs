//! Bytes of clients that would mislead who reads them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Arbitrary bytes among pieces of lines.
pub(in crate::record) fn hostile(
    fragments: &'static [&'static [u8]],
) -> impl Strategy<Value = Vec<u8>> + Clone {
    let piece = prop_oneof![
        3 => select(fragments).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..8),
        1 => "[a-zA-Z0-9/ .?%]{0,8}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}
