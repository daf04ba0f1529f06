//! The addresses of this host: banning one of them would ban ourselves.

use std::net::IpAddr;

/// The addresses of all interfaces, as they are now, loopback's left out; empty where the system does not tell.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| interface.address.as_ref().and_then(read));
    let mut found: Vec<IpAddr> = addresses.filter(|address| !address.is_loopback()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn read(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    let v6 = || address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()));
    v4.or_else(v6)
}
