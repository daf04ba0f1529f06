//! Whole JSON lines: of each preset a real one, what a client can write into them, and any object at all.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::JsonError;
use crate::record::{Field, Format, Record};

/// Written by Caddy 2 (`client_ip` as behind a trusted proxy).
const CADDY: &str = r#"{"level":"info","ts":1786054486.193625,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"10.0.0.7","remote_port":"55392","client_ip":"198.51.100.178","proto":"HTTP/1.1","method":"GET","host":"api.example.org","uri":"/__logcheck-20260806?x=1","headers":{"User-Agent":["curl/8.17.0"],"Referer":["https://example.org/"],"X-Forwarded-For":["9.9.9.9","198.51.100.178"],"Accept":["*/*"]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"http/1.1","server_name":"api.example.org","ech":false}},"bytes_read":0,"user_id":"","duration":0.001543878,"size":99,"status":404,"resp_headers":{"Via":["1.1 Caddy"],"Alt-Svc":["h3=\":443\"; ma=2592000"],"Content-Type":["application/json; charset=utf-8"],"Date":["Thu, 06 Aug 2026 22:14:46 GMT"]}}"#;
/// Written by Caddy 2 before 2.7.
const CADDY_OLD: &str = r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"41342","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]},"tls":{"resumed":false,"version":772}},"bytes_read": 0,"user_id":"","duration":0.000929675,"size":10900,"status":200}"#;
/// Written by Traefik 3.
const TRAEFIK: &str = r#"{"ClientAddr":"192.0.2.4:52654","ClientHost":"192.0.2.4","ClientPort":"52654","ClientUsername":"-","DownstreamContentSize":397,"DownstreamStatus":200,"Duration":3454189,"OriginContentSize":397,"OriginDuration":3427197,"OriginStatus":200,"Overhead":26992,"RequestAddr":"apps.example.org","RequestContentSize":0,"RequestCount":5,"RequestHost":"apps.example.org","RequestMethod":"GET","RequestPath":"/.env","RequestPort":"-","RequestProtocol":"HTTP/2.0","RequestScheme":"https","RetryAttempts":0,"RouterName":"sentinel@docker","ServiceAddr":"10.0.1.8:8000","ServiceName":"sentinel@docker","ServiceURL":"http://10.0.1.8:8000","StartLocal":"2026-09-29T23:05:40.189830187Z","StartUTC":"2026-09-29T23:05:40.189830187Z","TLSCipher":"TLS_AES_128_GCM_SHA256","TLSVersion":"1.3","entryPointName":"https","level":"info","msg":"","request_User-Agent":"test-scanner/1.0","time":"2026-09-29T23:05:40Z"}"#;
/// Written by nginx with log formats that are found in many places.
const NGINX: [&str; 2] = [
    r#"{"remote_addr": "203.0.113.9","remote_user": "","time_local": "01/May/2026:10:00:00 +0000","request": "GET /a?b=c HTTP/1.1","status": "403","body_bytes_sent": "153","http_referer": "https://example.org/","http_user_agent": "a \"quoted\" one","http_x_forwarded_for": "9.9.9.9"}"#,
    r#"{"event_datetime": "x", "time_iso8601": "2026-05-01T10:00:00+00:00", "server_name": "example.org", "remote_addr": "203.0.113.9", "remote_user": "", "status": "403", "request_method": "GET", "request_uri": "/a?b=c", "server_protocol": "HTTP/1.1", "body_bytes_sent": 153, "http_referer": "https://example.org/", "http_user_agent": "a \"quoted\" one", "upstream_response_time": , "host": "example.org"}"#,
];

fn read<'a>(format: &'a Format, line: &'a str) -> Record<'a> {
    format.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn text(record: &Record<'_>, field: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&record.field(&Field::of_format(field))?).into_owned())
}

#[track_caller]
fn check(record: &Record<'_>, address: &str, time: &str, fields: &[(&str, &str)]) {
    assert_eq!(record.address().unwrap().to_string(), address);
    assert_eq!(record.time().unwrap().to_string(), time);
    for (field, value) in fields {
        assert_eq!(text(record, field).as_deref(), Some(*value), "{field}");
    }
}

#[test]
fn caddys_lines_are_read() {
    let fields = [
        ("peer", "10.0.0.7"),
        ("method", "GET"),
        ("host", "api.example.org"),
        ("path", "/__logcheck-20260806"),
        ("query", "x=1"),
        ("protocol", "HTTP/1.1"),
        ("user_agent", "curl/8.17.0"),
        ("referer", "https://example.org/"),
        ("x_forwarded_for", "9.9.9.9,198.51.100.178"),
        ("user", ""),
        ("status", "404"),
        ("bytes", "99"),
    ];
    check(&read(&Format::Caddy, CADDY), "198.51.100.178", "2026-08-06T22:14:46.193625Z", &fields);
    let old = read(&Format::Caddy, CADDY_OLD);
    check(&old, "127.0.0.1", "2022-03-09T21:30:01.5241024Z", &[("path", "/"), ("status", "200")]);
}

#[test]
fn an_error_that_caddy_logs_besides_its_request_is_no_second_request() {
    let line = CADDY.replace("http.log.access", "http.log.error");
    let record = read(&Format::Caddy, &line);
    assert_eq!((record.client_range(), text(&record, "status")), (None, None));
    let other = r#"{"level":"info","ts":1786054486.19,"logger":"tls","msg":"storage cleaned"}"#;
    assert_eq!(read(&Format::Caddy, other).client_range(), None);
}

#[test]
fn traefiks_lines_are_read() {
    let fields = [
        ("peer", "192.0.2.4:52654"),
        ("method", "GET"),
        ("host", "apps.example.org"),
        ("path", "/.env"),
        ("protocol", "HTTP/2.0"),
        ("user_agent", "test-scanner/1.0"),
        ("user", "-"),
        ("status", "200"),
        ("bytes", "397"),
    ];
    check(&read(&Format::Traefik, TRAEFIK), "192.0.2.4", "2026-09-29T23:05:40.189830187Z", &fields);
}

#[test]
fn nginx_objects_are_read() {
    let fields = [
        ("method", "GET"),
        ("path", "/a"),
        ("query", "b=c"),
        ("status", "403"),
        ("bytes", "153"),
        ("protocol", "HTTP/1.1"),
        ("user_agent", r#"a "quoted" one"#),
        ("referer", "https://example.org/"),
        ("user", ""),
    ];
    for line in NGINX {
        for format in [Format::NginxJson, Format::JsonUsual] {
            let record = read(&format, line);
            check(&record, "203.0.113.9", "2026-05-01T10:00:00Z", &fields);
            assert!(record.refused());
        }
    }
}

#[test]
fn each_format_is_recognised_and_no_other() {
    let clf = r#"10.0.0.1 - - [10/Nov/2026:23:00:00 +0000] "GET /foo HTTP/1.1" 404 132 "-" "-" 7 "foo" "http://h" 3ms"#;
    let proxy = r#"[10/Sep/2026:14:04:11 +0000] - 200 404 - GET https example.org "/" [Client 192.0.2.1] [Length 2] [Gzip -] [Sent-to h] "a" "-""#;
    let combined = r#"10.0.0.1 - - [10/Nov/2026:23:00:00 +0000] "GET /foo HTTP/1.1" 404 132 "-" "-""#;
    for (line, format) in [
        (CADDY, Some(Format::Caddy)),
        (CADDY_OLD, Some(Format::Caddy)),
        (TRAEFIK, Some(Format::Traefik)),
        (NGINX[0], Some(Format::NginxJson)),
        (NGINX[1], Some(Format::NginxJson)),
        (r#" {"clientip":"192.0.2.1","verb":"GET","path":"/x"}"#, Some(Format::JsonUsual)),
        (r#"{"request":{"remote_ip":"192.0.2.1","uri":"/x"}}"#, Some(Format::JsonUsual)),
        (r#"{"log":"192.0.2.1 - -\n","stream":"stdout","time":"2026-05-01T10:00:00Z"}"#, None),
        (r#"{"level":"info","msg":"x"}"#, None),
        ("{", None),
        (clf, Some(Format::TraefikClf)),
        (proxy, Some(Format::NginxProxyManager)),
        (combined, Some(Format::Combined)),
    ] {
        assert_eq!(Format::detect([line.as_bytes()].into_iter()), format, "{line}");
    }
}

#[test]
fn a_name_may_be_written_with_hyphens() {
    assert_eq!(Format::named("nginx-json"), Some(Format::NginxJson));
    assert_eq!(Format::named("vhost_combined"), Some(Format::VhostCombined));
}

#[test]
fn a_key_that_a_client_chose_hides_no_field() {
    let hostile = concat!(
        r#""client_ip":["9.9.9.9"],"request":{"client_ip":"9.9.9.9"},"request.client_ip":["9.9.9.9"],"#,
        r#""Status":["200"],"status":["200"],"ts":["1"],"uri":["/fake"],"User-Agent":["first"],"User-Agent":["second"],"#,
    );
    let line = CADDY.replace(r#""headers":{"#, &format!(r#""headers":{{{hostile}"#));
    let fields = [("path", "/__logcheck-20260806"), ("status", "404"), ("user_agent", "first")];
    check(&read(&Format::Caddy, &line), "198.51.100.178", "2026-08-06T22:14:46.193625Z", &fields);
}

#[test]
fn what_a_client_writes_into_a_value_stays_there() {
    let fake = r#"x\",\"remote_addr\":\"9.9.9.9\",\"status\":\"200\"} {\"remote_addr\":\"9.9.9.9\"}\\"#;
    let line = NGINX[0].replace("/a?b=c", fake).replace("https://example.org/", fake);
    let record = read(&Format::NginxJson, &line);
    assert_eq!(record.address().unwrap().to_string(), "203.0.113.9");
    assert_eq!(text(&record, "status").as_deref(), Some("403"));
    let meant = fake.replace(r#"\""#, "\"").replace(r"\\", r"\");
    assert_eq!(text(&record, "referer"), Some(meant.clone()));
    assert!(text(&record, "request_uri").unwrap().contains("9.9.9.9"));
    // Without `escape=json` nginx writes `\x22`.
    let plain = NGINX[0].replace("/a?b=c", r"/a\x22b\x5C");
    assert_eq!(text(&read(&Format::NginxJson, &plain), "path").as_deref(), Some(r#"/a"b\"#));
}

#[test]
fn paths_are_nested_or_flat_and_go_through_first_elements() {
    let format = Format::json([("client", "a.b.c"), ("x", "a.d"), ("y", "a.b")]).unwrap();
    for (line, client, x) in [
        (r#"{"a":{"b":{"c":"192.0.2.1"},"d":1.5e3}}"#, Some("192.0.2.1"), Some("1.5e3")),
        (r#"{"a.b":{"c":"192.0.2.1:80"},"a.d":true}"#, Some("192.0.2.1"), Some("true")),
        (r#"{"a":{"b.c":["[2001:db8::1]:443", {"z":1}]},"a.d":null}"#, Some("2001:db8::1"), None),
        (r#"{"a.b.c":"192.0.2.1","a":{"d":["x","y" , "z\""]}}"#, Some("192.0.2.1"), Some("x,y,z\"")),
        (r#"{"a":[{"b":{"c":"192.0.2.1"}},{"b":{"c":"9.9.9.9"}}],"a.d":[]}"#, Some("192.0.2.1"), None),
        (r#"{"a":[[{"b":{"c":["192.0.2.1"]}}]],"a.d":[["x"],"y"]}"#, Some("192.0.2.1"), Some("x")),
        (r#"{"x":{"a":{"b":{"c":"9.9.9.9"}}},"c":"9.9.9.9","b.c":"9.9.9.9"}"#, None, None),
        (r#"{"a":{"b":{"c":["192.0.2.1","9.9.9.9"]}}}"#, None, None),
    ] {
        let record = read(&format, line);
        assert_eq!(record.address().map(|a| a.to_string()).as_deref(), client, "{line}");
        assert_eq!(text(&record, "x").as_deref(), x, "{line}");
    }
}

#[test]
fn the_first_path_that_has_a_value_counts_and_of_equal_keys_the_first() {
    let format = Format::json([("client", "a"), ("client", "b"), ("x", "x")]).unwrap();
    for (line, client) in [
        (r#"{"b":"192.0.2.2","a":"192.0.2.1","a":"9.9.9.9"}"#, "192.0.2.1"),
        (r#"{"b":"192.0.2.2","b":"9.9.9.9","a":null}"#, "192.0.2.2"),
    ] {
        assert_eq!(read(&format, line).address().unwrap().to_string(), client, "{line}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (line, at, expected) in [
        ("", 0, "an object in braces"),
        ("[1]", 0, "an object in braces"),
        (r#"{"a":1"#, 6, "a comma or a closing brace"),
        (r#"{"a":1,}"#, 7, "a key in quotes"),
        (r#"{"a" 1}"#, 5, "a colon"),
        (r"{a:1}", 1, "a key in quotes"),
        (r#"{"a":"x}"#, 8, "a closing quote"),
        (r#"{"a":"x\"}"#, 10, "a closing quote"),
        (r#"{"a":[1 2]}"#, 8, "a comma or a closing bracket"),
        (r#"{"a":[,]}"#, 6, "a value"),
        (r#"{"a":nil}"#, 5, "a value"),
        (r#"{"a":'x'}"#, 5, "a value"),
        (r#"{"a":01}"#, 5, "a number"),
        (r#"{"a":1.}"#, 5, "a number"),
        (r#"{"a":1e+}"#, 5, "a number"),
        (r#"{"a":1} x"#, 8, "the line's end"),
        (r#"{"a":1}{"a":2}"#, 7, "the line's end"),
    ] {
        let error = Format::JsonUsual.parse(line.as_bytes()).unwrap_err();
        assert_eq!((error.at, error.expected), (at, expected), "{line}");
    }
    for blank in [r#"{"a":,"b":-}"#, "{}", " { } \r", "\0\0{\"a\":-1.5E-7}"] {
        assert!(Format::JsonUsual.parse(blank.as_bytes()).is_ok(), "{blank}");
    }
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Format::JsonUsual.parse(nested(63).as_bytes()).is_ok());
    assert!(Format::JsonUsual.parse(nested(64).as_bytes()).is_err());
    let deep = nested(1_000_000);
    assert!(Format::JsonUsual.parse(deep.as_bytes()).is_err());
}

#[test]
fn a_mapping_that_cannot_be_used_is_refused() {
    assert_eq!(Format::json([("path", "uri")]), Err(JsonError::NoClient));
    assert!(matches!(Format::json([("Client", "a")]), Err(JsonError::Name(_))));
    for path in ["", ".a", "a.", "a..b", "a\"b", "a.b.c.d.e.f.g"] {
        assert!(matches!(Format::json([("client", path)]), Err(JsonError::Path { .. })), "{path}");
    }
    let names: Vec<String> = (0..70).map(|n| format!("f{n}")).collect();
    let many = names.iter().map(|name| (name.as_str(), "a"));
    assert_eq!(Format::json(many), Err(JsonError::TooMany));
    assert_eq!(Format::json((0..70).map(|_| ("client", "a"))), Err(JsonError::TooMany));
}

/// Any value; strings of any characters, and of those that are escaped.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<Option<bool>>().prop_map(|b| b.map_or(Value::Null, Value::Bool)),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-c\"\\\\/{}\\[\\]:,\n\t\u{0}\u{e9}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Few different ones, so that wanted ones occur where they are not wanted.
fn key() -> impl Strategy<Value = String> {
    prop_oneof!["(a|b|c|a\\.b|b\\.c|a\\.b\\.c)", "[a-c.\"\\\\]{0,4}", any::<String>()]
}

/// What stands under a path, as the scanner means it.
fn expected(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => {
            let strings: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            strings
                .filter(|all| !all.is_empty())
                .map_or_else(|| expected(all.first()?), |all| Some(all.join(",")))
        }
        other => Some(other.to_string()),
    }
}

proptest! {
    #[test]
    fn what_an_encoder_wrote_is_read_back(
        uri in any::<String>(),
        client in any::<[u8; 4]>(),
        wanted in value(),
        others in prop::collection::vec((key(), value()), 0..6),
        pretty in any::<bool>(),
    ) {
        let mut line = Map::new();
        for (key, value) in others {
            line.insert(format!("z{key}"), value);
        }
        let address = client.map(|byte| byte.to_string()).join(".");
        line.insert("a".to_owned(), json!({ "b": { "c": address, "d": wanted.clone() }, "e": uri.clone() }));
        let text_of = |line: &Map<String, Value>| if pretty {
            serde_json::to_string_pretty(line).unwrap()
        } else {
            serde_json::to_string(line).unwrap()
        };
        let line = text_of(&line);
        let format = Format::json([("client", "a.b.c"), ("x", "a.b.d"), ("request_uri", "a.e")]).unwrap();
        let record = format.parse(line.as_bytes()).unwrap();
        prop_assert_eq!(record.address().map(|a| a.to_string()), crate::address::Address::parse(address.as_bytes()).map(|a| a.to_string()));
        prop_assert_eq!(text(&record, "request_uri"), Some(uri));
        prop_assert_eq!(text(&record, "x"), expected(&wanted));
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads(text in "[{}\\[\\]\",:\\\\a0-9eE.+\\- ntrufl]{0,24}") {
        let line = format!("{{\"a\":{text}}}");
        if serde_json::from_str::<Map<String, Value>>(&line).is_ok() {
            prop_assert!(Format::JsonUsual.parse(line.as_bytes()).is_ok(), "{}", line);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let mut line = CADDY.as_bytes().to_vec();
        let at = cut.index(line.len());
        line.splice(at..at, bytes.iter().copied());
        for format in Format::ALL {
            for line in [&line[..], &bytes[..], &line[..at]] {
                if let Ok(record) = format.parse(line) {
                    let _ = (record.address(), record.time());
                    let _ = Field::ALL.map(|field| record.field(&field).is_some());
                }
            }
        }
        let _ = Format::detect([&line[..]].into_iter());
    }
}
