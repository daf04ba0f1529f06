//! The mappings that need no more than a name: of servers whose keys are known, and of the usual keys.

use std::sync::LazyLock;

use super::JsonFields;
use crate::record::Field;
use crate::record::slots::Role;

type Mapping = &'static [(&'static str, &'static str)];

/// Caddy 2: <https://caddyserver.com/docs/logging>. `client_ip` is there since 2.7, the client behind Caddy's
/// `trusted_proxies`; before it only the peer. Errors of handlers are logged besides the request that had them.
pub(in crate::record) static CADDY: LazyLock<JsonFields> = LazyLock::new(|| {
    const MAPPING: Mapping = &[
        ("client", "request.client_ip"),
        ("client", "request.remote_ip"),
        ("client", "request.remote_addr"),
        ("peer", "request.remote_ip"),
        ("time", "ts"),
        ("method", "request.method"),
        ("path", "request.uri"),
        ("host", "request.host"),
        ("protocol", "request.proto"),
        ("user_agent", "request.headers.User-Agent"),
        ("referer", "request.headers.Referer"),
        ("x_forwarded_for", "request.headers.X-Forwarded-For"),
        ("x_real_ip", "request.headers.X-Real-Ip"),
        ("forwarded", "request.headers.Forwarded"),
        ("user", "user_id"),
        ("status", "status"),
        ("bytes", "size"),
        ("logger", "logger"),
    ];
    let mut fields = compiled(MAPPING).marked(&[&[Role::Client], &[Role::Target], &[status()]]);
    let logger = fields.slot(Role::Is(Field::named("logger")));
    fields.other = Some((logger, b"http.log.error"));
    fields
});

/// Traefik's access log with `format: json`, version 2 and 3:
/// <https://doc.traefik.io/traefik/observability/access-logs/>. Headers are only there if its configuration keeps them.
pub(in crate::record) static TRAEFIK: LazyLock<JsonFields> = LazyLock::new(|| {
    const MAPPING: Mapping = &[
        ("client", "ClientHost"),
        ("client", "ClientAddr"),
        ("peer", "ClientAddr"),
        ("time", "StartUTC"),
        ("time", "StartLocal"),
        ("time", "time"),
        ("method", "RequestMethod"),
        ("path", "RequestPath"),
        ("host", "RequestHost"),
        ("host", "RequestAddr"),
        ("protocol", "RequestProtocol"),
        ("user_agent", "request_User-Agent"),
        ("referer", "request_Referer"),
        ("x_forwarded_for", "request_X-Forwarded-For"),
        ("x_real_ip", "request_X-Real-Ip"),
        ("forwarded", "request_Forwarded"),
        ("user", "ClientUsername"),
        ("status", "DownstreamStatus"),
        ("bytes", "DownstreamContentSize"),
        ("router", "RouterName"),
    ];
    compiled(MAPPING).marked(&[&[Role::Client], &[Role::Target], &[Role::Is(Field::Method)]])
});

/// An object that nginx writes with `log_format … escape=json`, whose keys are the names of its variables:
/// <https://nginx.org/en/docs/varindex.html>.
pub(in crate::record) static NGINX: LazyLock<JsonFields> = LazyLock::new(|| {
    const MAPPING: Mapping = &[
        ("client", "remote_addr"),
        ("peer", "realip_remote_addr"),
        ("time", "time_iso8601"),
        ("time", "time_local"),
        ("time", "msec"),
        ("request", "request"),
        ("request_uri", "request_uri"),
        ("request_uri", "uri"),
        ("method", "request_method"),
        ("query", "args"),
        ("query", "query_string"),
        ("host", "host"),
        ("host", "http_host"),
        ("host", "server_name"),
        ("protocol", "server_protocol"),
        ("user_agent", "http_user_agent"),
        ("referer", "http_referer"),
        ("x_forwarded_for", "http_x_forwarded_for"),
        ("x_real_ip", "http_x_real_ip"),
        ("forwarded", "http_forwarded"),
        ("user", "remote_user"),
        ("status", "status"),
        ("bytes", "body_bytes_sent"),
        ("bytes", "bytes_sent"),
        ("request_time", "request_time"),
        ("upstream_status", "upstream_status"),
    ];
    compiled(MAPPING).marked(&[&[Role::Client], &[Role::Request, Role::Target], &[status()]])
});

/// `format = "json"` without `fields`: the keys that most logs have. Of nested ones those of the Elastic Common Schema,
/// <https://www.elastic.co/docs/reference/ecs>. `url` is none of them: where it holds a whole URL, every
/// request would look like one to a proxy.
pub(in crate::record) static USUAL: LazyLock<JsonFields> = LazyLock::new(|| {
    const MAPPING: Mapping = &[
        ("client", "remote_addr"),
        ("client", "client_ip"),
        ("client", "clientip"),
        ("client", "clientIp"),
        ("client", "remote_ip"),
        ("client", "remoteIp"),
        ("client", "remoteAddr"),
        ("client", "remote_host"),
        ("client", "ClientHost"),
        ("client", "client.ip"),
        ("client", "source.ip"),
        ("client", "request.client_ip"),
        ("client", "request.remote_ip"),
        ("client", "ip"),
        ("time", "time"),
        ("time", "timestamp"),
        ("time", "@timestamp"),
        ("time", "ts"),
        ("time", "time_iso8601"),
        ("time", "time_local"),
        ("time", "msec"),
        ("time", "datetime"),
        ("request", "request"),
        ("request", "request_line"),
        ("request_uri", "request_uri"),
        ("request_uri", "uri"),
        ("request_uri", "path"),
        ("request_uri", "request_path"),
        ("request_uri", "request.uri"),
        ("request_uri", "RequestPath"),
        ("method", "method"),
        ("method", "request_method"),
        ("method", "http_method"),
        ("method", "verb"),
        ("method", "request.method"),
        ("method", "http.request.method"),
        ("method", "RequestMethod"),
        ("query", "args"),
        ("query", "query_string"),
        ("query", "query"),
        ("host", "http_host"),
        ("host", "vhost"),
        ("host", "server_name"),
        ("host", "host"),
        ("host", "request.host"),
        ("host", "RequestHost"),
        ("protocol", "protocol"),
        ("protocol", "server_protocol"),
        ("protocol", "proto"),
        ("protocol", "request.proto"),
        ("user_agent", "user_agent"),
        ("user_agent", "http_user_agent"),
        ("user_agent", "userAgent"),
        ("user_agent", "useragent"),
        ("user_agent", "agent"),
        ("user_agent", "user_agent.original"),
        ("user_agent", "request.headers.User-Agent"),
        ("referer", "referer"),
        ("referer", "http_referer"),
        ("referer", "referrer"),
        ("referer", "http_referrer"),
        ("referer", "http.request.referrer"),
        ("user", "remote_user"),
        ("user", "user"),
        ("user", "user_id"),
        ("user", "auth"),
        ("status", "status"),
        ("status", "status_code"),
        ("status", "statusCode"),
        ("status", "response"),
        ("status", "response_code"),
        ("status", "http.response.status_code"),
        ("status", "DownstreamStatus"),
        ("bytes", "body_bytes_sent"),
        ("bytes", "bytes_sent"),
        ("bytes", "bytes"),
        ("bytes", "size"),
        ("bytes", "response_size"),
        ("bytes", "http.response.body.bytes"),
        ("peer", "realip_remote_addr"),
        ("x_forwarded_for", "http_x_forwarded_for"),
        ("x_forwarded_for", "x_forwarded_for"),
        ("x_forwarded_for", "xff"),
        ("x_real_ip", "http_x_real_ip"),
        ("x_real_ip", "x_real_ip"),
    ];
    compiled(MAPPING).marked(&[&[Role::Client], &[Role::Request, Role::Target]])
});

fn compiled(mapping: Mapping) -> JsonFields {
    JsonFields::compile(mapping.iter().copied()).expect("a test compiles each preset")
}

fn status() -> Role {
    Role::Is(Field::Status)
}

#[cfg(test)]
mod tests {
    use super::{CADDY, NGINX, TRAEFIK, USUAL};

    #[test]
    fn each_preset_compiles_and_needs_few_searches_for_its_target() {
        for (preset, most) in [(&CADDY, 1), (&TRAEFIK, 1), (&NGINX, 4), (&USUAL, 10)] {
            let preset: &super::JsonFields = preset;
            assert!(!preset.marks.is_empty() && preset.marks.iter().all(|any| !any.is_empty()));
            assert!((1..=most).contains(&preset.targets().len()), "{:?}", preset.targets());
        }
    }
}
