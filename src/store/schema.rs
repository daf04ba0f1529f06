//! The tables, their version, and how an older file becomes a current one.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours (`PRAGMA application_id`): "bnmp".
pub(super) const APPLICATION: i64 = 0x626e_6d70;

/// The version of the newest schema (`PRAGMA user_version`).
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Step `n` makes version `n + 1` out of version `n`. Steps that were released never change; new ones are added.
pub(super) const MIGRATIONS: [&str; 10] =
    [FIRST, CURSORS, PRIORS, GROUPS, VALUES, ALLOWED, NAMES, SEED, HELD, STORMS];

/// The place in a journal, where a file has its offset.
const CURSORS: &str = "ALTER TABLE checkpoints ADD COLUMN cursor TEXT;";

/// How often who was banned, for bans that grow with earlier ones.
const PRIORS: &str = "
CREATE TABLE priors (
    address TEXT NOT NULL,
    jail    TEXT NOT NULL,       -- empty: by all jails together
    bans    INTEGER NOT NULL,    -- ended ones that count
    ended   INTEGER NOT NULL,    -- when the last of them did
    PRIMARY KEY (address, jail)
) WITHOUT ROWID;

CREATE VIEW show_priors AS
SELECT address, jail, bans, strftime('%Y-%m-%dT%H:%M:%SZ', ended / 1000000000, 'unixepoch') AS ended
FROM priors ORDER BY priors.ended;
";

/// What the marks of a tracked prefix are: its offences, or groups inside it.
const GROUPS: &str = "
ALTER TABLE trackers RENAME TO old_trackers;
CREATE TABLE trackers (
    jail    TEXT NOT NULL,
    address TEXT NOT NULL,
    what    TEXT NOT NULL,       -- offences, groups, rate
    marks   TEXT NOT NULL,       -- time, or time:value in hexadecimal, with spaces between
    PRIMARY KEY (jail, address, what)
) WITHOUT ROWID;
INSERT INTO trackers SELECT jail, address, 'offences', marks FROM old_trackers;
DROP TABLE old_trackers;
";

/// Who is allowed by hand.
const ALLOWED: &str = "
CREATE TABLE allowed (
    address TEXT PRIMARY KEY,    -- an address, or a prefix as first/length
    since   INTEGER NOT NULL,
    until   INTEGER,             -- NULL: until it is removed
    uid     INTEGER,             -- who gave the command
    reason  TEXT
) WITHOUT ROWID;

CREATE VIEW show_allowed AS
SELECT address,
       strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000000, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000000000, 'unixepoch') AS until,
       uid, reason
FROM allowed ORDER BY allowed.since;
";

/// The last good answer for each name that lists hold.
const NAMES: &str = "
CREATE TABLE names (
    name      TEXT PRIMARY KEY,
    addresses TEXT NOT NULL      -- with spaces between
) WITHOUT ROWID;
";

/// What the values in windows are hashed with. Those that were stored before count as others once.
const SEED: &str = "INSERT INTO meta VALUES ('seed', random());";

/// Verdicts that wait.
const HELD: &str = "
CREATE TABLE held (
    address  TEXT NOT NULL,
    jail     TEXT NOT NULL,
    since    INTEGER NOT NULL,   -- of the ban that it would be
    until    INTEGER,
    offences INTEGER NOT NULL,
    reason   TEXT,
    why      TEXT NOT NULL,      -- storm, crawler
    judged   INTEGER NOT NULL,   -- when the jail came to it last
    ends     INTEGER NOT NULL,   -- when it waits no longer
    at_end   TEXT NOT NULL,      -- drop, enforce
    value    TEXT NOT NULL,      -- ban, challenge
    PRIMARY KEY (address, jail)
) WITHOUT ROWID;
";

/// All that is kept waits for the end of a storm, and is dropped when it has waited too long.
const STORMS: &str = "
ALTER TABLE held DROP COLUMN why;
ALTER TABLE held DROP COLUMN at_end;
";

/// What a ban does, and how much a mark weighs: `marks` may hold `TIMExWEIGHT` and `TIME:VALUExWEIGHT`.
const VALUES: &str = "
ALTER TABLE bans ADD COLUMN value TEXT NOT NULL DEFAULT 'ban';   -- ban, challenge
ALTER TABLE history ADD COLUMN value TEXT;                       -- NULL: ban, or none

DROP VIEW show_bans;
CREATE VIEW show_bans AS
SELECT address, jail, value,
       strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000000, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000000000, 'unixepoch') AS until,
       offences, origin, reason, simulated
FROM bans ORDER BY bans.since;
";

// `bans.event` is the history row that began the ban: its evidence hangs there, so that nothing moves when it ends.
const FIRST: &str = "
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE bans (
    address   TEXT NOT NULL,     -- an address, or a prefix as first/length
    jail      TEXT NOT NULL,
    since     INTEGER NOT NULL,  -- all times: nanoseconds since 1970, UTC
    until     INTEGER,           -- NULL: never
    offences  INTEGER NOT NULL,
    origin    TEXT NOT NULL,     -- log, hand
    reason    TEXT,
    simulated INTEGER NOT NULL,
    event     INTEGER NOT NULL,  -- the row of history that began it
    PRIMARY KEY (address, jail)
) WITHOUT ROWID;

CREATE TABLE history (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    event     TEXT NOT NULL,     -- banned, prolonged, withheld, past, expired, unbanned, allowed, command, reloaded, ...
    address   TEXT,
    jail      TEXT,
    since     INTEGER,
    until     INTEGER,
    offences  INTEGER,
    origin    TEXT,
    reason    TEXT,
    simulated INTEGER,
    uid       INTEGER,           -- who gave a command
    text      TEXT
);

CREATE TABLE evidence (
    event INTEGER NOT NULL,      -- the row of history
    n     INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    jail  TEXT NOT NULL,
    text  TEXT NOT NULL,         -- the line as logged: may hold escape sequences meant for a terminal
    PRIMARY KEY (event, n)
) WITHOUT ROWID;

CREATE TABLE trackers (
    jail    TEXT NOT NULL,
    address TEXT NOT NULL,
    marks   TEXT NOT NULL,       -- offences: time, or time:value in hexadecimal, with spaces between
    PRIMARY KEY (jail, address)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    source   TEXT NOT NULL,
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    head_len INTEGER NOT NULL,
    head     INTEGER NOT NULL,
    path     TEXT NOT NULL,      -- a BLOB where it is not UTF-8
    offset   INTEGER NOT NULL,
    PRIMARY KEY (source, device, inode)
) WITHOUT ROWID;

CREATE TABLE pauses (
    jail  TEXT,                  -- NULL: all
    until INTEGER
);

CREATE TABLE files (
    output          TEXT NOT NULL,
    path            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    generation      INTEGER NOT NULL,
    digest          INTEGER NOT NULL,
    master_pid      INTEGER,
    master_started  INTEGER,
    PRIMARY KEY (output, path)
) WITHOUT ROWID;

CREATE TABLE totals (
    jail     TEXT PRIMARY KEY,
    offences INTEGER NOT NULL,
    hits     INTEGER NOT NULL,
    bans     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIEW show_bans AS
SELECT address, jail,
       strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000000, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000000000, 'unixepoch') AS until,
       offences, origin, reason, simulated
FROM bans ORDER BY bans.since;

CREATE VIEW show_history AS
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000000, 'unixepoch') AS at,
       event, address, jail,
       strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000000, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000000000, 'unixepoch') AS until,
       offences, origin, reason, simulated, uid, text
FROM history ORDER BY id;

CREATE VIEW show_evidence AS
SELECT history.address, history.event,
       strftime('%Y-%m-%dT%H:%M:%SZ', evidence.at / 1000000000, 'unixepoch') AS at,
       evidence.jail, evidence.text
FROM evidence JOIN history ON history.id = evidence.event ORDER BY evidence.event, evidence.n;
";

/// Brings the file from version `from` to the current one, all or nothing.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
