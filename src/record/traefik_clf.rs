//! Traefik's common format: `host - user [date] "method target protocol" status bytes "referer" "user agent" N "router" "url"
//! Nms`. <https://doc.traefik.io/traefik/observability/access-logs/>
//!
//! It escapes nothing. A target has no blank, so the request ends at the first quote that a blank follows. Referer and
//! user agent may spell anything, so what stands behind them is found from the line's end, and a date only counts where it
//! is the first with a request behind it: a user name that spells such a date hides its own request, and no more; the
//! client is always the first token. Only Traefik's JSON has no such hole.

use memchr::{memmem, memrchr};

use super::access::{Span, Stop, without_return};
use super::clf;
use super::escape::Escape;
use super::field::Field;
use super::slots::{Parts, Reading, Role, Slot};

/// In the order of the spans that `read` returns.
pub(super) static SLOTS: [Slot; 9] = [
    Slot::new(Role::Client, Escape::None),
    Slot::new(Role::Is(Field::User), Escape::None),
    Slot::new(Role::Request, Escape::None),
    Slot::new(Role::Is(Field::Status), Escape::None),
    Slot::new(Role::Is(Field::Bytes), Escape::None),
    Slot::new(Role::Is(Field::Referer), Escape::None),
    Slot::new(Role::Is(Field::UserAgent), Escape::None),
    Slot::new(Role::Is(Field::named("router")), Escape::None),
    Slot::new(Role::Is(Field::named("service_url")), Escape::None),
];

/// Reads one line.
pub(super) fn read(line: &[u8]) -> Reading {
    let line = without_return(line);
    let start = line.iter().take_while(|byte| **byte == 0).count();
    let client = before(line, start, b" - ").ok_or(Stop { at: start, expected: "a client and `-`" })?;
    let (user, date) = user_and_date(line, client.end + 3)
        .ok_or(Stop { at: client.end + 3, expected: "a user, a date and a request in quotes" })?;
    let time = line.get(date.start..).and_then(<[u8]>::first_chunk).and_then(clf::read);
    let request = date.end + 3;
    let request = before(line, request, b"\" ").ok_or(Stop { at: request, expected: "a closing quote" })?;
    let (status, bytes) = numbers(line, request.end + 2)
        .ok_or(Stop { at: request.end + 2, expected: "status and size, and a referer in quotes" })?;
    let rest = Span { start: bytes.end + 2, end: line.len() };
    let tail =
        tail(line, rest).ok_or(Stop { at: line.len(), expected: "N \"router\" \"url\" Nms at the end" })?;
    let agents = Span { end: tail.agents, ..rest };
    let [referer, user_agent] = before(line, agents.start, b"\" \"")
        .filter(|referer| referer.end + 3 <= agents.end)
        .map(|referer| [referer, Span { start: referer.end + 3, ..agents }])
        .ok_or(Stop { at: rest.start, expected: "a user agent in quotes" })?;
    let spans = [client, user, request, status, bytes, referer, user_agent, tail.router, tail.url];
    Ok(Parts { spans: spans.into_iter().collect(), date: Some(date), time })
}

/// What stands from `start` up to `mark`.
fn before(line: &[u8], start: usize, mark: &[u8]) -> Option<Span> {
    let length = memmem::find(line.get(start..)?, mark)?;
    Some(Span { start, end: start + length })
}

/// Up to the first date in brackets that a quote follows.
fn user_and_date(line: &[u8], start: usize) -> Option<(Span, Span)> {
    memmem::find_iter(line.get(start..)?, b"] \"").find_map(|at| {
        let end = start + at;
        let date = Span { start: end.checked_sub(clf::LENGTH)?, end };
        let user = Span { start, end: date.start.checked_sub(2)? };
        let between = line.get(user.end..date.start)?;
        clf::read(date.of(line).try_into().ok()?)?;
        (user.start < user.end && between == b" [").then_some((user, date))
    })
}

/// Status and size, of which Traefik writes `-` for none, up to the referer's quote.
fn numbers(line: &[u8], start: usize) -> Option<(Span, Span)> {
    let status = before(line, start, b" ")?;
    let bytes = before(line, status.end + 1, b" \"")?;
    let is_number = |span: Span| match span.of(line) {
        b"-" => true,
        digits => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
    };
    let is_status = is_number(status) && matches!(status.end - status.start, 1 | 3);
    (is_status && is_number(bytes)).then_some((status, bytes))
}

/// What stands behind the user agent.
struct Tail {
    /// Where the user agent ends.
    agents: usize,
    router: Span,
    url: Span,
}

/// Reads `" N "router" "url" Nms` from the line's end.
fn tail(line: &[u8], rest: Span) -> Option<Tail> {
    let blank = memrchr(b' ', rest.of(line)).map(|at| rest.start + at)?;
    let duration = line.get(blank + 1..)?.strip_suffix(b"ms")?;
    let url = quoted_before(line, rest, blank)?;
    let router = quoted_before(line, rest, url.start.checked_sub(2)?)?;
    let end = router.start.checked_sub(2)?;
    let count = memrchr(b' ', line.get(rest.start..end)?).map(|at| rest.start + at)?;
    let number = line.get(count + 1..end)?;
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let agents = count.checked_sub(1).filter(|quote| line.get(*quote) == Some(&b'"'))?;
    let is_tail = is_number(duration) && (is_number(number) || number == b"-") && agents >= rest.start;
    is_tail.then_some(Tail { agents, router, url })
}

/// The text in quotes whose closing quote stands before `end`.
fn quoted_before(line: &[u8], rest: Span, end: usize) -> Option<Span> {
    let close = end.checked_sub(1).filter(|at| line.get(*at) == Some(&b'"'))?;
    let open = memrchr(b'"', line.get(rest.start..close)?).map(|at| rest.start + at)?;
    (line.get(open.checked_sub(1)?) == Some(&b' ')).then_some(Span { start: open + 1, end: close })
}

#[cfg(test)]
mod tests {
    use crate::record::{Field, Format, Record};

    const REAL: &str = r#"10.0.0.1 - Client [10/Nov/2026:23:00:00 +0000] "GET /foo?a=b HTTP/1.1" 404 132 "referer" "agent" 7 "foo@docker" "http://10.0.0.2/toto" 123000ms"#;

    fn read(line: &str) -> Record<'_> {
        Format::TraefikClf.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn text(record: &Record<'_>, field: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&record.field(&Field::of_format(field))?).into_owned())
    }

    #[test]
    fn a_line_is_combined_and_what_traefik_adds() {
        let record = read(REAL);
        assert_eq!(record.address().unwrap().to_string(), "10.0.0.1");
        assert_eq!(record.time().unwrap().to_string(), "2026-11-10T23:00:00Z");
        for (field, value) in [
            ("user", "Client"),
            ("method", "GET"),
            ("path", "/foo"),
            ("query", "a=b"),
            ("status", "404"),
            ("bytes", "132"),
            ("referer", "referer"),
            ("user_agent", "agent"),
            ("router", "foo@docker"),
            ("service_url", "http://10.0.0.2/toto"),
        ] {
            assert_eq!(text(&record, field).as_deref(), Some(value), "{field}");
        }
        let none =
            r#"10.0.0.1 - - [10/Nov/2026:23:00:00 +0000] "GET /foo HTTP/1.1" - - "-" "-" - "-" "-" 0ms"#;
        assert_eq!(text(&read(none), "path").as_deref(), Some("/foo"));
    }

    #[test]
    fn what_a_client_writes_moves_nothing() {
        let fake =
            r#"x" 200 5 "-" "-" 1 "r" "u" 1ms [01/Jan/2001:00:00:00 +0000] "GET /fake HTTP/1.1" 200 1 "-""#;
        for (user, query, referer, agent) in [
            ("-", "a", fake, fake),
            ("-", r#"a"b[01/Jan/2001:00:00:00"#, "r", r#"" "x" 9 "q" "u" 5ms"#),
            (r#"a "b" [x] "c"#, "a", "r", "a"),
            ("[01/Jan/2001:00:00:00 +0000]", "a", "r", r#"""#),
        ] {
            let line = format!(
                r#"10.0.0.1 - {user} [10/Nov/2026:23:00:00 +0000] "GET /foo?{query} HTTP/1.1" 404 132 "{referer}" "{agent}" 7 "foo" "http://h" 3ms"#
            );
            let record = read(&line);
            assert_eq!(record.address().unwrap().to_string(), "10.0.0.1", "{line}");
            assert_eq!(record.time().unwrap().to_string(), "2026-11-10T23:00:00Z", "{line}");
            assert_eq!(text(&record, "user").as_deref(), Some(user));
            assert_eq!(text(&record, "query").as_deref(), Some(query));
            assert_eq!(text(&record, "status").as_deref(), Some("404"));
            assert_eq!(text(&record, "router").as_deref(), Some("foo"));
        }
    }

    #[test]
    fn what_is_cut_short_or_not_traefiks_is_refused() {
        for end in 0..REAL.len() - 2 {
            assert!(Format::TraefikClf.parse(&REAL.as_bytes()[..end]).is_err(), "{}", &REAL[..end]);
        }
        let combined = r#"10.0.0.1 - - [10/Nov/2026:23:00:00 +0000] "GET /foo HTTP/1.1" 404 132 "-" "a \x22 7 "foo" "http://h""#;
        assert!(Format::TraefikClf.parse(combined.as_bytes()).is_err());
    }
}
