//! Variables of nginx's `log_format`.
//!
//! <https://nginx.org/en/docs/varindex.html>. What is not known here may hold anything that a client sends.

use super::TemplateError;
use super::piece::{Meaning, Part, Piece, Shape, Variable, escaped, own_field, push_text};
use crate::record::Field;
use crate::record::slots::Role;

/// Where the first variable stands.
pub(super) fn first_variable(text: &str) -> Option<usize> {
    text.match_indices('$')
        .map(|(at, _)| at)
        .find(|at| name(text.get(at + 1..).unwrap_or_default()).is_some())
}

/// The name that `$` is followed by, and how long it is as written.
fn name(rest: &str) -> Option<(&str, usize)> {
    let part = |text: &str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let (inside, around) = rest.strip_prefix('{').map_or((rest, 0), |inside| (inside, 2));
    let length = part(inside);
    let is_closed = around == 0 || inside.as_bytes().get(length) == Some(&b'}');
    (length > 0 && is_closed).then(|| (inside.get(..length).unwrap_or_default(), length + around))
}

/// Takes a `log_format` string apart.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let next = rest.find(['$', '\\']).unwrap_or(rest.len());
        let (before, here) = rest.split_at(next);
        push_text(&mut pieces, before.as_bytes());
        at += next;
        match here.as_bytes().first() {
            None => {}
            Some(b'$') => {
                let wrong =
                    || TemplateError::new(at, "a `$` stands in it without a variable's name", "name one");
                let (name, length) = name(here.get(1..).unwrap_or_default()).ok_or_else(wrong)?;
                let written = here.get(..=length).unwrap_or_default().to_owned();
                pieces.push(Piece::Variable(Variable { text: written, at, ..variable(name) }));
                at += 1 + length;
            }
            Some(_) => {
                push_text(&mut pieces, &[escaped(here, at)?]);
                at += 2;
            }
        }
    }
    Ok(pieces)
}

/// What a variable is.
fn variable(name: &str) -> Variable {
    let is = |shape, field: Field, rank| Variable::new(shape, Meaning::ranked(Role::Is(field), rank, name));
    let role = |shape, role| Variable::new(shape, Meaning::ranked(role, 0, name));
    let own = |shape| Variable::new(shape, own_field(name, "var"));
    match name {
        "remote_addr" => role(Shape::Address, Role::Client),
        "realip_remote_addr" => Variable::new(Shape::Address, Meaning::named("peer")),
        "remote_user" => is(Shape::Free, Field::User, 0),
        "time_local" => Variable::new(Shape::Clf, Meaning::Time),
        "time_iso8601" => Variable::new(Shape::Iso, Meaning::Time),
        "msec" => Variable::new(Shape::Part(Part::Fractional), Meaning::Time),
        "request" => role(Shape::Free, Role::Request),
        "request_uri" => role(Shape::Free, Role::Target),
        "request_method" => is(Shape::Word, Field::Method, 0),
        "uri" | "document_uri" => is(Shape::Free, Field::Path, 0),
        "args" | "query_string" => is(Shape::Free, Field::Query, 0),
        "status" => is(Shape::Status, Field::Status, 0),
        "body_bytes_sent" => is(Shape::Number, Field::Bytes, 0),
        "bytes_sent" => is(Shape::Number, Field::Bytes, 1),
        "host" => is(Shape::Host, Field::Host, 0),
        "http_host" => is(Shape::Free, Field::Host, 1),
        "server_name" => is(Shape::Token, Field::Host, 2),
        "http_referer" => is(Shape::Free, Field::Referer, 0),
        "http_user_agent" => is(Shape::Free, Field::UserAgent, 0),
        "server_protocol" => is(Shape::Token, Field::Protocol, 0),
        "http_x_forwarded_for" => Variable::new(Shape::Free, Meaning::named("x_forwarded_for")),
        "http_forwarded" => Variable::new(Shape::Free, Meaning::named("forwarded")),
        "http_x_real_ip" => Variable::new(Shape::Free, Meaning::named("x_real_ip")),
        "request_length"
        | "connection"
        | "connection_requests"
        | "server_port"
        | "remote_port"
        | "pid"
        | "proxy_protocol_port"
        | "realip_remote_port"
        | "proxy_protocol_server_port" => own(Shape::Number),
        "request_time" | "gzip_ratio" | "connection_time" => own(Shape::Decimal),
        "server_addr" => own(Shape::Address),
        "scheme"
        | "hostname"
        | "request_id"
        | "pipe"
        | "https"
        | "nginx_version"
        | "ssl_protocol"
        | "ssl_cipher"
        | "ssl_session_reused"
        | "http2"
        | "http3"
        | "is_args"
        | "upstream_cache_status"
        | "proxy_protocol_addr"
        | "proxy_protocol_server_addr"
        | "request_completion" => own(Shape::Token),
        "upstream_addr"
        | "upstream_status"
        | "upstream_response_time"
        | "upstream_connect_time"
        | "upstream_header_time"
        | "upstream_first_byte_time"
        | "upstream_session_time"
        | "upstream_queue_time"
        | "upstream_response_length"
        | "upstream_bytes_received"
        | "upstream_bytes_sent" => own(Shape::List),
        // Headers, cookies, arguments, what `set` and `map` define, and whatever a module adds.
        _ => own(Shape::Free),
    }
}
