//! `check`: lists, filters and samples, whether a jail uses them or not.

use super::*;
use crate::config::{FilterOrigin, Report, check};

const MAIN: &str = "jails = [\"a\"]
[source.s]
path = \"/l\"
[output.o]
kind = \"list\"
[defaults]
ignoreip = \"file:allow.txt\"
[filter.a]
rule = [{ status = 404 }]
[filter.a.samples]
match = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 404 1 \"-\" \"x\"', 'nonsense']
miss = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 404 1 \"-\" \"x\"']
";

fn of(site: &Site, report: &Report) -> Vec<String> {
    report.problems.iter().map(|problem| site.one(problem)).collect()
}

#[test]
fn samples_lists_and_unused_filters_are_checked() {
    let site = Site::new(MAIN)
        .file("allow.txt", "192.0.2.1\noffice\n")
        .file("filter.d/b.toml", "rule = [{ status = 500 }]\n")
        .file("filter.d/bad.toml", "rule = [{ status = \"x\" }]\n");
    let report = check(&site.options());
    let told = of(&site, &report);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(
        told[0].starts_with("banmap.toml:11:87: [filter.a] samples.match[1]: must be an offence, but"),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with(
            "banmap.toml:12:9: [filter.a] samples.miss[0]: must not be an offence, but rule 0 holds"
        ),
        "{told:#?}"
    );
    assert!(told[2].starts_with("filter.d/bad.toml:1:11: [filter.bad] rule[0].status: "), "{told:#?}");
    assert!(told[3].starts_with("allow.txt:2: `office` is not an IP address"), "{told:#?}");
    let ours: Vec<_> =
        report.filters.iter().filter(|filter| filter.origin != FilterOrigin::Shipped).collect();
    let [a, b] = &ours[..] else { panic!("two filters: {ours:?}") };
    assert_eq!(
        (a.name.as_str(), a.samples, a.jails.clone(), a.hides_shipped),
        ("a", 3, strings(&["a"]), false)
    );
    assert_eq!((b.name.as_str(), b.samples, b.jails.len()), ("b", 0, 0));
    assert_eq!(b.origin, FilterOrigin::File(site.path("filter.d/b.toml")));
}

#[test]
fn shipped_filters_pass_their_samples() {
    let report = check(&Site::new("[source.s]\npath = \"/l\"\n").options());
    assert!(!report.problems.has_errors(), "{}", report.problems);
    assert_eq!(report.filters.len(), crate::filter::SHIPPED.len());
}

#[test]
fn a_wrong_configuration_is_still_reported_on() {
    let site = Site::new("jails = [\"a\"]\nx = 1\n[filter.a]\nrule = [{ status = 404 }]\n");
    let report = check(&site.options());
    assert!(report.problems.has_errors());
    assert_eq!(report.config.jails.len(), 1);
}
