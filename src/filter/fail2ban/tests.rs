//! Filters as files, and what they make of lines.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Call, Engine, Language, Memory, Recipe, Trouble};
use crate::filter::{Filter, Judgement};
use crate::record::Format;

/// A recipe from files that only the test knows; the first is the filter's.
fn recipe(call: &str, files: &[(&str, &str)]) -> Result<Recipe, Trouble> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new("/d").join(name) == path);
        Ok(found.map(|(_, text)| (*text).to_owned()))
    };
    let call = Call::read(call).unwrap();
    Recipe::read(&Path::new("/d").join(format!("{}.conf", call.name)), &call.parameters, &read)
}

fn patterns(call: &str, files: &[(&str, &str)]) -> Vec<String> {
    recipe(call, files).unwrap().failregex
}

fn filter(text: &str) -> Filter {
    let recipe = recipe("f", &[("f.conf", text)]).unwrap();
    Filter::told(Language::compile(recipe).unwrap())
}

/// Whom each line is blamed on.
fn blamed(filter: &Filter, lines: &[&str]) -> Vec<Option<String>> {
    let mut memory = Memory::default();
    let judged = lines.iter().map(|line| {
        let record = Format::Raw.parse(line.as_bytes()).unwrap();
        match filter.judge_after(&record, &mut memory, None) {
            Judgement::Offence(found) => Some(found.told.unwrap().address),
            Judgement::Missed | Judgement::Ignored(_) => None,
        }
    });
    judged.collect()
}

fn hosts(hosts: &[&str]) -> Vec<Option<String>> {
    hosts.iter().map(|host| (!host.is_empty()).then(|| (*host).to_owned())).collect()
}

#[test]
fn files_are_read_in_order_and_the_last_value_holds() {
    let files = [
        (
            "f.conf",
            "[INCLUDES]\nbefore = b.conf\nafter = a.conf\n absent.conf\n[Definition]\nx = conf\nfailregex = %(x)s <HOST>\n",
        ),
        ("f.local", "[Definition]\nx = %(known/x)s+local\n"),
        ("b.conf", "[DEFAULT]\nx = before\ny = 1\n"),
        ("b.local", "[DEFAULT]\ny = 2\n"),
        (
            "a.conf",
            "[INCLUDES]\nbefore = f.conf\n[Definition]\nfailregex = %(known/failregex)s %(y)s %(other/z)s 100%%\n[other]\nz = %(y)s!\n",
        ),
    ];
    assert_eq!(patterns("f", &files), ["conf+local <HOST> 2 2! 100%"]);
    let read = recipe("f", &files).unwrap().files;
    assert_eq!(
        read,
        ["b.conf", "b.local", "f.conf", "a.conf", "f.local"].map(|name| Path::new("/d").join(name))
    );
}

#[test]
fn parameters_hold_over_init_over_definition_over_default() {
    let text = "[DEFAULT]\na = d\nb = d\nc = d\nd = d\n[Definition]\nb = n\nc = n\nd = n\nfailregex = <a><b><c><d> %(c)s <HOST>\n[Init]\nc = i\nd = i\n[Init?family=inet6]\nd = six\n";
    assert_eq!(patterns("f", &[("f.conf", text)]), ["dnii n <HOST>"]);
    assert_eq!(patterns("f[d=p, c=q]", &[("f.conf", text)]), ["dnqp q <HOST>"]);
    assert_eq!(patterns("f[family=inet6]", &[("f.conf", text)]), ["dnisix n <HOST>"]);
}

#[test]
fn names_in_names_are_replaced_from_the_inside() {
    let text = "[Definition]\nmode = a\nkind = x\nmdre-a = ^one <HOST>\n  ^two-<k_<kind>> <HOST>\nmdre-b =\nk_x = k\nfailregex = <mdre-<mode>>\n ^<unknown> <F-USER>u</F-USER> <HOST>\n <other/v>\n[other]\nv = ^three <HOST>\n";
    let files = [("f.conf", text)];
    let last = "^<unknown> <F-USER>u</F-USER> <HOST>";
    assert_eq!(patterns("f", &files), ["^one <HOST>", "^two-k <HOST>", last, "^three <HOST>"]);
    assert_eq!(patterns("f[mode=b]", &files), [last, "^three <HOST>"]);
    assert_eq!(patterns("f[mdre-a='<known/mdre-b>^p <HOST>']", &files), ["^p <HOST>", last, "^three <HOST>"]);
}

#[test]
fn mistakes_name_file_and_line() {
    for (text, line, words) in [
        ("[Definition]\nfailregex = %(x)s\nx = %(y)s\ny = %(x)s\n", 3, "needs itself"),
        ("[Definition]\nfailregex = <x>\nx = <y>\ny = <x>\n", 2, "needs itself"),
        ("[Definition]\nfailregex = a %(nothing)s\n", 2, "no value for %(nothing)s"),
        ("[Definition]\nfailregex = 100% <HOST>\n", 2, "written %%"),
        ("[Definition]\nx = y\n", 1, "no failregex"),
        ("[Definition]\nfailregex = <HOST>\nmaxlines = many\n", 3, "not `many`"),
        ("[Definition]\nfailregex\n", 2, "neither"),
        (
            "[Definition]\nfailregex = a<x><x>\nx = <z><z><z><z><z><z><z><z>\nz = 1234567890<w>\nw = <v><v><v><v><v><v><v><v><v>\nv = <u><u><u><u><u><u><u>\nu = <t><t><t><t><t><t><t>\nt = <s><s><s><s><s><s>\ns = 1234567890\n",
            2,
            "without end",
        ),
    ] {
        let trouble = recipe("f", &[("f.conf", text)]).unwrap_err();
        assert_eq!((trouble.file, trouble.line), (PathBuf::from("/d/f.conf"), line), "{text}");
        assert!(trouble.message.contains(words), "{}", trouble.message);
    }
    assert!(recipe("absent", &[]).is_err());
}

#[test]
fn patterns_that_cannot_be_used_are_shown() {
    for (failregex, words) in [("^a( <HOST>", "no end"), ("^a b$", "who is to be banned")] {
        let text = format!("[Definition]\n\nfailregex = {failregex}\n");
        let troubles = Language::compile(recipe("f", &[("f.conf", &text)]).unwrap()).unwrap_err();
        assert_eq!(troubles[0].line, 3);
        assert!(troubles[0].message.contains(words), "{}", troubles[0].message);
    }
}

#[test]
fn the_prefix_says_what_the_other_patterns_see() {
    let text = "[Definition]\nprefregex = ^app (?:for <F-USER>\\S+</F-USER> )?<F-CONTENT>.+</F-CONTENT>$\nfailregex = ^bad <HOST>\\s$\nignoreregex = friend$\n  ^bad 192\\.0\\.2\\.9\n";
    let filter = filter(text);
    let lines = [
        "app bad 192.0.2.1",
        "app for me bad 192.0.2.2",
        "xapp bad 192.0.2.3",
        "app app bad 192.0.2.4",
        "app bad 192.0.2.9",
    ];
    assert_eq!(blamed(&filter, &lines), hosts(&["192.0.2.1", "192.0.2.2", "", "", ""]));
}

#[test]
fn sessions_join_lines_and_stay_apart() {
    let text = "[Definition]\nprefregex = ^s<F-MLFID>\\d+</F-MLFID>: <F-CONTENT>.+</F-CONTENT>$\nfailregex = ^<F-NOFAIL>from</F-NOFAIL> <HOST>$\n ^fail$\n ^<F-MLFFORGET>bye</F-MLFFORGET>$\n";
    let filter = filter(text);
    let lines = [
        "s1: from 192.0.2.1",
        "s2: from 192.0.2.2",
        "s2: fail",
        "s1: fail",
        "s3: fail",
        "s1: bye",
        "s1: fail",
    ];
    assert_eq!(blamed(&filter, &lines), hosts(&["", "", "192.0.2.2", "192.0.2.1", "", "192.0.2.1", ""]));
}

#[test]
fn lines_are_looked_at_together_and_skipped_ones_stay() {
    let text = "[Definition]\nmaxlines = 4\nfailregex = ^c(?P<id>\\d) <HOST><SKIPLINES>^c(?P=id) no$\n";
    let filter = filter(text);
    let lines =
        ["c1 192.0.2.1", "c2 192.0.2.2", "c1 no", "c2 no", "c1 no", "c3 192.0.2.3", "x", "x", "x", "c3 no"];
    assert_eq!(blamed(&filter, &lines), hosts(&["", "", "192.0.2.1", "192.0.2.2", "", "", "", "", "", ""]));
}

#[test]
fn a_network_that_the_line_names_is_blamed_whole() {
    let filter = filter(
        "[Definition]\nfailregex = ^net <SUBNET>$\n ^two <ADDR>/<CIDR>$\n ^id <F-ID>\\S+</F-ID> <ADDR>/<CIDR>$\n",
    );
    let lines = [
        "net 203.0.113.0/24",
        "net 203.0.113.7",
        "net [2001:db8::/48]",
        "net 203.0.113.0/33",
        "net 203.0.113.0/99999999999999999999",
        "two 203.0.113.7/16",
        "id me 203.0.113.7/16",
    ];
    let hosts = hosts(&[
        "203.0.113.0/24",
        "203.0.113.7",
        "2001:db8::/48",
        "203.0.113.0",
        "203.0.113.0",
        "203.0.113.7/16",
        "me",
    ]);
    assert_eq!(blamed(&filter, &lines), hosts);
}

#[test]
fn a_name_is_never_taken_where_an_address_fits() {
    let patterns = "failregex = from <HOST>\\b\n ^for (?P<user>.+) by <HOST>$\n by <HOST>$\n";
    let lines = ["x from friend from 192.0.2.1", "x from friend", "for x from friend by 192.0.2.2"];
    for (usedns, alone) in [("", "friend"), ("usedns = warn\n", "friend"), ("usedns = no\n", "")] {
        let filter = filter(&format!("[Definition]\n{patterns}{usedns}"));
        assert_eq!(blamed(&filter, &lines), hosts(&["192.0.2.1", alone, "192.0.2.2"]), "{usedns}");
    }
}

#[test]
fn what_is_asked_for_and_not_done_is_told_where_it_stands() {
    for (usedns, told) in [("yes", Some(3)), ("warn", Some(3)), ("raw", Some(3)), ("no", None), ("", None)] {
        let text = format!("[Definition]\nfailregex = <HOST>\nusedns = {usedns}\n");
        let remarks = Language::compile(recipe("f", &[("f.conf", &text)]).unwrap()).unwrap().remarks();
        assert_eq!(remarks.first().map(|remark| remark.line), told, "{usedns}");
        assert!(remarks.iter().all(|remark| remark.message.contains(&format!("usedns = {usedns} is not"))));
    }
}

#[test]
fn on_a_format_with_a_client_only_the_client_is_blamed() {
    let text = "[Definition]\nfailregex = ^<HOST> \\S+ \\S+ \\[\\] \"GET /bad\n  by <HOST>\"\n";
    let filter = filter(text);
    let judge = |line: &str| {
        let record = Format::Combined.parse(line.as_bytes()).unwrap();
        match filter.judge(&record) {
            Judgement::Offence(found) => Some(found.told.unwrap().address),
            _ => None,
        }
    };
    let line = |path: &str, agent: &str| {
        judge(&format!(
            "192.0.2.7 - - [01/May/2026:10:00:00 +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"{agent}\""
        ))
    };
    assert_eq!(line("/bad", "x").as_deref(), Some("192.0.2.7"));
    assert_eq!(line("/bad", "\u{FDD0} é").as_deref(), Some("192.0.2.7"));
    assert_eq!(line("/", "x by 192.0.2.8"), None);
    assert_eq!(line("/", "x by 0\u{FDD0}0"), None);
}

#[test]
fn what_is_no_text_hides_nothing() {
    let filter = filter("[Definition]\nfailregex = ^user '.{3}' \\w+ from <HOST>$\n");
    let mut line = b"user 'a\xFFb' n\xC3\xA4me from 192.0.2.1".to_vec();
    let judged =
        |line: &[u8]| matches!(filter.judge(&Format::Raw.parse(line).unwrap()), Judgement::Offence(_));
    assert!(judged(&line));
    line.insert(6, b'x');
    assert!(!judged(&line));
}

#[test]
fn a_search_that_goes_back_too_often_is_given_up_and_counted() {
    let filter = filter("[Definition]\nfailregex = ^b <HOST>$\n ^(?:a(?!b)|a(?!e))*(?<!a)c <HOST>$\n");
    let language = filter.language().unwrap();
    let engines: Vec<Engine> = language.engines().into_iter().map(|(.., engine)| engine).collect();
    assert_eq!(engines, [Engine::Linear, Engine::Backtracking]);
    assert_eq!(blamed(&filter, &["b 192.0.2.1", "aac 192.0.2.1"]), hosts(&["192.0.2.1", ""]));
    assert_eq!(language.given_up(), 0);
    assert_eq!(blamed(&filter, &[&format!("{}c 192.0.2.1", "a".repeat(400))]), [None]);
    assert_eq!(language.given_up(), 1);
}

proptest! {
    /// Whatever stands in a file, reading it ends and panics never.
    #[test]
    fn any_file_is_read_or_refused(body in "[ \t\\[\\]A-Za-z%()<>/=:;#\n|*+?{}\\\\^$.-]{0,400}") {
        let text = format!("[Definition]\nfailregex = ^<HOST>{body}\n");
        if let Ok(recipe) = recipe("f", &[("f.conf", &text)])
            && let Ok(language) = Language::compile(recipe)
        {
            let filter = Filter::told(language);
            let _ = blamed(&filter, &["192.0.2.1 x", ""]);
        }
    }

    /// Whatever a line holds, on a format with a client nobody else is blamed.
    #[test]
    fn any_line_blames_its_client(agent in "\\PC{0,40}", path in "[!-~]{0,20}") {
        let filter = filter("[Definition]\nfailregex = <HOST>\n  (?:x|.)*<ADDR>.?\n");
        let line = format!("192.0.2.7 - - [01/May/2026:10:00:00 +0000] \"GET /{path} HTTP/1.1\" 200 1 \"-\" \"{agent}\"");
        if let Ok(record) = Format::Combined.parse(line.as_bytes())
            && let Judgement::Offence(found) = filter.judge(&record)
        {
            prop_assert_eq!(found.told.unwrap().address, "192.0.2.7");
        }
    }
}
