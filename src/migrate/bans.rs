//! Whom fail2ban banned, from its database: the table `bips`, which fail2ban itself restores its bans from.
//!
//! The file is opened read-only, while fail2ban may go on writing to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MigrateError;
use super::setup::Setup;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

/// How long to wait for fail2ban to end what it is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where Debian and upstream have it.
const USUAL: &str = "/var/lib/fail2ban/fail2ban.sqlite3";

/// Its bantime where a ban does not end by itself.
const FOREVER: i64 = -1;

/// One row: a ban that is in force, or the last one of an address that is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TheirBan {
    /// fail2ban's jail.
    pub jail: String,
    /// Whom it banned: an address, a prefix, or whatever else a filter's `<F-ID>` took.
    pub id: String,
    /// Seconds since 1970.
    pub since: i64,
    /// When it ends, in the same; `None` is never.
    pub until: Option<i64>,
    /// How often that jail banned them within what it remembers, this ban included.
    pub bans: u32,
    /// How many offences decided it; 0 where that is not known.
    pub offences: u32,
}

/// What a database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TheirBans {
    /// By jail and time.
    pub bans: Vec<TheirBan>,
    /// Rows that do not say how long they last: fail2ban keeps them from a version before 0.11.
    pub endless: usize,
}

/// Why there is nothing to take over.
#[derive(Debug, thiserror::Error)]
pub enum BansError {
    /// fail2ban is told to keep none.
    #[error("fail2ban keeps no database: dbfile = {0}")]
    NoneKept(String),
    /// The file is not there.
    #[error("there is no database {}: has fail2ban run, and is it the dbfile of fail2ban.conf?", .0.display())]
    Missing(PathBuf),
    /// Somebody writes to it all the time.
    #[error("{} is locked: another program writes to it; try again in a moment", .0.display())]
    Locked(PathBuf),
    /// It may not be read.
    #[error("cannot read {path}: {error}; root may", path = path.display())]
    Closed {
        /// The database.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// fail2ban's database is another one before 0.11.
    #[error(
        "{} holds no table of bans that fail2ban 0.11 or newer has (bips): start a newer fail2ban once, or name another file",
        .0.display()
    )]
    TooOld(PathBuf),
    /// It is no database, or a broken one.
    #[error("cannot read {path}: {error}", path = path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        error: rusqlite::Error,
    },
}

/// Where a set-up has its database; `directory` is what `/etc/fail2ban` is.
pub fn database_of_fail2ban(directory: &Path) -> Result<PathBuf, MigrateError> {
    let file = Setup::server(directory)?.value("Definition", "dbfile", &[])?;
    let file = file.map_or_else(|| USUAL.to_owned(), |file| file.trim().to_owned());
    if file.starts_with('/') { Ok(PathBuf::from(file)) } else { Err(BansError::NoneKept(file).into()) }
}

/// Everything that fail2ban's database has.
pub fn bans_of_fail2ban(database: &Path) -> Result<TheirBans, BansError> {
    let path = || database.to_owned();
    std::fs::File::open(database).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BansError::Missing(path()),
        _ => BansError::Closed { path: path(), error },
    })?;
    read_within(database, PATIENCE).map_err(|error| told(database, error))
}

fn told(database: &Path, error: rusqlite::Error) -> BansError {
    let path = database.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BansError::Locked(path),
        _ if error.to_string().contains("no such table") => BansError::TooOld(path),
        _ => BansError::Broken { path, error },
    }
}

fn read_within(database: &Path, patience: Duration) -> rusqlite::Result<TheirBans> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(patience)?;
    let text = "SELECT jail, ip, timeofban, bantime, bancount, data FROM bips ORDER BY jail, timeofban, ip";
    let mut statement = connection.prepare(text)?;
    let mut found = TheirBans::default();
    for row in statement.query_map([], ban)? {
        match row? {
            Some(ban) => found.bans.push(ban),
            None => found.endless += 1,
        }
    }
    Ok(found)
}

/// `None` where it does not say how long it lasts.
fn ban(row: &Row<'_>) -> rusqlite::Result<Option<TheirBan>> {
    let text = |column| -> rusqlite::Result<String> {
        let value = row.get_ref(column)?;
        Ok(value
            .as_bytes_or_null()?
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default())
    };
    let (since, bantime): (i64, i64) = (row.get(2)?, row.get(3)?);
    if bantime < FOREVER {
        return Ok(None);
    }
    let until = (bantime != FOREVER).then(|| since.saturating_add(bantime));
    let bans = row.get::<_, i64>(4)?.clamp(1, u32::MAX.into()) as u32;
    let offences = failures(&text(5)?);
    Ok(Some(TheirBan { jail: text(0)?, id: text(1)?, since, until, bans, offences }))
}

/// `{"matches": […], "failures": 5}`
fn failures(data: &str) -> u32 {
    let data: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let failures = data.get("failures").and_then(serde_json::Value::as_u64);
    u32::try_from(failures.unwrap_or(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables as fail2ban 1.0.2 makes them.
    const TABLES: &str = "CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, \
                          bantime INTEGER NOT NULL, bancount INTEGER NOT NULL default 1, data JSON, PRIMARY KEY(ip, jail));";

    fn database(text: &str) -> (tempfile::TempDir, PathBuf, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.sqlite3");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(text).unwrap();
        (directory, path, connection)
    }

    #[test]
    fn every_row_is_told_and_those_without_a_length_are_counted() {
        let rows = "INSERT INTO bips VALUES \
                    ('192.0.2.1', 'web', 1000, 600, 3, CAST('{\"matches\": [], \"failures\": 5}' AS BLOB)), \
                    ('alice', 'users', 900, -1, 0, NULL), \
                    ('192.0.2.2', 'old', 1000, -2, 1, '{}'), \
                    ('192.0.2.3', 'web', 900, 9223372036854775807, 99999999999, 'nonsense')";
        let (_directory, path, _connection) = database(&format!("{TABLES}{rows}"));
        let found = bans_of_fail2ban(&path).unwrap();
        let ban = |jail: &str, id: &str, since, until, bans, offences| TheirBan {
            jail: jail.to_owned(),
            id: id.to_owned(),
            since,
            until,
            bans,
            offences,
        };
        let expected = [
            ban("users", "alice", 900, None, 1, 0),
            ban("web", "192.0.2.3", 900, Some(i64::MAX), u32::MAX, 0),
            ban("web", "192.0.2.1", 1000, Some(1600), 3, 5),
        ];
        assert_eq!((found.bans.as_slice(), found.endless), (expected.as_slice(), 1));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_to_do() {
        let told = |path: &Path| bans_of_fail2ban(path).unwrap_err().to_string();
        let (directory, path, _connection) = database("CREATE TABLE bans(ip TEXT)");
        assert!(told(&path).contains("fail2ban 0.11 or newer"), "{}", told(&path));
        assert!(told(&directory.path().join("none")).starts_with("there is no database "));
        let text = directory.path().join("text");
        std::io::Write::write_all(&mut std::fs::File::create(&text).unwrap(), &[b'x'; 4096]).unwrap();
        assert!(told(&text).contains("not a database"), "{}", told(&text));
    }

    #[test]
    fn a_database_that_is_being_written_is_waited_for_and_then_told() {
        let (_directory, path, connection) = database(TABLES);
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let error = read_within(&path, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(told(&path, error), BansError::Locked(_)));
        connection.execute_batch("COMMIT").unwrap();
        assert_eq!(bans_of_fail2ban(&path).unwrap(), TheirBans::default());
    }

    #[test]
    fn the_database_is_where_fail2ban_conf_says() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let mut file = std::fs::File::create(directory.path().join(name)).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        let found = || database_of_fail2ban(directory.path()).map_err(|error| error.to_string());
        assert_eq!(found(), Ok(PathBuf::from(USUAL)));
        write("fail2ban.conf", "[Definition]\ndbfile = /srv/f.sqlite3\n");
        assert_eq!(found(), Ok(PathBuf::from("/srv/f.sqlite3")));
        write("fail2ban.local", "[Definition]\ndbfile = None\n");
        assert_eq!(found(), Err("fail2ban keeps no database: dbfile = None".to_owned()));
    }
}
