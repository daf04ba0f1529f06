//! What `status` answers, gathered from engine, readers and outputs.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;

use super::circuit::Circuit;
use crate::address::Prefix;
use crate::control::{
    FileState, FileStatus, HistoryRow, JailStatus, OutputState, OutputStatus, Reply, SourceStatus, Status,
};
use crate::engine::{Counts, Tally};
use crate::os::clock;
use crate::publish::{self, Report, State};
use crate::reader::{FileView, View};
use crate::terms::{JailName, Measure, OutputName, SourceName};
use crate::{control, engine, source, store};

pub(super) fn answer(circuit: &Circuit, jail: Option<&JailName>) -> Reply {
    if let Some(refusal) = jail.and_then(|name| circuit.owner.engine.check_jail(name).err()) {
        return Reply::failed(control::FailCode::Usage, refusal.to_string());
    }
    Reply::Status(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: circuit.started,
        jails: jails(circuit, jail),
        sources: sources(circuit),
        outputs: outputs(circuit),
        caps: circuit.owner.engine.caps().into_iter().map(cap).collect(),
        problems: problems(circuit),
    })
}

fn cap(cap: engine::Cap) -> (String, control::Cap) {
    let engine::Cap { name, used, limit, gave_way } = cap;
    (name.to_owned(), control::Cap { used: used as u64, limit: limit as u64, gave_way })
}

pub(super) fn history_row(row: store::HistoryRow) -> HistoryRow {
    HistoryRow {
        at: row.at,
        event: row.kind,
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
        value: row.value,
    }
}

fn jails(circuit: &Circuit, only: Option<&JailName>) -> BTreeMap<JailName, JailStatus> {
    let engine = &circuit.owner.engine;
    let counts = engine.counts(clock::now()).into_iter();
    let wanted = counts.filter(|counts| only.is_none_or(|wanted| counts.jail == *wanted));
    let shown = wanted.map(|counts| (counts.jail.clone(), jail(circuit, &counts)));
    // The built-in jail is there for those who use it.
    shown.filter(|(name, jail)| !name.is_manual() || jail.bans_total > 0 || only.is_some()).collect()
}

fn jail(circuit: &Circuit, counts: &Counts) -> JailStatus {
    let now = Tally {
        offences: counts.offences_total,
        hits: counts.hits_total,
        passed: counts.hits_passed,
        bans: counts.bans_total,
    };
    let ever = circuit.owner.totals.ever(&counts.jail, now);
    let pauses = circuit.owner.engine.pauses().iter();
    let mut pauses = pauses.filter(|pause| pause.jail.as_ref().is_none_or(|jail| *jail == counts.jail));
    let configured = circuit.config.jails.iter().find(|jail| jail.name == counts.jail);
    JailStatus {
        offences_current: counts.offences_current as u64,
        offences_total: ever.offences,
        hits_total: ever.hits,
        bans_current: counts.bans_current as u64,
        bans_simulated: counts.bans_simulated as u64,
        bans_total: ever.bans,
        paused: counts.paused,
        paused_until: pauses.next().and_then(|pause| pause.until),
        simulate: configured.is_some_and(|jail| jail.simulate),
        value: configured.map_or(Measure::Ban, |jail| jail.value),
        hits_passed: counts.hits_passed,
        tracked: counts.tracked as u64,
        evicted: counts.evicted,
        watched: counts.watched as u64,
        unwatched: counts.unwatched,
        refused: counts.refused,
        held: counts.held as u64,
        storm: counts.storm,
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
        dropped: view.file.dropped,
        format: view.reading.taken(),
        mostly_from: view.reading.crowd.as_ref().map(|crowd| Prefix::host(crowd.address)),
        error: view.file.problem.clone().or_else(|| in_vain(view)),
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
        source::FileState::Ended => FileState::Ended,
    }
}

/// A file many of whose lines do not parse, or name no address, or all the same one, is read in vain.
fn in_vain(view: &FileView) -> Option<String> {
    let reading = &view.reading;
    if reading.mostly_nameless() {
        return Some(
            "lines name hosts instead of addresses: set `HostnameLookups Off`, or log %a".to_owned(),
        );
    }
    if let Some(crowd) = &reading.crowd {
        return Some(crowd.to_string());
    }
    let example = reading.example.as_ref().filter(|_| reading.mostly_unparsed())?;
    let likely = reading.looks_like().map(|format| format!("; its lines look like `{format}`: set format"));
    let likely = likely.unwrap_or_default();
    Some(format!("lines do not parse ({}){likely}; for example: {}", example.reason, example.text))
}

fn outputs(circuit: &Circuit) -> BTreeMap<OutputName, OutputStatus> {
    let reports = circuit.reports.borrow();
    let one = |settings: &publish::Settings| {
        let report = reports.get(&settings.name).and_then(Option::as_ref);
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

/// A storm lasts, or verdicts wait since there was one.
fn jails_in_storms(circuit: &Circuit) -> Vec<String> {
    let said = |(jail, storm, held): (&JailName, Option<Timestamp>, usize)| match (storm, held) {
        (Some(since), 0) => format!(
            "jail {jail} bans suspiciously many since {since:.0}: an attack, or is the filter wrong? `banmap list --jail \
             {jail}` shows whom, `banmap pause {jail}` stops it"
        ),
        (storm, held) => {
            let lasting = if storm.is_some() { "lasts" } else { "is over" };
            format!(
                "jail {jail} has had a storm, which {lasting}: {held} verdicts wait, and are dropped after an hour; `banmap \
                 release {jail}` bans them, with --drop they are forgotten"
            )
        }
    };
    circuit.owner.engine.storms().map(said).collect()
}

/// What an operator has to do something about, beside failed outputs and files.
fn problems(circuit: &Circuit) -> Vec<String> {
    let engine = &circuit.owner.engine;
    let paused = engine.pauses().iter().map(|pause| match &pause.jail {
        Some(jail) => format!("jail {jail} is paused: nobody new is banned"),
        None => "all jails are paused: nobody new is banned".to_owned(),
    });
    let ineffective = engine.without_effect(clock::now()).map(|outputs| {
        let names: Vec<&str> = outputs.iter().map(OutputName::as_str).collect();
        format!(
            "banned clients are answered although {} holds them: is the output included in this server? `banmap snippet \
             OUTPUT` prints what to paste",
            names.join(", ")
        )
    });
    let lost = circuit.readers.lost().iter().map(|source| {
        format!("source {source} is not read any more: its reader failed (the log says why); restart banmap")
    });
    let storms = jails_in_storms(circuit);
    let full = engine.full().map(|(jail, limit)| {
        format!("jail {jail} has as many bans as it may ({limit}, `max_bans`): it bans nobody new until some have ended")
    });
    paused
        .chain(storms)
        .chain(full)
        .chain(ineffective)
        .chain(lost)
        .chain(circuit.owner.log.store_trouble())
        .collect()
}
