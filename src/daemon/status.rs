//! What `status` answers, gathered from engine, readers and outputs.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::run::Circuit;
use crate::control::{
    FileState, FileStatus, HistoryEvent, HistoryRow, JailStatus, OutputState, OutputStatus, Reply,
    SourceStatus, Status,
};
use crate::engine::{Counts, Tally};
use crate::os::clock;
use crate::publish::{self, Report, State};
use crate::reader::{FileView, View};
use crate::terms::{JailName, OutputName, SourceName};
use crate::{control, source, store};

/// Fewer hits that passed prove nothing: requests that were under way, a log that lags behind.
const HITS_PASSED: u64 = 3;

pub(super) fn answer(circuit: &Circuit, jail: Option<&JailName>) -> Reply {
    if let Some(unknown) = jail.filter(|name| !circuit.owner.engine.has_jail(name)) {
        let message = format!("no jail is named `{unknown}`");
        return Reply::Failed { message, code: control::FailCode::Usage };
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
        event: serde_json::from_value(row.kind.as_str().into()).unwrap_or(HistoryEvent::Other),
        address: row.address,
        jail: row.jail,
        until: row.until,
        offences: row.offences,
        origin: row.origin,
        reason: row.reason,
        uid: row.uid,
        text: row.text,
        since: row.since,
        simulated: row.simulated,
    }
}

fn jails(circuit: &Circuit, only: Option<&JailName>) -> BTreeMap<JailName, JailStatus> {
    let engine = &circuit.owner.engine;
    let counts = engine.counts(clock::now()).into_iter();
    let wanted = counts.filter(|counts| only.is_none_or(|wanted| counts.jail == *wanted));
    wanted.map(|counts| (counts.jail.clone(), jail(circuit, counts))).collect()
}

fn jail(circuit: &Circuit, counts: Counts) -> JailStatus {
    let now = Tally {
        offences: counts.offences_total,
        hits: counts.hits_total,
        passed: counts.hits_passed,
        bans: counts.bans_total,
    };
    let ever = circuit.owner.totals.ever(&counts.jail, now);
    let pauses = circuit.owner.engine.pauses().iter();
    let mut pauses = pauses.filter(|pause| pause.jail.as_ref().is_none_or(|jail| *jail == counts.jail));
    JailStatus {
        offences_current: counts.offences_current as u64,
        offences_total: ever.offences,
        hits_total: ever.hits,
        bans_current: counts.bans_current as u64,
        bans_total: ever.bans,
        paused: counts.paused,
        paused_until: pauses.next().and_then(|pause| pause.until),
        simulate: circuit.config.jails.iter().any(|jail| jail.name == counts.jail && jail.simulate),
        hits_passed: counts.hits_passed,
        tracked: counts.tracked as u64,
        evicted: counts.evicted,
    }
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
        error: view.file.problem.clone().or_else(|| unparsed(view)),
    }
}

fn file_state(state: source::FileState) -> FileState {
    match state {
        source::FileState::Live => FileState::Live,
        source::FileState::CatchingUp => FileState::CatchingUp,
        source::FileState::Rotated => FileState::Rotated,
        source::FileState::Deleted => FileState::Deleted,
        source::FileState::Unreadable => FileState::Unreadable,
        source::FileState::Missing => FileState::Missing,
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
    let one = |settings: &publish::Settings| {
        let report = reports.get(&settings.name);
        let status = OutputStatus {
            kind: kind(settings).to_owned(),
            entries: report.map_or(0, |report| report.entries as u64),
            generation: report.map_or(0, |report| report.generation),
            published: report.and_then(|report| report.published),
            reloaded: report.and_then(|report| report.reloaded),
            state: report.map_or(OutputState::Pending, state),
            error: report.and_then(|report| report.error.clone()),
            left_out: report.map_or(0, |report| report.left_out as u64),
            path: Some(settings.path.to_string_lossy().into_owned()),
        };
        (settings.name.clone(), status)
    };
    circuit.config.outputs.iter().map(one).collect()
}

/// As the configuration names it; the style of a file is no part of that.
fn kind(settings: &publish::Settings) -> &'static str {
    let name = settings.kind.name();
    name.split_once(' ').map_or(name, |(kind, _style)| kind)
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
    let passed = engine.tallies().filter(|(_, tally)| tally.passed >= HITS_PASSED).map(|(name, tally)| {
        format!(
            "jail {name}: {} requests of banned clients were answered although the ban is in force at the gate: is the \
             output included in this server? `banmap snippet OUTPUT` prints what to paste",
            tally.passed
        )
    });
    paused.chain(passed).chain(circuit.owner.log.store_trouble()).collect()
}
