//! Jails whose source is bans, jails that challenge, and weights.

use jiff::SignedDuration;

use super::*;
use crate::resolve::Lists;
use crate::terms::Measure;

const SITE: &str = "[source.site]\npath = \"/l/a.log\"\n";

#[test]
fn a_jail_of_bans_needs_no_filter_and_no_source() {
    let text = format!(
        "{SITE}[output.o]\nkind = \"list\"\n[defaults]\nfindtime = \"5m\"\ndistinct = \"path\"\n[jail.again]\nsource = \"bans\"\nbantime = \"7d\"\n"
    );
    let config = Site::new(&text).load();
    let jail = &config.jails[0];
    assert!(jail.filter.is_none() && jail.sources.is_empty() && jail.distinct.is_none());
    assert_eq!((jail.maxretry, jail.findtime), (3, SignedDuration::from_hours(24)));
    let settings = jail.jail_settings(&Lists::default());
    assert!(settings.of_bans && settings.widen.is_empty());
    let again = Site::new(config.effective()).load();
    assert!(again.jails[0].filter.is_none(), "{}", config.effective());
}

#[test]
fn what_is_about_records_means_nothing_there() {
    let text = format!(
        "{SITE}[source.bans]\npath = \"/l/b.log\"\n[jail.again]\nsource = [\"bans\", \"site\"]\nfilter = \"bad-bots\"\nrate = {{ requests = 1, per = \"1m\" }}\n"
    );
    let told = told(&text);
    for piece in [
        "[source.bans]: `bans` stands",
        "source: \"bans\" stands",
        "filter: means nothing",
        "rate: means nothing",
    ] {
        assert!(told.iter().any(|one| one.contains(piece)), "{piece}: {told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn a_jail_bans_or_challenges() {
    let value = |line: &str| {
        let config = Site::new(&format!("{SITE}[jail.bad-bots]\n{line}\n")).load();
        config.jails[0].jail_settings(&Lists::default()).value
    };
    assert_eq!((value(""), value("value = \"challenge\"")), (Measure::Ban, Measure::Challenge));
    let wrong = told(&format!("{SITE}[jail.bad-bots]\nvalue = \"chalenge\"\n"));
    assert!(wrong[0].contains("did you mean \"challenge\""), "{wrong:?}");
}

#[test]
fn a_rate_counts_requests_and_no_weights() {
    let filter = "[filter.x]\n[[filter.x.rule]]\nmethod = \"POST\"\nweight = 3\n";
    let rate = "[jail.x]\nrate = { requests = 1, per = \"1m\" }\n";
    let wrong = told(&format!("{SITE}{filter}{rate}"));
    assert!(wrong.len() == 1 && wrong[0].contains("the filter `x` has weights"), "{wrong:?}");
    Site::new(&format!("{SITE}{filter}[jail.x]\ndistinct = \"path\"\n")).load();
}
