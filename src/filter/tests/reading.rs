//! Filters as they are written, and every way to write them wrong.

use super::super::*;
use super::read;
use crate::record::Field;

fn problems(text: &str) -> Vec<(String, String)> {
    let problems = read(text).unwrap_err();
    problems.into_iter().map(|problem| (problem.key, problem.message)).collect()
}

/// The one problem of a text: its key, and a piece of its message.
#[track_caller]
fn check(text: &str, key: &str, piece: &str) {
    let problems = problems(text);
    let told = problems.len() == 1 && problems[0].0 == key && problems[0].1.contains(piece);
    assert!(told, "{problems:?}");
}

const RULE: &str = "[[rule]]\nmethod = 'POST'\n";

#[test]
fn a_filter_is_read_whole() {
    let definition = read(
        "description = 'd'\n[suggest]\nmaxretry = 5\nfindtime = '1h30m'\ndistinct = 'path'\n\
         [[rule]]\npath = ['a', 'b']\nstatus = [200, '400-404']\nuser = { not = '-' }\n\
         [[ignore]]\nquery = { decoded = 'x' }\ndecoded = { not = 'y' }\n[samples]\nmatch = 'one'\nmiss = ['two', 'three']\n",
    )
    .unwrap();
    assert_eq!(definition.suggest.maxretry, Some(5));
    assert_eq!(definition.suggest.findtime, Some(jiff::SignedDuration::from_mins(90)));
    assert_eq!(definition.suggest.distinct, Some(Field::Path));
    let keys = |set: &ConditionSet| set.0.iter().map(Condition::key).collect::<Vec<_>>();
    assert_eq!(keys(&definition.rules[0]), ["path", "status", "user.not"]);
    assert_eq!(keys(&definition.ignore[0]), ["decoded.not", "query.decoded"]);
    assert_eq!(definition.rules[0].0[1].any, [Matcher::Range(200, 200), Matcher::Range(400, 404)]);
    assert_eq!((definition.samples.matching.len(), definition.samples.missing.len()), (1, 2));
}

#[test]
fn a_single_value_stands_for_a_list() {
    let single = read("failregex = '^<HOST> x'\nignoreregex = 'y'\n").unwrap();
    assert_eq!(single, read("failregex = ['^<HOST> x']\nignoreregex = ['y']\n").unwrap());
    assert_eq!(read("[rule]\nmethod = 'POST'\n").unwrap(), read("[[rule]]\nmethod = ['POST']\n").unwrap());
}

#[test]
fn either_rules_or_patterns() {
    check("description = 'x'", "", "at least one [[rule]]");
    check("rule = []", "", "at least one [[rule]]");
    check(&format!("failregex = '<HOST>'\n{RULE}"), "", "make two filters");
    check(&format!("ignoreregex = 'x'\n{RULE}"), "", "[[ignore]]");
    check("failregex = '<HOST>'\n[[ignore]]\nmethod = 'x'", "", "ignoreregex");
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    check(&format!("sugest = 1\n{RULE}"), "sugest", "did you mean `suggest`");
    check(&format!("maxretry = 3\n{RULE}"), "maxretry", "write it in [suggest]");
    check(&format!("{RULE}[suggest]\nbantime = '1h'\n"), "suggest.bantime", "the jail's to decide");
    check(&format!("{RULE}[suggest]\nfindtme = '1h'\n"), "suggest.findtme", "did you mean `findtime`");
    check(&format!("{RULE}[samples]\nmatches = 'x'\n"), "samples.matches", "did you mean `match`");
    check("[[rule]]\nuser-agent = 'x'\n", "rule[0].user-agent", "did you mean `user_agent`");
    check("[[rule]]\n'log target' = 'x'\n", "rule[0].log target", "fields are method, path");
}

#[test]
fn wrong_values_are_told_where_they_stand() {
    check("rule = ['x']", "rule[0]", "a table of conditions");
    check("[[rule]]\n", "rule[0]", "no condition");
    check("[[rule]]\npath = 5\n", "rule[0].path", "a regular expression expected");
    check("[[rule]]\npath = ['a', 5]\n", "rule[0].path[1]", "not `5`");
    check("[[rule]]\npath = []\n", "rule[0].path", "an empty list");
    check("[[rule]]\npath = { nt = 'x' }\n", "rule[0].path", "not a table");
    check("[[rule]]\nstatus = { not = ['4xx', 200] }\n", "rule[0].status.not[0]", "\"400-404\"");
    check("[[rule]]\nstatus = '404-400'\n", "rule[0].status", "smaller number");
    check("[[rule]]\nstatus = -1\n", "rule[0].status", "a number like 404");
    check("[[rule]]\nstatus = { decoded = 404 }\n", "rule[0].status.decoded", "nothing to decode");
    check(&format!("{RULE}[suggest]\nmaxretry = 0\n"), "suggest.maxretry", "from 1");
    check(&format!("{RULE}[suggest]\nfindtime = 'forever'\n"), "suggest.findtime", "must end");
    check(&format!("{RULE}[suggest]\nfindtime = '10x'\n"), "suggest.findtime", "no duration");
    check(&format!("{RULE}[suggest]\ndistinct = 'pth'\n"), "suggest.distinct", "did you mean `path`");
    check("suggest = 1\nfailregex = '<HOST>'", "suggest", "a table ([suggest])");
    check("failregex = ['<HOST>', 1]", "failregex[1]", "a text expected");
    check(&format!("{RULE}weight = 0\n"), "rule[0].weight", "from 1 to 100");
    check(&format!("{RULE}weight = 101\n"), "rule[0].weight", "from 1 to 100");
    check(&format!("weight = 2\n{RULE}"), "", "write it in the [[rule]]");
    check("[[rule]]\nweight = 2\n", "rule[0]", "no condition");
    check(&format!("{RULE}[[ignore]]\nweight = 2\n"), "ignore[0].weight", "only a [[rule]]");
    check("failregex = '<HOST>'\nweight = [1, 2]\n", "weight", "one for each");
    check("failregex = '<HOST>'\nweight = 'x'\n", "weight", "so many times");
}

#[test]
fn a_filter_may_suggest_a_rate_and_a_group_and_need_a_jail_that_says_which() {
    let definition = read(&format!(
        "needs = ['path', 'query']\n{RULE}[suggest]\nrate = {{ requests = 60, per = '1m', burst = 120 }}\ngroup = {{ v4 = 24 }}\n"
    ))
    .unwrap();
    let rate = crate::terms::Rate { requests: 60, per: jiff::SignedDuration::from_mins(1), burst: 120 };
    assert_eq!(definition.suggest.rate, Some(rate));
    assert_eq!(definition.suggest.group, Some(crate::address::Group { v4: 24, v6: 64 }));
    assert_eq!(definition.needs, [Field::Path, Field::Query]);
    let set = |text: &str| ConditionSet::read(&text.parse().unwrap()).unwrap();
    let narrowed = definition.narrowed(&[set("path = '^/a'"), set("query = 'b'\nhost = 'c'")]).unwrap();
    let keys = |set: &ConditionSet| set.0.iter().map(Condition::key).collect::<Vec<_>>();
    assert_eq!(
        narrowed.rules.iter().map(keys).collect::<Vec<_>>(),
        [vec!["method", "path"], vec!["method", "host", "query"]]
    );
    for sets in
        [vec![], vec![set("host = 'c'")], vec![set("path = 'a'"), set("path = { not = 'a' }\nhost = 'c'")]]
    {
        assert_eq!(definition.narrowed(&sets), None, "{sets:?}");
    }
    let suggests = |text: &str| format!("{RULE}[suggest]\n{text}\n");
    check(&suggests("rate = 60"), "suggest.rate", "a table");
    check(&suggests("rate = { requests = 60 }"), "suggest.rate", "`per` is missing");
    check(&suggests("rate = { requests = 0, per = '1m' }"), "suggest.rate.requests", "from 1");
    check(&suggests("rate = { requests = 1, per = '1m', brst = 1 }"), "suggest.rate.brst", "mean `burst`");
    check(&suggests("group = { v4 = 33 }"), "suggest.group.v4", "from 8 to 32");
    check(&format!("needs = 'pth'\n{RULE}"), "needs[0]", "did you mean `path`");
    check("needs = 'path'\nfailregex = '<HOST>'", "needs", "goes with [[rule]]");
}

#[test]
fn every_problem_is_told_at_once() {
    let text =
        "descripton = 1\nx = 1\n[suggest]\nmaxretry = 'x'\nbantime = 1\n[[rule]]\nstatus = 'x'\npth = 'x'\n";
    assert_eq!(problems(text).len(), 6, "{:?}", problems(text));
}

#[test]
fn patterns_are_told_with_their_key_when_they_are_compiled() {
    for (text, key, piece) in [
        ("[[rule]]\npath = ['a', '(']\n", "rule[0].path[1]", "unclosed group"),
        ("[[rule]]\npath = { not = '(?=x)' }\n", "rule[0].path.not", "no look-around"),
        (
            "[[rule]]\nmethod = 'x'\n[[ignore]]\nquery = { decoded = '[' }\n",
            "ignore[0].query.decoded",
            "unclosed",
        ),
        ("failregex = ['<HOST>', 'x']", "failregex[1]", "put <HOST>"),
        ("failregex = '<HOST> (?P=x)'", "failregex[0]", "<HOST> (?P=x)"),
        ("failregex = '<HOST> (?!x)'", "failregex[0]", "no look-around"),
        ("failregex = '<HOST>'\nignoreregex = ['a', '<SKIPLINES>']", "ignoreregex[1]", "SKIPLINES"),
    ] {
        let problems = Filter::compile(&read(text).unwrap()).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].key == key && problems[0].message.contains(piece), "{problems:?}");
    }
}
