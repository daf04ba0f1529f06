//! Whether an address belongs to whom it says: its name must lie in a known domain, and that name must lead back to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::time::timeout;

use crate::address::Address;

/// How long servers may take for one answer, before they are asked once more.
const EACH: Duration = Duration::from_millis(1500);
/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Of an address with many names so many are looked at.
const NAMES: usize = 4;
/// So many aliases lead from one name to another.
const ALIASES: usize = 8;
/// As many servers of `resolv.conf` as the C library takes.
const SERVERS: usize = 3;

/// Asks DNS servers.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    /// Those that are asked; none: those of `/etc/resolv.conf`.
    servers: Vec<SocketAddr>,
    /// What asks, once it was needed, with the lines of `resolv.conf` that it goes by. It learns which server is fast.
    asking: Arc<Mutex<Option<(String, TokioResolver)>>>,
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
        Self { servers, asking: Arc::default() }
    }

    /// Whether an address has a name in one of these domains that leads back to it. Takes 5 s at most.
    pub async fn belongs(&self, address: Address, domains: &[&str]) -> Belongs {
        let looked = timeout(WITHIN, self.look(address.ip(), domains)).await;
        looked.unwrap_or(Ok(Belongs::Unknown)).unwrap_or(Belongs::Unknown)
    }

    async fn look(&self, address: IpAddr, domains: &[&str]) -> Result<Belongs, NetError> {
        let resolver = self.asking()?;
        let forward = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        let names = ask(&resolver, address.into(), RecordType::PTR).await?.into_iter();
        let names = names.filter_map(|data| if let RData::PTR(name) = data { Some(name.0) } else { None });
        for name in names.filter(|name| lies_in(name, domains)).take(NAMES) {
            let addresses = ask(&resolver, name.clone(), forward).await?;
            if addresses.iter().any(|data| data.ip_addr() == Some(address)) {
                let name = name.to_lowercase().to_ascii();
                return Ok(Belongs::Yes(name.trim_end_matches('.').into()));
            }
        }
        Ok(Belongs::No)
    }

    /// What asks the servers; that of the system's is made anew where `resolv.conf` names others.
    fn asking(&self) -> Result<TokioResolver, NetError> {
        let lines = if self.servers.is_empty() { system_servers() } else { String::new() };
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, resolver)) = &*asking
            && *known == lines
        {
            return Ok(resolver.clone());
        }
        let servers = if self.servers.is_empty() {
            servers_in(&lines)
        } else {
            self.servers.iter().map(server).collect()
        };
        let resolver = resolver(servers)?;
        *asking = Some((lines, resolver.clone()));
        Ok(resolver)
    }
}

/// Asks for whole names: nothing is appended to them, and no file is looked into. Who asks keeps the answers. As the C
/// library does, it asks without EDNS, which small servers answer wrongly: what is long comes over TCP.
fn resolver(servers: Vec<NameServerConfig>) -> Result<TokioResolver, NetError> {
    let config = ResolverConfig::from_name_servers(servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    (options.timeout, options.attempts) = (EACH, 1);
    options.cache_size = 0;
    options.edns0 = false;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    builder.build()
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut server.connections {
        connection.port = at.port();
    }
    server
}

/// The lines of `/etc/resolv.conf` that name servers. What else it says is about names that are not whole.
fn system_servers() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let lines = text.lines().filter(|line| line.trim_start().starts_with("nameserver"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// As the C library has it, this machine where none is named.
fn servers_in(lines: &str) -> Vec<NameServerConfig> {
    let named = parse_resolv_conf(lines).map(|(config, _)| config.name_servers).unwrap_or_default();
    let own = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
    if named.is_empty() { vec![own] } else { named.into_iter().take(SERVERS).collect() }
}

/// What a name has. That there is no such name is an answer; a server that fails or says nothing gives none.
async fn ask(resolver: &TokioResolver, name: Name, kind: RecordType) -> Result<Vec<RData>, NetError> {
    match resolver.lookup(name.clone(), kind).await {
        Ok(found) => Ok(data(found.answers(), name, kind)),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What `name` has, or the name that it is an alias of. Who owns one name may put records of others beside its own.
fn data(records: &[Record], mut name: Name, kind: RecordType) -> Vec<RData> {
    for _ in 0..ALIASES {
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(alias) if record.name == name => Some(alias.0.clone()),
            _ => None,
        });
        let Some(alias) = alias else { break };
        name = alias;
    }
    let ours = records.iter().filter(|record| record.name == name && record.record_type() == kind);
    ours.map(|record| record.data.clone()).collect()
}

/// Whether a name is a domain of these, or lies in one. Labels are compared: a dot inside of one separates nothing.
fn lies_in(name: &Name, domains: &[&str]) -> bool {
    let holds = |domain: &&str| Name::from_ascii(domain).is_ok_and(|domain| domain.zone_of(name));
    domains.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{CNAME, PTR};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UdpSocket;

    use super::*;

    /// A name, and what it has: an address, a name (of an address), or `= name` for an alias.
    type Known = &'static [(&'static str, &'static str)];

    /// A server on loopback that knows these names, for one test. What it does not know does not exist; `silent` gets no
    /// answer, `failing` a failure, `long` is answered over TCP alone. A forged answer comes before each of its own.
    async fn server(known: Known) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                if asks_for(&asked, "silent") {
                    continue;
                }
                let mut forged = asked.clone().into_response();
                forged.metadata.id = forged.id.wrapping_add(1);
                forged.metadata.response_code = ResponseCode::NXDomain;
                socket.send_to(&forged.to_vec().unwrap(), from).await.unwrap();
                forged.metadata.id = asked.id;
                forged.queries = vec![Query::query(name("forged.example"), RecordType::A)];
                socket.send_to(&forged.to_vec().unwrap(), from).await.unwrap();
                let mut reply = respond(&asked, known);
                if asks_for(&asked, "long") {
                    reply = reply.truncate();
                    reply.metadata.truncation = true;
                }
                socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut asked).await.unwrap();
                let reply = respond(&Message::from_vec(&asked).unwrap(), known).to_vec().unwrap();
                stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).await.unwrap();
            }
        });
        address
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(format!("{text}.")).unwrap()
    }

    fn asks_for(asked: &Message, text: &str) -> bool {
        asked.queries[0].name().to_ascii().contains(text)
    }

    fn respond(asked: &Message, known: Known) -> Message {
        let mut reply = asked.clone().into_response();
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.recursion_available = true;
        let query = &asked.queries[0];
        let ours: Vec<_> = known.iter().filter(|(owner, _)| name(owner) == *query.name()).collect();
        let data = |text: &str| match (text.parse::<IpAddr>(), text.strip_prefix("= ")) {
            (Ok(address), _) => RData::from(address),
            (Err(_), Some(alias)) => RData::CNAME(CNAME(name(alias))),
            (Err(_), None) => RData::PTR(PTR(name(text))),
        };
        let records = ours.iter().map(|(owner, text)| Record::from_rdata(name(owner), 60, data(text)));
        let fits = |record: &Record| [query.query_type(), RecordType::CNAME].contains(&record.record_type());
        reply.add_answers(records.filter(fits));
        // What is said of others in passing is not asked for.
        reply.add_answers([Record::from_rdata(name("other.example"), 60, data("192.0.2.250"))]);
        if asks_for(asked, "failing") {
            reply.answers.clear();
            reply.metadata.response_code = ResponseCode::ServFail;
        } else if ours.is_empty() {
            reply.answers.clear();
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
        reply
    }

    const KNOWN: Known = &[
        ("1.2.0.192.in-addr.arpa", "Crawl-1.Bot.Example"),
        ("crawl-1.bot.example", "192.0.2.99"),
        ("crawl-1.bot.example", "192.0.2.1"),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "long.bot.example"),
        ("long.bot.example", "2001:db8::1"),
        // Zones of less than 256 addresses are delegated by aliases (RFC 2317).
        ("7.2.0.192.in-addr.arpa", "= 7.sub.2.0.192.in-addr.arpa"),
        ("7.sub.2.0.192.in-addr.arpa", "alias.bot.example"),
        ("alias.bot.example", "= crawl-7.bot.example"),
        ("crawl-7.bot.example", "192.0.2.7"),
        // Who only says so: a name of theirs, a name that does not lead back, one that only ends alike, one with a dot
        // inside of a label, and more names than anybody needs.
        ("2.2.0.192.in-addr.arpa", "host.evil.example"),
        ("host.evil.example", "192.0.2.2"),
        ("3.2.0.192.in-addr.arpa", "crawl-1.bot.example"),
        ("4.2.0.192.in-addr.arpa", "evilbot.example"),
        ("evilbot.example", "192.0.2.4"),
        ("5.2.0.192.in-addr.arpa", "silent.bot.example"),
        ("6.2.0.192.in-addr.arpa", "failing.bot.example"),
        ("8.2.0.192.in-addr.arpa", r"x\.bot.example"),
        (r"x\.bot.example", "192.0.2.8"),
        ("9.2.0.192.in-addr.arpa", "a.bot.example"),
        ("9.2.0.192.in-addr.arpa", "b.bot.example"),
        ("9.2.0.192.in-addr.arpa", "c.bot.example"),
        ("9.2.0.192.in-addr.arpa", "d.bot.example"),
        ("9.2.0.192.in-addr.arpa", "e.bot.example"),
        ("e.bot.example", "192.0.2.9"),
        // Round and round.
        ("10.2.0.192.in-addr.arpa", "= 11.2.0.192.in-addr.arpa"),
        ("11.2.0.192.in-addr.arpa", "= 10.2.0.192.in-addr.arpa"),
        ("250.2.0.192.in-addr.arpa", "crawl-1.bot.example"),
    ];

    async fn belongs(resolver: &Resolver, address: &str) -> Belongs {
        resolver.belongs(address.parse().unwrap(), &["bot.example"]).await
    }

    #[tokio::test]
    async fn a_name_that_leads_back_confirms_and_nothing_else_does() {
        let resolver = Resolver::new(vec![server(KNOWN).await]);
        for (address, expected) in [
            ("192.0.2.1", Belongs::Yes("crawl-1.bot.example".into())),
            ("2001:db8::1", Belongs::Yes("long.bot.example".into())),
            ("192.0.2.7", Belongs::Yes("alias.bot.example".into())),
            ("192.0.2.2", Belongs::No),
            ("192.0.2.3", Belongs::No),
            ("192.0.2.4", Belongs::No),
            ("192.0.2.8", Belongs::No),
            ("192.0.2.9", Belongs::No),
            ("192.0.2.10", Belongs::No),
            ("192.0.2.200", Belongs::No),
            ("192.0.2.250", Belongs::No),
            ("192.0.2.6", Belongs::Unknown),
            ("192.0.2.5", Belongs::Unknown),
        ] {
            assert_eq!(belongs(&resolver, address).await, expected, "{address}");
        }
    }

    #[tokio::test]
    async fn the_next_server_is_asked_where_one_fails() {
        // Nobody listens there.
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let resolver = Resolver::new(vec![closed, server(KNOWN).await]);
        assert_eq!(belongs(&resolver, "192.0.2.1").await, Belongs::Yes("crawl-1.bot.example".into()));
    }

    #[tokio::test]
    async fn each_question_is_asked_anew_and_of_many_names_few() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = Resolver::new(vec![socket.local_addr().unwrap()]);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                heard.lock().unwrap().push(question.queries[0].name().to_ascii());
                socket.send_to(&respond(&question, KNOWN).to_vec().unwrap(), from).await.unwrap();
            }
        });
        for _ in 0..2 {
            assert_eq!(belongs(&resolver, "192.0.2.9").await, Belongs::No);
        }
        let asked = asked.lock().unwrap().clone();
        let names: Vec<&str> = asked.iter().map(|name| name.trim_end_matches(".bot.example.")).collect();
        let once = ["9.2.0.192.in-addr.arpa.", "a", "b", "c", "d"];
        assert_eq!(names, [once, once].concat());
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_none() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = Resolver::new(vec![socket.local_addr().unwrap()]);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let mut reply = respond(&asked, KNOWN).to_vec().unwrap();
                reply.truncate(reply.len() - 3);
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        assert_eq!(belongs(&resolver, "192.0.2.1").await, Belongs::Unknown);
    }

    #[test]
    fn servers_of_the_system() {
        let ips = |lines: &str| servers_in(lines).iter().map(|server| server.ip).collect::<Vec<_>>();
        let text = "nameserver 192.0.2.53\nnameserver\t2001:db8::53 \nnameserverx 1\nnameserver x\n";
        assert_eq!(ips(text), ["192.0.2.53".parse::<IpAddr>().unwrap(), "2001:db8::53".parse().unwrap()]);
        assert_eq!(ips(""), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(ips(&"nameserver 192.0.2.1\n".repeat(5)).len(), 3);
    }
}
