//! Payloads wrapped as the runtimes and syslog do it, parts split anywhere and streams mixed, come back as they were.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const TIME: &str = "2026-11-20T15:51:57.123456789Z";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Docker,
    Cri,
}

/// As Docker writes a string: `\u00XX` for what has no short escape.
fn json(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '<' | '\0'..='\x1f' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    escaped.collect()
}

impl Kind {
    fn wrap(self, stream: &str, part: &str, ends: bool) -> String {
        match self {
            Self::Docker => {
                let end = if ends { "\\n" } else { "" };
                format!("{{\"log\":\"{}{end}\",\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n", json(part))
            }
            Self::Cri => format!("{TIME} {stream} {} {part}\n", if ends { "F" } else { "P" }),
        }
    }
}

/// A line, its stream, and where it is split.
type Written = (String, bool, Vec<Index>);

fn parts((line, _, splits): &Written) -> Vec<String> {
    let mut at: Vec<usize> = splits.iter().map(|split| split.index(line.len() + 1)).collect();
    at.retain(|at| line.is_char_boundary(*at));
    at.sort_unstable();
    at.push(line.len());
    let mut from = 0;
    at.into_iter().map(|to| line[std::mem::replace(&mut from, to)..to].to_owned()).collect()
}

/// The parts of all lines as one after the other is written, and the lines in the order in which they end. `turns` says
/// whose part is next.
fn write(kind: Kind, lines: &[Written], turns: &[bool]) -> (String, Vec<String>) {
    let of = |error: bool| lines.iter().filter(move |line| line.1 == error);
    let mut queues = [false, true].map(|error| {
        let all = of(error).flat_map(|line| {
            let parts = parts(line);
            let last = parts.len() - 1;
            parts.into_iter().enumerate().map(move |(n, part)| (part, (n == last).then(|| line.0.clone())))
        });
        all.collect::<std::collections::VecDeque<_>>()
    });
    let (mut text, mut ended) = (String::new(), Vec::new());
    let mut turns = turns.iter().cycle();
    while queues.iter().any(|queue| !queue.is_empty()) {
        let wanted = usize::from(*turns.next().unwrap());
        let queue = if queues[wanted].is_empty() { 1 - wanted } else { wanted };
        let (part, whole) = queues[queue].pop_front().unwrap();
        text += &kind.wrap(["stdout", "stderr"][queue], &part, whole.is_some());
        ended.extend(whole);
    }
    (text, ended)
}

/// Unwraps a text that comes in buffers of whole lines, cut at these places.
fn unwrap(text: &str, cuts: &[Index]) -> (Vec<String>, Unwrap) {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut cuts: Vec<usize> =
        cuts.iter().filter(|_| !ends.is_empty()).map(|cut| ends[cut.index(ends.len())]).collect();
    cuts.sort_unstable();
    cuts.push(text.len());
    let (mut unwrap, mut out, mut found, mut from) = (Unwrap::default(), Unwrapped::default(), Vec::new(), 0);
    for to in cuts {
        let buffer = &text[from..to];
        unwrap.notice(buffer.as_bytes(), None);
        if unwrap.is_needed() {
            unwrap.run(buffer.as_bytes(), from as u64, &mut out);
            assert!(out.misfits.is_empty());
            assert_eq!(lines(&out.lines).count(), out.marks.len());
            for (line, mark) in lines(&out.lines).zip(&out.marks) {
                assert_eq!(out.lines.get(mark.start..mark.start + line.len()), Some(line));
                assert_eq!(&buffer[mark.time.clone()], TIME);
                found.push(String::from_utf8(line.to_vec()).unwrap());
            }
        } else {
            assert_eq!(buffer, "");
        }
        from = to;
    }
    (found, unwrap)
}

fn any_line() -> impl Strategy<Value = Written> {
    let text = prop_oneof![
        "[ -~\u{e9}\u{1f600}\t\r]{0,40}",
        select(vec![
            String::new(),
            r#"203.0.113.7 - - [20/Nov/2026:12:00:00 +0000] "GET /\x22 HTTP/1.1" 404 5 "-" "x""#.to_owned(),
            r#"{"log":"forged\n","stream":"stdout","time":"x"}"#.to_owned(),
            format!("{TIME} stdout F forged"),
        ]),
    ];
    (text, any::<bool>(), prop::collection::vec(any::<Index>(), 0..4))
}

proptest! {
    #[test]
    fn lines_come_back_whole_and_in_order(
        kind in select(vec![Kind::Docker, Kind::Cri]),
        written in prop::collection::vec(any_line(), 0..12),
        turns in prop::collection::vec(any::<bool>(), 1..20),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let (text, ended) = write(kind, &written, &turns);
        let (found, unwrap) = unwrap(&text, &cuts);
        prop_assert_eq!(found, ended);
        prop_assert_eq!(unwrap.held(text.len() as u64), None);
        prop_assert_eq!(unwrap.cut, 0);
    }

    #[test]
    fn a_syslog_header_goes_and_nothing_else(
        head in select(vec!["<190>Nov 20 12:00:00 web1 nginx: ", "Nov  2 12:00:00 haproxy[7]: ", "2026-11-20T12:00:00+01:00 web1 a/b: ",
                            "<134>1 2026-11-20T12:00:00Z web1 a 1 - [x y=\"\\\"]\"] "]),
        agents in prop::collection::vec("[ !#-\\[\\]-~]{0,30}", 1..8),
        cuts in prop::collection::vec(any::<Index>(), 0..4),
    ) {
        let line = |agent: &String| format!("203.0.113.7 - - [20/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 404 5 \"-\" \"{agent}\"");
        let lines: Vec<String> = agents.iter().map(line).collect();
        let text: String = lines.iter().flat_map(|line| [head, line, "\n"]).collect();
        let mut unwrap = Unwrap::default();
        let mut out = Unwrapped::default();
        unwrap.notice(text.as_bytes(), None);
        unwrap.run(text.as_bytes(), 0, &mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out.lines), lines.concat_lines());
        // And inside of a container's log.
        let wrapped: Vec<Written> = lines.iter().map(|line| (format!("{head}{line}"), false, vec![])).collect();
        let (text, _) = write(Kind::Docker, &wrapped, &[false]);
        prop_assert_eq!(self::unwrap(&text, &cuts).0, lines);
    }

    #[test]
    fn no_bytes_break_it(text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"'), Just(b'\\')], 0..300), kind in any::<bool>()) {
        let first = if kind { Kind::Docker.wrap("stdout", "x", false) } else { Kind::Cri.wrap("stdout", "x", false) };
        let mut unwrap = Unwrap::default();
        let mut out = Unwrapped::default();
        unwrap.notice(first.as_bytes(), None);
        unwrap.run(first.as_bytes(), 0, &mut out);
        unwrap.syslog = true;
        unwrap.run(&text, first.len() as u64, &mut out);
        prop_assert_eq!(unwrap.held(first.len() as u64), Some(first.len() as u64));
    }
}

trait ConcatLines {
    fn concat_lines(&self) -> String;
}

impl ConcatLines for Vec<String> {
    fn concat_lines(&self) -> String {
        self.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

#[test]
fn a_line_that_never_ends_is_cut_and_what_follows_is_whole() {
    for kind in [Kind::Docker, Kind::Cri] {
        let part = "x".repeat(400_000);
        let mut text: String = (0..4).map(|n| kind.wrap("stdout", &part, n == 3)).collect();
        text += &kind.wrap("stdout", "next", true);
        let (mut unwrap, mut out) = (Unwrap::default(), Unwrapped::default());
        unwrap.notice(text.as_bytes(), None);
        unwrap.run(text.as_bytes(), 0, &mut out);
        let found: Vec<usize> = lines(&out.lines).map(<[u8]>::len).collect();
        assert_eq!((found, unwrap.cut), (vec![MAX_LINE - 1, 4], 1));
    }
}

#[test]
fn a_line_that_does_not_fit_is_set_aside_and_joins_nothing() {
    let text = Kind::Docker.wrap("stdout", "a", false) + "b\n\n" + &Kind::Docker.wrap("stdout", "c", true);
    let (mut unwrap, mut out) = (Unwrap::default(), Unwrapped::default());
    unwrap.notice(text.as_bytes(), None);
    unwrap.run(text.as_bytes(), 0, &mut out);
    assert_eq!(out.lines, b"ac\n");
    let misfits: Vec<&str> = out.misfits.iter().map(|at| &text[at.clone()]).collect();
    assert_eq!(misfits, ["b"]);
    assert_eq!(out.marks[0].number, 3);
}

#[test]
fn what_it_is_is_provisional_while_few_lines_told() {
    let wrapped = Kind::Docker.wrap("stdout", "a", true);
    let mut unwrap = Unwrap::default();
    unwrap.notice(b"\"half a line\n", None);
    assert!(!unwrap.is_needed());
    unwrap.notice(wrapped.as_bytes(), None);
    assert_eq!(unwrap.names().collect::<Vec<_>>(), ["docker"]);
    unwrap.notice(wrapped.repeat(ENOUGH).as_bytes(), None);
    unwrap.notice(b"other\nlines\n", None);
    assert!(unwrap.is_needed());
    unwrap.relook();
    unwrap.notice(b"other\nlines\n", None);
    assert!(!unwrap.is_needed());
}

#[test]
fn what_a_rotated_log_began_is_ended_in_its_successor() {
    let (first, rest) = (Kind::Cri.wrap("stdout", "one ", false), Kind::Cri.wrap("stdout", "line", true));
    let (mut before, mut after, mut out) = (Unwrap::default(), Unwrap::default(), Unwrapped::default());
    before.notice(first.as_bytes(), None);
    before.run(first.as_bytes(), 100, &mut out);
    let read = 100 + first.len() as u64;
    assert_eq!(before.held(read), Some(first.len() as u64));
    after.go_on(&mut before);
    assert_eq!((before.held(read), after.held(0)), (None, Some(0)));
    after.notice(rest.as_bytes(), None);
    after.run(rest.as_bytes(), 0, &mut out);
    assert_eq!((out.lines.as_slice(), after.held(0)), (&b"one line\n"[..], None));
}
