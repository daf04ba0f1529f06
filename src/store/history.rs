//! What happened: bans and their ends, commands by hand, reloads; newest first when asked.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{Unreadable, measure, nanos, origin, time};
use crate::address::Prefix;
use crate::ban::Origin;
use crate::terms::{Evidence, HistoryKind, JailName, Measure};

/// Something for the history that is no change of a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// When.
    pub at: Timestamp,
    /// What: `Command`, `Reloaded`, `Paused` …
    pub kind: HistoryKind,
    /// Whom it was about.
    pub address: Option<Prefix>,
    /// Which jail it was about.
    pub jail: Option<JailName>,
    /// Who gave the command.
    pub uid: Option<u32>,
    /// What the person said.
    pub reason: Option<String>,
    /// In words: the command as it was given, what was reloaded.
    pub text: String,
}

/// Which part of the history is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only what was about this address, a prefix that holds it, or something inside this prefix.
    pub address: Option<Prefix>,
    /// Nothing older.
    pub since: Option<Timestamp>,
    /// Only this jail's.
    pub jail: Option<JailName>,
    /// At most so many rows, the newest ones.
    pub limit: usize,
    /// With the lines that decided a ban.
    pub evidence: bool,
}

/// One thing that happened. What a kind has not is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// When it happened (a ban of the past: when it was found).
    pub at: Timestamp,
    /// What happened.
    pub kind: HistoryKind,
    /// To whom.
    pub address: Option<Prefix>,
    /// In which jail.
    pub jail: Option<JailName>,
    /// When the ban began.
    pub since: Option<Timestamp>,
    /// When the ban was to end; `None` also for never.
    pub until: Option<Timestamp>,
    /// How many offences decided it.
    pub offences: Option<u32>,
    /// Who decided it.
    pub origin: Option<Origin>,
    /// Judged only, in no output.
    pub simulated: bool,
    /// What the ban did.
    pub value: Measure,
    /// What the person said.
    pub reason: Option<String>,
    /// Who gave the command.
    pub uid: Option<u32>,
    /// The command, or what else happened, in words.
    pub text: Option<String>,
    /// The lines that decided a ban, oldest first; only where they were asked for.
    pub evidence: Vec<Evidence>,
}

// An address is looked up by passing over the whole history, newest first: it is bounded, and a range query over text
// would need columns that no operator can read.
const SELECT: &str =
    "SELECT id, at, event, address, jail, since, until, offences, origin, simulated, reason, uid, text,
    value FROM history WHERE at >= ?1 AND (?2 IS NULL OR jail = ?2) ORDER BY id DESC";

/// The rows that `query` asks for, newest first. Rows that cannot be read are left out.
pub(super) fn find(connection: &Connection, query: &HistoryQuery) -> rusqlite::Result<Vec<HistoryRow>> {
    let since = query.since.map_or(i64::MIN, nanos);
    let jail = query.jail.as_ref().map(JailName::as_str);
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![since, jail])?;
    let mut found = Vec::new();
    while found.len() < query.limit {
        let Some(row) = rows.next()? else { break };
        if query.address.is_some_and(|asked| !concerns(row, asked)) {
            continue;
        }
        if let Ok(mut happened) = read(row) {
            if query.evidence {
                happened.evidence = evidence(connection, row.get(0)?)?;
            }
            found.push(happened);
        }
    }
    Ok(found)
}

fn concerns(row: &Row<'_>, asked: Prefix) -> bool {
    let text = row.get_ref(3).ok().and_then(|column| column.as_str_or_null().ok().flatten());
    let prefix = text.and_then(|text| text.parse::<Prefix>().ok());
    prefix.is_some_and(|prefix| prefix.covers(asked) || asked.covers(prefix))
}

fn read(row: &Row<'_>) -> Result<HistoryRow, Unreadable> {
    let address: Option<String> = row.get(3)?;
    let jail: Option<String> = row.get(4)?;
    let by: Option<String> = row.get(8)?;
    let value: Option<String> = row.get(13)?;
    Ok(HistoryRow {
        at: time(row.get(1)?),
        kind: kind(row.get(2)?)?,
        address: address.map(|text| text.parse()).transpose()?,
        jail: jail.map(|text| text.parse()).transpose()?,
        since: row.get::<_, Option<i64>>(5)?.map(time),
        until: row.get::<_, Option<i64>>(6)?.map(time),
        offences: row.get(7)?,
        origin: by.map(|word| origin(&word)).transpose()?,
        simulated: row.get::<_, Option<bool>>(9)?.unwrap_or(false),
        value: value.map_or(Ok(Measure::Ban), |word| measure(&word))?,
        reason: row.get(10)?,
        uid: row.get(11)?,
        text: row.get(12)?,
        evidence: Vec::new(),
    })
}

fn kind(word: String) -> Result<HistoryKind, Unreadable> {
    HistoryKind::named(&word).ok_or(Unreadable::Word(word, "event"))
}

/// The lines that hang on the history row `event`, oldest first.
pub(super) fn evidence(connection: &Connection, event: i64) -> rusqlite::Result<Vec<Evidence>> {
    let sql = "SELECT at, jail, text FROM evidence WHERE event = ?1 ORDER BY n";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([event])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(jail) = row.get::<_, String>(1)?.parse() {
            let text: String = row.get(2)?;
            lines.push(Evidence { at: time(row.get(0)?), jail, text: text.into() });
        }
    }
    Ok(lines)
}
