//! Filters that hold for any request: a jail must say which are meant.

use super::*;
use crate::address::Group;

const SITE: &str = "[source.site]\npath = \"/l/a.log\"\n[output.o]\nkind = \"list\"\n";

#[test]
fn without_a_path_they_are_an_error_that_names_the_fix() {
    let text = format!(
        "jails = [\"trap\"]\n{SITE}[jail.expensive-paths]\n[[jail.expensive-paths.where]]\nhost = 'x'\n"
    );
    assert_eq!(
        told(&text),
        [
            "banmap.toml:1:10: [jail.trap] where: the filter `trap` holds for any request: each [[jail.trap.where]] must \
             say which are meant, by `path` or `request_uri` | write [[jail.trap.where]] and below it path = '^/your/path/'",
            "banmap.toml:6:7: [jail.expensive-paths] where: the filter `expensive-paths` holds for any request: each \
             [[jail.expensive-paths.where]] must say which are meant, by `path` or `request_uri` or `query` | write \
             [[jail.expensive-paths.where]] and below it path = '^/your/path/'",
        ]
    );
}

#[test]
fn with_one_they_judge_by_it_and_by_what_they_suggest() {
    let text = format!(
        "{SITE}[[jail.trap.where]]\npath = '^/cellar/'\n[[jail.expensive-paths.where]]\npath = '^/search$'\n\
         [[jail.expensive-paths.where]]\nquery = '^feed='\n"
    );
    let jails = Site::new(&text).load().jails;
    let [expensive, trap] = &jails[..] else { panic!("{jails:?}") };
    let rate = expensive.rate.unwrap();
    assert_eq!((rate.requests, rate.per.as_secs(), rate.burst), (60, 60, 120));
    assert_eq!((expensive.group, trap.group), (Group { v4: 24, v6: 64 }, Group::default()));
    assert_eq!((trap.maxretry, trap.rate), (1, None));
    let required = |jail: &crate::config::Jail| {
        let required = jail.filter.as_ref().unwrap().required(&crate::record::Format::Combined).unwrap();
        required.literals.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<Vec<_>>()
    };
    assert!(
        required(trap).concat().contains("cellar"),
        "only their lines are candidates: {:?}",
        required(trap)
    );
    let both = required(expensive).concat();
    assert!(both.contains("search") && both.contains("feed="), "{both}");
}

#[test]
fn a_jail_that_counts_offences_has_no_suggested_rate() {
    let jail = |own: &str| {
        let text =
            format!("{SITE}[jail.expensive-paths]\n{own}\n[[jail.expensive-paths.where]]\npath = '^/s'\n");
        Site::new(&text).load().jails.remove(0)
    };
    assert_eq!((jail("maxretry = 7").maxretry, jail("maxretry = 7").rate), (7, None));
    assert_eq!(jail("rate = false").rate, None);
    assert_eq!(jail("rate = { requests = 2, per = 1 }").rate.unwrap().requests, 2);
    assert_eq!(jail("group = { v4 = 32 }").group, Group { v4: 32, v6: 64 });
}
