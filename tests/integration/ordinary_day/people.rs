//! People: they read, search, buy, mistype their passwords, and share addresses.

use super::day::{Client, Clock, Day, HOUR, MINUTE, SECOND};

const PAGES: [&str; 14] = [
    "/",
    "/blog/",
    "/blog/2026/04/spring/",
    "/about/",
    "/shop/?page=2",
    "/product/kettle/?attribute_pa_size=l&utm_source=news&fbclid=IwAR0x-9_y",
    "/product/tea-pot/",
    "/cart/?add-to-cart=812&quantity=2",
    "/kategorie/k%C3%BCche/t%C3%B6pfe/",
    "/shop;jsessionid=0A1B2C?sort=price;desc",
    "/list?fields=id|name|price&sort=-price&filter%5Bbrand%5D=acme",
    "/callback?code=4%2F0AX4-x_y&state=a%7Cb%3D%3D&scope=openid%20email",
    "/page?next=../list&return=https%3A%2F%2Fwww.shop.example%2Fcart%3Fa%3D1%26b%3D2",
    "/api/items?filter=%7B%22price%22%3A%7B%22%24gt%22%3A5%7D%7D&select=name",
];

/// What a page of a theme that has lost some files brings along.
fn page(day: &mut Day, who: &Client, at: Clock, assets: u32) {
    let page = day.random.pick(&PAGES);
    let status = day.random.pick(&[200, 200, 200, 200, 304, 301, 200, 200, 499, 503]);
    day.ask(who, at, &format!("GET {page}"), status);
    for n in 0..assets {
        let name = match n % 5 {
            0 => format!("/wp-content/themes/plain/part-{n}.css?ver=2.4"),
            1 => format!("/assets/chunk-{n}.9f31.js"),
            2 => format!("/fonts/text-{n}.woff2"),
            _ => format!("/media/2026/04/picture-{n}-1600x900.webp"),
        };
        let status = day.random.pick(&[200, 200, 304, 304, 200, 404, 403]);
        day.ask(who, at + 200 + n * 20, &format!("GET {name}"), status);
    }
}

/// Reads some pages. Icons, source maps and pictures are missing, and now and then an address is an old one.
fn read(day: &mut Day) {
    let (who, mut at) = (day.person(), day.moment());
    let heavy = day.random.one_in(20);
    let icons = ["/favicon.ico", "/apple-touch-icon-120x120-precomposed.png", "/apple-touch-icon.png"];
    for (n, icon) in icons.into_iter().chain(["/site.webmanifest", "/browserconfig.xml"]).enumerate() {
        day.ask(&who, at + 900 + n as Clock, &format!("GET {icon}"), 404);
    }
    for n in 0..=day.random.below(7) {
        let assets = if heavy { 80 } else { 4 + day.random.below(30) };
        page(day, &who, at, assets);
        if day.random.one_in(4) {
            day.ask(&who, at + 2500, &format!("GET /old/page-{n}/"), 404);
        }
        at += 3 * SECOND + day.random.below(90 * SECOND);
    }
}

/// An hour in which the application was slow: requests given up (499) and refused (503), each page tried again and again.
fn slow_backend(day: &mut Day) {
    for _ in 0..150 {
        let who = day.person();
        let at = 14 * HOUR + day.random.below(50 * MINUTE);
        for n in 0..40 {
            let status = day.random.pick(&[499, 503, 499, 502, 504]);
            day.ask(&who, at + n * 2 * SECOND, &format!("GET /checkout/step-{}?try={n}", n % 7), status);
        }
    }
}

/// The wrong password once to three times, then the right one, in the way of several applications.
fn mistyped(day: &mut Day) {
    let forms = [
        ("POST /wp-login.php", 200, 302),
        ("POST /blog/wp-login.php?redirect_to=%2Fblog%2Fwp-admin%2F", 200, 302),
        ("POST /users/sign_in", 422, 303),
        ("POST /api/v1/auth/login", 401, 200),
        ("POST /session", 422, 302),
        ("POST /login", 403, 302),
        ("POST /_matrix/client/v3/login", 403, 200),
    ];
    for form in forms.iter().cycle().take(140) {
        let (who, at) = (day.person(), day.moment());
        let wrong = 1 + day.random.below(3);
        for n in 0..wrong {
            day.ask(&who, at + n * 15 * SECOND, form.0, form.1);
        }
        day.ask(&who, at + wrong * 15 * SECOND, form.0, form.2);
    }
    for _ in 0..30 {
        let (who, at) = (day.person(), day.moment());
        day.ask(&who, at, "GET /private/", 401);
        for n in 1..4 {
            day.ask(&who.named("alice"), at + n * 9 * SECOND, "GET /private/", 401);
        }
        for n in 4..30 {
            day.ask(&who.named("alice"), at + n * 9 * SECOND, "GET /private/report", 200);
        }
    }
}

/// Authors of a `WordPress` site: a second factor answers 200 to a right password, forms that are no log-in answer so too, and
/// the editor asks for authors with each letter that is typed.
fn authors(day: &mut Day) {
    for _ in 0..25 {
        let (who, at) = (day.person(), day.moment());
        let who = who.coming_from("https://www.shop.example/wp-admin/post-new.php");
        day.ask_each(
            &who,
            at,
            8 * SECOND,
            [
                ("GET /wp-login.php?redirect_to=https%3A%2F%2Fwww.shop.example%2Fwp-admin%2F&reauth=1", 200),
                ("POST /wp-login.php?action=lostpassword", 200),
                ("POST /wp-login.php?action=lostpassword", 302),
                ("POST /wp-login.php", 200),
                ("POST /wp-login.php?action=validate_2fa", 200),
                ("POST /wp-login.php?action=validate_2fa", 302),
                ("GET /wp-json/wp/v2/users/me?context=edit&_locale=user", 200),
                ("GET /?author=1", 301),
            ],
        );
        for n in 1..=9 {
            let typed = &"alice-liddell"[..n];
            let list = format!(
                "GET /wp-json/wp/v2/users?context=view&per_page=50&search={typed}&capabilities=edit_posts&_locale=user"
            );
            day.ask(&who, at + MINUTE + n as Clock * 400, &list, 200);
        }
        for n in 0..60 {
            day.ask(&who, at + 2 * MINUTE + n * 15 * SECOND, "POST /wp-admin/admin-ajax.php", 200);
        }
    }
}

/// What people look for, as they write it.
const SEARCHES: [&str; 40] = [
    "select+a+union+flag",
    "trade+union+selection",
    "rock+%27n%27+roll",
    "o%27brien+or+smith",
    "catch+22+or+1984",
    "%22exact+words%22+and+more",
    "%22harry+potter%22+or+books+like+it",
    "%22pride+and+prejudice%22+or+films+like+that",
    "sleep+(insomnia)",
    "benchmark+(2026)+results",
    "python+time.sleep(5)",
    "javascript:+the+good+parts",
    "drop+table+lamp",
    "alter+table+height",
    "order+by+1+may",
    "insert+into+frame",
    "what+is+%2Fetc%2Fpasswd",
    "%2Fetc%2Fpasswd",
    "etc+passwd+explained",
    "jndi+ldap+log4j",
    "%3C%3Fphp+echo",
    "WEB-INF+folder",
    "ls+|+cat+/tmp",
    "cat+%26%26+dog+food",
    "fish;+chips+and+curl+cream",
    "$(document).ready()",
    "%24100+%7C+%24200",
    "100%25+cotton",
    "50%+off",
    "c%2B%2B+or+c%23",
    "%22c%22+programming+--+beginners",
    "if+(a+%3D%3D+b)+and+(c+%3E+5)",
    "1+%2B+1+%3D+2",
    "2+for+1+or+3+for+2",
    "size+10+or+11+shoes",
    "onload+event",
    "script+font",
    "iframe+size",
    "../+in+paths",
    ".env+.git%2Fconfig+backup.sql",
];

/// Searches a handful of these, and follows a result: the search is in the Referer, and in what Matomo reports.
fn search(day: &mut Day) {
    for _ in 0..220 {
        let (who, at) = (day.person(), day.moment());
        for n in 0..6 {
            let words = day.random.pick(&SEARCHES);
            let parameter =
                day.random.pick(&["/?s", "/search?q", "/suche?lang=de&query", "/shop/?post_type=product&s"]);
            let at = at + n * 20 * SECOND;
            day.ask(&who, at, &format!("GET {parameter}={words}"), 200);
            let page = format!("https://www.shop.example{parameter}={words}");
            day.ask(&who.coming_from(&page), at + 5 * SECOND, "GET /product/kettle/", 200);
            let twice = words.replace('%', "%25").replace('+', "%2B");
            let told = format!(
                "GET /matomo.php?action_name=%22{twice}%22%20--%20Shop&idsite=1&rec=1&url=https%3A%2F%2Fwww.shop.example%2F%3Fs%3D{twice}"
            );
            day.ask(&who, at + SECOND, &told, 204);
        }
    }
}

/// People whose trade looks like an attack: dashboards and issues searched in a language, a forge, an own phpMyAdmin, a map.
fn work(day: &mut Day) {
    for round in 0..12 {
        let (who, at) = (day.person(), day.moment());
        for n in 0..40 {
            let at = at + n * 3 * SECOND;
            let influx = format!(
                "GET /grafana/api/datasources/proxy/7/query?db=telegraf&q=SELECT+mean(%22v%22)+FROM+%22cpu%22+WHERE+%22host%22+%3D+%27web{n}%27+AND+time+%3E+now()+-+1h&epoch=ms"
            );
            day.ask(&who, at, &influx, 200);
            day.ask(&who, at + 1, &format!("GET /issues/?jql=project+%3D+%22A{n}%22+AND+status+%3D+%22Open%22+OR+assignee+%3D+%22x%22"), 200);
            day.ask(&who, at + 2, &format!("GET /phpmyadmin/index.php?route=/sql&db=shop&pos={n}&sql_query=SELECT+*+FROM+%60a%60+WHERE+%60b%60+%3D+%27c%27+OR+%60d%60+%3D+1"), 200);
            day.ask(&who, at + 3, &format!("GET /phpmyadmin/js/dist/part-{n}.js.map"), 404);
        }
        let files = [
            "db/schema.sql",
            "db/seed.sql",
            ".env.example",
            ".vscode/settings.json",
            "src/main/webapp/WEB-INF/web.xml",
            "META-INF/MANIFEST.MF",
            "root/etc/passwd",
            "old/index.php.bak",
        ];
        for (n, file) in files.iter().enumerate() {
            let kind = [
                "/alice/shop/src/branch/main",
                "/group/shop/-/blob/main",
                "/cgit/shop.git/tree",
                "/alice/shop/blame/branch/main",
            ][round % 4];
            day.ask(&who, at + 3 * MINUTE + n as Clock * 12 * SECOND, &format!("GET {kind}/{file}"), 200);
        }
        for n in 0..90 {
            let tile = format!("GET /tiles/14/{}/{}.pbf", 8800 + n % 10, 5300 + n / 10);
            day.ask(&who, at + 6 * MINUTE + n * 100, &tile, if n % 2 == 0 { 404 } else { 200 });
        }
    }
}

/// Two hundred people behind one address.
fn office(day: &mut Day) {
    let address = day.address();
    for _ in 0..200 {
        let who = Client { address: address.clone(), ..day.person() };
        let at = 8 * HOUR + day.random.below(9 * HOUR);
        for n in 0..2 {
            page(day, &who, at + n * 40 * SECOND, 20);
        }
        if day.random.one_in(3) {
            day.ask(&who, at + 70 * SECOND, &format!("GET /old/{}", at / 7), 404);
        }
        day.ask(&who, at + 80 * SECOND, "GET /search?q=tea", 200);
    }
    // The first hour: some of them log in, one mistypes, one has a second factor.
    let who = Client { address, ..day.person() };
    for n in 0..12 {
        let status = if n % 4 == 1 { 200 } else { 302 };
        day.ask(&who, 9 * HOUR + n * 50 * SECOND, "POST /wp-login.php", status);
        day.ask(&who, 9 * HOUR + n * 50 * SECOND, "POST /login", if n % 3 == 0 { 422 } else { 302 });
    }
}

/// A connection whose IPv6 address changes all the time, in its own /64.
fn rotating(day: &mut Day) {
    for network in 0..30 {
        let at = day.moment();
        for n in 0..8 {
            let person = day.person();
            let who = Client {
                address: format!("2a01:e0a:{network:x}:{:x}::{:x}", network + 7, n * 97 + 5),
                ..person
            };
            page(day, &who, at + n * 8 * MINUTE, 15);
            day.ask(&who, at + n * 8 * MINUTE + 9 * SECOND, &format!("GET /gone/{n}"), 404);
            if n == 3 {
                day.ask(&who, at + n * 8 * MINUTE, "POST /wp-login.php", 200);
            }
        }
    }
}

/// Browsers that connect ahead, cookies that are too long, an address typed for a port that speaks no TLS.
fn browsers(day: &mut Day) {
    for _ in 0..60 {
        let (who, at) = (day.person(), day.moment());
        let nobody = Client::new(&who.address, "-");
        for n in 0..12 {
            day.say(&nobody, at + n * 20 * SECOND, "-", 408);
            day.say(&nobody, at + n * 20 * SECOND + 1, "-", 400);
            day.ask(&who, at + n * 20 * SECOND, "GET /account", 400);
        }
        day.say(&nobody, at, "\\x16\\x03\\x01\\x02\\x00\\x01\\x00\\x01\\xFC\\x03\\x03", 400);
        for n in 0..20 {
            day.ask(&who, at + n * 7 * SECOND, "CONNECT /ws", 200);
        }
    }
}

/// Everybody.
pub(super) fn all(day: &mut Day, readers: u32) {
    for _ in 0..readers {
        read(day);
    }
    slow_backend(day);
    mistyped(day);
    authors(day);
    search(day);
    work(day);
    office(day);
    rotating(day);
    browsers(day);
}
