//! nginx with realip and a geo include, as `snippet` has it: a banned client's connection is closed (444).

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use super::place::{Place, text};
use super::process::{Process, installed, on_free_port, user_line};
use super::{Answer, Request, send};

/// A running nginx. Its root serves `/` and answers `/wp-login.php` with 200 to any method; all else is 404.
#[derive(Debug)]
pub(crate) struct Nginx {
    // Ended before its directory goes.
    process: Process,
    place: Place,
    port: u16,
    geo: PathBuf,
}

impl Nginx {
    /// Starts it on a ban list of its own, in which nobody is banned.
    pub(crate) fn start() -> Self {
        Self::start_logging("")
    }

    /// The same, with other lines about logs beside its own.
    pub(crate) fn start_logging(logs: &str) -> Self {
        Self::start_serving(logs, "")
    }

    /// The same, with further lines of the section `http`, and of its server.
    pub(crate) fn start_serving(http: &str, server: &str) -> Self {
        let place = Place::new();
        let geo = place.write("out/geo.conf", "geo $bad_user {\n    default 0;\n}\n");
        place.write("www/index.html", "welcome\n");
        place.dir("temp");
        let (process, port) = on_free_port(
            |port| {
                place.write("nginx.conf", &configuration(&place, &geo, port, http, server));
                Process::spawn("nginx", &mut command(&place))
            },
            // The pid file is written after the port is bound: an answer of somebody else's server is not taken for ours.
            |port| {
                !text(&place.path("nginx.pid")).is_empty() && TcpStream::connect(("127.0.0.1", port)).is_ok()
            },
            || text(&place.path("error.log")),
        );
        Self { process, place, port, geo }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The ban list that it includes.
    pub(crate) fn geo(&self) -> &Path {
        &self.geo
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.place.path("nginx.pid")
    }

    /// Its access log, format `combined`, with the address that realip found.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.place.path("access.log")
    }

    pub(crate) fn error_log(&self) -> PathBuf {
        self.place.path("error.log")
    }

    /// The command that checks its whole configuration: an output's `validate`.
    pub(crate) fn check_command(&self) -> Vec<String> {
        let program = installed("nginx", "nginx").display().to_string();
        vec![program, "-t".to_owned(), "-q".to_owned(), "-c".to_owned(), self.conf().display().to_string()]
    }

    /// Runs that command.
    pub(crate) fn check(&self) -> Output {
        let command = self.check_command();
        Command::new(&command[0]).args(&command[1..]).output().unwrap()
    }

    /// The operator breaks (or mends) the configuration, in a place that is not ours.
    pub(crate) fn set_broken(&self, broken: bool) {
        let mut conf = text(&self.conf()).replace(BROKEN, "");
        if broken {
            conf += BROKEN;
        }
        fs::write(self.conf(), conf).unwrap();
    }

    fn conf(&self) -> PathBuf {
        self.place.path("nginx.conf")
    }

    /// Has the master read its configuration again; it does so a little later.
    pub(crate) fn reload(&self) {
        self.process.signal(Signal::SIGHUP);
    }

    /// A GET as the client `client`, through a proxy on loopback that trusts it.
    pub(crate) fn get(&self, client: &str, path: &str) -> Answer {
        send(self.port, &Request::get(path).header("X-Forwarded-For", client))
    }
}

/// What a broken configuration ends with.
const BROKEN: &str = "no_such_directive on;\n";

fn command(place: &Place) -> Command {
    let mut command = Command::new(installed("nginx", "nginx"));
    command.arg("-c").arg(place.path("nginx.conf")).arg("-e").arg(place.path("error.log"));
    command
}

fn configuration(place: &Place, geo: &Path, port: u16, http: &str, server: &str) -> String {
    let (dir, geo) = (place.path(""), geo.display());
    let dir = dir.display().to_string();
    let dir = dir.trim_end_matches('/');
    let user = user_line("user www-data;\n");
    format!(
        "{user}daemon off;
worker_processes 1;
worker_shutdown_timeout 2s;
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {dir}/temp/body;
    proxy_temp_path       {dir}/temp/proxy;
    fastcgi_temp_path     {dir}/temp/fastcgi;
    uwsgi_temp_path       {dir}/temp/uwsgi;
    scgi_temp_path        {dir}/temp/scgi;
    access_log {dir}/access.log combined;
    {http}
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;
    include {geo};
    server {{
        listen 127.0.0.1:{port};
        root {dir}/www;
        if ($bad_user) {{ return 444; }}
        location = /wp-login.php {{ return 200 \"log in\\n\"; }}
        {server}
    }}
}}
"
    )
}
