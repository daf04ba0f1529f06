//! The log of a container runtime for Kubernetes: `2026-11-20T15:51:57.123456789Z stdout F payload`, where `P` instead of
//! `F` says that the line goes on in the next one of the same stream.
//! <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>

use memchr::memchr;

use super::docker::without_zeros;
use super::syslog::is_iso;
use super::{Part, Stream};

pub(super) fn unwrap(line: &[u8], payload: &mut Vec<u8>) -> Option<Part> {
    let text = without_zeros(line);
    let start = line.len() - text.len();
    let (time, rest) = token(text)?;
    let (stream, rest) = token(rest)?;
    // Without a payload some leave the last blank out. Further tags may follow the first, each after a colon.
    let (tags, rest) = token(rest).unwrap_or((rest, b""));
    let ends = match tags.split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    let stream = Stream::named(stream).filter(|_| is_iso(time))?;
    payload.extend_from_slice(rest);
    Some(Part { stream, ends, time: start..start + time.len() })
}

/// What stands before the first blank, and what behind it.
pub(super) fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = memchr(b' ', text)?;
    Some((text.get(..blank)?, text.get(blank + 1..)?))
}
