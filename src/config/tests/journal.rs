//! Sources that read the systemd journal, and what their lines are.

use super::*;
use crate::source::{Input, JournalInput, JournalMatch};

fn journal(text: &str) -> JournalInput {
    let config = Site::new(&format!("[source.j]\n{text}\n")).load();
    match &config.sources[0].settings.input {
        Input::Journal(journal) => journal.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn units_and_matches_alone_and_in_lists() {
    let unit = |unit: &str| JournalMatch::Unit(unit.to_owned());
    let fields = |fields: &[&str]| JournalMatch::Fields(strings(fields));
    for (text, matches, prefixed) in [
        ("journal = 'ssh'", vec![unit("ssh")], false),
        ("journal = 'ssh'\nformat = 'raw'", vec![unit("ssh")], false),
        ("journal = ['ssh', 'sshd']\nformat = 'journal'", vec![unit("ssh"), unit("sshd")], true),
        (
            "journal = ['ssh', 'A=b C=d + _E=f']",
            vec![unit("ssh"), fields(&["A=b", "C=d"]), fields(&["_E=f"])],
            false,
        ),
    ] {
        assert_eq!(journal(text), JournalInput { matches, prefixed }, "{text}");
    }
}

#[test]
fn what_takes_nothing_is_told() {
    let told = told("[source.k]\njournal = []\n[source.l]\njournal = \"a + b=c\"\n");
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("banmap.toml:2:11: [source.k] journal: names nothing | "), "{told:#?}");
    assert!(told[1].starts_with("banmap.toml:4:11: [source.l] journal: `b` is no field of the journal | "));
    let twice = super::told("[source.j]\njournal = [\"a\", \"b\"]\n[source.k]\njournal = \"a + b\"\n");
    assert!(
        twice.len() == 1 && twice[0].contains("`journal:a + b` is already read by [source.j]"),
        "{twice:#?}"
    );
}

#[test]
fn the_form_of_the_lines_is_that_of_the_filters_that_read_them() {
    let site = |format: &str| {
        let jail = "[jail.own]\nfilter = \"own\"\n";
        Site::new(&format!("{jail}[source.j]\njournal = \"ssh\"\nformat = \"{format}\"\n"))
            .file("filter.d/own.conf", "[Definition]\nfailregex = ^\\S+ sshd: bad <HOST>$\n")
    };
    assert_eq!(
        site("raw").told(),
        [
            "banmap.toml:2:1: [jail.own] filter: `own` is written in fail2ban's language, and expects the journal's lines \
          with host and program in front | write format = \"journal\" in [source.j]"
        ]
    );
    site("journal").load();
    let of_files = told("[source.a]\npath = \"/l/a.log\"\nformat = \"journal\"\n");
    assert_eq!(
        of_files,
        [
            "banmap.toml:3:10: [source.a] format: `journal` is about lines of the journal | write \"raw\": those of files \
          have it anyway"
        ]
    );
}
