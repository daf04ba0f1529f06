//! The request line: method, target and protocol, and what a target consists of.

use std::borrow::Cow;
use std::cell::OnceCell;

use memchr::{memchr, memchr2, memchr3, memmem, memrchr, memrchr2};

use super::access::Span;
use super::path::normalise;

/// A request line, unescaped. Its words are found when it is made; its path is normalised when it is asked for.
#[derive(Debug)]
pub(super) struct Request<'a> {
    text: Cow<'a, [u8]>,
    /// `None` where the line is no HTTP.
    words: Option<Words>,
    /// The normalised path; `None` where the target's own is normal.
    path: OnceCell<Option<Vec<u8>>>,
}

/// Where the words of an HTTP request line, and the parts of its target, stand in its text.
#[derive(Clone, Copy, Debug)]
struct Words {
    method: Span,
    target: Span,
    /// `HTTP/…`; HTTP/0.9 has none.
    protocol: Option<Span>,
    /// Of an absolute-form target, and of `CONNECT`.
    authority: Option<Span>,
    /// Up to `?` or `#`. `None` for `CONNECT host:port`.
    path: Option<Span>,
    /// After the first `?`.
    query: Option<Span>,
}

impl<'a> Request<'a> {
    /// Reads a request line, without the server's escapes.
    pub(super) fn new(text: Cow<'a, [u8]>) -> Self {
        Self { words: Words::find(&text), text, path: OnceCell::new() }
    }

    /// Reads a target alone, where the log has method and protocol elsewhere; `-` and nothing are none.
    pub(super) fn of_target(text: Cow<'a, [u8]>, method: Option<&[u8]>) -> Self {
        let none = Span { start: 0, end: 0 };
        let whole = Span { start: 0, end: text.len() };
        let is_target = !matches!(&*text, b"" | b"-");
        let words = is_target.then(|| Words::split(&text, none, method, whole, None));
        Self { words, text, path: OnceCell::new() }
    }

    /// Up to the first blank; a target alone has none.
    pub(super) fn method(&self) -> Option<&[u8]> {
        Some(self.words?.method.of(&self.text)).filter(|method| !method.is_empty())
    }

    /// Between method and protocol; where the line is no HTTP, the whole line.
    pub(super) fn uri(&self) -> &[u8] {
        self.words.map_or(&self.text, |words| words.target.of(&self.text))
    }

    /// `HTTP/…`; HTTP/0.9 has none.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        Some(self.words?.protocol?.of(&self.text))
    }

    /// The normalised path, computed once.
    pub(super) fn path(&self) -> Option<&[u8]> {
        let words = self.words?;
        let written = match words.path?.of(&self.text) {
            // An absolute form without a path asks for the root.
            b"" if words.authority.is_some() => b"/",
            written => written,
        };
        let normalised = self.path.get_or_init(|| match normalise(written) {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => Some(path),
        });
        Some(normalised.as_deref().unwrap_or(written))
    }

    /// What follows the first `?`.
    pub(super) fn query(&self) -> Option<&[u8]> {
        Some(self.words?.query?.of(&self.text))
    }

    /// The authority of an absolute-form target, or of `CONNECT`.
    pub(super) fn authority(&self) -> Option<&[u8]> {
        Some(self.words?.authority?.of(&self.text))
    }
}

impl Words {
    /// Finds the words. A line is HTTP if its method is a token (RFC 9110, 5.6.2) and its target is not empty, and
    /// either it ends in a word `HTTP/…`, or, as HTTP/0.9 has it, without one, its target begins with a slash.
    /// Blanks around words are skipped, as servers skip them.
    fn find(text: &[u8]) -> Option<Self> {
        let line = trim(text, Span { start: 0, end: text.len() });
        let length = line.of(text).iter().position(|byte| !is_token(*byte))?;
        let method = Span { start: line.start, end: line.start + length };
        if length == 0 || !matches!(text.get(method.end), Some(b' ' | b'\t')) {
            return None;
        }
        let last = line.start + memrchr2(b' ', b'\t', line.of(text))? + 1;
        let protocol = Some(Span { start: last, ..line }).filter(|last| is_protocol(last.of(text)));
        let end = protocol.map_or(line.end, |protocol| protocol.start);
        let target = trim(text, Span { start: method.end, end });
        let is_http =
            if protocol.is_some() { target.start < target.end } else { target.of(text).starts_with(b"/") };
        is_http.then(|| Self::split(text, method, Some(method.of(text)), target, protocol))
    }

    /// Takes the target apart: origin form, absolute form, or the authority form of `CONNECT`.
    fn split(text: &[u8], method: Span, verb: Option<&[u8]>, target: Span, protocol: Option<Span>) -> Self {
        let bare = Self { method, target, protocol, authority: None, path: None, query: None };
        if target.of(text).starts_with(b"/") {
            return bare.with_path(text, target);
        }
        if let Some(authority) = authority(text, target) {
            let rest = Span { start: authority.end, ..target };
            return Self { authority: Some(authority), ..bare }.with_path(text, rest);
        }
        if verb == Some(b"CONNECT") {
            return Self { authority: Some(target), ..bare };
        }
        bare.with_path(text, target)
    }

    /// Adds path and query, which `rest` of the target holds.
    fn with_path(self, text: &[u8], rest: Span) -> Self {
        let bytes = rest.of(text);
        let end = memchr2(b'?', b'#', bytes).unwrap_or(bytes.len());
        let mark = memchr(b'?', bytes.get(end..).unwrap_or_default()).map(|at| end + at);
        let query = mark.map(|mark| Span { start: rest.start + mark + 1, ..rest });
        Self { path: Some(Span { end: rest.start + end, ..rest }), query, ..self }
    }
}

/// In either case: Apache takes `http/1.1` with `HttpProtocolOptions Unsafe`.
fn is_protocol(word: &[u8]) -> bool {
    word.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"))
}

fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
}

/// The span without white space at its ends.
fn trim(text: &[u8], span: Span) -> Span {
    let bytes = span.of(text);
    let start = span.start + bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let trailing = bytes.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    Span { start, end: (span.end - trailing).max(start) }
}

/// What stands between `scheme://` and the path.
fn authority(text: &[u8], target: Span) -> Option<Span> {
    let bytes = target.of(text);
    let colon = memmem::find(bytes, b"://")?;
    let scheme = bytes.get(..colon)?;
    let is_scheme = scheme.first()?.is_ascii_alphabetic()
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let after = bytes.get(colon + 3..).filter(|_| is_scheme)?;
    let start = target.start + colon + 3;
    Some(Span { start, end: start + memchr3(b'/', b'?', b'#', after).unwrap_or(after.len()) })
}

/// A host alone, as rules compare it: without user, port and trailing dot, in lower case. `None` for an empty one.
pub(super) fn host(authority: &[u8]) -> Option<Cow<'_, [u8]>> {
    let host = memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)).unwrap_or(authority);
    let host = without_port(host);
    let host = host.strip_suffix(b".").unwrap_or(host);
    match host {
        [] => None,
        _ if host.iter().any(u8::is_ascii_uppercase) => Some(Cow::Owned(host.to_ascii_lowercase())),
        _ => Some(Cow::Borrowed(host)),
    }
}

/// Drops `:port`. An IPv6 address without brackets has no port: its last group is not one.
fn without_port(host: &[u8]) -> &[u8] {
    let Some(colon) = memrchr(b':', host) else {
        return host;
    };
    let (name, port) = host.split_at(colon);
    let is_port = port.iter().skip(1).all(u8::is_ascii_digit);
    let is_name = memchr(b':', name).is_none() || name.ends_with(b"]");
    if is_port && is_name { name } else { host }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::escape::unescape;
    use super::host;

    /// Reads a request field as it stands in a line.
    struct Request;

    impl Request {
        #[expect(
            clippy::new_ret_no_self,
            reason = "stands for the type whose escapes are undone by its callers"
        )]
        fn new(logged: &[u8]) -> super::Request<'_> {
            super::Request::new(unescape(logged))
        }
    }

    fn text(bytes: Option<&[u8]>) -> Option<String> {
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Method, target, protocol, path and query of a logged request.
    fn parts(logged: &str) -> [Option<String>; 5] {
        let request = Request::new(logged.as_bytes());
        let parts =
            [request.method(), Some(request.uri()), request.protocol(), request.path(), request.query()];
        parts.map(text)
    }

    fn some(parts: [&str; 5]) -> [Option<String>; 5] {
        parts.map(|part| (part != "-").then(|| part.to_owned()))
    }

    #[test]
    fn words_are_method_target_and_protocol() {
        for (logged, expected) in [
            ("GET / HTTP/1.1", ["GET", "/", "HTTP/1.1", "/", "-"]),
            ("GET /a?b=/../c HTTP/2.0", ["GET", "/a?b=/../c", "HTTP/2.0", "/a", "b=/../c"]),
            ("GET /a#b?c HTTP/1.1", ["GET", "/a#b?c", "HTTP/1.1", "/a", "c"]),
            ("GET /a?b#c HTTP/1.1", ["GET", "/a?b#c", "HTTP/1.1", "/a", "b#c"]),
            ("GET /a? HTTP/1.1", ["GET", "/a?", "HTTP/1.1", "/a", ""]),
            ("GET /a b c HTTP/1.0", ["GET", "/a b c", "HTTP/1.0", "/a b c", "-"]),
            ("  GET   /.env  HTTP/1.1  ", ["GET", "/.env", "HTTP/1.1", "/.env", "-"]),
            (r"GET\t/.env\tHTTP/1.1", ["GET", "/.env", "HTTP/1.1", "/.env", "-"]),
            ("GET /.env http/1.1", ["GET", "/.env", "http/1.1", "/.env", "-"]),
            ("GET /.env", ["GET", "/.env", "-", "/.env", "-"]),
            ("GET /.env ", ["GET", "/.env", "-", "/.env", "-"]),
            (r"GET /\x22x\x5C HTTP/1.1", ["GET", "/\"x\\", "HTTP/1.1", "/\"x\\", "-"]),
            ("OPTIONS * HTTP/1.1", ["OPTIONS", "*", "HTTP/1.1", "*", "-"]),
            ("PRI * HTTP/2.0", ["PRI", "*", "HTTP/2.0", "*", "-"]),
            ("GET wp-login.php HTTP/1.1", ["GET", "wp-login.php", "HTTP/1.1", "wp-login.php", "-"]),
        ] {
            assert_eq!(parts(logged), some(expected), "{logged}");
        }
    }

    #[test]
    fn what_is_no_http_is_a_request_uri_alone() {
        for logged in [
            "",
            "-",
            "GET",
            "GET ",
            "GET HTTP/1.1",
            "hello world",
            "SSH-2.0-Go",
            " /x HTTP/1.1",
            "G\u{e4}T / HTTP/1.1",
            "G(T / HTTP/1.1",
            r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC /x HTTP/1.1",
        ] {
            let request = Request::new(logged.as_bytes());
            let none = [request.method(), request.protocol(), request.path(), request.query()];
            assert_eq!(none, [None; 4], "{logged}");
            assert_eq!(request.authority(), None, "{logged}");
        }
        assert_eq!(Request::new(br"\x16\x03 x").uri(), b"\x16\x03 x");
        assert_eq!(Request::new(b"-").uri(), b"-");
    }

    #[test]
    fn an_absolute_target_has_an_authority_and_a_path() {
        for (target, authority, path, query) in [
            ("http://h/a?b", "h", "/a", "b"),
            ("http://h", "h", "/", "-"),
            ("HTTPS://u@H:8?b", "u@H:8", "/", "b"),
            ("http://h//a/../b#c", "h", "/b", "-"),
            ("http:///x", "", "/x", "-"),
            ("//h/a", "-", "/h/a", "-"),
            ("/u?v=http://h/", "-", "/u", "v=http://h/"),
            ("1x://h/a", "-", "1x:/h/a", "-"),
        ] {
            let logged = format!("GET {target} HTTP/1.1");
            let request = Request::new(logged.as_bytes());
            let found = [request.authority(), request.path(), request.query()].map(text);
            assert_eq!(found[..], some([authority, path, query, "-", "-"])[..3], "{target}");
        }
    }

    #[test]
    fn connect_names_an_authority_and_no_path() {
        let request = Request::new(b"CONNECT mail.example:25 HTTP/1.1");
        assert_eq!(request.authority(), Some(&b"mail.example:25"[..]));
        assert_eq!(request.path(), None);
        assert_eq!(Request::new(b"CONNECT /x HTTP/1.1").path(), Some(&b"/x"[..]));
    }

    #[test]
    fn a_target_alone_has_a_path_and_no_method() {
        let parts = |target: &'static str, method: Option<&[u8]>| {
            let request = super::Request::of_target(Cow::Borrowed(target.as_bytes()), method);
            [request.method(), Some(request.uri()), request.path(), request.query(), request.authority()]
                .map(text)
                .map(|part| part.unwrap_or("NONE".to_owned()))
        };
        assert_eq!(parts("//a/../b?c", None), ["NONE", "//a/../b?c", "/b", "c", "NONE"]);
        assert_eq!(parts("h:443", Some(b"CONNECT")), ["NONE", "h:443", "NONE", "NONE", "h:443"]);
        assert_eq!(parts("http://h/x", Some(b"GET")), ["NONE", "http://h/x", "/x", "NONE", "h"]);
        assert_eq!(parts("-", None), ["NONE", "-", "NONE", "NONE", "NONE"]);
    }

    #[test]
    fn a_path_is_computed_once_and_only_where_needed() {
        let request = Request::new(b"GET /a/../b HTTP/1.1");
        let (first, second) = (request.path().unwrap(), request.path().unwrap());
        assert!(std::ptr::eq(first, second));
        assert!(matches!(Request::new(b"GET /b HTTP/1.1").text, Cow::Borrowed(_)));
    }

    #[test]
    fn a_host_is_without_port_and_case() {
        for (authority, expected) in [
            ("Shop.Example:443", "shop.example"),
            ("shop.example.:80", "shop.example"),
            ("shop.example:", "shop.example"),
            ("user:pw@shop.example", "shop.example"),
            ("[2001:db8::1]:80", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
            ("shop.example:x", "shop.example:x"),
        ] {
            assert_eq!(text(host(authority.as_bytes()).as_deref()).as_deref(), Some(expected));
        }
        assert_eq!(host(b""), None);
        assert_eq!(host(b":80"), None);
    }
}
