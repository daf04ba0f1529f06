//! Bad places and damaged files: the error names the thing and the fix, and nothing is deleted.
#![allow(clippy::disallowed_methods, reason = "the tests damage files on purpose")]

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use rusqlite::Connection;

use super::super::{Event, Kept, Store, StoreError, schema};
use super::{Place, at, ban, banned, bans, checkpoint, tracker};

fn message(result: Result<(Store, Kept, Vec<Event>), StoreError>) -> String {
    result.unwrap_err().to_string()
}

fn filled(place: &Place, many: u32) {
    let (mut store, _) = place.open();
    let all =
        (0..many).map(|n| banned(&ban(&format!("10.0.{}.{}", n / 250, n % 250), "login", 0, &["a line"])));
    let mut save = bans(all.collect());
    save.checkpoints = vec![checkpoint(7, 10)];
    save.trackers = vec![tracker("192.0.2.8", "login", &[(1, 0)])];
    save.generation = Some(5);
    store.save(&save, at(0)).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_set_aside() {
    for (n, content) in ["x", "not a database at all, but rather long\n"].into_iter().enumerate() {
        let place = Place::new();
        fs::write(place.path(), content.repeat(1 + n * 200)).unwrap();
        let (_, mut kept, events) = Store::open(&place.path(), at(0)).unwrap();
        assert!(kept.seed.take().is_some());
        assert_eq!(kept, Kept::default());
        let [Event::SetAside { aside, bans: 0, .. }] = &events[..] else { panic!("{events:?}") };
        assert!(aside.to_str().unwrap().ends_with("banmap.sqlite3.corrupt-20260921T141320Z"), "{aside:?}");
        assert_eq!(fs::read_to_string(aside).unwrap(), content.repeat(1 + n * 200), "kept as it was");
        assert!(events[0].to_string().contains("read positions were lost"), "{}", events[0]);
        assert_eq!(place.kept(), Kept::default(), "the new one is good");
    }
}

#[test]
fn an_empty_file_is_a_new_store() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    assert_eq!(place.kept(), Kept::default());
}

/// Overwrites `length` bytes at `offset`.
fn damage(place: &Place, offset: u64, length: usize) {
    let mut file = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&vec![0xa5; length]).unwrap();
}

/// The offset of the root page of `table`.
fn root(place: &Place, table: &str) -> u64 {
    let reader = Connection::open(place.path()).unwrap();
    let sql = "SELECT (rootpage - 1) * 4096 FROM sqlite_schema WHERE name = ?1";
    reader.query_row(sql, [table], |row| row.get::<_, i64>(0)).unwrap() as u64
}

#[test]
fn of_a_damaged_table_the_others_are_saved() {
    let place = Place::new();
    filled(&place, 500);
    damage(&place, root(&place, "trackers"), 4096);
    let (_, kept, events) = Store::open(&place.path(), at(0)).unwrap();
    assert!(matches!(&events[..], [Event::SetAside { bans: 500, positions: false, .. }]), "{events:?}");
    assert_eq!((kept.bans.len(), kept.generation), (500, 5));
    assert_eq!(
        (kept.trackers, kept.checkpoints),
        (vec![], vec![]),
        "a position without its windows is no good"
    );
    let again = place.kept();
    assert_eq!((again.bans.len(), again.generation), (500, 5), "stored in the new file");
}

#[test]
fn bans_before_a_damaged_page_are_saved() {
    let place = Place::new();
    filled(&place, 500);
    let reader = Connection::open(place.path()).unwrap();
    let pages: i64 = reader.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    drop(reader);
    // Some page in the middle of the bans: the first whose damage the check finds.
    for page in (2..pages).rev() {
        damage(&place, page as u64 * 4096, 4096);
        let (_, kept, events) = Store::open(&place.path(), at(0)).unwrap();
        if !events.is_empty() {
            assert!(!place.names("corrupt").is_empty(), "{events:?}");
            assert!((1..500).contains(&kept.bans.len()), "{}", kept.bans.len());
            assert_eq!(place.kept().bans, kept.bans);
            return;
        }
    }
    panic!("no damage was found");
}

#[test]
fn a_missing_table_is_damage() {
    let place = Place::new();
    filled(&place, 3);
    Connection::open(place.path()).unwrap().execute_batch("DROP TABLE totals").unwrap();
    let (_, kept, events) = Store::open(&place.path(), at(0)).unwrap();
    assert!(matches!(&events[..], [Event::SetAside { bans: 3, positions: true, .. }]), "{events:?}");
    assert_eq!(kept.checkpoints, [checkpoint(7, 10)]);
}

#[test]
fn rows_that_make_no_sense_are_passed_over_and_told() {
    let place = Place::new();
    filled(&place, 3);
    let editor = Connection::open(place.path()).unwrap();
    editor.execute_batch("UPDATE bans SET address = 'example.net' WHERE address <> '10.0.0.1'").unwrap_err();
    editor.execute_batch("UPDATE bans SET address = 'x' || address WHERE address <> '10.0.0.1'").unwrap();
    let (_, kept, events) = Store::open(&place.path(), at(0)).unwrap();
    assert_eq!(kept.bans.len(), 1);
    let [event @ Event::RowsSkipped { table: "bans", rows: 2, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(event.to_string().contains("`x10.0.0.0` is not an IP address"), "{event}");
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    filled(&place, 3);
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(place.path()).unwrap();
    let said = message(Store::open(&place.path(), at(0)));
    assert!(said.contains("version 99") && said.contains("banmap.sqlite3"), "{said}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
    assert!(place.names("corrupt").is_empty());
}

#[test]
fn another_programs_database_is_refused() {
    let place = Place::new();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let said = message(Store::open(&place.path(), at(0)));
    assert!(said.contains("another program's") && said.contains("[daemon]"), "{said}");
}

#[test]
fn the_directory_is_made_and_nobody_else_can_read_the_lines() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let path = place.dir.path().join("a/b/banmap.sqlite3");
    let (mut store, ..) = Store::open(&path, at(0)).unwrap();
    store.save(&bans(vec![banned(&ban("192.0.2.7", "login", 0, &["one"]))]), at(0)).unwrap();
    for name in super::names(path.parent().unwrap(), "banmap") {
        let mode = path.with_file_name(&name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{name}: {mode:o}");
    }
}

#[test]
fn a_place_that_cannot_be_used_is_named_with_the_fix() {
    let place = Place::new();
    let file = place.dir.path().join("file");
    fs::write(&file, "").unwrap();
    let said = message(Store::open(&file.join("banmap.sqlite3"), at(0)));
    assert!(said.contains("file: cannot make the state directory") && said.contains("`state`"), "{said}");
    fs::create_dir(place.path()).unwrap();
    let said = message(Store::open(&place.path(), at(0)));
    assert!(said.contains("is no regular file"), "{said}");
}

#[test]
fn a_place_that_may_not_be_written_is_named_with_the_fix() {
    use std::os::unix::fs::PermissionsExt;
    if nix::unistd::geteuid().is_root() {
        // No permission stops root; /proc, where nothing can be made, stands for it.
        let said = message(Store::open("/proc/banmap.sqlite3".as_ref(), at(0)));
        assert!(said.contains("/proc/banmap.sqlite3: cannot open it for writing"), "{said}");
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let said = message(Store::open(&place.path(), at(0)));
    assert!(said.contains("cannot open it for writing") && said.contains("chown"), "{said}");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_saved() {
    let place = Place::new();
    filled(&place, 10);
    let (mut store, _) = place.open();
    let pages = store.limit_pages(1);
    store.limit_pages(pages + 2);
    let many: Vec<_> =
        (0..2000).map(|n| banned(&ban(&format!("10.1.{}.{}", n / 250, n % 250), "x", 0, &["l"]))).collect();
    let said = store.save(&bans(many.clone()), at(0)).unwrap_err().to_string();
    assert!(said.contains("cannot save") && said.contains("free some space"), "{said}");
    assert_eq!(place.kept().bans.len(), 10, "all or nothing");
    store.limit_pages(1 << 30);
    store.save(&bans(many), at(0)).unwrap();
    assert_eq!(place.kept().bans.len(), 2010);
}

#[test]
fn a_file_of_an_earlier_version_is_taken_over_with_all_it_holds() {
    let place = Place::new();
    filled(&place, 3);
    let first = place.kept();
    // As the first version made it: what came later is taken away.
    let old = Connection::open(place.path()).unwrap();
    let first_version =
        "DROP VIEW show_bans; ALTER TABLE bans DROP COLUMN value; ALTER TABLE history DROP COLUMN value;
        CREATE VIEW show_bans AS SELECT * FROM bans;
        ALTER TABLE checkpoints DROP COLUMN cursor; DROP VIEW show_priors; DROP TABLE priors;
        DROP VIEW show_allowed; DROP TABLE allowed; DROP TABLE names;
        DROP TABLE held; DELETE FROM meta WHERE key = 'seed';
        CREATE TABLE first AS SELECT jail, address, marks FROM trackers; DROP TABLE trackers;
        CREATE TABLE trackers (jail TEXT NOT NULL, address TEXT NOT NULL, marks TEXT NOT NULL,
            PRIMARY KEY (jail, address)) WITHOUT ROWID;
        INSERT INTO trackers SELECT * FROM first; DROP TABLE first;
        PRAGMA user_version = 1;";
    old.execute_batch(first_version).unwrap();
    drop(old);
    assert_eq!(place.kept(), first);
    let now = Connection::open(place.path()).unwrap();
    let version: i64 = now.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, schema::VERSION);
}

#[test]
fn every_step_leads_to_the_same_tables() {
    let tables = |from_first: bool| {
        let mut connection = Connection::open_in_memory().unwrap();
        if from_first {
            connection.execute_batch(schema::MIGRATIONS[0]).unwrap();
        }
        schema::migrate(&mut connection, i64::from(from_first)).unwrap();
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info('checkpoints')").unwrap();
        let columns = columns.query_map([], |row| row.get::<_, String>(0)).unwrap();
        columns.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(tables(true), tables(false));
    assert!(tables(true).contains(&"cursor".to_owned()));
}

#[test]
fn the_seed_stays_with_the_windows_whose_values_it_hashed() {
    let seed = |place: &Place| Store::open(&place.path(), at(0)).unwrap().1.seed;
    let (one, other) = (Place::new(), Place::new());
    let drawn = seed(&one);
    assert_eq!(seed(&one), drawn);
    assert_ne!(seed(&other), drawn);
    filled(&one, 3);
    Connection::open(one.path()).unwrap().execute_batch("DROP TABLE totals").unwrap();
    let (_, kept, events) = Store::open(&one.path(), at(0)).unwrap();
    assert_eq!((events.len(), kept.seed), (1, drawn), "taken over with them");
    assert_eq!(seed(&one), drawn, "and stored");
}
