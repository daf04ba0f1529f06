//! What stands in front of a message of the journal where raw patterns read it: host, program and process, as fail2ban's
//! systemd backend writes them (`formatJournalEntry`), and as a log file has them behind the time.

/// Who logged an entry; what the journal does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// `_HOSTNAME`.
    pub(super) host: Vec<u8>,
    /// `SYSLOG_IDENTIFIER`: what the program calls itself.
    pub(super) identifier: Vec<u8>,
    /// `_COMM`: what the kernel calls it.
    pub(super) command: Vec<u8>,
    /// `SYSLOG_PID`, and `_PID`.
    pub(super) own_process: Vec<u8>,
    pub(super) process: Vec<u8>,
    /// `_SOURCE_MONOTONIC_TIMESTAMP`, and `__MONOTONIC_TIMESTAMP`: microseconds since the boot.
    pub(super) own_uptime: Vec<u8>,
    pub(super) uptime: Vec<u8>,
}

/// The fields that it is made of; the journal gives the other one, and each entry's time and place, unasked.
pub(super) const FIELDS: &str =
    "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,_SOURCE_MONOTONIC_TIMESTAMP";

impl Origin {
    /// The place of a field; `None` where it is none of these.
    pub(super) fn field(&mut self, name: &[u8]) -> Option<&mut Vec<u8>> {
        Some(match name {
            b"_HOSTNAME" => &mut self.host,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_COMM" => &mut self.command,
            b"SYSLOG_PID" => &mut self.own_process,
            b"_PID" => &mut self.process,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => &mut self.own_uptime,
            b"__MONOTONIC_TIMESTAMP" => &mut self.uptime,
            _ => return None,
        })
    }

    /// The message with all of it in front.
    pub(super) fn line(&self, message: &[u8]) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.host.len() + self.identifier.len() + message.len() + 32);
        if !self.host.is_empty() {
            line.extend_from_slice(&self.host);
            line.push(b' ');
        }
        let program = first(&self.identifier, &self.command);
        if !program.is_empty() {
            line.extend_from_slice(program);
            let process = first(&self.own_process, &self.process);
            if !process.is_empty() {
                line.extend([b"[", process, b"]"].concat());
            }
            line.extend_from_slice(b": ");
            if program == b"kernel" && process.is_empty() {
                line.extend(self.since_boot().into_bytes());
            }
        }
        line.extend_from_slice(message);
        line
    }

    fn since_boot(&self) -> String {
        let micros = std::str::from_utf8(first(&self.own_uptime, &self.uptime)).ok();
        let micros: u64 = micros.and_then(|micros| micros.parse().ok()).unwrap_or_default();
        format!("[{:5}.{:06}] ", micros / 1_000_000, micros % 1_000_000)
    }
}

fn first<'a>(one: &'a [u8], other: &'a [u8]) -> &'a [u8] {
    if one.is_empty() { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `formatJournalEntry` of fail2ban 1.0.2 writes them.
    #[test]
    fn lines_are_those_of_fail2ban() {
        for (fields, expected) in [
            (&[][..], "text"),
            (&[("_HOSTNAME", "web")], "web text"),
            (&[("SYSLOG_IDENTIFIER", "sshd"), ("_COMM", "x"), ("_PID", "7")], "sshd[7]: text"),
            (
                &[("_HOSTNAME", "web"), ("_COMM", "sshd"), ("SYSLOG_PID", "8"), ("_PID", "7")],
                "web sshd[8]: text",
            ),
            (&[("_HOSTNAME", "web"), ("SYSLOG_IDENTIFIER", "cron")], "web cron: text"),
            (
                &[
                    ("SYSLOG_IDENTIFIER", "kernel"),
                    ("_SOURCE_MONOTONIC_TIMESTAMP", "1234567"),
                    ("__MONOTONIC_TIMESTAMP", "9"),
                ],
                "kernel: [    1.234567] text",
            ),
            (
                &[("SYSLOG_IDENTIFIER", "kernel"), ("__MONOTONIC_TIMESTAMP", "123456000009")],
                "kernel: [123456.000009] text",
            ),
        ] {
            let mut origin = Origin::default();
            for (name, value) in fields {
                value.as_bytes().clone_into(origin.field(name.as_bytes()).unwrap());
            }
            assert_eq!(String::from_utf8(origin.line(b"text")).unwrap(), expected);
        }
        assert_eq!(Origin::default().field(b"MESSAGE"), None);
    }
}
