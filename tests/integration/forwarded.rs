//! nginx that knows nothing of its clients but a header, behind `HAProxy`: who offends is found in the chain, not who is named.

use crate::harness::scene::SOON;
use crate::harness::{Haproxy, Nginx, Request, Scene, wait_until};

/// What a request that is an offence asks for.
const PROBE: &str = "/probe";

#[test]
fn the_client_behind_haproxy_is_counted_and_nobody_whom_he_names() {
    let scene = Scene::new();
    let log = scene.path("logs/own.log");
    // The harness's nginx takes the header itself; its log says who connected all the same, as if it did not.
    let nginx = Nginx::start_logging(&format!(
        "log_format own '$realip_remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
         \"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\"';\naccess_log {} own;",
        log.display()
    ));
    let haproxy = Haproxy::start(nginx.port());
    scene.write("proxies.txt", "127.0.0.1\n");
    let daemon = scene.start(
        "[real_ip]\ntrusted_proxies = \"file:proxies.txt\"\n[filter.probe]\nrule = [{ path = '^/probe$', status = 404 }]\n\
         [jail.probe]\nmaxretry = 3\n[source.site]\npath = \"logs/own.log\"\nread = \"beginning\"\nclient = \"x_forwarded_for\"\n\
         format = '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
         \"$http_user_agent\" \"$http_x_forwarded_for\"'\n",
    );
    let offend = |client: &str, claims: &[&str]| {
        for claim in claims {
            haproxy.send(client, Request::get(PROBE).header("X-Forwarded-For", claim));
        }
    };
    offend("203.0.113.7", &["198.51.100.1", "198.51.100.1, 127.0.0.1", "\"198.51.100.1\", \"127.0.0.1"]);
    scene.wait_listed(&daemon, &["203.0.113.7"]);
    offend("203.0.113.8", &["junk", "\\x22", "198.51.100.1 - - [x] \"GET"]);
    scene.wait_listed(&daemon, &["203.0.113.7", "203.0.113.8"]);
    // Through a second proxy that nobody trusts yet: it is the last that is known.
    offend("203.0.113.9, 10.0.0.9", &["198.51.100.1"; 2]);
    wait_until(SOON, "two offences count for the proxy", || daemon.offences("10.0.0.9", "probe") == 2);
    scene.write("proxies.txt", "127.0.0.1\n10.0.0.0/8\n");
    wait_until(SOON, "the list was read again", || {
        daemon.ask(&["why", "10.0.0.9"]).1["protected_by"]
            .as_str()
            .is_some_and(|rule| rule.contains("proxies.txt"))
    });
    offend("203.0.113.9, 10.0.0.9", &["198.51.100.1"; 3]);
    scene.wait_listed(&daemon, &["203.0.113.7", "203.0.113.8", "203.0.113.9"]);
    assert_eq!(daemon.offences("198.51.100.1", "probe"), 0);

    let tried = daemon.cli(&["test", "probe", log.to_str().unwrap(), "--source", "site", "--json"]);
    let tried = String::from_utf8(tried.stdout).unwrap();
    let last = tried.lines().rev().nth(1).unwrap();
    assert!(last.contains(r#""address":"203.0.113.9","via":["127.0.0.1","10.0.0.9"]"#), "{last}");
}
