//! Which literals patterns require, and that they do.

use proptest::prelude::*;
use regex::bytes::Regex;

use super::literals::{Cut, best};
use super::*;

fn literals(pattern: &str, cut: Cut) -> Option<(Vec<String>, bool)> {
    let (literals, ignore_case) = best(Pattern::read(pattern).unwrap().hir(), cut)?.finish()?;
    let mut literals: Vec<String> =
        literals.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    literals.sort();
    Some((literals, ignore_case))
}

/// As many literals as expected, each a piece of an expected one: where a common beginning is left out is an estimate.
fn check(pattern: &str, expected: &[&str]) {
    let (found, _) = literals(pattern, Cut::Escaped(&Format::Combined))
        .unwrap_or_else(|| panic!("{pattern} has no literals"));
    assert_eq!(found.len(), expected.len(), "{pattern}: {found:?}");
    for whole in expected {
        let piece = found.iter().any(|found| whole.contains(found.as_str()) && found.len() >= 3);
        assert!(piece, "{pattern}: {whole} in {found:?}");
    }
}

#[test]
fn the_rarest_inner_strings_are_taken() {
    check(r"(GET|POST) /(wp-login|xmlrpc)\.php", &[" /wp-login.php", " /xmlrpc.php"]);
    check(r"/wp-login\.php(?:/|$)", &["/wp-login.php"]);
    check(r"^.*needle.*$", &["needle"]);
    check(r"Mozilla/5\.0 .*zgrab", &["zgrab"]);
    check(r"(?:foo\d+zonk|bazooka)", &["zonk", "bazooka"]);
    check(r"\.(?:sql|bak)(?:\.gz)?$", &[".sql", ".bak"]);
    check(r"(?:passwd){2,}x?", &["passwdpasswd"]);
    check(r"a[bc]quux\b", &["quux"]);
}

#[test]
fn beginnings_that_stand_on_every_line_are_left_out() {
    let opaque = r#"^(?s-u:.)+ -.*"(GET|POST) /(wp-login|xmlrpc)\.php.*" (401|403|200)"#;
    let (found, ignore_case) = literals(opaque, Cut::Brackets).unwrap();
    assert!(!ignore_case);
    assert_eq!(found.len(), 2, "{found:?}");
    for literal in &found {
        assert!(literal.ends_with("-login.php") || literal.ends_with("/xmlrpc.php"), "{found:?}");
        assert!(!literal.contains("T /"), "{found:?}");
    }
}

#[test]
fn the_case_of_letters_is_folded() {
    assert_eq!(literals("(?i)SqlMap", Cut::Escaped(&Format::Combined)), Some((vec!["sqlmap".into()], true)));
    assert_eq!(
        literals("(?i:nikto)|ZmEu", Cut::Escaped(&Format::Combined)),
        Some((vec!["nikto".into(), "zmeu".into()], true))
    );
    assert_eq!(literals("ZmEu", Cut::Escaped(&Format::Combined)), Some((vec!["ZmEu".into()], false)));
}

#[test]
fn what_requires_nothing_says_so() {
    for pattern in ["", ".*", "a|", "(?:abc)?", "[a-z]+", "(?:foo)*", r"\d+", "GET|POST", "/", "é"] {
        assert_eq!(literals(pattern, Cut::Escaped(&Format::Combined)), None, "{pattern}");
    }
}

#[test]
fn a_sign_that_no_usual_line_holds_is_enough() {
    assert_eq!(
        literals(r"['*]\d+", Cut::Escaped(&Format::Combined)),
        Some((vec!["'".into(), "*".into()], false))
    );
}

#[test]
fn no_literal_holds_what_a_server_escapes() {
    check("onload=\"zonk", &["onload="]);
    check(r"zonk\\windows", &["zonk"]);
    check("zürich-west", &["rich-west"]);
}

#[test]
fn no_literal_lies_across_the_date() {
    let (found, _) = literals(r#"- - \[\] "POST"#, Cut::Brackets).unwrap();
    assert!(found.len() == 1 && found[0].ends_with("POST") && !found[0].contains('['), "{found:?}");
    let (found, _) = literals(r"sshd\[\]: Failed", Cut::Boundaries).unwrap();
    assert!(found.iter().all(|literal| !literal.contains("[]") && !literal.contains("]:")), "{found:?}");
}

#[test]
fn longer_literals_that_hold_shorter_ones_are_dropped() {
    for (pattern, ignore_case) in [("xmlrpc|xmlrpcs|my-xmlrpc", false), ("(?i:xmlrpc)|XMLRPCs", true)] {
        let (found, folded) = literals(pattern, Cut::Escaped(&Format::Combined)).unwrap();
        assert!(
            found.len() == 1 && "xmlrpc".ends_with(&found[0]) && folded == ignore_case,
            "{pattern}: {found:?}"
        );
    }
}

#[test]
fn a_pattern_made_to_explode_stays_bounded() {
    let wide = format!("(?:{})", (0..2_000).map(|n| format!("word{n}x")).collect::<Vec<_>>().join("|"));
    for pattern in [wide.as_str(), "(?:[ab][cd]){40}", "(?:(?:ab|cd|ef){3}){3}xyz", "(?i)(?:a|b|c|d){12}quux"]
    {
        if let Some((found, _)) = literals(pattern, Cut::Escaped(&Format::Combined)) {
            assert!(found.len() <= 512 && found.iter().all(|literal| literal.len() <= 32), "{pattern}");
        }
    }
}

fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-c/.]{1,4}".prop_map(|text| regex_syntax::escape(&text)),
        Just("[ab]".to_owned()),
        Just(".".to_owned()),
        Just(r"\b".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned()),
        Just(r#"""#.to_owned()),
        Just(r"\[\]".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            proptest::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner.clone(), prop_oneof!["[*+?]", Just("{2}".to_owned()), Just("{1,3}".to_owned())])
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
            inner.clone().prop_map(|part| format!("(?i:{part})")),
            inner.prop_map(|part| format!("({part})")),
        ]
    })
}

/// As a server logs a value: what it escapes is written otherwise.
fn logged(value: &str) -> String {
    value.replace('"', "\\x22")
}

fn holds(line: &str, literals: &[Vec<u8>], ignore_case: bool) -> bool {
    let line = if ignore_case { line.to_ascii_lowercase() } else { line.to_owned() };
    literals.iter().any(|literal| memchr::memmem::find(line.as_bytes(), literal).is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_value_that_matches_holds_a_required_literal(pattern in patterns(), value in "[a-cA-C/.\"]{0,16}") {
        let matches = Regex::new(&pattern).unwrap().is_match(value.as_bytes());
        let set = best(Pattern::read(&pattern).unwrap().hir(), Cut::Escaped(&Format::Combined)).and_then(Set::finish);
        if let Some((literals, ignore_case)) = set && matches {
            prop_assert!(holds(&logged(&value), &literals, ignore_case), "{literals:?}");
        }
    }

    #[test]
    fn a_line_that_matches_without_its_date_holds_one(
        pattern in patterns(), before in "[a-c/.\"]{0,6}", after in "[a-c/.\"]{0,12}"
    ) {
        let cut = format!("{before}[]{after}");
        let line = format!("{before}[01/May/2026:10:00:00 +0000]{after}");
        let matches = Regex::new(&pattern).unwrap().is_match(cut.as_bytes());
        for kind in [Cut::Brackets, Cut::Boundaries] {
            let set = best(Pattern::read(&pattern).unwrap().hir(), kind).and_then(Set::finish);
            if let Some((literals, ignore_case)) = set && matches {
                prop_assert!(holds(&line, &literals, ignore_case), "{literals:?}");
            }
        }
    }
}

#[test]
fn a_target_that_begins_with_another_spelling_needs_no_literal() {
    let begins = |pattern: &str| begins_respelled(Pattern::read(pattern).unwrap().hir()).is_some();
    for pattern in ["^https?://", "^(?:https?|ftp)://(?:x|y)", "^//", r"^/\.", "^/x%"] {
        assert!(begins(pattern), "{pattern}");
    }
    for pattern in
        ["https?://", "^https?:/", "^(?:http://|x)", r"^\?//", "^.*//", "", "^", "^[^/]*//", "(?:^|x)//"]
    {
        assert!(!begins(pattern), "{pattern}");
    }
}
