//! Apache with `mod_remoteip` and a text `RewriteMap`, as `snippet` has it: a banned client gets 403.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::place::{Place, text};
use super::process::{Process, installed, on_free_port, user_line};
use super::{Answer, Request, send};

/// Debian's place for modules.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running Apache. It serves `/` and `/wp-login.php` (to POST, too); all else is 404.
#[derive(Debug)]
pub(crate) struct Apache {
    // Ended before its directory goes.
    process: Process,
    place: Place,
    port: u16,
    map: PathBuf,
}

impl Apache {
    /// Starts it on a map of its own, in which nobody is banned, with look-ups for addresses and prefixes.
    pub(crate) fn start() -> Self {
        Self::start_serving(&[], "")
    }

    /// The same, with further modules, and further lines of its virtual host.
    pub(crate) fn start_serving(modules: &[&str], host: &str) -> Self {
        let place = Place::new();
        let map = place.write("out/apache-banned", "");
        let rules = place.write("rules.conf", &(lookups(&map) + host));
        place.write("www/index.html", "welcome\n");
        place.write("www/wp-login.php", "log in\n");
        place.dir("run");
        let (process, port) = on_free_port(
            |port| {
                place.write("apache.conf", &configuration(&place, &rules, port, modules));
                let mut command = Command::new(installed("apache2", "apache2"));
                command.arg("-DFOREGROUND").arg("-f").arg(place.path("apache.conf"));
                command.arg("-E").arg(place.path("startup.log"));
                Process::spawn("apache2", &mut command)
            },
            // It says this once its signal handlers are set: a signal that came before would end it.
            |port| {
                text(&place.path("error.log")).contains("resuming normal operations")
                    && TcpStream::connect(("127.0.0.1", port)).is_ok()
            },
            || text(&place.path("startup.log")) + &text(&place.path("error.log")),
        );
        Self { process, place, port, map }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Has other lines look clients up (those of `banmap snippet`), and reads them without dropping connections; they are
    /// in force a little later.
    pub(crate) fn set_rules(&self, lines: &str) {
        self.place.write("rules.conf", lines);
        self.process.signal(Signal::SIGUSR1);
    }

    /// The map that it looks clients up in.
    pub(crate) fn map(&self) -> &Path {
        &self.map
    }

    /// Its access log: `combined`, with the address that `mod_remoteip` found.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.place.path("access.log")
    }

    pub(crate) fn error_log(&self) -> PathBuf {
        self.place.path("error.log")
    }

    /// A GET as the client `client`, through a proxy on loopback that trusts it.
    pub(crate) fn get(&self, client: &str, path: &str) -> Answer {
        send(self.port, &Request::get(path).header("X-Forwarded-For", client))
    }
}

/// Looks the whole address up, then the parts that stand for prefixes: IPv4 /8 /16 /24, IPv6 /32 /48 /64, and for IPv6
/// the form in which the prefix's own zeros are compressed.
fn lookups(map: &Path) -> String {
    let mut rules = format!(
        "RewriteEngine On
RewriteMap banned txt:{}
RewriteCond ${{banned:%{{REMOTE_ADDR}}|NONE}} !=NONE
RewriteRule ^ - [F]
",
        map.display()
    );
    let v4 = (1..=3).map(|n| format!("^((?:[0-9]+\\.){{{n}}})"));
    let v6 = (2..=4).map(|n| format!("^((?:[0-9a-f]{{1,4}}:){{{n}}})"));
    let compressed = (2..=3).map(|n| format!("^((?:[0-9a-f]{{1,4}}:){{{n}}}:)"));
    for part in v4.chain(v6).chain(compressed) {
        let conditions =
            format!("RewriteCond %{{REMOTE_ADDR}} {part}\nRewriteCond ${{banned:%1|NONE}} !=NONE");
        writeln!(rules, "{conditions}\nRewriteRule ^ - [F]").unwrap();
    }
    rules
}

/// Loads what is not compiled in, whichever way of serving is installed, and `further` ones.
fn modules(further: &[&str]) -> String {
    let load = |name: &str| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
    let is_there = |name: &&str| Path::new(MODULES).join(format!("mod_{name}.so")).is_file();
    let serving = ["mpm_event", "mpm_prefork", "mpm_worker"].into_iter().find(is_there);
    let serving = serving.unwrap_or_else(|| panic!("no mod_mpm_*.so in {MODULES}: apt install apache2"));
    let always = [serving, "authz_core", "dir", "remoteip", "rewrite"].into_iter();
    always.chain(further.iter().copied()).map(load).collect()
}

fn configuration(place: &Place, rules: &Path, port: u16, further: &[&str]) -> String {
    let dir = place.path("").display().to_string();
    let dir = dir.trim_end_matches('/');
    let user = user_line("User www-data\nGroup www-data\n");
    let (modules, rules) = (modules(further), rules.display());
    format!(
        "{modules}{user}ServerRoot {dir}
ServerName localhost
DefaultRuntimeDir {dir}/run
Mutex file:{dir}/run default
PidFile {dir}/apache.pid
Listen 127.0.0.1:{port}
StartServers 1
ErrorLog {dir}/error.log
LogFormat \"%a %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined
CustomLog {dir}/access.log combined
DocumentRoot {dir}/www
DirectoryIndex index.html
<Directory {dir}/www>
    Require all granted
</Directory>
<VirtualHost 127.0.0.1:{port}>
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    Include {rules}
</VirtualHost>
"
    )
}
