//! Hostile requests to real servers with their default log formats, judged by what banmap makes of the logs.
//!
//! The oracle knows what was sent, from whom, and how the server answered; it never looks at a log. Every offence has
//! to be counted for the address that made it, and nobody else may have one.

mod list;
mod live;
mod oracle;
mod requests;
mod sites;
mod spellings;
mod whole;
mod wire;

use std::net::{IpAddr, Ipv4Addr};

use oracle::Exchange;
use requests::{Hostile, client, peer};
use sites::Site;

use crate::harness::Haproxy;

/// Sends each request on a connection of its own, for a client of its own: the `first`-th and those after it.
fn send_all(site: &Site, first: u16, requests: Vec<Hostile>) -> Vec<Exchange> {
    let send = |(n, hostile): (u16, Hostile)| {
        let (client, peer) = (client(n), peer(n));
        let bytes = hostile.bytes(client, true);
        let answers = wire::exchange(peer, site.port(), &bytes, hostile.half_closes());
        let answer = answers.into_iter().next().unwrap_or_else(wire::Answer::none);
        exchange(site, hostile, client, peer, answer)
    };
    (first..).zip(requests).map(send).collect()
}

/// The same through `HAProxy`, which appends the client to what it says itself in X-Forwarded-For. What `HAProxy`
/// answers without asking the server behind it is left out.
fn send_all_through(haproxy: &Haproxy, site: &Site, requests: Vec<Hostile>) -> Vec<Exchange> {
    let send = |(n, hostile): (u16, Hostile)| {
        let client = client(n);
        let bytes = hostile.bytes_to_proxy(client);
        let answers = wire::exchange(Ipv4Addr::LOCALHOST, haproxy.port(), &bytes, hostile.half_closes());
        // Apache answers OPTIONS * without any of its headers.
        let of_server = |answer: &wire::Answer| answer.client.is_some() || answer.status == Some(200);
        let answer = answers.into_iter().next().filter(of_server)?;
        Some(exchange(site, hostile, client, Ipv4Addr::LOCALHOST, answer))
    };
    (1..).zip(requests).filter_map(send).collect()
}

/// A server that refuses a request before it looks at X-Forwarded-For knows the connection's address only.
fn exchange(site: &Site, hostile: Hostile, client: IpAddr, peer: Ipv4Addr, answer: wire::Answer) -> Exchange {
    let from = answer.client.unwrap_or(IpAddr::V4(peer));
    assert!(
        from == client || from == IpAddr::V4(peer),
        "{}: a server took {from} for {client}",
        hostile.name
    );
    Exchange { hostile, brand: site.brand(), from, answer }
}
