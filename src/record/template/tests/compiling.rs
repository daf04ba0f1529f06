//! Which strings are formats, and which formats they are.

use crate::record::{Format, FormatEscape, TemplateError};

fn compile(text: &str) -> Result<Format, TemplateError> {
    Format::compile(text, FormatEscape::Default)
}

#[test]
fn strings_of_the_combined_family_are_that_format() {
    for (text, format) in [
        (
            r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
            Format::Combined,
        ),
        (r#"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#, Format::Combined),
        (r#"%a %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i""#, Format::Combined),
        (r#"%h %l %u %t \"%r\" %>s %b"#, Format::Common),
        (r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#, Format::VhostCombined),
        (
            r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#,
            Format::CombinedXff,
        ),
    ] {
        assert_eq!(compile(text), Ok(format), "{text}");
        assert_ne!(Format::compile(text, FormatEscape::None).ok(), compile(text).ok(), "{text}");
    }
    for text in [
        r#"%h %l %u %t \"%r\" %!200s %b"#,
        r#"%h %l %u [%{%d/%b/%Y:%H:%M:%S}t] \"%r\" %>s %b"#,
        r#"$remote_addr  - $remote_user [$time_local] "$request" $status $body_bytes_sent"#,
    ] {
        let format = compile(text);
        assert!(matches!(format, Ok(Format::Template(_))), "{text}: {format:?}");
    }
}

#[test]
fn a_port_ends_before_what_cannot_be_part_of_it() {
    for text in [
        "$remote_addr:$remote_port [$time_local]",
        "$remote_addr [$time_local] $host:$server_port$request_uri",
    ] {
        assert!(compile(text).is_ok(), "{text}: {:?}", compile(text));
    }
    let colon = "$remote_addr:$request_length:$time_local";
    assert!(compile(colon).is_err(), "an IPv6 address has colons, too");
}

#[test]
fn what_cannot_be_read_is_refused_with_place_and_fix() {
    for (text, at, what, fix) in [
        ("combinde", 0, "neither a `$variable` of nginx nor", "log_format or LogFormat string"),
        ("$remote_addr %h", 13, "there are both", "exactly as it stands"),
        ("%h %Y", 3, "`%Y` is no directive", "take it out"),
        ("%h %{X}z", 3, "`%{X}z` is no directive", "take it out"),
        ("%h %{X", 3, "`{` is not closed", "take it out"),
        ("%h %{SSL_CLIENT_S_DN}x", 3, "`%{SSL_CLIENT_S_DN}x` is no directive", "take it out"),
        ("%h %{%Y-%Q}t", 3, "`%Q` is not known in a time", "take it out"),
        ("%h %!200t", 3, "a time must stand in every line", "take it out"),
        ("%h % x", 3, "a letter is missing", "take it out"),
        ("$remote_addr $", 13, "without a variable's name", "name one"),
        ("$remote_addr\\n", 12, "a line's end", "leave it out"),
        ("$remote_addr \\x $status", 13, "escapes nothing", "another separator"),
        (
            "[$time_local] \"$request\"",
            0,
            "no variable of it holds the client's address",
            "add `$remote_addr`",
        ),
        (
            "$remote_addr $http_x_forwarded_for - $remote_user [$time_local]",
            37,
            "`$http_x_forwarded_for` and `$remote_user`",
            "quotes around one of them (\"$http_x_forwarded_for\")",
        ),
        ("%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b", 23, "`%{X-Forwarded-For}i` and `%u`", "put quotes"),
        ("$host $remote_addr $request_uri", 19, "`$host` and `$request_uri`", "put quotes"),
        ("$remote_addr $uri $status $http_a", 26, "`$uri` and `$http_a`", "put quotes"),
        ("$remote_addr$status", 12, "nothing stands between `$remote_addr` and `$status`", "put a blank"),
        ("$remote_addr \"$http_a$pid\"", 21, "follows what a client chooses", "put a text"),
        ("$remote_addr ${status}$body_bytes_sent$pid", 38, "nothing stands between", "put a blank"),
        ("$remote_addr:$http_a", 0, "where `$remote_addr` ends", "put a quote"),
        ("$remote_addr-$http_a", 0, "where `$remote_addr` ends", "put a quote"),
        ("$status $http_a:$remote_addr", 16, "where `$remote_addr` ends", "put a quote"),
        ("$remote_addr $upstream_addr $http_a", 13, "where `$upstream_addr` ends", "put a quote"),
        ("$remote_addr $http_a $upstream_addr", 21, "where `$upstream_addr` ends", "put a quote"),
        ("$remote_addr $upstream_addr, x", 13, "where `$upstream_addr` ends", "put a quote"),
        ("$remote_addr $http_a : $upstream_addr", 23, "where `$upstream_addr` ends", "put a quote"),
        ("$remote_addr ${pid}5", 13, "where `${pid}` ends cannot be seen", "put a quote"),
    ] {
        let error = compile(text).expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.what.contains(what) && error.fix.contains(fix), "{text}: {error:?}");
    }
    let error = Format::compile("%h %t", FormatEscape::Json).unwrap_err();
    assert!(error.what.contains("LogFormat has no `escape`"), "{error}");
}

#[test]
fn of_several_variables_with_one_role_the_nearest_has_it() {
    let names = |text: &str| compile(text).unwrap().field_names();
    let host = names("$remote_addr $server_name \"$http_host\" \"$host\" $bytes_sent $body_bytes_sent");
    assert_eq!(host, ["server_name", "http_host", "host", "bytes_sent", "bytes"]);
    assert_eq!(names("%h %s %>s %p"), ["original_status", "status", "server_port"]);
    assert_eq!(names("%a \"%U%q\" %m"), ["request_uri", "path", "query", "method"]);
    let after = names("$remote_addr \"$request\" \"$uri\"");
    assert_eq!(after, ["method", "path", "request_uri", "query", "protocol", "host", "uri"]);
    // What a client sends under a name of ours is not taken for it.
    assert_eq!(
        names(r#"%a "%{Peer}i" "%{Path}i" "%{Termination-State}i" "%{X-Id}i" "%{Host}i""#),
        ["header_peer", "header_path", "header_termination_state", "x_id", "host"]
    );
    assert_eq!(names("$remote_addr \"$path\" \"$cookie_a\""), ["var_path", "cookie_a"]);
}

#[test]
fn a_status_is_looked_for_with_what_is_around_it() {
    let literal = |text: &str| compile(text).unwrap().status_literal(404);
    let found = literal(r#"{"ip":"$remote_addr","status":$status,"ua":"$http_user_agent"}"#).unwrap();
    assert_eq!(String::from_utf8(found).unwrap(), r#"","status":404,"ua":""#);
    assert_eq!(literal("$remote_addr $status").unwrap(), b" 404");
    assert_eq!(literal("$remote_addr [$time_local]"), None);
    assert_eq!(literal("%h %s %>s"), None);
}
