//! Whether an address belongs to whom it says: its name must lie in a known domain, and that name must lead back to it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{self, Data, Kind, Reply, question, reply, reverse};
use crate::address::Address;

/// How long one server may take for one answer, and how often all are asked.
const EACH: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Of an address with many names so many are looked at.
const NAMES: usize = 4;
/// As many servers of `resolv.conf` as the C library takes.
const SERVERS: usize = 3;

/// Asks DNS servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Those that are asked; none: those of `/etc/resolv.conf`, read again for each address.
    servers: Vec<SocketAddr>,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To the domain, by this name.
    Yes(Arc<str>),
    /// It has no name there that leads back to it.
    No,
    /// No server gave an answer in time.
    Unknown,
}

impl Resolver {
    /// One that asks these; with none, the system's.
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers }
    }

    /// Whether an address has a name in one of these domains that leads back to it. Takes 10 s at most.
    pub async fn belongs(&self, address: Address, domains: &[&str]) -> Belongs {
        let looked = timeout(WITHIN, self.look(address.ip(), domains)).await;
        looked.unwrap_or(Ok(Belongs::Unknown)).unwrap_or(Belongs::Unknown)
    }

    async fn look(&self, address: IpAddr, domains: &[&str]) -> io::Result<Belongs> {
        let servers = if self.servers.is_empty() { system_servers() } else { self.servers.clone() };
        let names = ask(&servers, &reverse(address), Kind::Ptr).await?;
        let names = names.into_iter().filter_map(|data| match data {
            Data::Name(name) => Some(name),
            Data::Address(_) | Data::Alias(_) => None,
        });
        let forward = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
        for name in names.filter(|name| lies_in(name, domains)).take(NAMES) {
            if ask(&servers, &name, forward).await?.contains(&Data::Address(address)) {
                return Ok(Belongs::Yes(name.into()));
            }
        }
        Ok(Belongs::No)
    }
}

/// Whether a name is a domain of these, or lies in one.
fn lies_in(name: &str, domains: &[&str]) -> bool {
    let within =
        |domain: &&str| name.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    domains.iter().any(within)
}

/// The servers that `/etc/resolv.conf` names; as the C library has it, this machine where it names none.
fn system_servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let named = servers_in(&text);
    if named.is_empty() { vec![(IpAddr::from([127, 0, 0, 1]), 53).into()] } else { named }
}

fn servers_in(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let address = line.trim_start().strip_prefix("nameserver")?;
        let address = address.strip_prefix([' ', '\t'])?.split_whitespace().next()?;
        Some(SocketAddr::from((address.parse::<IpAddr>().ok()?, 53)))
    };
    text.lines().filter_map(server).take(SERVERS).collect()
}

/// What a name has. That there is no such name is an answer; a server that fails or says nothing gives none.
async fn ask(servers: &[SocketAddr], name: &str, kind: Kind) -> io::Result<Vec<Data>> {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        let Ok(Ok(found)) = timeout(EACH, ask_one(*server, name, kind)).await else { continue };
        match found.code {
            NO_ERROR => return Ok(found.data(name)),
            NO_SUCH_NAME => return Ok(Vec::new()),
            _ => {}
        }
    }
    Err(io::Error::other("no server answers"))
}

async fn ask_one(server: SocketAddr, name: &str, kind: Kind) -> io::Result<Reply> {
    // Nobody who does not see the question can forge its answer: its number and its port are chance.
    let id = RandomState::new().hash_one(name) as u16;
    let asked = question(id, name, kind).ok_or_else(|| io::Error::other("no name"))?;
    let local: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(server).await?;
    socket.send(&asked).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let Some(found) = reply(buffer.get(..length).unwrap_or_default(), id, name, kind) else { continue };
        return if found.truncated { ask_at_length(server, &asked, id, name, kind).await } else { Ok(found) };
    }
}

/// The same over TCP, where an answer may be long (RFC 1035, 4.2.2).
async fn ask_at_length(
    server: SocketAddr,
    asked: &[u8],
    id: u16,
    name: &str,
    kind: Kind,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), asked].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    message::reply(&answer, id, name, kind).ok_or_else(|| io::Error::other("an answer to something else"))
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{answer, wire};
    use super::*;

    /// A server on loopback that knows these names, for one test. What it does not know does not exist; `silent` gets no
    /// answer, `failing` a failure, `long` is answered over TCP alone.
    async fn server(known: &'static [(&'static str, u16, &'static str)]) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = &buffer[..length];
                if !holds(asked, "silent") {
                    let mut reply = respond(asked, known);
                    if holds(asked, "long") {
                        reply = answer(asked, 0, &[]);
                        reply[2] |= 2;
                    }
                    socket
                        .send_to(&answer(&question(1, "forged.example", Kind::A).unwrap(), 0, &[]), from)
                        .await
                        .unwrap();
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut asked).await.unwrap();
                let reply = respond(&asked, known);
                stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).await.unwrap();
            }
        });
        address
    }

    fn holds(asked: &[u8], label: &str) -> bool {
        asked.windows(label.len()).any(|part| part == label.as_bytes())
    }

    fn respond(asked: &[u8], known: &[(&str, u16, &str)]) -> Vec<u8> {
        if holds(asked, "failing") {
            return answer(asked, 2, &[]);
        }
        let (name, kind) = (&asked[12..asked.len() - 4], asked[asked.len() - 3]);
        let ours = known.iter().filter(|(owner, its, _)| wire(owner) == name && *its == u16::from(kind));
        let data = |text: &str| match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Ok(IpAddr::V6(v6)) => v6.octets().to_vec(),
            Err(_) => wire(text),
        };
        let records: Vec<_> = ours.map(|(_, kind, text)| (*kind, data(text))).collect();
        let exists = known.iter().any(|(owner, ..)| wire(owner) == name);
        answer(asked, if exists { 0 } else { 3 }, &records)
    }

    const KNOWN: &[(&str, u16, &str)] = &[
        ("1.2.0.192.in-addr.arpa", 12, "crawl-1.bot.example"),
        ("crawl-1.bot.example", 1, "192.0.2.99"),
        ("crawl-1.bot.example", 1, "192.0.2.1"),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", 12, "long.bot.example"),
        ("long.bot.example", 28, "2001:db8::1"),
        // Who only says so: a name of theirs, a name that does not lead back, and one that only ends alike.
        ("2.2.0.192.in-addr.arpa", 12, "host.evil.example"),
        ("3.2.0.192.in-addr.arpa", 12, "crawl-1.bot.example"),
        ("4.2.0.192.in-addr.arpa", 12, "evilbot.example"),
        ("evilbot.example", 1, "192.0.2.4"),
        ("5.2.0.192.in-addr.arpa", 12, "silent.bot.example"),
        ("6.2.0.192.in-addr.arpa", 12, "failing.bot.example"),
    ];

    #[tokio::test]
    async fn a_name_that_leads_back_confirms_and_nothing_else_does() {
        let resolver = Resolver::new(vec![server(KNOWN).await]);
        for (address, expected) in [
            ("192.0.2.1", Belongs::Yes("crawl-1.bot.example".into())),
            ("2001:db8::1", Belongs::Yes("long.bot.example".into())),
            ("192.0.2.2", Belongs::No),
            ("192.0.2.3", Belongs::No),
            ("192.0.2.4", Belongs::No),
            ("192.0.2.200", Belongs::No),
            ("192.0.2.6", Belongs::Unknown),
            ("192.0.2.5", Belongs::Unknown),
        ] {
            assert_eq!(
                resolver.belongs(address.parse().unwrap(), &["bot.example"]).await,
                expected,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn the_next_server_is_asked_where_one_fails() {
        // Nobody listens there.
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let resolver = Resolver::new(vec![closed, server(KNOWN).await]);
        let found = resolver.belongs("192.0.2.1".parse().unwrap(), &["bot.example"]).await;
        assert_eq!(found, Belongs::Yes("crawl-1.bot.example".into()));
    }

    #[test]
    fn servers_of_the_system() {
        let text = "# nameserver 192.0.2.9\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 \nnameserverx 1\nsearch example\n";
        assert_eq!(
            servers_in(text),
            ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()]
        );
    }
}
