//! The tables as they are read at a start.

use hashbrown::HashMap;
use rusqlite::{Connection, Row};

use super::columns::{Unreadable, marks, measure, origin, path, time, tracked};
use super::{JailTotals, Kept};
use crate::address::Address;
use crate::ban::{Ban, HeldBan, Origin};
use crate::terms::{
    Allowance, Checkpoint, Fingerprint, JailName, Master, Pause, PriorEntry, PublishedFile, ResolvedName,
    TrackerEntry,
};

/// Rows of one table that were passed over.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) table: &'static str,
    pub(super) rows: usize,
    pub(super) example: String,
}

/// Reads everything that is kept; the first error of the file ends it.
pub(super) fn everything(connection: &Connection) -> rusqlite::Result<(Kept, Vec<Skipped>)> {
    let mut loader = Loader::default();
    for (_, read) in TABLES {
        read(&mut loader, connection)?;
    }
    Ok((loader.kept, loader.skipped))
}

/// Reads what can be read of a damaged file, and tells whether positions and windows are complete.
///
/// They belong together: a position without its windows would forget offences, so both are given up with either.
pub(super) fn salvage(connection: &Connection) -> (Kept, bool) {
    let mut loader = Loader::default();
    let mut positions = true;
    for (table, read) in TABLES {
        let failed = read(&mut loader, connection).is_err();
        positions &= !(failed && matches!(table, "trackers" | "checkpoints"));
    }
    let mut kept = loader.kept;
    if !positions {
        kept.trackers.clear();
        kept.checkpoints.clear();
    }
    (kept, positions)
}

type Table = fn(&mut Loader, &Connection) -> rusqlite::Result<()>;

/// The tables that a start needs.
pub(super) const TABLES: [(&str, Table); 11] = [
    ("meta", Loader::meta),
    ("bans", Loader::bans),
    ("trackers", Loader::trackers),
    ("priors", Loader::priors),
    ("held", Loader::held),
    ("checkpoints", Loader::checkpoints),
    ("pauses", Loader::pauses),
    ("allowed", Loader::allowed),
    ("names", Loader::names),
    ("files", Loader::files),
    ("totals", Loader::totals),
];

#[derive(Default)]
pub(super) struct Loader {
    kept: Kept,
    skipped: Vec<Skipped>,
    /// Names met so far: a hundred thousand bans share a few.
    jails: HashMap<String, JailName>,
}

impl Loader {
    /// Takes every row of `sql`; rows that `take` cannot read are counted, errors of the file end it.
    fn rows(
        &mut self,
        connection: &Connection,
        table: &'static str,
        sql: &str,
        take: fn(&mut Self, &Row<'_>) -> Result<(), Unreadable>,
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(problem) = take(self, row) {
                self.skip(table, &problem);
            }
        }
        Ok(())
    }

    fn skip(&mut self, table: &'static str, problem: &Unreadable) {
        match self.skipped.last_mut() {
            Some(last) if last.table == table => last.rows += 1,
            _ => self.skipped.push(Skipped { table, rows: 1, example: problem.to_string() }),
        }
    }

    fn jail(&mut self, row: &Row<'_>, column: usize) -> Result<JailName, Unreadable> {
        let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
        if let Some(known) = self.jails.get(text) {
            return Ok(known.clone());
        }
        let name: JailName = text.parse()?;
        self.jails.insert(text.to_owned(), name.clone());
        Ok(name)
    }

    fn meta(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "meta", "SELECT value FROM meta WHERE key = 'generation'", |this, row| {
            this.kept.generation = row.get::<_, i64>(0)?.try_into()?;
            Ok(())
        })?;
        self.rows(connection, "meta", "SELECT value FROM meta WHERE key = 'seed'", |this, row| {
            this.kept.seed = Some(row.get::<_, i64>(0)? as u64);
            Ok(())
        })
    }

    fn bans(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT address, jail, since, until, offences, origin, reason, simulated, value FROM bans";
        self.rows(connection, "bans", sql, |this, row| {
            let ban = Ban {
                prefix: text(row, 0)?.parse()?,
                jail: this.jail(row, 1)?,
                value: measure(text(row, 8)?)?,
                since: time(row.get(2)?),
                until: row.get::<_, Option<i64>>(3)?.map(time),
                offences: row.get(4)?,
                origin: origin(text(row, 5)?)?,
                reason: row.get(6)?,
                simulated: row.get(7)?,
                evidence: Vec::new(),
            };
            this.kept.bans.push(ban);
            Ok(())
        })
    }

    fn trackers(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "trackers", "SELECT jail, address, what, marks FROM trackers", |this, row| {
            let entry = TrackerEntry {
                jail: this.jail(row, 0)?,
                prefix: text(row, 1)?.parse()?,
                what: tracked(text(row, 2)?)?,
                marks: marks(text(row, 3)?)?,
                fresh: false,
            };
            this.kept.trackers.push(entry);
            Ok(())
        })
    }

    fn priors(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "priors", "SELECT address, jail, bans, ended FROM priors", |this, row| {
            let of_all = text(row, 1)?.is_empty();
            let entry = PriorEntry {
                prefix: text(row, 0)?.parse()?,
                jail: if of_all { None } else { Some(this.jail(row, 1)?) },
                bans: row.get(2)?,
                ended: time(row.get(3)?),
            };
            this.kept.priors.push(entry);
            Ok(())
        })
    }

    fn held(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT address, jail, since, until, offences, reason, judged, ends, value FROM held";
        self.rows(connection, "held", sql, |this, row| {
            let ban = Ban {
                prefix: text(row, 0)?.parse()?,
                jail: this.jail(row, 1)?,
                since: time(row.get(2)?),
                until: row.get::<_, Option<i64>>(3)?.map(time),
                value: measure(text(row, 8)?)?,
                offences: row.get(4)?,
                origin: Origin::Log,
                reason: row.get(5)?,
                simulated: false,
                evidence: Vec::new(),
            };
            let (judged, until) = (time(row.get(6)?), time(row.get(7)?));
            this.kept.held.push(HeldBan { ban, judged, until });
            Ok(())
        })
    }

    fn checkpoints(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT source, device, inode, head_len, head, path, offset, cursor FROM checkpoints";
        self.rows(connection, "checkpoints", sql, |this, row| {
            let fingerprint = Fingerprint {
                device: row.get::<_, i64>(1)? as u64,
                inode: row.get::<_, i64>(2)? as u64,
                head_len: row.get(3)?,
                head: row.get::<_, i64>(4)? as u64,
            };
            this.kept.checkpoints.push(Checkpoint {
                source: text(row, 0)?.parse()?,
                path: path(row.get(5)?)?,
                fingerprint,
                offset: row.get::<_, i64>(6)?.try_into()?,
                cursor: row.get(7)?,
                finished: false,
            });
            Ok(())
        })
    }

    fn pauses(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "pauses", "SELECT jail, until FROM pauses ORDER BY rowid", |this, row| {
            let jail: Option<String> = row.get(0)?;
            let jail = jail.map(|name| name.parse()).transpose()?;
            this.kept.pauses.push(Pause { jail, until: row.get::<_, Option<i64>>(1)?.map(time) });
            Ok(())
        })
    }

    fn allowed(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT address, since, until, uid, reason FROM allowed";
        self.rows(connection, "allowed", sql, |this, row| {
            let entry = Allowance {
                prefix: text(row, 0)?.parse()?,
                since: time(row.get(1)?),
                until: row.get::<_, Option<i64>>(2)?.map(time),
                uid: row.get(3)?,
                reason: row.get(4)?,
            };
            this.kept.allowed.push(entry);
            Ok(())
        })
    }

    fn names(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "names", "SELECT name, addresses FROM names", |this, row| {
            let addresses: Result<Vec<Address>, _> = text(row, 1)?.split(' ').map(str::parse).collect();
            this.kept.names.push(ResolvedName { name: row.get(0)?, addresses: addresses? });
            Ok(())
        })
    }

    fn files(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT output, path, kind, generation, digest, master_pid, master_started FROM files";
        self.rows(connection, "files", sql, |this, row| {
            let (pid, started): (Option<i32>, Option<i64>) = (row.get(5)?, row.get(6)?);
            this.kept.files.push(PublishedFile {
                output: text(row, 0)?.parse()?,
                path: path(row.get(1)?)?,
                kind: row.get(2)?,
                generation: row.get::<_, i64>(3)?.try_into()?,
                digest: row.get::<_, i64>(4)? as u64,
                verified_by: pid.zip(started).map(|(pid, started)| Master { pid, started: started as u64 }),
            });
            Ok(())
        })
    }

    fn totals(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.rows(connection, "totals", "SELECT jail, offences, hits, bans FROM totals", |this, row| {
            let totals = JailTotals {
                jail: this.jail(row, 0)?,
                offences: row.get::<_, i64>(1)?.try_into()?,
                hits: row.get::<_, i64>(2)?.try_into()?,
                bans: row.get::<_, i64>(3)?.try_into()?,
            };
            this.kept.totals.push(totals);
            Ok(())
        })
    }
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Unreadable> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}
