//! Where the operator is logged in from by SSH: nobody means to shut out themselves.

use std::env;
use std::ffi::OsString;
use std::net::IpAddr;

use crate::os::process;

/// What sshd sets for those who log in: `CLIENT PORT SERVER PORT`, and the older `CLIENT PORT PORT` (ssh(1)).
const VARIABLES: [&str; 2] = ["SSH_CONNECTION", "SSH_CLIENT"];

/// The address of the SSH client that this command was typed at; `None` where there is none, or it cannot be seen.
///
/// `sudo` and `su -` take the variables away from the command, but not from the shell that they were typed in: as root
/// we may look there.
pub(super) fn address() -> Option<IpAddr> {
    let ours = VARIABLES.iter().find_map(|name| client(&env::var_os(name)?.into_encoded_bytes()));
    ours.or_else(|| process::ancestors().find_map(of_process))
}

fn of_process(pid: i32) -> Option<IpAddr> {
    VARIABLES.iter().find_map(|name| {
        let value: OsString = process::variable(pid, name)?;
        client(value.as_encoded_bytes())
    })
}

/// The first word, without a zone.
fn client(value: &[u8]) -> Option<IpAddr> {
    let first = value.split(|byte| *byte == b' ').next()?;
    crate::address::Address::parse(first).map(crate::address::Address::ip)
}

#[cfg(test)]
mod tests {
    use super::client;

    #[test]
    fn the_client_stands_first() {
        for (value, address) in [
            ("203.0.113.7 50822 192.0.2.1 22", Some("203.0.113.7")),
            ("2001:db8::7 50822 22", Some("2001:db8::7")),
            ("fe80::7%eth0 50822 fe80::1%eth0 22", Some("fe80::7")),
            ("::ffff:203.0.113.7 1 2 3", Some("203.0.113.7")),
            ("UNKNOWN 65535 UNKNOWN 65535", None),
            ("", None),
        ] {
            assert_eq!(client(value.as_bytes()).map(|ip| ip.to_string()).as_deref(), address, "{value}");
        }
    }
}
