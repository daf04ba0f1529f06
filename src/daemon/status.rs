//! What `status` answers, gathered from engine, readers and outputs.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::run::Circuit;
use crate::control::{
    FileStatus, HistoryEvent, HistoryRow, JailStatus, OutputState, OutputStatus, Reply, SourceStatus, Status,
};
use crate::publish::{Report, State};
use crate::reader::{FileView, View};
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

fn jails(circuit: &Circuit, only: Option<&JailName>) -> BTreeMap<JailName, JailStatus> {
    let engine = &circuit.owner.engine;
    let counts = engine.counts().into_iter().filter(|(name, _)| only.is_none_or(|wanted| name == wanted));
    counts
        .map(|(name, counts)| {
            let pause = engine.pauses().iter().find(|p| p.jail.is_none() || p.jail.as_ref() == Some(&name));
            let status = JailStatus {
                offences_current: counts.offences_current,
                offences_total: counts.offences_total,
                hits_total: counts.hits_total,
                bans_current: counts.bans_current,
                bans_total: counts.bans_total,
                paused: pause.is_some(),
                paused_until: pause.and_then(|pause| pause.until),
                simulate: counts.simulate,
                hits_passed: counts.hits_passed,
            };
            (name, status)
        })
        .collect()
}

fn sources(circuit: &Circuit) -> BTreeMap<SourceName, SourceStatus> {
    let one = |(name, view): &(SourceName, View)| {
        let files = view.lock().unwrap_or_else(PoisonError::into_inner).iter().map(file).collect();
        (name.clone(), SourceStatus { files })
    };
    circuit.readers.views().iter().map(one).collect()
}

fn file(view: &FileView) -> FileStatus {
    FileStatus {
        path: view.file.path.to_string_lossy().into_owned(),
        lines: view.reading.lines,
        unparsed: view.reading.unparsed,
        last_line: view.reading.last_line,
        state: file_state(view.file.state),
        error: view.file.error.clone().or_else(|| unparsed(view)),
    }
}

/// A file many of whose lines do not parse is read in vain.
fn unparsed(view: &FileView) -> Option<String> {
    let reading = &view.reading;
    let example = reading.example.as_ref().filter(|_| reading.mostly_unparsed())?;
    Some(format!("lines do not parse ({}), for example: {}", example.reason, example.text))
}

fn outputs(circuit: &Circuit) -> BTreeMap<OutputName, OutputStatus> {
    let reports = circuit.reports.borrow();
    let one = |settings: &crate::publish::Settings| {
        let report = reports.get(&settings.name);
        let status = OutputStatus {
            kind: settings.kind.word().to_owned(),
            entries: report.map_or(0, |report| report.entries as u64),
            generation: report.map_or(0, |report| report.generation),
            published: report.and_then(|report| report.published),
            reloaded: report.and_then(|report| report.reloaded),
            state: report.map_or(OutputState::Pending, state),
            error: report.and_then(|report| report.error.clone()),
            path: Some(settings.path.to_string_lossy().into_owned()),
        };
        (settings.name.clone(), status)
    };
    circuit.config.outputs.iter().map(one).collect()
}

fn state(report: &Report) -> OutputState {
    match report.state {
        State::Pending => OutputState::Pending,
        State::Published => OutputState::Published,
        State::Verified => OutputState::Verified,
        State::Failed => OutputState::Failed,
    }
}

/// What an operator has to do something about, beside failed outputs and files.
fn problems(circuit: &Circuit) -> Vec<String> {
    let engine = &circuit.owner.engine;
    let paused = engine.pauses().iter().map(|pause| match &pause.jail {
        Some(jail) => format!("jail {jail} is paused: nobody new is banned"),
        None => "all jails are paused: nobody new is banned".to_owned(),
    });
    let passed = engine.counts().into_iter().filter(|(_, counts)| counts.hits_passed >= 3).map(|(name, counts)| {
        format!(
            "jail {name}: {} requests of banned clients were answered although the ban is in force at the gate: is the \
             output included in this server? `banmap snippet OUTPUT` prints what to paste",
            counts.hits_passed
        )
    });
    let store = circuit.owner.log.store_trouble();
    paused.chain(passed).chain(store).collect()
}
