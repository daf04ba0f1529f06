//! The filters that are embedded in the binary.

/// A shipped filter: its name and its TOML text.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The name that a jail uses; none of fail2ban's.
    pub name: &'static str,
    /// The text of `templates/filters/NAME.toml`.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../templates/filters/", $name, ".toml")) }),*]
    };
}

/// All shipped filters, sorted by name.
pub const SHIPPED: &[Shipped] = shipped![
    "ai-crawlers",
    "bad-bots",
    "bad-request",
    "expensive-paths",
    "exploit-requests",
    "fake-crawlers",
    "gitea-login",
    "grafana-login",
    "haproxy-badrequest",
    "haproxy-noserver",
    "http-auth",
    "http-errors",
    "injection-probes",
    "login-posts",
    "modsecurity-denied",
    "nextcloud-login",
    "nginx-denied",
    "nginx-limits",
    "probe-paths",
    "roundcube-login",
    "seo-bots",
    "trap",
    "user-enumeration",
    "vaultwarden-login",
    "wordpress-login",
    "wordpress-xmlrpc",
];

impl Shipped {
    /// The filter of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        let at = SHIPPED.binary_search_by(|shipped| shipped.name.cmp(name)).ok()?;
        SHIPPED.get(at)
    }
}
