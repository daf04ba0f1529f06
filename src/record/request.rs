//! The request line: method, target and protocol, and what a target consists of.

use std::borrow::Cow;
use std::cell::OnceCell;

use memchr::{memchr, memchr2, memchr3, memmem, memrchr, memrchr2};

use super::escape::unescape;
use super::path::normalise;

/// A request line, unescaped. Its words are found when it is made; its path is normalised when it is asked for.
#[derive(Debug)]
pub(super) struct Request<'a> {
    text: Cow<'a, [u8]>,
    words: Option<Words>,
    path: OnceCell<Path>,
}

/// Where the words of an HTTP request line end, in bytes of its text. Servers skip several blanks between words, so
/// the target is trimmed when it is taken.
#[derive(Clone, Copy, Debug)]
struct Words {
    /// Where the method begins: after leading blanks.
    start: usize,
    /// Where the method ends.
    method: usize,
    /// Where the target ends, and blanks or the protocol begin.
    target: usize,
    /// Where the line ends: before trailing blanks.
    end: usize,
}

/// A normalised path.
#[derive(Debug)]
enum Path {
    /// The target has none: `CONNECT host:port`.
    Absent,
    /// It is the target's own, as it stands there.
    AsWritten,
    Normalised(Vec<u8>),
}

/// The parts of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target<'t> {
    /// Of the absolute form and of `CONNECT`.
    authority: Option<&'t [u8]>,
    /// Up to `?` or `#`; `None` for `CONNECT host:port`.
    path: Option<&'t [u8]>,
    /// After the first `?`.
    query: Option<&'t [u8]>,
}

impl<'a> Request<'a> {
    /// Reads the request field as it stands in the line, with the server's escapes.
    pub(super) fn new(logged: &'a [u8]) -> Self {
        let text = unescape(logged);
        Self { words: words(&text), text, path: OnceCell::new() }
    }

    /// Up to the first blank.
    pub(super) fn method(&self) -> Option<&[u8]> {
        let words = self.words?;
        self.text.get(words.start..words.method)
    }

    /// Between method and protocol; where the line is no HTTP, the whole line.
    pub(super) fn uri(&self) -> &[u8] {
        match self.words {
            Some(words) => self.text.get(words.method..words.target).unwrap_or_default().trim_ascii(),
            None => &self.text,
        }
    }

    /// `HTTP/…`; HTTP/0.9 has none.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        let words = self.words?;
        self.text.get(words.target..words.end).map(<[u8]>::trim_ascii).filter(|protocol| !protocol.is_empty())
    }

    /// The normalised path, computed once.
    pub(super) fn path(&self) -> Option<&[u8]> {
        match self.path.get_or_init(|| self.find_path()) {
            Path::Absent => None,
            Path::AsWritten => self.target()?.path,
            Path::Normalised(path) => Some(path),
        }
    }

    fn find_path(&self) -> Path {
        match self.target().and_then(|target| target.path).map(normalise) {
            None => Path::Absent,
            Some(Cow::Borrowed(_)) => Path::AsWritten,
            Some(Cow::Owned(path)) => Path::Normalised(path),
        }
    }

    /// What follows the first `?`.
    pub(super) fn query(&self) -> Option<&[u8]> {
        self.target()?.query
    }

    /// The authority of an absolute-form target, or of `CONNECT`.
    pub(super) fn authority(&self) -> Option<&[u8]> {
        self.target()?.authority
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(split(self.method()?, self.uri()))
    }
}

/// Finds the words. A line is HTTP if its method is a token (RFC 9110, 5.6.2) and its target is not empty, and either
/// it ends in a word `HTTP/…`, or, as HTTP/0.9 has it, without one, its target begins with a slash.
fn words(text: &[u8]) -> Option<Words> {
    let start = text.len() - text.trim_ascii_start().len();
    let line = text.trim_ascii_end();
    let method = start + memchr2(b' ', b'\t', line.get(start..)?)?;
    if method == start || !line.get(start..method)?.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    let last = memrchr2(b' ', b'\t', line)? + 1;
    let has_protocol = line.get(last..)?.starts_with(b"HTTP/");
    let target = if has_protocol { last } else { line.len() };
    let uri = line.get(method..target)?.trim_ascii();
    let is_http = if has_protocol { !uri.is_empty() } else { uri.starts_with(b"/") };
    is_http.then_some(Words { start, method, target, end: line.len() })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes a target apart: origin form, absolute form, or the authority form of `CONNECT`.
fn split<'t>(method: &[u8], target: &'t [u8]) -> Target<'t> {
    if target.starts_with(b"/") {
        return with_path(None, target);
    }
    if let Some(after) = after_scheme(target) {
        let end = memchr3(b'/', b'?', b'#', after).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        return with_path(Some(authority), rest);
    }
    if method == b"CONNECT" {
        return Target { authority: Some(target), path: None, query: None };
    }
    with_path(None, target)
}

/// The rest of a target from its path on; an absolute form without a path asks for `/`.
fn with_path<'t>(authority: Option<&'t [u8]>, rest: &'t [u8]) -> Target<'t> {
    let query = memchr(b'?', rest).and_then(|at| rest.get(at + 1..));
    let end = memchr2(b'?', b'#', rest).unwrap_or(rest.len());
    let path = rest.get(..end).unwrap_or_default();
    let path = if path.is_empty() && authority.is_some() { b"/" } else { path };
    Target { authority, path: Some(path), query }
}

/// What follows `scheme://`.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = memmem::find(target, b"://")?;
    let scheme = target.get(..at)?;
    let is_scheme = scheme.first()?.is_ascii_alphabetic()
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if is_scheme { target.get(at + 3..) } else { None }
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

    use super::{Request, host};

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
