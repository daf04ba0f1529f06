//! What is saved is what a start gets back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::super::prune::Limits;
use super::super::{HistoryEvent, HistoryQuery, JailTotals, Kept, Transaction};
use super::{
    Place, allowance, at, ban, banned, bans, checkpoint, jail, prior, resolved, story, tracker, whole_history,
};
use crate::ban::{Ban, Change, Ended, HeldBan, HeldEntry, Origin};
use crate::terms::{
    Allowance, Checkpoint, Fingerprint, HistoryKind, Master, Measure, Pause, PublishedFile, Tracked,
    TrackerEntry,
};

fn without_evidence(ban: &Ban) -> Ban {
    Ban { evidence: Vec::new(), ..ban.clone() }
}

fn held(address: &str, of: &str) -> HeldBan {
    HeldBan { ban: ban(address, of, 10, &[]), judged: at(11), until: at(99) }
}

fn entry(held: &HeldBan) -> HeldEntry {
    HeldEntry { prefix: held.ban.prefix, jail: held.ban.jail.clone(), held: Some(held.clone()) }
}

#[test]
fn everything_comes_back_as_it_was() {
    let place = Place::new();
    let by_log = ban("192.0.2.7", "login", 10, &["GET / \u{1b}[31m", "\"nul \0 byte\""]);
    let by_hand = Ban {
        until: None,
        value: Measure::Challenge,
        origin: Origin::Hand,
        reason: Some("läuft".to_owned()),
        simulated: true,
        ..ban("2001:db8:1:2::/64", "manual", 20, &[])
    };
    let unnamed =
        Checkpoint { path: OsStr::from_bytes(b"/var/log/\xff.log").into(), ..checkpoint(8, u64::MAX >> 1) };
    let file = PublishedFile {
        output: "nginx".parse().unwrap(),
        path: "/out/nginx.conf".into(),
        kind: "nginx-geo include".to_owned(),
        generation: 7,
        digest: u64::MAX,
        verified_by: Some(Master { pid: 12, started: 99 }),
    };
    let unverified = PublishedFile { output: "apache".parse().unwrap(), verified_by: None, ..file.clone() };
    let kept = Kept {
        generation: 7,
        bans: vec![without_evidence(&by_log), without_evidence(&by_hand)],
        trackers: vec![
            TrackerEntry { what: Tracked::Groups, ..tracker("198.51.100.0/24", "login", &[(3, 9)]) },
            tracker("198.51.100.0/24", "login", &[(1, 0), (2, u64::MAX)]),
        ],
        priors: vec![prior("192.0.2.7", None, 3), prior("192.0.2.7", Some("login"), 2)],
        held: vec![held("192.0.2.8", "login"), held("192.0.2.9", "login")],
        checkpoints: vec![checkpoint(7, 0), unnamed],
        pauses: vec![
            Pause { jail: None, until: None },
            Pause { jail: Some(jail("login")), until: Some(at(9)) },
        ],
        allowed: vec![
            allowance("192.0.2.0/24", None),
            Allowance { uid: None, reason: None, ..allowance("2001:db8::1", Some(9)) },
        ],
        names: vec![resolved("home.example", &["2001:db8::1"]), resolved("x.example", &["192.0.2.1", "::2"])],
        files: vec![unverified, file],
        totals: vec![JailTotals { jail: jail("login"), offences: 3, hits: 2, bans: 1 }],
        seed: None,
    };
    let transaction = Transaction {
        generation: Some(7),
        changes: vec![banned(&by_log), banned(&by_hand)],
        trackers: kept.trackers.clone(),
        priors: kept.priors.clone(),
        held: kept.held.iter().map(entry).collect(),
        checkpoints: kept.checkpoints.clone(),
        pauses: Some(kept.pauses.clone()),
        allowed: Some(kept.allowed.clone()),
        names: Some(kept.names.clone()),
        files: kept.files.clone(),
        totals: kept.totals.clone(),
        ..Transaction::default()
    };
    assert_eq!(place.kept(), Kept::default());
    place.open().0.save(&transaction, at(21)).unwrap();
    let (store, found) = place.open();
    assert_eq!(found, kept);
    assert_eq!(store.evidence(by_log.prefix, &by_log.jail).unwrap(), by_log.evidence);
    assert_eq!(store.evidence(by_hand.prefix, &by_hand.jail).unwrap(), []);
    assert_eq!(store.evidence(by_log.prefix, &by_hand.jail).unwrap(), []);
}

#[test]
fn what_is_over_is_forgotten() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let file = |path: &str| PublishedFile {
        output: "apache".parse().unwrap(),
        path: path.into(),
        kind: "list".to_owned(),
        generation: 1,
        digest: 1,
        verified_by: None,
    };
    let first = ban("192.0.2.7", "login", 10, &["line"]);
    let begun = Transaction {
        changes: vec![banned(&first)],
        trackers: vec![tracker("192.0.2.8", "login", &[(1, 0)])],
        priors: vec![prior("192.0.2.8", None, 1), prior("192.0.2.8", Some("login"), 1)],
        held: vec![entry(&held("192.0.2.8", "login"))],
        checkpoints: vec![checkpoint(7, 10), checkpoint(8, 10)],
        pauses: Some(vec![Pause { jail: None, until: None }]),
        allowed: Some(vec![allowance("192.0.2.0/24", None)]),
        names: Some(vec![resolved("home.example", &["2001:db8::1"])]),
        files: vec![file("/old"), file("/new")],
        ..Transaction::default()
    };
    store.save(&begun, at(0)).unwrap();
    let over = Transaction {
        changes: vec![Change::Ended(first.into(), Ended::Expired)],
        trackers: vec![tracker("192.0.2.8", "login", &[])],
        priors: vec![prior("192.0.2.8", Some("login"), 0), prior("192.0.2.8", None, 0)],
        held: vec![HeldEntry { held: None, ..entry(&held("192.0.2.8", "login")) }],
        checkpoints: vec![Checkpoint { finished: true, ..checkpoint(7, 20) }],
        pauses: Some(Vec::new()),
        allowed: Some(Vec::new()),
        names: Some(Vec::new()),
        forgotten: vec![("apache".parse().unwrap(), "/old".into())],
        ..Transaction::default()
    };
    store.save(&over, at(1)).unwrap();
    let expected =
        Kept { checkpoints: vec![checkpoint(8, 10)], files: vec![file("/new")], ..Kept::default() };
    assert_eq!(place.kept(), expected);
}

#[test]
fn finishing_an_old_file_spares_the_new_one_with_its_inode() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let mut old = checkpoint(7, 500);
    old.fingerprint.head = 1;
    old.finished = true;
    let save = Transaction { checkpoints: vec![checkpoint(7, 10), old], ..Transaction::default() };
    store.save(&save, at(0)).unwrap();
    assert_eq!(place.kept().checkpoints, [checkpoint(7, 10)]);
}

#[test]
fn prolonging_keeps_the_lines_and_adds_new_ones() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let first = ban("192.0.2.7", "login", 10, &["one", "two"]);
    store.save(&bans(vec![banned(&first)]), at(10)).unwrap();
    let bare = Ban { until: Some(at(9000)), evidence: Vec::new(), ..first.clone() };
    store.save(&bans(vec![Change::Prolonged(bare.clone().into())]), at(11)).unwrap();
    assert_eq!(store.evidence(first.prefix, &first.jail).unwrap(), first.evidence);
    let more = ban("192.0.2.7", "login", 10, &["two", "three"]);
    store.save(&bans(vec![Change::Prolonged(more.clone().into())]), at(12)).unwrap();
    let texts = |lines: Vec<crate::terms::Evidence>| lines.into_iter().map(|l| l.text).collect::<Vec<_>>();
    let lines = texts(store.evidence(first.prefix, &first.jail).unwrap());
    assert_eq!(lines, ["one".into(), "two".into(), "three".into()]);
    assert_eq!(place.kept().bans, [without_evidence(&more)]);
}

#[test]
fn an_unknown_ban_that_is_prolonged_is_kept() {
    let place = Place::new();
    let one = ban("192.0.2.7", "login", 10, &["one"]);
    place.open().0.save(&bans(vec![Change::Prolonged(one.clone().into())]), at(11)).unwrap();
    let (store, kept) = place.open();
    assert_eq!(kept.bans, [without_evidence(&one)]);
    assert_eq!(store.evidence(one.prefix, &one.jail).unwrap(), one.evidence);
}

#[test]
fn the_history_tells_it_all_and_finds_who_is_meant() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let one = ban("192.0.2.7", "login", 10, &["one"]);
    let net = ban("2001:db8:1:2::/64", "probe", 11, &["net"]);
    let past = ban("198.51.100.1", "probe", 12, &["past"]);
    let held = ban("198.51.100.2", "probe", 13, &["held"]);
    let changes = vec![
        banned(&one),
        banned(&net),
        Change::Past(past.into()),
        Change::Withheld(held.into()),
        Change::Ended(one.clone().into(), Ended::Unbanned),
    ];
    store.save(&bans(changes), at(20)).unwrap();
    let note = HistoryEvent {
        at: at(30),
        kind: HistoryKind::Command,
        address: Some(one.prefix),
        jail: None,
        uid: Some(1000),
        reason: Some("a mistake".to_owned()),
        text: "unban 192.0.2.7".to_owned(),
    };
    store.save(&Transaction { notes: vec![note], ..Transaction::default() }, at(31)).unwrap();

    let told = story(&store, &whole_history());
    let expected = [
        (HistoryKind::Banned, "192.0.2.7"),
        (HistoryKind::Banned, "2001:db8:1:2::/64"),
        (HistoryKind::Past, "198.51.100.1"),
        (HistoryKind::Withheld, "198.51.100.2"),
        (HistoryKind::Unbanned, "192.0.2.7"),
        (HistoryKind::Command, "192.0.2.7"),
    ];
    assert_eq!(told, expected.map(|(kind, address)| (kind, address.to_owned())));

    let about = |address: &str| HistoryQuery { address: Some(address.parse().unwrap()), ..whole_history() };
    assert_eq!(story(&store, &about("2001:db8:1:2::99")).len(), 1, "a member of the banned prefix");
    assert_eq!(story(&store, &about("198.51.100.0/30")).len(), 2, "bans inside the prefix asked for");
    assert_eq!(story(&store, &about("192.0.2.8")).len(), 0);
    assert_eq!(story(&store, &HistoryQuery { since: Some(at(21)), ..whole_history() }).len(), 1);
    assert_eq!(story(&store, &HistoryQuery { jail: Some(jail("login")), ..whole_history() }).len(), 2);
    let newest = store.history(&HistoryQuery { limit: 2, ..whole_history() }).unwrap();
    assert_eq!(newest[0].uid, Some(1000));
    assert_eq!(newest[0].reason.as_deref(), Some("a mistake"));
    assert_eq!(newest[1].kind, HistoryKind::Unbanned);
    let begun = store.history(&about("192.0.2.7")).unwrap().pop().unwrap();
    assert_eq!((begun.at, begun.since, begun.evidence), (at(20), Some(at(10)), one.evidence));
}

#[test]
fn every_kind_of_history_has_its_own_word_and_is_read_back() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let note = |kind| HistoryEvent {
        at: at(0),
        kind,
        address: None,
        jail: None,
        uid: None,
        reason: None,
        text: String::new(),
    };
    let notes = HistoryKind::ALL.map(note).to_vec();
    store.save(&Transaction { notes, ..Transaction::default() }, at(0)).unwrap();
    let kinds: Vec<_> = story(&store, &whole_history()).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, HistoryKind::ALL);
    for kind in HistoryKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
    }
}

#[test]
fn history_and_lines_are_bounded_but_active_bans_keep_theirs() {
    let place = Place::new();
    let (mut store, _) = place.open();
    store.limit(Limits { events: 100, lines: 50 });
    let lasting = ban("192.0.2.1", "login", 0, &["kept"]);
    store.save(&bans(vec![banned(&lasting)]), at(0)).unwrap();
    for n in 0..1000_i64 {
        let short = ban(&format!("10.0.{}.{}", n / 250, n % 250), "login", n, &["a", "b"]);
        let ended = Change::Ended(short.clone().into(), Ended::Expired);
        store.save(&bans(vec![banned(&short), ended]), at(n)).unwrap();
    }
    let rows = store.history(&whole_history()).unwrap();
    assert!((100..=111).contains(&rows.len()), "{}", rows.len());
    let lines: usize = rows.iter().map(|row| row.evidence.len()).sum();
    assert!((45..=57).contains(&lines), "{lines}");
    assert_eq!(rows.last().unwrap().address, Some(lasting.prefix), "the active ban's beginning stays");
    drop(store);
    let (store, _) = place.open();
    assert_eq!(store.evidence(lasting.prefix, &lasting.jail).unwrap(), lasting.evidence);
}

#[test]
fn an_operator_reads_it_with_plain_sql() {
    let place = Place::new();
    let (mut store, _) = place.open();
    store.save(&bans(vec![banned(&ban("192.0.2.7", "login", 0, &["one"]))]), at(0)).unwrap();
    let reader = rusqlite::Connection::open(place.path()).unwrap();
    let row = reader
        .query_row(
            "SELECT address || ' ' || jail || ' ' || since || ' ' || until FROM show_bans",
            [],
            |row| row.get::<_, String>(0),
        )
        .unwrap();
    assert_eq!(row, "192.0.2.7 login 2026-09-21T14:13:20Z 2026-09-21T15:13:20Z");
    for view in ["show_history", "show_evidence"] {
        let sql = format!("SELECT count(*) FROM {view} WHERE address = '192.0.2.7' AND at LIKE '2026-%Z'");
        let count: i64 = reader.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1, "{view}");
    }
}

#[test]
fn the_place_in_a_journal_is_kept() {
    let place = Place::new();
    let at_cursor = |cursor: &str| Checkpoint {
        path: "journal:nginx".into(),
        fingerprint: Fingerprint::NONE,
        offset: 0,
        cursor: Some(cursor.to_owned()),
        ..checkpoint(0, 0)
    };
    let (mut store, _) = place.open();
    for cursor in ["@1790000000000000", "s=ab;i=7"] {
        let save =
            Transaction { checkpoints: vec![at_cursor(cursor), checkpoint(7, 10)], ..Transaction::default() };
        store.save(&save, at(0)).unwrap();
    }
    drop(store);
    let mut kept = place.kept().checkpoints;
    kept.sort_by_key(|checkpoint| checkpoint.fingerprint.inode);
    assert_eq!(kept, [at_cursor("s=ab;i=7"), checkpoint(7, 10)]);
}

#[test]
fn hits_that_prolong_a_ban_are_no_history() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let first = ban("192.0.2.7", "login", 10, &["one"]);
    let longer = Ban { until: Some(at(9000)), evidence: Vec::new(), ..first.clone() };
    let extended = || Change::Extended(longer.clone().into());
    store.save(&bans(vec![banned(&first), extended()]), at(11)).unwrap();
    assert_eq!(place.kept().bans, std::slice::from_ref(&longer));
    assert_eq!(store.evidence(first.prefix, &first.jail).unwrap(), first.evidence);
    assert_eq!(story(&store, &whole_history()), [(HistoryKind::Banned, "192.0.2.7".to_owned())]);
    let other = Ban { prefix: "192.0.2.8".parse().unwrap(), ..longer.clone() };
    store.save(&bans(vec![Change::Extended(other.clone().into())]), at(12)).unwrap();
    assert_eq!(place.kept().bans, [longer, other], "one that was deleted by hand is kept all the same");
}
