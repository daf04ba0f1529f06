//! The logs of nginx-proxy-manager: its `proxy` format
//! `[date] cache upstream_status status - method scheme host "uri" [Client A] [Length N] [Gzip R] [Sent-to S] "user agent" "referer"`,
//! and `standard`, which begins `[date] status - …` and has no `[Sent-to …]`. Both are nginx's `log_format`, with its escapes.
//! <https://github.com/NginxProxyManager/nginx-proxy-manager/blob/develop/docker/rootfs/etc/nginx/conf.d/include/log-proxy.conf>

use memchr::{memchr, memchr_iter, memmem};

use super::access::{Span, Stop, without_return};
use super::clf;
use super::escape::Escape;
use super::field::Field;
use super::slots::{Parts, Reading, Role, Slot};

/// In the order of the spans that `read` returns.
pub(super) static SLOTS: [Slot; 8] = [
    Slot::new(Role::Client, Escape::None),
    Slot::new(Role::Is(Field::Status), Escape::None),
    Slot::new(Role::Is(Field::Method), Escape::Server),
    Slot::new(Role::Is(Field::Host), Escape::Server),
    Slot::new(Role::Target, Escape::Server),
    Slot::new(Role::Is(Field::Bytes), Escape::None),
    Slot::new(Role::Is(Field::UserAgent), Escape::Server),
    Slot::new(Role::Is(Field::Referer), Escape::Server),
];

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Reading {
    let line = without_return(line);
    let start = line.iter().take_while(|byte| **byte == 0).count();
    let date = Span { start: start + 1, end: start + 1 + clf::LENGTH };
    let time = date.of(line).try_into().ok().and_then(clf::read);
    let framed = line.get(start) == Some(&b'[') && line.get(date.end..date.end + 2) == Some(b"] ");
    if !framed || time.is_none() {
        return Err(Stop { at: start, expected: "[DD/Mon/YYYY:HH:MM:SS +ZZZZ]" });
    }
    let quote = memchr(b'"', line).ok_or(Stop { at: line.len(), expected: "a request in quotes" })?;
    let head = Span { start: date.end + 1, end: quote };
    let (status, rest) = status(line, head).ok_or(Stop { at: head.start, expected: "a status and `-`" })?;
    let (method, host) = method_and_host(line, rest)
        .ok_or(Stop { at: rest.start, expected: "method, scheme and host before a quote" })?;
    let target = quoted(line, quote)?;
    let client = bracketed(line, target.end + 1, b" [Client ")?;
    let bytes = bracketed(line, client.end + 1, b" [Length ")?;
    let gzip = bracketed(line, bytes.end + 1, b" [Gzip ")?;
    let sent = bracketed(line, gzip.end + 1, b" [Sent-to ").map_or(gzip.end, |sent| sent.end);
    let user_agent = quoted(line, sent + 2)?;
    let referer = quoted(line, user_agent.end + 2)?;
    let spans = [client, status, method, host, target, bytes, user_agent, referer];
    Ok(Parts { spans: spans.into_iter().collect(), date: Some(date), time })
}

/// The three digits that a single `-` follows, and what stands behind it. What stands before is the server's own: no
/// client can write into the states of cache and upstream.
fn status(line: &[u8], head: Span) -> Option<(Span, Span)> {
    let at = memmem::find_iter(head.of(line), b" - ").find(|at| {
        let before = head.of(line).get(at.saturating_sub(4)..*at);
        before.is_some_and(|text| {
            matches!(text, [b' ', digits @ ..] if digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))
        })
    })?;
    let end = head.start + at;
    Some((Span { start: end - 3, end }, Span { start: end + 3, ..head }))
}

/// What stands between status and target: two tokens, and the host up to the quote's blank.
fn method_and_host(line: &[u8], rest: Span) -> Option<(Span, Span)> {
    let text = rest.of(line).strip_suffix(b" ")?;
    let mut blanks = memchr_iter(b' ', text);
    let (first, second) = (blanks.next()?, blanks.next()?);
    let end = rest.start + text.len();
    let method = Span { start: rest.start, end: rest.start + first };
    Some((method, Span { start: rest.start + second + 1, end }))
}

/// A string in quotes; a backslash takes the next byte with it.
fn quoted(line: &[u8], at: usize) -> Result<Span, Stop> {
    if line.get(at) != Some(&b'"') {
        return Err(Stop { at: at.min(line.len()), expected: "a text in quotes" });
    }
    let start = at + 1;
    let mut end = start;
    loop {
        match line.get(end) {
            None => return Err(Stop { at: line.len(), expected: "a closing quote" }),
            Some(b'"') => return Ok(Span { start, end }),
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
        }
    }
}

/// What stands behind `open` up to the bracket.
fn bracketed(line: &[u8], at: usize, open: &'static [u8]) -> Result<Span, Stop> {
    let inside = line.get(at..).and_then(|rest| rest.strip_prefix(open));
    let length = inside.and_then(|inside| memchr(b']', inside));
    let length =
        length.ok_or(Stop { at: at.min(line.len()), expected: "[Client …] [Length …] [Gzip …]" })?;
    let start = at + open.len();
    Ok(Span { start, end: start + length })
}

#[cfg(test)]
mod tests {
    use crate::record::{Field, Format, Record};

    const PROXY: &str = r#"[10/Sep/2026:14:04:11 +0000] - 200 404 - GET https api.example.org "/api/portal?x=1" [Client 192.0.2.112] [Length 102] [Gzip -] [Sent-to 192.168.10.63] "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6_1 like Mac OS X)" "https://example.org/""#;
    const STANDARD: &str = r#"[10/Sep/2026:14:04:11 +0000] 301 - GET http example.org "/" [Client 2001:db8::7] [Length 166] [Gzip 2.81] "curl/8.5.0" "-""#;

    fn read(line: &str) -> Record<'_> {
        Format::NginxProxyManager.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn text(record: &Record<'_>, field: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&record.field(&Field::of_format(field))?).into_owned())
    }

    #[test]
    fn both_of_its_formats_are_read() {
        let record = read(PROXY);
        assert_eq!(record.address().unwrap().to_string(), "192.0.2.112");
        assert_eq!(record.time().unwrap().to_string(), "2026-09-10T14:04:11Z");
        for (field, value) in [
            ("method", "GET"),
            ("host", "api.example.org"),
            ("path", "/api/portal"),
            ("query", "x=1"),
            ("status", "404"),
            ("bytes", "102"),
            ("user_agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6_1 like Mac OS X)"),
            ("referer", "https://example.org/"),
        ] {
            assert_eq!(text(&record, field).as_deref(), Some(value), "{field}");
        }
        let record = read(STANDARD);
        assert_eq!(record.address().unwrap().to_string(), "2001:db8::7");
        assert_eq!(text(&record, "status").as_deref(), Some("301"));
        assert_eq!(text(&record, "user_agent").as_deref(), Some("curl/8.5.0"));
    }

    #[test]
    fn states_of_cache_and_upstream_are_no_status() {
        for (states, status) in [
            ("HIT - 304", "304"),
            ("- 502, 504 502", "502"),
            ("MISS 502, 200 : 404 403", "403"),
            ("- - 499", "499"),
            ("EXPIRED -, 200 200", "200"),
        ] {
            let line = PROXY.replace("- 200 404", states);
            assert_eq!(text(&read(&line), "status").as_deref(), Some(status), "{line}");
        }
    }

    #[test]
    fn what_a_client_writes_moves_nothing() {
        let fake = r"x\x22 [Client 9.9.9.9] [Length 1] [Gzip -] \x22a\x22 \x22b";
        let line = PROXY
            .replace("/api/portal?x=1", fake)
            .replace("Mozilla/5.0", fake)
            .replace("api.example.org", "a - b 200 - GET https");
        let record = read(&line);
        assert_eq!(record.address().unwrap().to_string(), "192.0.2.112");
        assert_eq!(text(&record, "request_uri").unwrap(), fake.replace(r"\x22", "\""));
        assert_eq!(text(&record, "status").as_deref(), Some("404"));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for line in [PROXY, STANDARD] {
            for end in 0..line.len() {
                assert!(
                    Format::NginxProxyManager.parse(&line.as_bytes()[..end]).is_err(),
                    "{}",
                    &line[..end]
                );
            }
        }
    }
}
