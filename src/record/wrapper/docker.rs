//! Docker's `json-file`: `{"log":"…\n","stream":"stdout","time":"2026-11-20T15:51:57.123456789Z"}`, with `"attrs":{…}`
//! before the time where labels are logged. A line of more than 16 KiB comes in parts, of which only the last ends in `\n`.
//! <https://docs.docker.com/engine/logging/drivers/json-file/>

use memchr::{memchr, memchr2, memmem};

use super::{Part, Stream};
use crate::record::escape;

const LOG: &[u8] = b"{\"log\":\"";
const STREAM: &[u8] = b",\"stream\":\"";
const TIME: &[u8] = b"\"time\":\"";

pub(super) fn unwrap(line: &[u8], payload: &mut Vec<u8>) -> Option<Part> {
    let text = without_zeros(line).strip_prefix(LOG)?;
    let (after, ends) = string(text, payload)?;
    let rest = after.strip_prefix(STREAM)?;
    let name = rest.get(..memchr(b'"', rest)?)?;
    let rest = rest.get(name.len() + 1..)?.trim_ascii_end().strip_suffix(b"}")?;
    // What labels say stands before the time.
    let time = rest.get(memmem::rfind(rest, TIME)? + TIME.len()..)?.strip_suffix(b"\"")?;
    let start = time.as_ptr() as usize - line.as_ptr() as usize;
    Some(Part { stream: Stream::named(name)?, ends, time: start..start + time.len() })
}

/// What a writer leaves before its line whose file was truncated under it.
pub(super) fn without_zeros(line: &[u8]) -> &[u8] {
    if line.first() != Some(&0) {
        return line;
    }
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    line.get(zeros..).unwrap_or_default()
}

/// Adds a JSON string, whose opening quote is read, without a newline at its end; what follows its closing quote, and
/// whether there was a newline.
fn string<'a>(text: &'a [u8], payload: &mut Vec<u8>) -> Option<(&'a [u8], bool)> {
    let mut rest = text;
    loop {
        let (plain, found) = rest.split_at(memchr2(b'"', b'\\', rest)?);
        payload.extend_from_slice(plain);
        rest = match found {
            [b'"', after @ ..] => return Some((after, false)),
            [b'\\', b'n', b'"', after @ ..] => return Some((after, true)),
            // The servers' own quotes: the escape that is there most often.
            [b'\\', b'"', after @ ..] => {
                payload.push(b'"');
                after
            }
            escape => {
                let length = escape::json(escape, payload);
                if payload.last() == Some(&b'\n') {
                    payload.pop();
                    payload.push(b' ');
                }
                escape.get(length..)?
            }
        };
    }
}
