//! `widen`: what holds by default, and what is said about wrong rules.

use jiff::SignedDuration;

use super::*;
use crate::jail::Widen;

fn widen(defaults: &str, own: &str) -> Vec<Widen> {
    let text = format!(
        "[source.s]\npath = \"/l\"\n[output.o]\nkind = \"list\"\n[defaults]\n{defaults}\n[jail.bad-bots]\n{own}\n"
    );
    Site::new(&text).load().jails.remove(0).widen
}

#[test]
fn only_ipv6_is_widened_unless_somebody_says_so() {
    assert_eq!(widen("", ""), Widen::usual());
    assert!(Widen::usual().iter().all(|rule| rule.v4.is_none()));
    for none in ["widen = []", "widen = false", "widen = \"none\""] {
        assert_eq!(widen("widen = { distinct = 5, v4 = 24 }", none), []);
    }
    let both = "widen = [{ distinct = 5, v4 = 24, v6 = 48, within = \"1h\" }, { distinct = 50, v4 = 16 }]";
    let minutes = SignedDuration::from_mins;
    let expected = [
        Widen { distinct: 5, v4: Some(24), v6: Some(48), within: minutes(60) },
        Widen { distinct: 50, v4: Some(16), v6: None, within: minutes(10) },
    ];
    assert_eq!(widen(both, ""), expected);
    assert_eq!(widen("group = { v6 = 48 }", ""), Widen::usual(), "without effect, and nobody's fault");
}

#[test]
fn wrong_rules_are_told_at_their_place() {
    let text = "[source.site]\npath = \"/l/a.log\"\n[defaults]\nwiden = 24\n\
                [jail.bad-bots]\nwiden = [{ distinct = 1, v4 = 32 }, { v6 = 48, withn = 5 }, { distinct = 5 }]\n\
                [jail.http-auth]\ngroup = { v4 = 24 }\nwiden = { distinct = 5, v4 = 24 }\n\
                [jail.seo-bots]\nwiden = [{ distinct = 5, v4 = 24 }, { distinct = 9, v4 = 24, within = 0 }]\n";
    assert_eq!(
        told(text),
        [
            "banmap.toml:4:9: [defaults] widen: is no rule | write { distinct = 5, v4 = 24, v6 = 48, within = \"10m\" }, \
             several in [ ], or \"none\"",
            "banmap.toml:6:23: [jail.bad-bots.widen] distinct: must be from 2 to 10000, not 1",
            "banmap.toml:6:31: [jail.bad-bots.widen] v4: must be from 8 to 31, not 32",
            "banmap.toml:6:37: [jail.bad-bots.widen] distinct: is missing | say how many different clients ban a prefix",
            "banmap.toml:6:48: unknown key `withn` of [jail.bad-bots.widen] | did you mean `within`?",
            "banmap.toml:6:61: [jail.bad-bots.widen] v4: neither `v4` nor `v6` says which prefix is banned | write v4 = 24, \
             v6 = 48, or both",
            "banmap.toml:9:30: [jail.http-auth] widen: v4 must be shorter than the /24 that `group` counts and bans",
            "banmap.toml:11:71: [jail.seo-bots.widen] within: must be longer than 0",
        ]
    );
    let twice = "[source.site]\npath = \"/l/a.log\"\n[output.o]\nkind = \"list\"\n[jail.seo-bots]\n\
                 widen = [{ distinct = 5, v4 = 24 }, { distinct = 9, v4 = 24 }]\n";
    assert_eq!(told(twice), ["banmap.toml:6:58: [jail.seo-bots] widen: v4 = 24 stands in two rules"]);
}
