//! What `status` answers, gathered from engine, readers and outputs.

use std::collections::BTreeMap;

use super::run::Circuit;
use crate::control::{
    FileStatus, HistoryEvent, HistoryRow, JailStatus, OutputState, OutputStatus, Reply, SourceStatus, Status,
};
use crate::publish::{Report, State};
use crate::terms::{JailName, OutputName, SourceName};
use crate::{control, store};

pub(super) fn answer(circuit: &Circuit, jail: Option<&JailName>) -> Reply {
    if let Some(unknown) = jail.filter(|name| !circuit.owner.engine.has_jail(name)) {
        let message = format!("no jail is named `{unknown}`");
        return Reply::Failed { message, code: control::FailCode::Failed };
    }
    Reply::Status(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: circuit.started,
        jails: jails(circuit, jail),
        sources: sources(circuit),
        outputs: outputs(circuit),
        problems: problems(circuit),
    })
}

pub(super) fn history_row(row: store::HistoryRow) -> HistoryRow {
    HistoryRow {
        at: row.at,
        event: HistoryEvent::from_word(row.kind.as_str()),
        address: row.address,
        jail: row.jail,
        until: row.until,
        offences: row.offences,
        origin: row.origin,
        reason: row.reason,
        uid: row.uid,
        detail: row.text,
        simulated: row.simulated,
    }
}
