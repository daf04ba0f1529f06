//! Crawlers: who ignores which, where their ranges are, who is asked; and names in lists.

use super::*;
use crate::resolve::Lists;
use crate::terms::Crawler;

const REST: &str = "[source.site]\npath = \"/l/a.log\"\n[jail.http-auth]\n[jail.bad-bots]\nignore_crawlers = [\"bing\", \"duckduckgo\"]\n\
                    [jail.fake-crawlers]\nignore_crawlers = []\n";

#[test]
fn each_jail_knows_its_crawlers_and_their_published_ranges() {
    let text = format!(
        "[daemon]\nresolver = [\"192.0.2.53\", \"[::1]:5353\"]\n[crawlers]\ngoogle = [\"file:google.json\", \"192.0.2.7\"]\n\
         [defaults]\nignore_crawlers = [\"google\", \"bing\", \"google\"]\n{REST}"
    );
    let ranges = "{\"prefixes\": [{\"ipv4Prefix\": \"198.51.100.0/27\"}]}";
    let site = Site::new(&text).file("google.json", ranges);
    let config = site.load();
    let lists = Lists::open(config.list_entries()).unwrap();
    let told: Vec<_> = config
        .jails
        .iter()
        .map(|jail| {
            let settings = jail.jail_settings(&lists);
            (settings.name.to_string(), settings.crawlers, settings.allow.entries().len(), settings.fakes)
        })
        .collect();
    let expected = [
        ("bad-bots".to_owned(), vec![Crawler::Bing, Crawler::DuckDuckGo], 0, false),
        ("fake-crawlers".to_owned(), vec![], 0, true),
        ("http-auth".to_owned(), vec![Crawler::Google, Crawler::Bing], 2, false),
    ];
    assert_eq!(told, expected);
    assert_eq!(config.crawler_ranges(&lists)[&Crawler::Google].entries().len(), 2);
    let servers: Vec<String> = config.daemon.resolver.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[::1]:5353"]);
    let warned = config.warnings.iter().any(|problem| {
        problem.what == "[crawlers] duckduckgo: jail bad-bots ignores duckduckgo, which is known by its published ranges alone: none are given"
    });
    assert!(warned, "{:?}", config.warnings);
}

#[test]
fn what_is_wrong_is_told() {
    let text = "[daemon]\nresolver = \"dns.example\"\n[crawlers]\ngogle = \"file:x\"\n[real_ip]\ntrusted_proxies = \"dns:proxy.example\"\n\
                [defaults]\nignore_crawlers = [\"googel\", \"duckduckgo\"]\n[source.site]\npath = \"/l/a.log\"\n[jail.http-auth]\n";
    let told = told(text);
    for expected in [
        "banmap.toml:2:12: [daemon] resolver: `dns.example` is no address of a DNS server | write \"192.0.2.53\", or \"127.0.0.1:5353\"",
        "banmap.toml:4:1: unknown key `gogle` of [crawlers] | did you mean `google`?",
        "banmap.toml:6:19: [real_ip] trusted_proxies: `dns:proxy.example` cannot be trusted: whose headers count must not depend on the DNS | write the proxy's addresses, or a \"file:PATH\" that holds them",
    ] {
        assert!(told.iter().any(|one| one.ends_with(expected)), "{expected}\n\n{}", told.join("\n"));
    }
    let named = told
        .iter()
        .any(|one| one.contains("\"googel\" is not known") && one.ends_with("did you mean \"google\"?"));
    assert!(named, "{}", told.join("\n"));
}
