//! Files as they are: wrapped, of several formats, of a format that shows late or changes.

use super::*;
use crate::filter::ConditionSet;

const ERROR: &str = "[Fri May 01 10:00:00.123456 2026] [authz_core:error] [pid 7:tid 140] [client 203.0.113.9:5] AH01630: client denied\n";
const RULES: &str = "rule = [{ status = 404 }, { message = 'client denied' }]";

fn docker(line: &str) -> String {
    let log = line.trim_end().replace('\\', "\\\\").replace('"', "\\\"");
    format!("{{\"log\":\"{log}\\n\",\"stream\":\"stdout\",\"time\":\"2026-05-01T11:00:00Z\"}}\n")
}

fn reader(toml: &str) -> Reader {
    Reader::new(vec![lens("j", toml)], true)
}

/// Who offended.
fn offenders(found: &[Observation]) -> Vec<String> {
    let offences = found.iter().filter(|observation| !observation.offences.is_empty());
    offences.map(|observation| observation.address.to_string()).collect()
}

fn vhost(client: u8, status: u16) -> String {
    "h.example:80 ".to_owned() + &line(client, "/", status, "-")
}

fn common(client: u8, status: u16) -> String {
    format!("203.0.113.{client} - - [01/May/2026:10:00:00 +0000] \"GET / HTTP/1.1\" {status} 5\n")
}

/// A line of one of four formats, and who offends with it.
fn any_of_them() -> impl Strategy<Value = (String, Option<String>)> {
    let status = prop::sample::select(vec![200_u16, 404]);
    (0..4_u8, 1..200_u8, status).prop_map(|(format, client, status)| {
        let line = match format {
            0 => line(client, "/", status, "-"),
            1 => vhost(client, status),
            2 => common(client, status),
            _ => ERROR.replace("113.9", &format!("113.{client}")),
        };
        (line, (status == 404 || format == 3).then(|| format!("203.0.113.{client}")))
    })
}

proptest! {
    #[test]
    fn no_offence_of_a_mixed_file_is_hidden(
        all in prop::collection::vec(any_of_them(), 0..200), at_most in 50..5000_usize, wrapped in any::<bool>(), quiet in 60..100_usize,
    ) {
        // One of each in the first lines: what is known by then is searched for.
        let known = [line(1, "/", 200, "-"), vhost(1, 200), common(1, 200), ERROR.replace("denied", "x")];
        let quiet = line(1, "/", 200, "-").repeat(quiet);
        let lines = known.iter().map(String::as_str).chain([quiet.as_str()]).chain(all.iter().map(|(line, _)| line.as_str()));
        let text: String = lines.collect();
        let text = if wrapped { text.lines().map(docker).collect() } else { text };
        let (reader, mut file) = (reader(RULES), FileReading::new(None));
        let found: Vec<Observation> =
            pieces(text.as_bytes(), at_most).into_iter().flat_map(|piece| read(&reader, &mut file, piece)).collect();
        let expected: Vec<String> = all.iter().filter_map(|(_, who)| who.clone()).collect();
        prop_assert_eq!(offenders(&found), expected);
        prop_assert_eq!((file.lines, file.unparsed), (text.lines().count() as u64, 0));
        prop_assert_eq!(file.bytes, text.len() as u64);
    }
}

#[test]
fn a_format_that_shows_late_is_read_from_its_first_candidate_on() {
    let (reader, mut file) = (reader(RULES), FileReading::new(None));
    let text = line(1, "/", 200, "-").repeat(5000) + ERROR + &line(2, "/", 404, "-") + ERROR;
    assert_eq!(
        offenders(&read(&reader, &mut file, text.as_bytes())),
        ["203.0.113.9", "203.0.113.2", "203.0.113.9"]
    );
    assert_eq!(file.taken().as_deref(), Some("combined, apache_error"));
    assert_eq!((file.lines, file.unparsed), (5003, 0));
}

#[test]
fn a_richer_format_of_lines_that_the_known_one_reads_is_found_by_a_sample() {
    let (reader, mut file) = (reader("rule = [{ user_agent = 'sqlmap' }]"), FileReading::new(None));
    let quiet = common(1, 200).repeat(100) + &line(1, "/", 200, "-").repeat(1100);
    assert_eq!(read(&reader, &mut file, quiet.as_bytes()).len(), 65, "the first 64 lines, and a sample");
    assert_eq!(file.taken().as_deref(), Some("common, combined"));
    assert_eq!(offenders(&read(&reader, &mut file, line(2, "/", 200, "sqlmap").as_bytes())), ["203.0.113.2"]);
}

#[test]
fn a_file_that_becomes_another_is_looked_at_anew() {
    let (reader, mut file) = (reader(RULES), FileReading::new(None));
    read(&reader, &mut file, line(1, "/", 404, "-").repeat(100).as_bytes());
    assert_eq!(file.taken().as_deref(), Some("combined"));
    let text: String = (0..200).map(|_| docker(&vhost(2, 404))).collect();
    let found = read(&reader, &mut file, text.as_bytes());
    let found = found.len() + read(&reader, &mut file, text.as_bytes()).len();
    assert!((200..400).contains(&found), "{found}");
    assert_eq!(read(&reader, &mut file, text.as_bytes()).len(), 200);
    assert_eq!(file.taken().as_deref(), Some("docker: vhost_combined"));
}

#[test]
fn a_file_of_one_line_and_one_that_begins_in_the_middle_are_known() {
    for (text, taken) in [
        (line(1, "/", 404, "-"), "combined"),
        (line(1, "/", 404, "-")[30..].to_owned() + &line(1, "/", 404, "-"), "combined"),
        ("Starting\n\nready\n".repeat(50) + &line(1, "/", 404, "-"), "combined"),
        (docker(&line(1, "/", 404, "-")), "docker: combined"),
        (format!("2026-05-01T11:00:00Z stdout F {}", line(1, "/", 404, "-")), "cri: combined"),
        (format!("May  1 10:00:00 web1 nginx[7]: {}", line(1, "/", 404, "-")), "syslog: combined"),
        (
            docker(&format!("May  1 10:00:00 web1 nginx: {}", line(1, "/", 404, "-"))),
            "docker: syslog: combined",
        ),
    ] {
        let (reader, mut file) = (reader(RULES), FileReading::new(None));
        assert_eq!(offenders(&read(&reader, &mut file, text.as_bytes())), ["203.0.113.1"], "{text}");
        assert_eq!(file.taken().as_deref(), Some(taken), "{text}");
        assert_eq!(file.last_line, Some("2026-05-01T10:00:00Z".parse().unwrap()));
    }
}

#[test]
fn start_up_messages_do_not_hide_that_there_are_headers() {
    let (reader, mut file) = (reader(RULES), FileReading::new(None));
    let messages = "May  1 10:00:00 web1 haproxy[7]: Proxy www started.\n".repeat(100);
    assert!(read(&reader, &mut file, messages.as_bytes()).is_empty());
    let line = format!("May  1 10:00:00 web1 haproxy[7]: {}", line(1, "/", 404, "-"));
    assert_eq!(read(&reader, &mut file, line.as_bytes()).len(), 1);
    let named = format!("May  1 10:00:00 web1 nginx: {}", super::line(2, "/", 404, "-"));
    assert_eq!(offenders(&read(&reader, &mut file, named.as_bytes())), ["203.0.113.2"]);
}

#[test]
fn raw_patterns_see_a_syslog_header_in_a_file_and_none_in_a_message() {
    let reader = reader("failregex = ['^(?:<[0-9]+>)? ?(?:web1 sshd: )?Failed .* from <HOST>$']");
    let text = "<38>Nov 20 12:00:00 web1 sshd: Failed password from 203.0.113.7\n";
    let mut file = FileReading::new(Some(Format::Raw));
    assert_eq!(
        read(&reader, &mut file, &text.as_bytes()[4..])[0].text.as_deref(),
        Some(text[4..].trim_end())
    );
    let mut socket = FileReading::new(Some(Format::Raw)).of_messages();
    read(&reader, &mut socket, "without a header\n".repeat(100).as_bytes());
    let found = read(&reader, &mut socket, text.as_bytes());
    assert_eq!(found[0].text.as_deref(), Some("Failed password from 203.0.113.7"));
    assert_eq!(
        found[0].at.to_string(),
        "2025-11-20T12:00:00Z",
        "the header's time: of the latest year that is past"
    );
}

#[test]
fn a_line_without_a_time_has_its_wrappers() {
    let (reader, mut file) = (reader("failregex = ['^failed <HOST>$']"), FileReading::new(Some(Format::Raw)));
    let found = read(&reader, &mut file, (docker("failed 203.0.113.7") + &docker("x")).as_bytes());
    assert_eq!(found[0].at, "2026-05-01T11:00:00Z".parse().unwrap());
    assert_eq!(file.last_line, Some("2026-05-01T11:00:00Z".parse().unwrap()));
}

#[test]
fn a_line_that_is_not_wrapped_as_the_others_is_counted() {
    let (reader, mut file) = (reader(RULES), FileReading::new(None));
    let text = docker(&line(1, "/", 404, "-")).repeat(100) + &line(2, "/", 404, "-");
    assert_eq!(offenders(&read(&reader, &mut file, text.as_bytes())).len(), 100);
    assert_eq!((file.lines, file.unparsed), (101, 1));
    assert!(file.example.unwrap().reason.contains("not wrapped"));
}

#[test]
fn what_refused_lines_look_like_is_said() {
    let (reader, mut file) = (reader(RULES), FileReading::new(Some(Format::ApacheError)));
    read(&reader, &mut file, vhost(1, 404).repeat(30).as_bytes());
    assert!(file.mostly_unparsed());
    assert_eq!(file.looks_like(), Some(Format::VhostCombined));
    let mut file = FileReading::new(None);
    read(&reader, &mut file, "nothing that is known\n".repeat(30).as_bytes());
    assert_eq!((file.mostly_unparsed(), file.looks_like()), (true, None));
}

#[test]
fn the_path_names_the_host_where_the_line_does_not() {
    let conditions = |host: &str| {
        let set = ConditionSet::read(&format!("host = '{host}'").parse().unwrap()).unwrap();
        vec![Arc::new(crate::filter::Conditions::compile(&set).unwrap())]
    };
    let lens = Lens { only: conditions("^shop\\.example$"), ..lens("j", "rule = [{ status = 404 }]") };
    let reader = Reader::new(vec![lens], true);
    let read_about = |host: &str, text: &str| {
        let mut file = FileReading::new(None).about(Some(host.as_bytes().into()));
        read(&reader, &mut file, text.as_bytes())[0].offences.len()
    };
    assert_eq!(read_about("Shop.example", &line(1, "/", 404, "-")), 1);
    assert_eq!(read_about("blog.example", &line(1, "/", 404, "-")), 0);
    // What a client names does not move its request to another host, and what the server names counts.
    assert_eq!(read_about("shop.example", &line(1, "http://blog.example/", 404, "-")), 1);
    assert_eq!(read_about("shop.example", &vhost(1, 404)), 0);
}
