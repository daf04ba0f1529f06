//! What Python reads and what is written of it.

use regex::bytes::Regex;

use super::{Hosts, Style, parse, write};
use crate::filter::tests::cost;

const EXACT: Style =
    Style { hosts: Hosts::Plain, ascii: false, linear: false, lines: false, borderless: false };

fn written(pattern: &str) -> String {
    write(&parse(pattern).unwrap(), EXACT)
}

fn linear(pattern: &str) -> Regex {
    Regex::new(&write(&parse(pattern).unwrap(), Style { linear: true, ..EXACT })).unwrap()
}

#[test]
fn what_python_reads_differently_is_written_out() {
    for (pattern, expected) in [
        ("a{,3}b{2,}c{x}d{4}", r"a{0,3}b{2,}c\{x\}d{4}"),
        (r"\012\0\1x", "\\n\\x{0}\\1x"),
        ("(?#words)a", "a"),
        (r"[[a&&b]", r"[\x{5b}a\x{26}\x{26}b]"),
        ("[]a]", r"[\x{5d}a]"),
        (r"[\b\n]", r"[\x{8}\x{a}]"),
        (r"a\Z", r"a\z"),
        (r"^x$", r"\Ax(?m:$)"),
        (r"\<\-\ ", r"<\- "),
        ("((?i)a|b)c", "((?i)a|b)c"),
        ("(?iu)a(?u:b)", "(?i)a(?:b)"),
        ("(?P<q>'?)x(?P=q)", "(?P<q>'?)x(?P=q)"),
        ("(?P<c>a)?(?(c)b|d)", "(?P<c>a)?(?(<c>)(?:b)|(?:d))"),
        ("<F-USER>a|b</F-USER></F-X>", "(?P<user>a|b)</F\\-X>"),
        ("<F-ALT_USER-1>a</F-ALT_USER-1>", "(?P<alt_user_1>a)"),
        ("<br>a<b", "<br>a<b"),
        ("a++b*?(?>c)", "a++b*?(?>c)"),
    ] {
        assert_eq!(written(pattern), expected, "{pattern}");
    }
}

#[test]
fn without_borders_the_same_texts_match_and_more() {
    let pattern = parse(r"\bfoo\b(?:\b)?[\b]*").unwrap();
    let borderless = Style { borderless: true, linear: true, ..EXACT };
    let loose = Regex::new(&write(&pattern, borderless)).unwrap();
    let exact = Regex::new(&write(&pattern, Style { linear: true, ..EXACT })).unwrap();
    for (text, found, also_exactly) in
        [(" foox", true, false), (" foo\u{8}", true, true), ("\u{e9}foo", true, false), ("fo", false, false)]
    {
        assert_eq!(
            (loose.is_match(text.as_bytes()), exact.is_match(text.as_bytes())),
            (found, also_exactly),
            "{text}"
        );
    }
}

#[test]
fn what_python_refuses_is_refused() {
    for pattern in
        ["(", "a)", "[a", "*a", "a**", r"\y", "(?P<a>x)(?P<a>y)", "(?<n>a)", "a{2,1}", "[b-a]", r"\x1"]
    {
        let error = parse(pattern).unwrap_err();
        assert!(error.contains(pattern), "{pattern}: {error}");
    }
    assert!(parse(&"(".repeat(1000)).is_err());
    assert!(parse("<HOST> (?P<x>a) <F-X>b</F-X>").is_err());
}

#[test]
fn only_what_needs_it_backtracks() {
    for (pattern, backtracks) in [
        ("^<HOST> (?i)x$", false),
        ("<IP6>", false),
        ("(?!a)b", true),
        ("(?<=a)b", true),
        (r"(a)\1", true),
        ("a++", true),
        ("(?P<a>x)?(?(a)y)", true),
    ] {
        assert_eq!(parse(pattern).unwrap().backtracks(), backtracks, "{pattern}");
    }
}

#[test]
fn the_linear_form_takes_what_the_exact_one_takes() {
    for (pattern, text) in [
        (r"^(?!b)a(?=c)", "ac"),
        (r"(?P<q>['])x(?P=q)", "'x'"),
        (r"(?P<c>a)?b(?(c)d|e)", "be"),
        (r"(?:(?! from ).)*$", "ab"),
    ] {
        let exact = fancy_regex::Regex::new(&written(pattern)).unwrap();
        assert!(exact.is_match(text).unwrap(), "{pattern}");
        assert!(linear(pattern).is_match(text.as_bytes()), "{pattern}");
    }
}

#[test]
fn hosts_are_addresses_in_every_spelling_or_names() {
    let host = linear("^<HOST>$");
    for (text, group, taken) in [
        ("192.0.2.1", "ip4", "192.0.2.1"),
        ("::ffff:192.0.2.1", "ip4", "192.0.2.1"),
        ("[2001:db8::1]", "ip6", "2001:db8::1"),
        ("2001:db8::", "ip6", "2001:db8::"),
        ("a-b.example", "dns", "a-b.example"),
    ] {
        let captures = host.captures(text.as_bytes()).unwrap();
        assert_eq!(captures.name(group).unwrap().as_bytes(), taken.as_bytes(), "{text}");
    }
    assert!(!linear("^<IP6>$").is_match(b"2001:db8:"));
    assert!(linear(r"^<SUBNET>$").is_match(b"192.0.2.0/24"));
    assert!(!linear(r"^<ADDR>$").is_match(b"a.example"));
}

/// A list of words, of which another alternative stands between.
fn words() -> String {
    let word = |n: u8| format!("{}bot{n}", char::from(b'a' + n % 26));
    let words: Vec<String> = (0..200).map(word).collect();
    format!("^<HOST> -.*\"(?:{}|(?:x y )?z|{})\"$", words[..150].join("|"), words[150..].join("|"))
}

#[test]
fn words_stay_alternatives_in_their_order() {
    let list = linear(&words());
    for (word, is_there) in
        [("abot0", true), ("tbot149", true), ("ubot150", true), ("x y z", true), ("abot1", false)]
    {
        let line = format!("192.0.2.1 - \"{word}\"");
        assert_eq!(list.is_match(line.as_bytes()), is_there, "{word}");
    }
    let first = linear("(?P<user>a|ab|c|d|e|f|g|h|i|a.)b");
    assert_eq!(first.captures(b"abb").unwrap().name("user").unwrap().as_bytes(), b"a");
}

/// Wherever a quote stands one of the words may begin.
#[test]
fn many_words_cost_little_more_than_none_where_each_may_begin() {
    let list = linear(&words());
    let searching = |fill: &str, times: usize| {
        let line = format!("192.0.2.1 - {}\"tbot149\"", fill.repeat(16 << 10));
        cost(times, || assert!(list.captures(line.as_bytes()).is_some()))
    };
    // What else runs only adds: measured again before it fails.
    assert!([2, 8, 32].into_iter().any(|times| searching("\"", times) < searching("q", times) * 15));
}
