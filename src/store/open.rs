//! Opening the file: checked, migrated, read; a damaged one is set aside and a new one begun.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::load::{self, Skipped};
use super::prune::{Fill, Limits};
use super::{Event, HistoryQuery, HistoryRow, Kept, StoreError, Transaction, history, save, schema};
use crate::address::Prefix;
use crate::ban::{Change, HeldBan, HeldEntry};
use crate::os::aside::set_aside;
use crate::terms::{Evidence, JailName};

/// How long a statement waits for another program's lock before it fails as busy.
const BUSY: Duration = Duration::from_secs(1);

/// The open file; used by one thread.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    fill: Fill,
    limits: Limits,
}

impl Store {
    /// Opens `path` and reads what is kept. A missing file is made with mode 0640, since it holds log lines; a missing
    /// directory with 0755, since outputs below it must be within reach of the web server's workers.
    ///
    /// A damaged file is renamed to `path.corrupt-DATE`, its `-wal` and `-shm` with it; what can be read of it goes into
    /// a new one, and an event tells. Fails where the place cannot be used, where the file is another program's, and
    /// where a newer banmap wrote it. `now` dates what is done.
    pub fn open(path: &Path, now: Timestamp) -> Result<(Self, Kept, Vec<Event>), StoreError> {
        prepare_place(path)?;
        match Self::attempt(path) {
            Ok((store, kept, skipped)) => Ok((store, kept, told(path, skipped))),
            Err(error) if error.is_damage() => Self::replace_damaged(path, &error, now),
            Err(error) => Err(error),
        }
    }

    /// Sets `path` aside because of `problem`, begins anew, and takes over what can be read.
    pub(super) fn replace_damaged(
        path: &Path,
        problem: &StoreError,
        now: Timestamp,
    ) -> Result<(Self, Kept, Vec<Event>), StoreError> {
        let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let old = Connection::open_with_flags(path, reading);
        let (mut salvaged, positions) = old.map(|old| load::salvage(&old)).unwrap_or_default();
        let suffix = format!("corrupt-{}", now.strftime("%Y%m%dT%H%M%SZ"));
        let aside = set_aside(path, &suffix, &["-wal", "-shm"]).map_err(|source| StoreError::Io {
            path: path.to_owned(),
            step: "set the damaged file aside",
            source,
        })?;
        prepare_place(path)?;
        let (mut store, new, _) = Self::attempt(path)?;
        match salvaged.seed {
            Some(seed) => store.keep_seed(seed)?,
            None => salvaged.seed = new.seed,
        }
        store.save(&taken_over(&salvaged), now)?;
        let event = Event::SetAside {
            path: path.to_owned(),
            aside,
            problem: problem.to_string(),
            bans: salvaged.bans.len(),
            positions,
        };
        Ok((store, salvaged, vec![event]))
    }

    fn attempt(path: &Path) -> Result<(Self, Kept, Vec<Skipped>), StoreError> {
        refuse_stump(path)?;
        let failed = |step| move |source| StoreError::Sqlite { path: path.to_owned(), step, source };
        let mut connection = connect(path).map_err(failed("open it"))?;
        let found = version(&connection, path)?;
        if found < schema::VERSION {
            schema::migrate(&mut connection, found).map_err(failed("create its tables"))?;
        }
        check(&connection, path)?;
        let (kept, skipped) = load::everything(&connection).map_err(|error| damaged_schema(path, error))?;
        let fill = Fill::read(&connection).map_err(failed("read it"))?;
        let whole = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        whole.map_err(failed("open it"))?;
        Ok((Self { connection, path: path.to_owned(), fill, limits: Limits::default() }, kept, skipped))
    }

    /// Windows that are taken over hold values that were hashed with this one.
    fn keep_seed(&self, seed: u64) -> Result<(), StoreError> {
        let sql = "UPDATE meta SET value = ?1 WHERE key = 'seed'";
        let kept = self.connection.execute(sql, [seed as i64]);
        kept.map(drop).map_err(|source| self.failed("save", source))
    }

    /// Stores all of `transaction`, or, with an error, nothing; on disk when it returns. `now` is the time of its changes.
    pub fn save(&mut self, transaction: &Transaction, now: Timestamp) -> Result<(), StoreError> {
        self.write(transaction, transaction.changes.iter().map(|change| (now, change)))
    }

    /// As `save`, with a time for each change instead of the transaction's own changes.
    pub(super) fn write<'a>(
        &mut self,
        rest: &Transaction,
        changes: impl Iterator<Item = (Timestamp, &'a Change)>,
    ) -> Result<(), StoreError> {
        self.attempt_write(rest, changes).map_err(|source| self.failed("save", source))
    }

    fn attempt_write<'a>(
        &mut self,
        rest: &Transaction,
        changes: impl Iterator<Item = (Timestamp, &'a Change)>,
    ) -> rusqlite::Result<()> {
        let open = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = save::write(&open, rest, changes)?;
        let mut fill = self.fill;
        fill.lines += written.lines;
        fill.prune(&open, written.newest_event, self.limits)?;
        fill.write(&open, self.fill)?;
        open.commit()?;
        self.fill = fill;
        Ok(())
    }

    /// The part of the history that `query` asks for, newest first.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<HistoryRow>, StoreError> {
        history::find(&self.connection, query).map_err(|source| self.failed("read the history", source))
    }

    /// The lines that decided the active ban of `prefix` by `jail`, oldest first; none where there is no such ban.
    pub fn evidence(&self, prefix: Prefix, jail: &JailName) -> Result<Vec<Evidence>, StoreError> {
        let sql = "SELECT event FROM bans WHERE address = ?1 AND jail = ?2";
        let key = params![prefix.to_string(), jail.as_str()];
        let event = self.connection.query_row(sql, key, |row| row.get(0)).optional();
        let lines = event.and_then(|event| {
            event.map_or_else(|| Ok(Vec::new()), |event| history::evidence(&self.connection, event))
        });
        lines.map_err(|source| self.failed("read the evidence", source))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, step: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), step, source }
    }

    /// For tests: keeps less history and evidence.
    #[cfg(test)]
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// For tests: a disk that is full after `pages` pages; returns how many there are now.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: i64) -> i64 {
        self.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        self.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    }
}

/// Says plainly what is wrong with the place, which `SQLite` would only call "unable to open".
fn prepare_place(path: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path, step| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, step, source }
    };
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
        made.map_err(failed(directory, "make the state directory"))?;
    }
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path);
    opened.map(drop).map_err(failed(path, "open it for writing"))
}

/// `SQLite` takes a file that is shorter than any database for an empty one, and would overwrite it.
fn refuse_stump(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(metadata) if (1..512).contains(&metadata.len()) => {
            let problem = format!("it has only {} bytes", metadata.len());
            Err(StoreError::Damaged { path: path.to_owned(), problem })
        }
        _ => Ok(()),
    }
}

/// A connection that does not touch the file by closing, so that a damaged one is set aside as it is.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Where the file system has no shared memory SQLite keeps its rollback journal, which is as safe.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
    Ok(connection)
}

/// The schema's version; 0 for a new file. Refuses what is newer, or not ours.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let read = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|source| StoreError::Sqlite { path: path.to_owned(), step: "read it", source })
    };
    let (application, found) = (read("application_id")?, read("user_version")?);
    let empty = read("schema_version")? == 0;
    match (application, found) {
        (schema::APPLICATION, found) if found > schema::VERSION => {
            Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION })
        }
        (schema::APPLICATION, found) => Ok(found),
        _ if empty => Ok(0),
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}

/// Checks the structure of the tables that a start needs; history and evidence would take too long.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    for (table, _) in load::TABLES {
        let result =
            connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get::<_, String>(0));
        let problem = result.map_err(|error| damaged_schema(path, error))?;
        if problem != "ok" {
            return Err(StoreError::Damaged { path: path.to_owned(), problem });
        }
    }
    Ok(())
}

/// An SQL error while opening means that a table or column is missing: the file is not what its version says.
fn damaged_schema(path: &Path, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(ErrorCode::Unknown) => {
            StoreError::Damaged { path: path.to_owned(), problem: source.to_string() }
        }
        _ => StoreError::Sqlite { path: path.to_owned(), step: "read it", source },
    }
}

fn taken_over(kept: &Kept) -> Transaction {
    Transaction {
        generation: Some(kept.generation),
        changes: kept.bans.iter().map(|ban| Change::Banned(ban.clone().into())).collect(),
        trackers: kept.trackers.clone(),
        priors: kept.priors.clone(),
        held: kept.held.iter().map(taken_over_held).collect(),
        checkpoints: kept.checkpoints.clone(),
        pauses: Some(kept.pauses.clone()),
        allowed: Some(kept.allowed.clone()),
        names: Some(kept.names.clone()),
        files: kept.files.clone(),
        totals: kept.totals.clone(),
        ..Transaction::default()
    }
}

fn taken_over_held(held: &HeldBan) -> HeldEntry {
    HeldEntry { prefix: held.ban.prefix, jail: held.ban.jail.clone(), held: Some(held.clone()) }
}

fn told(path: &Path, skipped: Vec<Skipped>) -> Vec<Event> {
    let tell =
        |Skipped { table, rows, example }| Event::RowsSkipped { path: path.to_owned(), table, rows, example };
    skipped.into_iter().map(tell).collect()
}
