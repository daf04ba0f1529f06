//! How fast lines become records: parsing alone, what a rule reads of a candidate, and a line's time alone.
#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use std::hint::black_box;

use banmap::record::{Field, Format};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/7.88.1",
];

const REQUESTS: [&str; 6] = [
    "GET / HTTP/1.1\" 200 30122 \"https://www.google.com/\"",
    "GET /wp-content/themes/site/style.css?ver=6.7 HTTP/2.0\" 304 0 \"https://example.com/\"",
    "GET /wp-json/wp/v2/posts?per_page=10 HTTP/2.0\" 200 8120 \"-\"",
    "POST /wp-login.php HTTP/1.1\" 200 7891 \"https://example.com/wp-login.php\"",
    "GET /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php HTTP/1.1\" 404 548 \"-\"",
    "POST /xmlrpc.php HTTP/1.1\" 403 413 \"-\"",
];

/// A thousand lines of a busy site; one in twenty clients has IPv6, one user in fifty a name.
fn lines() -> Vec<String> {
    (0..1000_usize)
        .map(|n| {
            let client = if n % 20 == 0 {
                format!("2001:db8:{n:x}:7::{:x}", n * 31)
            } else {
                format!("{}.{}.{}.{}", 1 + n % 220, n % 256, n * 7 % 256, 1 + n * 13 % 250)
            };
            let user = if n % 50 == 0 { "editor" } else { "-" };
            let (minute, second) = (n / 60 % 60, n % 60);
            let (request, agent) = (REQUESTS[n % REQUESTS.len()], AGENTS[n / 7 % AGENTS.len()]);
            format!(
                "{client} - {user} [01/May/2026:10:{minute:02}:{second:02} +0000] \"{request} \"{agent}\""
            )
        })
        .collect()
}

/// The same as nginx writes it with `escape=json`, and as Caddy does.
fn objects(line: &str) -> [String; 2] {
    let record = Format::Combined.parse(line.as_bytes()).expect("the lines are combined");
    let text =
        |field: Field| String::from_utf8_lossy(&record.field(&field).expect("it has them all")).into_owned();
    let (client, time) = (record.address().expect("an address"), record.time().expect("a time").as_second());
    let (method, uri, status) = (text(Field::Method), text(Field::RequestUri), text(Field::Status));
    let (referer, agent, bytes) = (text(Field::Referer), text(Field::UserAgent), text(Field::Bytes));
    let nginx = format!(
        r#"{{"msec":"{time}.123","remote_addr":"{client}","remote_user":"","request":"{method} {uri} HTTP/1.1","status":"{status}","body_bytes_sent":"{bytes}","request_time":"0.003","http_referer":"{referer}","http_user_agent":"{agent}","host":"shop.example"}}"#
    );
    let caddy = format!(
        r#"{{"level":"info","ts":{time}.123456,"logger":"http.log.access","msg":"handled request","request":{{"remote_ip":"{client}","remote_port":"1","client_ip":"{client}","proto":"HTTP/2.0","method":"{method}","host":"shop.example","uri":"{uri}","headers":{{"Sec-Ch-Ua":["\"Chromium\";v=\"131\""],"User-Agent":["{agent}"],"Accept":["*/*"],"Referer":["{referer}"]}},"tls":{{"resumed":false,"version":772,"proto":"h2"}}}},"bytes_read":0,"user_id":"","duration":0.001,"size":{bytes},"status":{status},"resp_headers":{{"Server":["Caddy"],"Content-Type":["text/html"]}}}}"#
    );
    [nginx, caddy]
}

fn parsing(criterion: &mut Criterion) {
    let lines = lines();
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(lines.len() as u64));
    let mut measure = |name: &str, work: &dyn Fn(&[u8])| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| lines.iter().for_each(|line| work(black_box(line.as_bytes()))));
        });
    };
    measure("parse combined", &|line| {
        black_box(Format::Combined.parse(line).expect("the lines are combined"));
    });
    measure("parse and judge", &|line| {
        let record = Format::Combined.parse(line).expect("the lines are combined");
        black_box((record.field(&Field::Method), record.field(&Field::Path), record.number(&Field::Status)));
        black_box((record.address(), record.time()));
    });
    measure("time", &|line| {
        black_box(Format::Combined.time(line));
    });
    measure("parse raw", &|line| {
        black_box(Format::Raw.parse(line).expect("any line is a raw one"));
    });
    measure("detect", &|line| {
        black_box(Format::detect([line].into_iter()));
    });
    let syslog = b"Nov 20 10:00:00 host sshd[1234]: Failed password for invalid user admin from 192.0.2.1 port 4242 ssh2";
    measure("parse raw syslog", &|_| {
        black_box(Format::Raw.parse(black_box(syslog)).expect("any line is a raw one"));
    });
    group.finish();
}

fn parsing_json(criterion: &mut Criterion) {
    let objects: Vec<[String; 2]> = lines().iter().map(|line| objects(line)).collect();
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Elements(objects.len() as u64));
    for (which, format) in [Format::NginxJson, Format::Caddy, Format::JsonUsual].into_iter().enumerate() {
        let parse = |lines: &[String; 2]| {
            let record = format.parse(lines[which % 2].as_bytes()).expect("the lines are JSON");
            black_box((record.address(), record.time()));
        };
        group.bench_function(format!("parse {format}"), |bencher| {
            bencher.iter(|| objects.iter().for_each(|lines| parse(black_box(lines))));
        });
    }
    group.finish();
}

criterion_group!(benches, parsing, parsing_json);
criterion_main!(benches);
