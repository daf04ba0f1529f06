//! Ports on loopback that nobody else is given while the tests run.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below it are the ports of services.
const LOWEST: u16 = 10_000;

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A port that is free for TCP and UDP, each time another one.
///
/// It lies below those that the kernel hands out by itself to whoever connects, or binds to port 0: one of these may be
/// somebody else's before a server has bound it.
pub(crate) fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let above = range.split_whitespace().next().and_then(|first| first.parse::<u16>().ok()).unwrap_or(32_768);
    let room = above.saturating_sub(LOWEST);
    if room < 1_000 {
        return TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    }
    // Another run of the tests beside this one begins elsewhere.
    let begin = (std::process::id() * 97 % u32::from(room)) as u16;
    let candidates = std::iter::repeat_with(|| {
        LOWEST
            + ((u32::from(begin) + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed))) % u32::from(room)) as u16
    });
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    candidates.take(usize::from(room)).find(is_free).expect("some port below the kernel's is free")
}
