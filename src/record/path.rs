//! A path as servers see it when they match it: percent-decoded once, slashes merged, dot segments resolved.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::escape::hex;

/// Normalises a path (no query, no authority). Nothing is copied where it is already normal.
///
/// `..` never climbs above the first byte. A `%` without two hexadecimal digits stays. The result holds no `//`, and
/// no segment `.` or `..`.
pub(super) fn normalise(path: &[u8]) -> Cow<'_, [u8]> {
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    let decoded = decode(path);
    Cow::Owned(if is_resolved(&decoded) { decoded.into_owned() } else { resolve(&decoded) })
}

/// Whether there is nothing to decode, to merge or to resolve; most paths are so.
fn is_normal(path: &[u8]) -> bool {
    let slashes_and_percents = memchr2_iter(b'/', b'%', path);
    !starts_with_dots(path)
        && slashes_and_percents.into_iter().all(|at| path.get(at) == Some(&b'/') && !is_special(path, at))
}

/// Whether there is nothing to merge or to resolve.
fn is_resolved(path: &[u8]) -> bool {
    !starts_with_dots(path) && memchr_iter(b'/', path).all(|at| !is_special(path, at))
}

/// Percent-decodes once: what `%25` yields is not looked at again.
fn decode(path: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'%', path).is_none() {
        return Cow::Borrowed(path);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = memchr(b'%', rest) {
        let (before, after) = rest.split_at(at);
        decoded.extend_from_slice(before);
        let (byte, length) = match *after {
            [_, high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            _ => (b'%', 1),
        };
        decoded.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    Cow::Owned(decoded)
}

/// Whether the slash at `at` is followed by another slash, or by a dot segment.
fn is_special(path: &[u8], at: usize) -> bool {
    match path.get(at + 1..) {
        Some([b'/', ..]) => true,
        Some(after @ [b'.', ..]) => starts_with_dots(after),
        _ => false,
    }
}

/// Whether the first segment is `.` or `..`.
fn starts_with_dots(path: &[u8]) -> bool {
    matches!(path, [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// Merges slashes and resolves dot segments. A path that ends in a dot segment ends in a slash, as a directory does.
fn resolve(path: &[u8]) -> Vec<u8> {
    let mut resolved = Vec::with_capacity(path.len());
    let root = usize::from(path.first() == Some(&b'/'));
    resolved.extend_from_slice(path.get(..root).unwrap_or_default());
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"" | b"." => {}
            b".." => leave(&mut resolved, root),
            _ => {
                resolved.extend_from_slice(segment);
                if segments.peek().is_some() {
                    resolved.push(b'/');
                }
            }
        }
    }
    resolved
}

/// Drops the last directory of `resolved`, which ends in a slash, down to the first `root` bytes.
fn leave(resolved: &mut Vec<u8>, root: usize) {
    let directory = resolved.len().saturating_sub(1);
    let parent = resolved.get(root..directory).and_then(|inside| inside.iter().rposition(|b| *b == b'/'));
    resolved.truncate(parent.map_or(root, |slash| root + slash + 1));
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::normalise;

    #[test]
    fn a_normal_path_is_not_copied() {
        for path in ["/", "/wp-login.php", "/.well-known/acme", "/a/...", "/a/b../.c/", "*", ""] {
            assert!(matches!(normalise(path.as_bytes()), Cow::Borrowed(_)), "{path}");
        }
    }

    #[test]
    fn other_spellings_become_the_path_that_is_served() {
        for (spelling, path) in [
            ("//wp-login.php", "/wp-login.php"),
            ("/./wp-login.php", "/wp-login.php"),
            ("/x/../wp-login.php", "/wp-login.php"),
            ("/x//..///wp-login.php", "/wp-login.php"),
            ("/../../wp-login.php", "/wp-login.php"),
            ("/%77p-login.php", "/wp-login.php"),
            ("/%2e%2e/%2E/wp-login.php", "/wp-login.php"),
            ("/x%2f..%2fwp-login.php", "/wp-login.php"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/a/b/../", "/a/"),
            ("/..", "/"),
            ("/%252e%252e/x", "/%2e%2e/x"),
            ("/a%3Fb%23c", "/a?b#c"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%00", "/\0"),
            ("../etc/passwd", "etc/passwd"),
            ("a/../b", "b"),
            ("a//b/", "a/b/"),
            ("..", ""),
            (".//", ""),
        ] {
            let normal = normalise(spelling.as_bytes());
            assert_eq!(String::from_utf8_lossy(&normal), path, "{spelling}");
        }
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"/".to_vec()),
            3 => Just(b"..".to_vec()),
            3 => Just(b".".to_vec()),
            1 => Just(b"%2f".to_vec()),
            1 => Just(b"%2E".to_vec()),
            2 => proptest::collection::vec(any::<u8>(), 0..4),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// The same by the book: a stack of segments.
    fn model(path: &[u8]) -> Vec<u8> {
        let mut stack: Vec<&[u8]> = Vec::new();
        for segment in path.split(|b| *b == b'/') {
            match segment {
                b"" | b"." => {}
                b".." => drop(stack.pop()),
                other => stack.push(other),
            }
        }
        let last = path.rsplit(|b| *b == b'/').next().unwrap();
        let directory = matches!(last, b"" | b"." | b"..") && !stack.is_empty();
        let (root, end) = (path.starts_with(b"/"), if directory { "/" } else { "" });
        [if root { b"/" } else { &b""[..] }, &stack.join(&b'/'), end.as_bytes()].concat()
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_normalise(path in hostile()) {
            let normal = normalise(&path).into_owned();
            let closed = [&normal[..], b"/"].concat();
            for left in [&b"//"[..], b"/./", b"/../"] {
                let whole = if left == b"//" { &normal } else { &closed };
                prop_assert!(memchr::memmem::find(whole, left).is_none(), "{:?}", normal);
            }
            if !normal.contains(&b'%') {
                prop_assert_eq!(normalise(&normal), &normal[..]);
            }
        }

        #[test]
        fn segments_are_resolved_as_on_a_stack(path in hostile()) {
            let plain: Vec<u8> = path.into_iter().filter(|b| *b != b'%').collect();
            prop_assert_eq!(normalise(&plain).into_owned(), model(&plain));
        }
    }
}
