//! How history and evidence stay bounded: the oldest go first, those of active bans stay.

use rusqlite::{Connection, OptionalExtension, params};

/// How much is kept. What is over is dropped in one go when a tenth more has gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows of history, beside those that active bans began with.
    pub(super) events: i64,
    /// Lines of evidence, active bans' included; theirs are never dropped.
    pub(super) lines: i64,
}

impl Default for Limits {
    /// Some 30 MB of history and 100 MB of lines at their usual lengths.
    fn default() -> Self {
        Self { events: 200_000, lines: 500_000 }
    }
}

/// How full history and evidence are: known without counting, since it is stored with each save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fill {
    /// History up to this row was pruned.
    pub(super) pruned: i64,
    /// Lines of evidence.
    pub(super) lines: i64,
    /// How many of them remained after the last pruning: those of active bans cannot go.
    pub(super) remained: i64,
}

impl Fill {
    /// The stored figures.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let get = |key: &str| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            let value = connection.query_row(sql, [key], |row| row.get(0)).optional()?;
            Ok::<i64, rusqlite::Error>(value.unwrap_or(0))
        };
        Ok(Self { pruned: get("pruned")?, lines: get("lines")?, remained: get("remained")? })
    }

    /// Stores the figures that differ from `before`.
    pub(super) fn write(self, connection: &Connection, before: Self) -> rusqlite::Result<()> {
        let set = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        let figures = [
            ("pruned", self.pruned, before.pruned),
            ("lines", self.lines, before.lines),
            ("remained", self.remained, before.remained),
        ];
        for (key, value, _) in figures.into_iter().filter(|(_, now, then)| now != then) {
            connection.prepare_cached(set)?.execute(params![key, value])?;
        }
        Ok(())
    }

    /// Drops what is over `limits`, `newest` being the newest row of history.
    pub(super) fn prune(
        &mut self,
        connection: &Connection,
        newest: i64,
        limits: Limits,
    ) -> rusqlite::Result<()> {
        if newest - self.pruned > limits.events + limits.events / 10 {
            self.drop_events(connection, newest - limits.events)?;
        }
        if self.lines > limits.lines.max(self.remained) + limits.lines / 10 {
            self.drop_lines(connection, self.lines - limits.lines)?;
            self.remained = self.lines;
        }
        Ok(())
    }

    fn drop_events(&mut self, connection: &Connection, up_to: i64) -> rusqlite::Result<()> {
        self.drop_lines_up_to(connection, up_to)?;
        let sql = "DELETE FROM history WHERE id <= ?1 AND id NOT IN (SELECT event FROM bans)";
        connection.prepare_cached(sql)?.execute([up_to])?;
        self.pruned = up_to;
        Ok(())
    }

    /// Drops at least `surplus` lines of bans that are over, if there are so many.
    fn drop_lines(&mut self, connection: &Connection, surplus: i64) -> rusqlite::Result<()> {
        let sql = "SELECT event FROM evidence WHERE event NOT IN (SELECT event FROM bans) ORDER BY event, n
            LIMIT 1 OFFSET ?1";
        let boundary = connection.prepare_cached(sql)?.query_row([surplus], |row| row.get(0)).optional()?;
        self.drop_lines_up_to(connection, boundary.unwrap_or(i64::MAX))
    }

    fn drop_lines_up_to(&mut self, connection: &Connection, event: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM evidence WHERE event <= ?1 AND event NOT IN (SELECT event FROM bans)";
        let dropped = connection.prepare_cached(sql)?.execute([event])?;
        self.lines -= dropped as i64;
        Ok(())
    }
}
