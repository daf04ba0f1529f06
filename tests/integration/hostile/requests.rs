//! A hostile request: its bytes, and what the test knows about it that no server says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a hostile client has others believe: nobody with this address ever asked for anything.
pub(super) const VICTIM: &str = "203.0.113.66";

/// One request, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Hostile {
    /// What it is about, for failures.
    pub(super) name: String,
    /// All before the target's own headers, with the line's end.
    first: Vec<u8>,
    /// `None`: nothing follows the first line.
    headers: Option<Vec<u8>>,
    has_host: bool,
    chain: Chain,
    pub(super) is: Is,
}

/// What a request is, as far as its sender knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Is {
    /// A POST, if a server takes it for one.
    pub(super) post: bool,
    /// It names a user, who is not `-`: that cannot be told from no user in any log.
    pub(super) named: bool,
    /// It can only be an attack, however it is answered.
    pub(super) exploit: bool,
    /// Its first line is no HTTP, and not empty.
    pub(super) garbage: bool,
    /// Apache logs so little of it that it is no HTTP.
    pub(super) garbage_to_apache: bool,
    /// It names a secret file: a server that refuses to look for it still logs a probe, and any status counts.
    pub(super) asks_secret: bool,
    /// It names a tool that is missing, in the same way; what is refused or missing counts.
    pub(super) asks_tool: bool,
    /// It asks for a static file, which a page may miss.
    pub(super) fixed: bool,
    /// It is a form of `WordPress` that is no log-in.
    pub(super) no_login: bool,
}

/// What X-Forwarded-For the server behind the trusted proxy sees.
#[derive(Clone, Debug)]
enum Chain {
    /// The client alone.
    Client,
    /// What the client said, a comma, and the client.
    After(Vec<u8>),
    /// What the client said in a header of its own, and the client in a second one.
    Second(Vec<u8>),
    /// Exactly so: a proxy passed on what it should not have.
    Verbatim(Vec<u8>),
}

impl Hostile {
    /// Exactly these bytes, and nothing else.
    pub(super) fn raw(name: &str, bytes: &[u8]) -> Self {
        let is = Is { post: bytes.starts_with(b"POST "), ..Is::default() };
        let (name, first) = (name.to_owned(), bytes.to_vec());
        Self { name, first, headers: None, has_host: true, chain: Chain::Client, is }
    }

    /// A first line, and headers after it.
    pub(super) fn line(name: &str, line: &[u8]) -> Self {
        let raw = Self::raw(name, &[line, b"\r\n"].concat());
        Self { headers: Some(Vec::new()), ..raw }
    }

    pub(super) fn get(name: &str, target: &[u8]) -> Self {
        Self::line(name, &[b"GET ", target, b" HTTP/1.1"].concat())
    }

    /// A log-in at a target that should be that of the form.
    pub(super) fn login(name: &str, target: &[u8]) -> Self {
        Self::line(name, &[b"POST ", target, b" HTTP/1.1"].concat())
    }

    pub(super) fn header(mut self, name: &str, value: &[u8]) -> Self {
        let line = [name.as_bytes(), b": ", value, b"\r\n"].concat();
        self.headers.get_or_insert_default().extend(line);
        self
    }

    /// With HTTP authentication.
    pub(super) fn user(self, user: &[u8], password: &str) -> Self {
        let pair = [user, b":", password.as_bytes()].concat();
        let user = user.split(|byte| *byte == b':').next().unwrap_or_default();
        let named = !matches!(user, b"" | b"-");
        let with = self.header("Authorization", format!("Basic {}", base64(&pair)).as_bytes());
        Self { is: Is { named, ..with.is }, ..with }
    }

    /// With digest authentication, whose user may hold every byte; `\` and `"` are sent escaped.
    pub(super) fn digest(self, user: &[u8]) -> Self {
        let escaped = user.iter().flat_map(|byte| match byte {
            b'"' | b'\\' => vec![b'\\', *byte],
            _ => vec![*byte],
        });
        // Apache reads the user only where all is there that it needs, and the nonce looks like one of its own.
        let (nonce, response) = (format!("{:011}={:040}", 1, 2), format!("{:032}", 3));
        let rest = format!(
            "\", realm=\"private\", nonce=\"{nonce}\", uri=\"/digest/\", qop=auth, nc=00000001, cnonce=\"x\", response=\"{response}\""
        );
        let value: Vec<u8> =
            b"Digest username=\"".iter().copied().chain(escaped).chain(rest.into_bytes()).collect();
        let with = self.header("Authorization", &value);
        Self { is: Is { named: true, ..with.is }, ..with }
    }

    /// Whether a single byte is sent.
    pub(super) fn is_nothing(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn said(self, chain: &[u8]) -> Self {
        Self { chain: Chain::After(chain.to_vec()), ..self }
    }

    pub(super) fn said_before(self, chain: &[u8]) -> Self {
        Self { chain: Chain::Second(chain.to_vec()), ..self }
    }

    pub(super) fn passed_on(self, chain: &[u8]) -> Self {
        Self { chain: Chain::Verbatim(chain.to_vec()), ..self }
    }

    pub(super) fn without_host(self) -> Self {
        Self { has_host: false, ..self }
    }

    pub(super) fn but(self, change: impl FnOnce(&mut Is)) -> Self {
        let mut is = self.is;
        change(&mut is);
        Self { is, ..self }
    }

    /// Whether its sender has to say that nothing follows.
    pub(super) fn half_closes(&self) -> bool {
        self.headers.is_none()
    }

    /// The bytes to send for `client`; `last` closes the connection afterwards.
    pub(super) fn bytes(&self, client: IpAddr, last: bool) -> Vec<u8> {
        let Some(headers) = &self.headers else { return self.first.clone() };
        self.with(&[&headers[..], &self.forwarded(client)].concat(), last)
    }

    /// The bytes for a proxy that is told who the client is, and appends it to X-Forwarded-For.
    pub(super) fn bytes_to_proxy(&self, client: IpAddr) -> Vec<u8> {
        let Some(headers) = &self.headers else { return self.first.clone() };
        let said = match &self.chain {
            Chain::Client => None,
            Chain::After(said) | Chain::Second(said) | Chain::Verbatim(said) => Some(said),
        };
        let said = said.map_or(Vec::new(), |said| [b"X-Forwarded-For: ", &said[..], b"\r\n"].concat());
        let told = format!("X-Test-Client: {client}\r\n");
        self.with(&[headers, &said[..], told.as_bytes()].concat(), true)
    }

    fn with(&self, headers: &[u8], last: bool) -> Vec<u8> {
        let host: &[u8] = if self.has_host { b"Host: localhost\r\n" } else { b"" };
        let length: &[u8] = if self.is.post { b"Content-Length: 0\r\n" } else { b"" };
        let connection: &[u8] = if last { b"Connection: close\r\n" } else { b"Connection: keep-alive\r\n" };
        [&self.first, host, headers, length, connection, b"\r\n"].concat()
    }

    fn forwarded(&self, client: IpAddr) -> Vec<u8> {
        let (name, client) = (b"X-Forwarded-For: ", client.to_string());
        let client = client.as_bytes();
        match &self.chain {
            Chain::Client => [&name[..], client, b"\r\n"].concat(),
            Chain::After(said) => [&name[..], said, b", ", client, b"\r\n"].concat(),
            Chain::Second(said) => [&name[..], said, b"\r\n", name, client, b"\r\n"].concat(),
            Chain::Verbatim(said) => [&name[..], said, b"\r\n"].concat(),
        }
    }
}

/// The address of the `n`-th client: every one its own, so that no offence is taken for another's.
pub(super) fn client(n: u16) -> IpAddr {
    let [high, low] = n.to_be_bytes();
    if n.is_multiple_of(3) {
        Ipv6Addr::new(0x2001, 0xdb8, n, 1, 0, 0, 0, 7).into()
    } else {
        Ipv4Addr::new(198, 18, high, low).into()
    }
}

/// The address on loopback that its connection comes from.
pub(super) fn peer(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 7, high, low)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quad = |chunk: &[u8]| {
        let value =
            (0..3).fold(0_usize, |value, at| value << 8 | chunk.get(at).map_or(0, |b| usize::from(*b)));
        let digit =
            |at: usize| if at > chunk.len() { '=' } else { char::from(DIGITS[value >> (18 - 6 * at) & 63]) };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(quad).collect()
}
