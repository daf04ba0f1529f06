//! `escalation`, `jitter`, `extend`, `rate`: what is meant where little is said, and what is said about wrong ones.

use jiff::SignedDuration;

use super::*;
use crate::jail::{Escalation, Growth, Jitter, Rate, Scope, StormMode};

/// One jail of this text, after `[defaults]` of that one.
fn jail(defaults: &str, own: &str) -> crate::config::Jail {
    let text = format!(
        "[source.s]\npath = \"/l\"\n[output.o]\nkind = \"list\"\n[filter.x]\nrule = [{{ status = 404 }}]\n\
         [defaults]\n{defaults}\n[jail.x]\n{own}\n"
    );
    Site::new(&text).load().jails.remove(0)
}

fn hours(number: i64) -> SignedDuration {
    SignedDuration::from_hours(number)
}

#[test]
fn bans_grow_unless_somebody_says_otherwise() {
    assert_eq!(jail("", "").escalation, Some(Escalation::default()));
    assert_eq!(jail("", "").jitter, None);
    assert_eq!(jail("escalation = \"none\"", "").escalation, None);
    assert_eq!(jail("escalation = false", "escalation = true").escalation, Some(Escalation::default()));
    let growth = Growth::Factor { factor: 2.5, max: None };
    let expected = Escalation { growth, decay: Some(hours(24)), scope: Scope::All };
    let own =
        "escalation = { factor = 2.5, max = \"forever\", decay = \"1d\", scope = \"all\" }\njitter = \"5m\"";
    assert_eq!(jail("jitter = 0.5", own).escalation, Some(expected));
    assert_eq!(jail("jitter = 0.5", own).jitter, Some(Jitter::UpTo(SignedDuration::from_mins(5))));
    assert_eq!(jail("jitter = 0.5", "").jitter, Some(Jitter::Share(0.5)));
}

#[test]
fn one_place_says_the_whole_of_it() {
    let both =
        jail("escalation = { factor = 2, decay = \"1d\" }", "escalation = { steps = [\"1h\", \"forever\"] }");
    let expected = Escalation { growth: Growth::Steps(vec![Some(hours(1)), None]), ..Escalation::default() };
    assert_eq!(both.escalation, Some(expected));
    let site = Site::new("[source.s]\npath = \"/l\"\n[output.o]\nkind = \"list\"\n[jail.bad-bots]\n")
        .file("conf.d/a.toml", "[jail.bad-bots]\nescalation = { factor = 2 }\n")
        .file("conf.d/b.toml", "[jail.bad-bots]\nescalation = { steps = 60 }\n");
    let expected = Growth::Steps(vec![Some(SignedDuration::from_secs(60))]);
    assert_eq!(site.load().jails[0].escalation.as_ref().unwrap().growth, expected);
}

#[test]
fn wrong_ones_are_told_at_their_place() {
    let text = "[source.site]\npath = \"/l/a.log\"\n[defaults]\nescalation = \"faster\"\njitter = 1.5\n\
                [jail.bad-bots]\nescalation = { factor = 0.5, max = 0, scop = \"jail\" }\n\
                [jail.http-auth]\nescalation = { steps = [\"1h\", 0], max = \"7d\" }\njitter = \"forever\"\n\
                [jail.seo-bots]\nescalation = { scope = \"both\" }\n";
    assert_eq!(
        told(text),
        [
            "banmap.toml:4:14: [defaults] escalation: is no way to let bans grow | write { factor = 4, max = \"7d\", \
             decay = \"30d\", scope = \"jail\" }, { steps = [\"10m\", \"1h\", \"forever\"] } or \"none\"",
            "banmap.toml:5:10: [defaults] jitter: as a share of the ban must be from 0.0 to 1.0",
            "banmap.toml:7:25: [jail.bad-bots.escalation] factor: must be a number from 1 to 1000",
            "banmap.toml:7:39: unknown key `scop` of [jail.bad-bots.escalation] | did you mean `scope`?",
            "banmap.toml:9:31: [jail.http-auth.escalation] steps: must be longer than 0",
            "banmap.toml:9:35: [jail.http-auth.escalation] max: means nothing beside `steps`, which say how long each \
             ban lasts | remove `max` or `steps`",
            "banmap.toml:10:10: [jail.http-auth] jitter: cannot be \"forever\"",
            "banmap.toml:12:24: [jail.seo-bots.escalation] scope: must be \"jail\" or \"all\", not \"both\"",
        ]
    );
}

#[test]
fn storms_are_told_unless_somebody_says_otherwise() {
    let of = |defaults: &str, own: &str| {
        let jail = jail(defaults, own);
        (jail.storm, jail.max_bans)
    };
    assert_eq!(of("", ""), (StormMode::Warn, 100_000));
    assert_eq!(of("storm = \"hold\"\nmax_bans = 5000", ""), (StormMode::Hold, 5000));
    assert_eq!(of("storm = \"hold\"", "storm = \"off\""), (StormMode::Off, 100_000));
    let text = "[source.site]\npath = \"/l/a.log\"\n[output.o]\nkind = \"list\"\n[jail.bad-bots]\nstorm = \"stop\"\n";
    assert_eq!(
        told(text),
        ["banmap.toml:6:9: [jail.bad-bots] storm: must be \"off\", \"warn\" or \"hold\", not \"stop\""]
    );
}

#[test]
fn a_rate_takes_the_place_of_the_threshold() {
    let rate = |burst| Rate { requests: 300, per: SignedDuration::from_mins(1), burst };
    let one = jail("rate = { requests = 300, per = \"1m\" }\nmaxretry = 7", "");
    assert_eq!((one.rate, one.findtime, one.extend), (Some(rate(300)), rate(1).per, false));
    assert_eq!(jail("", "rate = { requests = 300, per = \"1m\", burst = 100 }").rate, Some(rate(100)));
    let off =
        jail("rate = { requests = 300, per = \"1m\" }\nextend = true", "rate = false\nmax_tracked = 5000");
    assert_eq!((off.rate, off.extend, off.max_tracked), (None, true, 5000));
    let text = "[source.site]\npath = \"/l/a.log\"\n[output.o]\nkind = \"list\"\n\
                [jail.bad-bots]\nrate = { requests = 0, burst = 5 }\n\
                [jail.http-auth]\nrate = { requests = 5, per = \"1s\" }\nmaxretry = 5\n[jail.seo-bots]\nrate = 5\n";
    assert_eq!(
        told(text),
        [
            "banmap.toml:6:1: [jail.bad-bots.rate] per: is missing | write { requests = 300, per = \"1m\" }",
            "banmap.toml:6:21: [jail.bad-bots.rate] requests: must be from 1 to 1000000, not 0",
            "banmap.toml:9:1: [jail.http-auth] maxretry: means nothing beside `rate`, which counts every request | remove \
             `maxretry` or `rate`",
            "banmap.toml:11:8: [jail.seo-bots] rate: is no rate | write { requests = 300, per = \"1m\", burst = 100 }",
        ]
    );
}
