//! The same people in the logs of `HAProxy`, in error logs, and in those of applications.

use super::day::{Clock, Day, HOUR, Log, MINUTE, SECOND, stamp};

pub(super) fn haproxy(day: &mut Day, at: Clock, address: &str, session: &str, request: &str) {
    let line = format!(
        "{address}:51114 [01/May/2026:{}.774] http-in {session} 1/1/0/0/0 0/0 \"{request}\"\n",
        stamp(at)
    );
    day.write(Log::Haproxy, at, line);
}

pub(super) fn nginx(day: &mut Day, at: Clock, address: &str, level: &str, message: &str) {
    let line = format!(
        "2026/05/01 {} [{level}] 27446#27446: *{at} {message}, client: {address}, server: site, request: \"GET /x HTTP/1.1\", host: \"shop.example\"\n",
        stamp(at)
    );
    day.write(Log::NginxError, at, line);
}

pub(super) fn apache(day: &mut Day, at: Clock, address: &str, message: &str) {
    let line = format!(
        "[Fri May 01 {}.851916 2026] [security2:error] [pid 32:tid 140093630314176] [client {address}:59528] {message}\n",
        stamp(at)
    );
    day.write(Log::ApacheError, at, line);
}

pub(super) fn nextcloud(day: &mut Day, at: Clock, address: &str, message: &str) {
    let line = format!(
        "{{\"reqId\":\"a{at}\",\"level\":2,\"time\":\"2026-05-01T{}+00:00\",\"remoteAddr\":\"{address}\",\"user\":\"--\",\"app\":\"core\",\"method\":\"POST\",\"url\":\"/login\",\"message\":\"{message}\",\"userAgent\":\"Mozilla/5.0\",\"version\":\"31.0.0.1\"}}\n",
        stamp(at)
    );
    day.write(Log::Nextcloud, at, line);
}

pub(super) fn vaultwarden(day: &mut Day, at: Clock, message: &str) {
    day.write(
        Log::Vaultwarden,
        at,
        format!("[2026-05-01 {}.660][vaultwarden::api::identity]{message}\n", stamp(at)),
    );
}

pub(super) fn gitea(day: &mut Day, at: Clock, message: &str) {
    day.write(Log::Gitea, at, format!("2026/05/01 {} HTTPRequest [W] {message}\n", stamp(at)));
}

pub(super) fn grafana(day: &mut Day, at: Clock, address: &str, status: u16) {
    let line = format!(
        "t=2026-05-01T{}+0000 lvl=info msg=\"Request Completed\" logger=context userId=0 orgId=0 uname= method=POST path=/login status={status} remote_addr={address} time_ms=33 size=42 referer=https://grafana.example/login\n",
        stamp(at)
    );
    day.write(Log::Grafana, at, line);
}

pub(super) fn roundcube(day: &mut Day, at: Clock, message: &str) {
    day.write(Log::Roundcube, at, format!("[01-May-2026 {} +0000]: <epf86f94> {message}\n", stamp(at)));
}

pub(super) const NOBODY: &str = "empty/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC--";
pub(super) const UNREADABLE: &str = "http-in/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR--";
pub(super) const DENIED: &str = "[client 192.0.2.99] ModSecurity: Access denied with code 403 (phase 2). Operator GE matched 5 at TX:blocking_inbound_anomaly_score. [uri \"/\"] [unique_id \"Zn0pW\"]";

/// A visitor of each proxy and server: pages, an outage, a refusal of the gate's own, connections without a request.
fn servers(day: &mut Day) {
    for _ in 0..120 {
        let (address, at) = (day.address(), day.moment());
        for n in 0..30 {
            let at = at + n * 4 * SECOND;
            haproxy(
                day,
                at,
                &address,
                "site/app1 0/0/1/12/13 200 9153 - - ----",
                &format!("GET /page/{n} HTTP/1.1"),
            );
            haproxy(
                day,
                at,
                &address,
                "site/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC--",
                "GET /checkout HTTP/1.1",
            );
            haproxy(
                day,
                at,
                &address,
                "http-in/<NOSRV> 0/-1/-1/-1/0 403 192 - - PR--",
                "GET /intern HTTP/1.1",
            );
            haproxy(day, at, &address, "http-in/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR--", "<BADREQ>");
            haproxy(day, at, &address, "http-in/<NOSRV> -1/-1/-1/-1/10000 408 212 - - cR--", "<BADREQ>");
        }
        for n in 0..40 {
            let at = at + n * 5 * SECOND;
            nginx(day, at, &address, "warn", "delaying request, excess: 0.500, by zone \"one\"");
            nginx(day, at, &address, "error", "limiting requests, dry run, excess: 1.000 by zone \"one\"");
            nginx(
                day,
                at,
                &address,
                "error",
                "open() \"/var/www/limiting requests\" failed (2: No such file or directory)",
            );
            apache(
                day,
                at,
                &address,
                "[client 192.0.2.99] ModSecurity: Warning. Pattern match \"x\" at ARGS:a. [uri \"/\"]",
            );
        }
        for n in 0..6 {
            nginx(
                day,
                at + n * MINUTE,
                &address,
                "error",
                "limiting requests, excess: 1.000 by zone \"one\"",
            );
            nginx(day, at + n * 3 * MINUTE, &address, "error", "access forbidden by rule");
            apache(day, at + n * 4 * MINUTE, &address, &DENIED.replace("192.0.2.99", &address));
        }
    }
}

/// Mistyped passwords, and a program with an old one that asks four times an hour.
fn applications(day: &mut Day) {
    for _ in 0..60 {
        let (address, at) = (day.address(), day.moment());
        for n in 0..3 {
            let at = at + n * 20 * SECOND;
            nextcloud(day, at, &address, "Login failed: alice (Remote IP: 192.0.2.1)");
            vaultwarden(
                day,
                at,
                &format!(
                    "[ERROR] Username or password is incorrect. Try again. IP: {address}. Username: a@x.example."
                ),
            );
            gitea(
                day,
                at,
                &format!(
                    "Failed authentication attempt for alice from {}: user does not exist [uid: 0, name: alice]",
                    socket(&address)
                ),
            );
            grafana(day, at, &address, 401);
            roundcube(
                day,
                at,
                &format!("Failed login for alice from {address} in session epf86f9475 (error: 0)"),
            );
        }
        let at = at + 2 * MINUTE;
        nextcloud(day, at, &address, "Login attempt: alice");
        vaultwarden(day, at, &format!("[INFO] User a@x.example logged in successfully. IP: {address}"));
        grafana(day, at, &address, 200);
        roundcube(
            day,
            at,
            &format!("Successful login for alice (ID: 1) from {address} in session epf86f9475"),
        );
    }
    let address = day.address();
    for n in 0..90 {
        nextcloud(day, n * 15 * MINUTE + HOUR, &address, "Login failed: bob (Remote IP: 192.0.2.1)");
    }
}

/// As Go writes an address with its port.
pub(super) fn socket(address: &str) -> String {
    if address.contains(':') { format!("[{address}]:51234") } else { format!("{address}:51234") }
}

/// All of them.
pub(super) fn all(day: &mut Day) {
    servers(day);
    applications(day);
}
