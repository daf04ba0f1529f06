//! A day of log lines that is written line by line: everything in it follows from one seed.

use std::collections::BTreeMap;

use crate::harness::Place;

/// Milliseconds since midnight.
pub(super) type Clock = u32;
pub(super) const SECOND: Clock = 1000;
pub(super) const MINUTE: Clock = 60 * SECOND;
pub(super) const HOUR: Clock = 60 * MINUTE;

/// Which log a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Log {
    Access,
    Haproxy,
    NginxError,
    ApacheError,
    Nextcloud,
    Vaultwarden,
    Gitea,
    Grafana,
    Roundcube,
}

impl Log {
    pub(super) const ALL: [Self; 9] = [
        Self::Access,
        Self::Haproxy,
        Self::NginxError,
        Self::ApacheError,
        Self::Nextcloud,
        Self::Vaultwarden,
        Self::Gitea,
        Self::Grafana,
        Self::Roundcube,
    ];

    /// The name of its source, and of its file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Haproxy => "haproxy",
            Self::NginxError => "nginx-error",
            Self::ApacheError => "apache-error",
            Self::Nextcloud => "nextcloud",
            Self::Vaultwarden => "vaultwarden",
            Self::Gitea => "gitea",
            Self::Grafana => "grafana",
            Self::Roundcube => "roundcube",
        }
    }

    /// Applications' logs have no fields.
    pub(super) fn is_raw(self) -> bool {
        self >= Self::Nextcloud
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(limit)) as u32
    }

    pub(super) fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u32) as usize]
    }
}

/// Who makes a request, as a log has it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) address: String,
    pub(super) user: &'static str,
    pub(super) referer: String,
    pub(super) agent: String,
}

impl Client {
    /// A program, which names no page that it comes from.
    pub(super) fn new(address: &str, agent: &str) -> Self {
        Self { address: address.to_owned(), user: "-", referer: "-".to_owned(), agent: agent.to_owned() }
    }

    /// The same with a user's name in the log.
    pub(super) fn named(&self, user: &'static str) -> Self {
        Self { user, ..self.clone() }
    }

    pub(super) fn coming_from(&self, referer: &str) -> Self {
        Self { referer: referer.to_owned(), ..self.clone() }
    }
}

pub(super) const BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
];

/// The lines of a day, in no order.
pub(super) struct Day {
    pub(super) random: Random,
    lines: BTreeMap<Log, Vec<(Clock, String)>>,
    given: u32,
}

impl Day {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random(seed), lines: BTreeMap::new(), given: 0 }
    }

    /// An address that nobody had before; some of them are neighbours. One in eight is IPv6.
    pub(super) fn address(&mut self) -> String {
        self.given += 1;
        let (n, own) = (self.given, self.random.below(250) + 1);
        if n.is_multiple_of(8) {
            return format!("2a02:8071:{:x}:{:x}::{own:x}", n / 40 + 0x100, n % 0xfff0);
        }
        format!("{}.{}.{}.{}", 80 + n % 7, n / 2000 + 16, n % 2000 / 8, n % 8 * 30 + own % 30)
    }

    /// Somebody with a browser, who comes from a page of ours.
    pub(super) fn person(&mut self) -> Client {
        let agent = self.random.pick(&BROWSERS);
        Client::new(&self.address(), agent).coming_from("https://www.shop.example/")
    }

    pub(super) fn program(&mut self, agent: &str) -> Client {
        Client::new(&self.address(), agent)
    }

    /// A moment when people are awake.
    pub(super) fn moment(&mut self) -> Clock {
        6 * HOUR + self.random.below(15 * HOUR)
    }

    /// A line of any log.
    pub(super) fn write(&mut self, log: Log, at: Clock, line: String) {
        assert!(at < 24 * HOUR, "{line}");
        self.lines.entry(log).or_default().push((at, line));
    }

    /// A request whose line is `METHOD TARGET`, answered so.
    pub(super) fn ask(&mut self, client: &Client, at: Clock, request: &str, status: u16) {
        let protocol = if client.agent.starts_with("Mozilla/") { "HTTP/2.0" } else { "HTTP/1.1" };
        self.say(client, at, &format!("{request} {protocol}"), status);
    }

    /// Anything that stands where the request does.
    pub(super) fn say(&mut self, client: &Client, at: Clock, request: &str, status: u16) {
        let Client { address, user, referer, agent } = client;
        let bytes = if status == 304 || status == 499 { 0 } else { 153 + self.random.below(9000) };
        let stamp = stamp(at);
        let line = format!(
            "{address} - {user} [01/May/2026:{stamp} +0000] \"{request}\" {status} {bytes} \"{referer}\" \"{agent}\"\n"
        );
        self.write(Log::Access, at, line);
    }

    /// Each of these, so long apart.
    pub(super) fn ask_each<'r>(
        &mut self,
        client: &Client,
        at: Clock,
        pause: Clock,
        requests: impl IntoIterator<Item = (&'r str, u16)>,
    ) {
        for (n, (request, status)) in requests.into_iter().enumerate() {
            self.ask(client, at + n as Clock * pause, request, status);
        }
    }

    /// Writes all logs, each in the order of its times; returns how many lines there are.
    pub(super) fn save(mut self, place: &Place) -> usize {
        let mut count = 0;
        for log in Log::ALL {
            let mut lines = self.lines.remove(&log).unwrap_or_default();
            lines.sort_by_key(|(at, _)| *at);
            count += lines.len();
            let text: String = lines.into_iter().map(|(_, line)| line).collect();
            place.write(&format!("{}.log", log.name()), &text);
        }
        count
    }
}

/// `HH:MM:SS`.
pub(super) fn stamp(at: Clock) -> String {
    format!("{:02}:{:02}:{:02}", at / HOUR, at / MINUTE % 60, at / SECOND % 60)
}
