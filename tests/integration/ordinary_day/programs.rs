//! Programs that mean no harm: monitors, feed readers, crawlers, telephones, git, package tools, tabs left open.

use super::day::{BROWSERS, Client, Clock, Day, HOUR, MINUTE, SECOND};

/// Each minute of the day the same request.
fn monitors(day: &mut Day) {
    let checks = [
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "HEAD /", 200),
        ("kube-probe/1.30", "GET /actuator/health", 503),
        ("Zabbix", "GET /server-status?auto", 200),
        ("check_http/v2.3.3 (monitoring-plugins 2.3.3)", "GET /health", 404),
        ("Blackbox Exporter/0.25.0", "GET /metrics", 403),
    ];
    for (agent, request, status) in checks {
        let who = day.program(agent);
        for n in 0..24 * 60 {
            day.ask(&who, n * MINUTE, request, status);
        }
    }
    // The balancer, which only opens a connection, or asks nothing of interest.
    let balancer = Client::new("10.0.0.5", "-");
    for n in 0..24 * 60 {
        day.say(&balancer, n * MINUTE, "-", 400);
        day.say(&balancer, n * MINUTE + SECOND, "OPTIONS / HTTP/1.0", 200);
    }
}

fn feed_readers(day: &mut Day) {
    for _ in 0..50 {
        let agent = day.random.pick(&[
            "Feedly/1.0 (+http://www.feedly.com/fetcher.html)",
            "FreshRSS/1.24.3",
            "NetNewsWire (RSS Reader)",
            "-",
            "Faraday/2.9 (Ruby 3.3; curl 8.5.0)",
        ]);
        let (who, first) = (day.program(agent), day.random.below(25 * MINUTE));
        for n in 0..48 {
            let status = day.random.pick(&[200, 304, 304, 404]);
            day.ask(&who, first + n * 29 * MINUTE, "GET /feed/", status);
            day.ask(&who, first + n * 29 * MINUTE + 500, "GET /comments/feed/?withoutcomments=1", 404);
        }
    }
}

/// Sixty pages in two minutes, a third of them gone; and the lists that crawlers read first.
fn crawlers(day: &mut Day) {
    let agents = [
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/131.0.6778.85 Safari/537.36",
        "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
        "Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    ];
    for agent in agents.into_iter().cycle().take(25) {
        let (who, at) = (day.program(agent), day.moment());
        let lists = [
            "/robots.txt",
            "/ads.txt",
            "/app-ads.txt",
            "/sitemap.xml",
            "/sitemap_index.xml",
            "/sitemap-posts-1.xml.gz",
            "/llms.txt",
            "/.well-known/security.txt",
            "/humans.txt",
        ];
        for (n, list) in lists.iter().enumerate() {
            day.ask(&who, at + n as Clock * 400, &format!("GET {list}"), 404);
        }
        for n in 0..60 {
            let status = if n % 3 == 0 { 404 } else { 200 };
            day.ask(
                &who,
                at + 5 * SECOND + n * 2 * SECOND,
                &format!("GET /archive/{}/{n}/", at % 97),
                status,
            );
        }
        for page in [
            "/javascript:void(0)",
            "/%7B%7Bitem.image%7D%7D",
            "/img/${item.url}",
            "/undefined",
            "/[object%20Object]",
            "/%22+a+%22",
            "/blog/../img/logo.png",
        ] {
            day.ask(&who, at + 3 * MINUTE, &format!("GET {page}"), 404);
        }
    }
    // They obey: what they are told not to fetch, they only look up.
    for agent in [
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    ] {
        let who = day.program(agent);
        for n in 0..96 {
            day.ask(&who, n * 15 * MINUTE, "GET /robots.txt", 200);
        }
    }
    let who = day.program("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/bot)");
    for n in 0..60 {
        day.ask(&who, 10 * HOUR + n * 5 * SECOND, &format!("GET /blog/{n}"), 200);
    }
}

/// A telephone with last week's password: calendar and contacts, every fifteen minutes, each asked for thrice.
fn telephones(day: &mut Day) {
    for _ in 0..20 {
        let who = day.program("iOS/18.1 (22B83) dataaccessd/1.0").named("bob");
        let first = day.random.below(14 * MINUTE);
        for n in 0..95 {
            for (again, service) in ["calendars", "addressbooks"].iter().cycle().take(6).enumerate() {
                let request = format!("PROPFIND /remote.php/dav/{service}/bob/");
                day.ask(&who, first + n * 15 * MINUTE + again as Clock * SECOND, &request, 401);
            }
        }
    }
}

/// git, `WebDAV` and the like ask without a name first, and look whether a file is there before they write it.
fn working_copies(day: &mut Day) {
    for _ in 0..40 {
        let (git, at) = (day.program("git/2.43.0"), day.moment());
        for n in 0..15 {
            let at = at + n * 20 * SECOND;
            day.ask(&git, at, "GET /alice/repo.git/info/refs?service=git-upload-pack", 401);
            day.ask(
                &git.named("alice"),
                at + 50,
                "GET /alice/repo.git/info/refs?service=git-upload-pack",
                200,
            );
            day.ask(&git.named("alice"), at + 90, "POST /alice/repo.git/git-upload-pack", 200);
            day.ask(&git, at + 120, "POST /alice/repo.git/info/lfs/objects/batch", 401);
        }
        let (dav, at) = (day.program("WebDAVFS/3.0.0 (03008000) Darwin/24.1.0"), day.moment());
        for n in 0..50 {
            let at = at + n * 2 * SECOND;
            day.ask(&dav, at, &format!("PROPFIND /share/Photos-{n}"), 401);
            day.ask(&dav.named("carol"), at + 20, &format!("PROPFIND /share/Photos-{n}/.DS_Store"), 404);
            day.ask(&dav.named("carol"), at + 40, &format!("PROPFIND /share/Photos-{n}/._notes.txt"), 404);
            day.ask(&dav.named("carol"), at + 60, &format!("MKCOL /share/Photos-{n}"), 405);
            day.ask(&dav.named("carol"), at + 80, &format!("PUT /share/Photos-{n}/notes.txt"), 201);
        }
    }
}

/// What is pushed is looked for first; what is built asks every repository; a film's next piece is not there yet.
fn package_tools(day: &mut Day) {
    for _ in 0..15 {
        let at = day.moment();
        let (docker, gradle) =
            (day.program("docker/27.3.1 go/go1.22.7"), day.program("Gradle/8.10 (Linux;6.8.0;amd64)"));
        let (player, gdb) = (day.person(), day.program("elfutils/0.190,Linux/x86_64,debian/12"));
        for n in 0..80 {
            let at = at + n * 300;
            day.ask(&docker, at, &format!("HEAD /v2/team/app/blobs/sha256:{n:064x}"), 404);
            day.ask(&gradle, at, &format!("GET /maven/org/x/lib-{n}/1.{n}/lib-{n}-1.{n}.pom"), 404);
            day.ask(&gradle, at + 1, &format!("GET /maven/org/x/lib-{n}/1.{n}/lib-{n}-1.{n}.jar.sha1"), 404);
            day.ask(&player, at, &format!("GET /live/segment-{n}.m4s"), 404);
            day.ask(&gdb, at, &format!("GET /buildid/{n:040x}/debuginfo"), 404);
        }
    }
    let apt = day.program("Debian APT-HTTP/1.3 (2.6.1)");
    for n in 0..12 {
        day.ask(&apt, 5 * HOUR + n * 200, &format!("GET /debian/pool/main/t/tea-{n}_1.0.orig.tar.gz"), 200);
    }
}

/// Tabs, applications and editors that were left open over night, and repeat what is refused now.
fn left_open(day: &mut Day) {
    let requests = [
        ("POST /api/token/refresh", 401),
        ("POST /login/keep-alive", 403),
        ("POST /api/user/auth-tokens/rotate", 401),
        ("POST /index.php/login/v2/poll", 404),
        ("POST /session/heartbeat", 401),
        ("GET /api/session", 401),
        ("POST /wp-admin/admin-ajax.php", 400),
        ("POST /graphql", 401),
    ];
    for (request, status) in requests {
        for _ in 0..5 {
            let (who, at) = (day.person(), day.random.below(20 * HOUR));
            for n in 0..200 {
                day.ask(&who, at + n * 5 * SECOND, request, status);
            }
        }
    }
    // A folder whose files have no preview; names of people that nobody knows here.
    let cloud = Client::new(&day.address(), BROWSERS[0]);
    for n in 0..120 {
        day.ask(
            &cloud,
            16 * HOUR + n * 50,
            &format!("GET /index.php/core/preview?fileId={n}&x=256&y=256"),
            404,
        );
        day.ask(
            &cloud,
            17 * HOUR + n * 50,
            &format!("GET /_matrix/client/v3/profile/%40u{n}%3Ax.example/avatar_url"),
            404,
        );
    }
}

/// `WordPress`' own services come from ranges that the operator allows; telephones ask less.
fn wordpress(day: &mut Day) {
    let jetpack = Client::new("192.0.101.7", "Jetpack by WordPress.com");
    for n in 0..300 {
        day.ask(&jetpack, 3 * HOUR + n * 2 * SECOND, "POST /xmlrpc.php?for=jetpack&token=x&timestamp=1", 200);
    }
    for _ in 0..15 {
        let (phone, at) = (day.program("wp-iphone/25.5 (iPhone16,2; iOS 18.1)"), day.moment());
        for n in 0..12 {
            day.ask(&phone, at + n * 4 * SECOND, "POST /xmlrpc.php", 200);
        }
    }
}

/// All of them.
pub(super) fn all(day: &mut Day) {
    monitors(day);
    feed_readers(day);
    crawlers(day);
    telephones(day);
    working_copies(day);
    package_tools(day);
    left_open(day);
    wordpress(day);
}
