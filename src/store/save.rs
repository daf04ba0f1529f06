//! A transaction as it is written.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::columns::{marks_text, nanos, origin_word, path_column, tracked_word};
use super::{HistoryEvent, Transaction};
use crate::ban::{Ban, Change, HeldEntry};
use crate::terms::{
    Allowance, Checkpoint, Evidence, HistoryKind, JailName, Pause, PriorEntry, PublishedFile, ResolvedName,
    TrackerEntry,
};

/// So many lines are kept for one ban; of more, the newest.
const LINES_PER_BAN: usize = 200;

/// What one writing did besides: the newest row of history, and how many lines of evidence came.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) newest_event: i64,
    pub(super) lines: i64,
}

/// Writes `changes` (each with its time) and the rest of `transaction` into an open `SQLite` transaction.
pub(super) fn write<'a>(
    connection: &Connection,
    transaction: &Transaction,
    changes: impl Iterator<Item = (Timestamp, &'a Change)>,
) -> rusqlite::Result<Written> {
    let mut writer = Writer { connection, written: Written::default() };
    for (at, change) in changes {
        writer.change(at, change)?;
    }
    transaction.notes.iter().try_for_each(|note| writer.note(note))?;
    transaction.trackers.iter().try_for_each(|entry| writer.tracker(entry))?;
    transaction.priors.iter().try_for_each(|entry| writer.prior(entry))?;
    transaction.held.iter().try_for_each(|entry| writer.held(entry))?;
    transaction.checkpoints.iter().try_for_each(|checkpoint| writer.checkpoint(checkpoint))?;
    if let Some(pauses) = &transaction.pauses {
        writer.pauses(pauses)?;
    }
    if let Some(allowed) = &transaction.allowed {
        writer.allowed(allowed)?;
    }
    if let Some(names) = &transaction.names {
        writer.names(names)?;
    }
    for (output, path) in &transaction.forgotten {
        let sql = "DELETE FROM files WHERE output = ?1 AND path = ?2";
        writer.prepared(sql)?.execute(params![output.as_str(), path_column(path)])?;
    }
    transaction.files.iter().try_for_each(|file| writer.file(file))?;
    writer.totals(transaction)?;
    if let Some(generation) = transaction.generation {
        let sql =
            "INSERT INTO meta VALUES ('generation', ?1) ON CONFLICT DO UPDATE SET value = excluded.value";
        writer.prepared(sql)?.execute([generation as i64])?;
    }
    Ok(writer.written)
}

struct Writer<'c> {
    connection: &'c Connection,
    written: Written,
}

impl<'c> Writer<'c> {
    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
        self.connection.prepare_cached(sql)
    }

    fn change(&mut self, at: Timestamp, change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Banned(ban) => self.banned(at, ban),
            Change::Prolonged(ban) => self.prolonged(at, ban),
            Change::Extended(ban) => self.extended(at, ban),
            Change::Withheld(ban) => self.judged(at, HistoryKind::Withheld, ban).map(drop),
            Change::Held(ban) => self.judged(at, HistoryKind::Held, ban).map(drop),
            Change::Past(ban) => self.judged(at, HistoryKind::Past, ban).map(drop),
            Change::Ended(ban, why) => {
                let sql = "DELETE FROM bans WHERE address = ?1 AND jail = ?2";
                self.prepared(sql)?.execute(params![ban.prefix.to_string(), ban.jail.as_str()])?;
                self.happened(at, (*why).into(), ban).map(drop)
            }
        }
    }

    fn banned(&mut self, at: Timestamp, ban: &Ban) -> rusqlite::Result<()> {
        let event = self.judged(at, HistoryKind::Banned, ban)?;
        let sql = "INSERT INTO bans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            ON CONFLICT DO UPDATE SET since = excluded.since, until = excluded.until, offences = excluded.offences,
            origin = excluded.origin, reason = excluded.reason, simulated = excluded.simulated, event = excluded.event,
            value = excluded.value";
        self.prepared(sql)?.execute(params![
            ban.prefix.to_string(),
            ban.jail.as_str(),
            nanos(ban.since),
            ban.until.map(nanos),
            ban.offences,
            origin_word(ban.origin),
            ban.reason,
            ban.simulated,
            event,
            ban.value.word(),
        ])?;
        Ok(())
    }

    fn prolonged(&mut self, at: Timestamp, ban: &Ban) -> rusqlite::Result<()> {
        let sql =
            "UPDATE bans SET since = ?3, until = ?4, offences = ?5, origin = ?6, reason = ?7, simulated = ?8,
            value = ?9 WHERE address = ?1 AND jail = ?2 RETURNING event";
        let values = params![
            ban.prefix.to_string(),
            ban.jail.as_str(),
            nanos(ban.since),
            ban.until.map(nanos),
            ban.offences,
            origin_word(ban.origin),
            ban.reason,
            ban.simulated,
            ban.value.word(),
        ];
        let event: Option<i64> = self.prepared(sql)?.query_row(values, |row| row.get(0)).optional()?;
        match event {
            Some(event) => {
                self.happened(at, HistoryKind::Prolonged, ban)?;
                self.new_lines(event, &ban.evidence)
            }
            // The row is not there only if somebody deleted it by hand; the ban must be kept all the same.
            None => self.banned(at, ban),
        }
    }

    fn extended(&mut self, at: Timestamp, ban: &Ban) -> rusqlite::Result<()> {
        let sql = "UPDATE bans SET until = ?3 WHERE address = ?1 AND jail = ?2";
        let row = params![ban.prefix.to_string(), ban.jail.as_str(), ban.until.map(nanos)];
        // The row is not there only if somebody deleted it by hand; the ban must be kept all the same.
        if self.prepared(sql)?.execute(row)? == 0 { self.banned(at, ban) } else { Ok(()) }
    }

    /// A verdict with its lines; returns its row of history.
    fn judged(&mut self, at: Timestamp, kind: HistoryKind, ban: &Ban) -> rusqlite::Result<i64> {
        let event = self.happened(at, kind, ban)?;
        let lines = &ban.evidence[ban.evidence.len().saturating_sub(LINES_PER_BAN)..];
        for (n, line) in lines.iter().enumerate() {
            self.line(event, n, line)?;
        }
        Ok(event)
    }

    /// Adds those of `lines` that the ban has not yet, as far as they fit.
    fn new_lines(&mut self, event: i64, lines: &[Evidence]) -> rusqlite::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let known = super::history::evidence(self.connection, event)?;
        let new = lines.iter().filter(|line| !known.contains(line));
        for (n, line) in (known.len()..LINES_PER_BAN).zip(new) {
            self.line(event, n, line)?;
        }
        Ok(())
    }

    fn line(&mut self, event: i64, n: usize, line: &Evidence) -> rusqlite::Result<()> {
        let sql = "INSERT INTO evidence VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![event, n as i64, nanos(line.at), line.jail.as_str(), &*line.text];
        self.prepared(sql)?.execute(values)?;
        self.written.lines += 1;
        Ok(())
    }

    fn happened(&mut self, at: Timestamp, kind: HistoryKind, ban: &Ban) -> rusqlite::Result<i64> {
        let sql = "INSERT INTO history (at, event, address, jail, since, until, offences, origin, reason, simulated,
            value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        self.prepared(sql)?.execute(params![
            nanos(at),
            kind.word(),
            ban.prefix.to_string(),
            ban.jail.as_str(),
            nanos(ban.since),
            ban.until.map(nanos),
            ban.offences,
            origin_word(ban.origin),
            ban.reason,
            ban.simulated,
            ban.value.word(),
        ])?;
        self.written.newest_event = self.connection.last_insert_rowid();
        Ok(self.written.newest_event)
    }

    fn note(&mut self, note: &HistoryEvent) -> rusqlite::Result<()> {
        let sql = "INSERT INTO history (at, event, address, jail, reason, uid, text)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.prepared(sql)?.execute(params![
            nanos(note.at),
            note.kind.word(),
            note.address.map(|prefix| prefix.to_string()),
            note.jail.as_ref().map(JailName::as_str),
            note.reason,
            note.uid,
            note.text,
        ])?;
        self.written.newest_event = self.connection.last_insert_rowid();
        Ok(())
    }

    fn tracker(&mut self, entry: &TrackerEntry) -> rusqlite::Result<()> {
        let (jail, prefix) = (entry.jail.as_str(), entry.prefix.to_string());
        let what = tracked_word(entry.what);
        if entry.marks.is_empty() {
            let sql = "DELETE FROM trackers WHERE jail = ?1 AND address = ?2 AND what = ?3";
            return self.prepared(sql)?.execute(params![jail, prefix, what]).map(drop);
        }
        let sql =
            "INSERT INTO trackers VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET marks = excluded.marks";
        self.prepared(sql)?.execute(params![jail, prefix, what, marks_text(&entry.marks)]).map(drop)
    }

    fn prior(&mut self, entry: &PriorEntry) -> rusqlite::Result<()> {
        let (prefix, jail) = (entry.prefix.to_string(), entry.jail.as_ref().map_or("", JailName::as_str));
        if entry.bans == 0 {
            let sql = "DELETE FROM priors WHERE address = ?1 AND jail = ?2";
            return self.prepared(sql)?.execute(params![prefix, jail]).map(drop);
        }
        let sql = "INSERT INTO priors VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET bans = excluded.bans, ended = excluded.ended";
        self.prepared(sql)?.execute(params![prefix, jail, entry.bans, nanos(entry.ended)]).map(drop)
    }

    fn held(&mut self, entry: &HeldEntry) -> rusqlite::Result<()> {
        let key = (entry.prefix.to_string(), entry.jail.as_str());
        let Some(held) = &entry.held else {
            let sql = "DELETE FROM held WHERE address = ?1 AND jail = ?2";
            return self.prepared(sql)?.execute(params![key.0, key.1]).map(drop);
        };
        let sql = "INSERT OR REPLACE INTO held VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let ban = &held.ban;
        let row = params![
            key.0,
            key.1,
            nanos(ban.since),
            ban.until.map(nanos),
            ban.offences,
            ban.reason,
            nanos(held.judged),
            nanos(held.until),
            ban.value.word(),
        ];
        self.prepared(sql)?.execute(row).map(drop)
    }

    /// Stores a position, or forgets it where its file is finished.
    ///
    /// An inode may be in use again when its old file is finished: the row of the new file has another head, and stays.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        let print = &checkpoint.fingerprint;
        let key = (checkpoint.source.as_str(), print.device as i64, print.inode as i64);
        let head = (print.head_len, print.head as i64);
        if checkpoint.finished {
            let sql = "DELETE FROM checkpoints WHERE source = ?1 AND device = ?2 AND inode = ?3
                AND (head_len < ?4 OR (head_len = ?4 AND head = ?5))";
            return self.prepared(sql)?.execute(params![key.0, key.1, key.2, head.0, head.1]).map(drop);
        }
        let sql = "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET
            head_len = excluded.head_len, head = excluded.head, path = excluded.path, offset = excluded.offset,
            cursor = excluded.cursor";
        let (path, offset) = (path_column(&checkpoint.path), checkpoint.offset as i64);
        let row = params![key.0, key.1, key.2, head.0, head.1, path, offset, checkpoint.cursor];
        self.prepared(sql)?.execute(row).map(drop)
    }

    fn pauses(&mut self, pauses: &[Pause]) -> rusqlite::Result<()> {
        self.prepared("DELETE FROM pauses")?.execute([])?;
        let mut insert = self.prepared("INSERT INTO pauses VALUES (?1, ?2)")?;
        for pause in pauses {
            insert.execute(params![pause.jail.as_ref().map(JailName::as_str), pause.until.map(nanos)])?;
        }
        Ok(())
    }

    fn allowed(&mut self, allowed: &[Allowance]) -> rusqlite::Result<()> {
        self.prepared("DELETE FROM allowed")?.execute([])?;
        let mut insert = self.prepared("INSERT INTO allowed VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for Allowance { prefix, since, until, uid, reason } in allowed {
            insert.execute(params![prefix.to_string(), nanos(*since), until.map(nanos), uid, reason])?;
        }
        Ok(())
    }

    fn names(&mut self, names: &[ResolvedName]) -> rusqlite::Result<()> {
        self.prepared("DELETE FROM names")?.execute([])?;
        let mut insert = self.prepared("INSERT INTO names VALUES (?1, ?2)")?;
        for ResolvedName { name, addresses } in names {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            insert.execute(params![name, addresses.join(" ")])?;
        }
        Ok(())
    }

    fn file(&mut self, file: &PublishedFile) -> rusqlite::Result<()> {
        let sql = "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
            kind = excluded.kind, generation = excluded.generation, digest = excluded.digest,
            master_pid = excluded.master_pid, master_started = excluded.master_started";
        self.prepared(sql)?.execute(params![
            file.output.as_str(),
            path_column(&file.path),
            file.kind,
            file.generation as i64,
            file.digest as i64,
            file.verified_by.map(|master| master.pid),
            file.verified_by.map(|master| master.started as i64),
        ])?;
        Ok(())
    }

    fn totals(&mut self, transaction: &Transaction) -> rusqlite::Result<()> {
        let sql = "INSERT INTO totals VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
            offences = excluded.offences, hits = excluded.hits, bans = excluded.bans";
        let mut upsert = self.prepared(sql)?;
        for totals in &transaction.totals {
            let counts = (totals.offences as i64, totals.hits as i64, totals.bans as i64);
            upsert.execute(params![totals.jail.as_str(), counts.0, counts.1, counts.2])?;
        }
        Ok(())
    }
}
