//! The servers that are sent hostile requests: each answers so that a client can tell what path it was taken for.

use std::path::PathBuf;

use crate::harness::{Apache, Nginx, Place};

/// What the log-in form, a secret file and a tool that is missing are answered with.
pub(super) const LOG_IN: &str = "log in";
pub(super) const SECRET: &str = "secret";
pub(super) const NO_TOOL: &str = "no such tool";

/// Of the one user who can log in: `admin` with the password `right`.
const USERS: &str = "admin:{SHA}0nofEXcSAJSXFLGvmfBIpBb11vQ=\n";

/// How much of a request a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    Default,
    /// Lines and headers of 64 kB and more.
    Large,
}

/// Whose server it is: they do not log the same requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brand {
    Nginx,
    Apache,
}

#[derive(Debug)]
pub(super) enum Server {
    Nginx(Nginx),
    Apache(Apache),
}

/// A server whose clients come through proxies on loopback, any address of which is trusted.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) server: Server,
    pub(super) place: Place,
}

impl Site {
    pub(super) fn nginx(limits: Limits) -> Self {
        let place = place();
        let buffers = match limits {
            Limits::Default => "",
            Limits::Large => "large_client_header_buffers 4 80k;",
        };
        let server = format!(
            "{buffers}
        set_real_ip_from 127.0.0.0/8;
        add_header X-Client $remote_addr always;
        location ~ ^/wp-login\\.php/ {{ return 200 \"{LOG_IN}\\n\"; }}
        location ~ ^/\\.(?:env$|git/) {{ return 200 \"{SECRET}\\n\"; }}
        location = /phpmyadmin/ {{ return 404 \"{NO_TOOL}\\n\"; }}
        location /private/ {{ root {dir}; auth_basic private; auth_basic_user_file {dir}/users; }}",
            dir = place.path("").display(),
        );
        Self { server: Server::Nginx(Nginx::start_serving("", &server)), place }
    }

    pub(super) fn apache(limits: Limits) -> Self {
        let place = place();
        let sizes = match limits {
            Limits::Default => "",
            Limits::Large => "LimitRequestLine 80000\nLimitRequestFieldSize 80000\n",
        };
        // The two formats as Debian has them: with %h, the host, which is the address without look-ups.
        let host = format!(
            r#"{sizes}RemoteIPInternalProxy 127.0.0.0/8
Header always set X-Client "expr=%{{REMOTE_ADDR}}"
CustomLog {dir}/combined.log "%h %l %u %t \"%r\" %>s %O \"%{{Referer}}i\" \"%{{User-Agent}}i\""
CustomLog {dir}/vhosts.log "%v:%p %h %l %u %t \"%r\" %>s %O \"%{{Referer}}i\" \"%{{User-Agent}}i\""
AcceptPathInfo On
AliasMatch "^/\.env$" "{dir}/secret"
AliasMatch "^/\.git/.*" "{dir}/secret"
Alias /private "{dir}/private"
<Directory {dir}>
    Require all granted
</Directory>
<Location /private>
    AuthType Basic
    AuthName private
    AuthUserFile {dir}/users
    Require valid-user
</Location>
<Location /digest>
    AuthType Digest
    AuthName private
    AuthDigestProvider file
    AuthUserFile {dir}/users
    Require valid-user
</Location>
<Location /phpmyadmin>
    ErrorDocument 404 "{NO_TOOL}"
</Location>
"#,
            dir = place.path("").display(),
        );
        let modules =
            ["alias", "auth_basic", "auth_digest", "authn_core", "authn_file", "authz_user", "headers"];
        Self { server: Server::Apache(Apache::start_serving(&modules, &host)), place }
    }

    pub(super) fn brand(&self) -> Brand {
        match &self.server {
            Server::Nginx(_) => Brand::Nginx,
            Server::Apache(_) => Brand::Apache,
        }
    }

    pub(super) fn port(&self) -> u16 {
        match &self.server {
            Server::Nginx(nginx) => nginx.port(),
            Server::Apache(apache) => apache.port(),
        }
    }

    /// Its access logs, each of which has every request.
    pub(super) fn logs(&self) -> Vec<PathBuf> {
        match &self.server {
            Server::Nginx(nginx) => vec![nginx.access_log()],
            Server::Apache(_) => vec![self.place.path("combined.log"), self.place.path("vhosts.log")],
        }
    }
}

fn place() -> Place {
    let place = Place::new();
    place.write("users", USERS);
    place.write("private/index.html", "welcome back\n");
    place.write("secret", "secret\n");
    place
}
