//! Apache with the text map, and `HAProxy` in front of it.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};

use banmap::address::Address;
use banmap::publish::{Kind, Settings, State, snippet};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::harness::{World, end, is_open, output, prefixes, read, section, status, until, write};
use super::ports::free_port;

const MODULES: &str = "/usr/lib/apache2/modules";

/// An Apache with a virtual host that holds the map's snippet.
struct Apache {
    child: Child,
    port: u16,
}

impl Apache {
    async fn start(directory: &Path, map: &Settings) -> Self {
        let (port, at) = (free_port(), directory.display());
        let rules = section(&snippet(map, &["127.0.0.1".parse().unwrap()]), "VirtualHost");
        let modules = ["mpm_event", "authz_core", "rewrite", "remoteip"];
        let modules =
            modules.map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n")).concat();
        let user = if nix::unistd::geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
        let configuration = format!(
            "ServerRoot {at}\nServerName x\nPidFile {at}/apache.pid\nDefaultRuntimeDir {at}\nListen 127.0.0.1:{port}\n\
             {modules}{user}ErrorLog {at}/error.log\nKeepAlive On\nMaxKeepAliveRequests 0\nDocumentRoot {at}/www\n\
             <VirtualHost *>\n{rules}</VirtualHost>\n"
        );
        std::fs::create_dir(directory.join("www")).unwrap();
        write(&directory.join("www/index.html"), "ok");
        write(&directory.join("apache.conf"), &configuration);
        let child =
            Command::new("apache2").arg("-DFOREGROUND").arg("-f").arg(directory.join("apache.conf")).spawn();
        let apache = Self { child: child.expect("apache2 is installed"), port };
        until("Apache's workers answer", || is_open(port) && status(port, "127.0.0.1").is_some()).await;
        apache
    }

    fn refuses(&self, client: &str) -> bool {
        match status(self.port, client) {
            Some(403) => true,
            // The file has no index module to be found by.
            Some(200 | 404) => false,
            other => panic!("{client}: {other:?}"),
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        end(self.child.id() as i32, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// One connection for many requests.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(port: u16) -> Self {
        Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap()))
    }

    fn status(&mut self, client: Address) -> u16 {
        let request = format!("GET /index.html HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut code, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                code = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        code
    }
}

fn map_in(directory: &TempDir) -> Settings {
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    output("apache", Kind::ApacheRewritemap, directory.path().join("out/banned"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_map_is_read_without_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::of(vec![map_in(&directory)]);
    let apache = Apache::start(directory.path(), &world.settings[0]).await;
    world.start(&[]);
    world.reaches(State::Verified, 1).await;
    assert!(!apache.refuses("192.0.2.1"));
    for round in 0..20 {
        let generation = world.ban(if round % 2 == 0 { &["192.0.2.1"] } else { &["192.0.2.2"] });
        world.reaches(State::Verified, generation).await;
        assert_eq!(apache.refuses("192.0.2.1"), round % 2 == 0, "round {round}");
        assert_eq!(apache.refuses("192.0.2.2"), round % 2 == 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_that_the_workers_cannot_read_is_told() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::of(vec![map_in(&directory)]);
    let _apache = Apache::start(directory.path(), &world.settings[0]).await;
    world.start(&[]);
    world.reaches(State::Verified, 1).await;
    let out = directory.path().join("out");
    std::fs::set_permissions(&out, Permissions::from_mode(0o700)).unwrap();
    let generation = world.ban(&["192.0.2.1"]);
    until("it is told", || world.report().is_some_and(|report| report.error.is_some())).await;
    let report = world.report().unwrap();
    assert_eq!((report.state, report.generation), (State::Published, generation));
    let error = report.error.unwrap();
    assert!(error.contains("www-data") && error.contains("chmod o+x"), "{error}");
    std::fs::set_permissions(&out, Permissions::from_mode(0o755)).unwrap();
    world.reaches(State::Verified, generation).await;
}

/// A small generator: the same addresses in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn hextet(&mut self) -> u16 {
        match self.next() % 4 {
            0 | 1 => 0,
            2 => 1,
            _ => self.next() as u16,
        }
    }

    /// An address that begins like one of `starts`, for a random number of hextets.
    fn near(&mut self, starts: &[Ipv6Addr]) -> Address {
        let start = starts[self.next() as usize % starts.len()].segments();
        let same = 2 + self.next() as usize % 4;
        let hextets = std::array::from_fn(|i| if i < same { start[i] } else { self.hextet() });
        IpAddr::V6(Ipv6Addr::from(hextets)).into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_banned_prefixes_are_refused() {
    let banned = [
        "2001:db8:1:2::/64",
        "2001:db8::/64",
        "2001:db8:2::/48",
        "2001:dba::/48",
        "2001:db9::/32",
        "2001:dbb:1::/64",
        "2001:dbc:0:1::/64",
        "2001:dbd:5:6:7::9",
        "2001:dbd::8",
        "::1.2.3.4",
        "64:ff9b::102:304",
        "2001:0:1::/48",
        "192.0.2.1",
        "198.51.100.0/24",
        "10.20.0.0/16",
        "11.0.0.0/8",
        "203.0.113.64/28",
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::of(vec![map_in(&directory)]);
    world.ban(&banned);
    let apache = Apache::start(directory.path(), &world.settings[0]).await;
    world.start(&[]);
    let report = world.reaches(State::Verified, 2).await;
    assert_eq!(report.left_out, 0);
    let banned = prefixes(&banned);
    let starts: Vec<Ipv6Addr> = banned
        .iter()
        .filter_map(|prefix| match prefix.first().ip() {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        })
        .collect();
    let (mut random, mut connection) = (Random(7), Connection::to(apache.port));
    let mut seen = [0, 0];
    for n in 0..1500 {
        let client = if n % 4 == 0 {
            let first = banned[n % banned.len()].first().ip();
            let low = random.next() as u32;
            match first {
                IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() ^ low >> (n % 32))).into(),
                IpAddr::V6(_) => first.into(),
            }
        } else {
            random.near(&starts)
        };
        if client.is_loopback() {
            continue;
        }
        let is_banned = banned.iter().any(|prefix| prefix.contains(client));
        seen[usize::from(is_banned)] += 1;
        assert_eq!(connection.status(client) == 403, is_banned, "{client}");
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
}

/// An `HAProxy` in front of a server, with the snippet in its frontend.
struct HaProxy(Child);

impl Drop for HaProxy {
    fn drop(&mut self) {
        end(self.0.id() as i32, Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_haproxy_nobody_speaks_for_another_client() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::of(vec![map_in(&directory)]);
    let apache = Apache::start(directory.path(), &world.settings[0]).await;
    let rules = section(&snippet(&world.settings[0], &[]), "HAProxy");
    let port = free_port();
    let configuration = format!(
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n\
         frontend in\n    bind 127.0.0.1:{port}\n{rules}    default_backend web\n\
         backend web\n    server one 127.0.0.1:{}\n",
        apache.port
    );
    let path = directory.path().join("haproxy.cfg");
    write(&path, &configuration);
    let child = Command::new("haproxy").arg("-q").arg("-db").arg("-f").arg(&path).spawn();
    let _haproxy = HaProxy(child.expect("haproxy is installed"));
    until("HAProxy listens", || is_open(port)).await;
    world.start(&[]);
    let generation = world.ban(&["192.0.2.1"]);
    world.reaches(State::Verified, generation).await;
    assert!(apache.refuses("192.0.2.1"));
    assert!(!matches!(status(port, "192.0.2.1"), Some(403)), "a header of the client's counts for nothing");
    assert!(read(&directory.path().join("error.log")).lines().all(|line| !line.contains("AH00661")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenged_client_gets_another_answer_and_a_banned_one_403() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::of(vec![map_in(&directory)]);
    let apache = Apache::start(directory.path(), &world.settings[0]).await;
    world.start(&[]);
    let generation = world.change(
        |bans| {
            bans.prefixes = prefixes(&["192.0.2.0/28", "198.51.100.7", "2001:db8:0:0::/64"]);
            bans.challenged = prefixes(&["192.0.2.3", "198.51.100.0/24", "2001:db8::/48"]);
        },
        false,
    );
    world.reaches(State::Verified, generation).await;
    for client in ["192.0.2.3", "192.0.2.9", "198.51.100.7", "2001:db8::5"] {
        until(&format!("{client} is refused"), || status(apache.port, client) == Some(403)).await;
    }
    for client in ["198.51.100.8", "2001:db8:0:7::7"] {
        assert_eq!(status(apache.port, client), Some(429), "{client}");
    }
    for client in ["192.0.2.16", "198.51.101.1", "2001:db8:1::7"] {
        assert!(matches!(status(apache.port, client), Some(200 | 404)), "{client}");
    }
    world.stop().await;
}
