//! The log: one method for each room's events.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{Level, debug, error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use super::flood::Flood;
use crate::ban::{Ban, Change, Ended};
use crate::config::{LogFormat, Problem};
use crate::engine::{Effects, Notice};
use crate::publish::Severity;
use crate::reader::Told;
use crate::resolve::ListError;
use crate::terms::{OutputName, PublishedFile, SourceName, show_duration};
use crate::{control, publish, source, store, terms};

/// Where events become lines; cheap to clone, one for the process.
#[derive(Clone, Debug, Default)]
pub struct Log {
    flood: Arc<Mutex<Flood>>,
    store_trouble: Arc<Mutex<Option<String>>>,
}

/// What a client or a file name may have put into it cannot begin a line of its own.
fn escape(text: impl Display) -> String {
    terms::escape::line(&text.to_string()).into_owned()
}

/// The same for what servers and libraries say, which has several lines.
fn escape_lines(text: impl Display) -> String {
    terms::escape::lines(&text.to_string()).into_owned()
}

impl Log {
    /// Sets the process's log up: lines on stderr.
    pub fn start(format: LogFormat) -> Self {
        let builder = tracing_subscriber::fmt().with_writer(stderr).with_target(false);
        // What libraries have to say neither knows our bounds nor whose words it repeats: it is told by errors instead.
        let ours = Targets::new().with_target("banmap", Level::INFO);
        // A second start in one process (tests) keeps the first one's form.
        let _ = match format {
            LogFormat::Json => tracing::subscriber::set_global_default(
                builder.json().flatten_event(true).finish().with(ours),
            ),
            LogFormat::Text => {
                let colour =
                    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
                tracing::subscriber::set_global_default(builder.with_ansi(colour).finish().with(ours))
            }
        };
        Self::default()
    }

    fn lets_through(&self, kind: &'static str) -> bool {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner).lets_through(kind)
    }

    /// Says what was left out in the second that is over.
    pub fn quiet_second(&self) {
        let left_out = self.flood.lock().unwrap_or_else(PoisonError::into_inner).second();
        for (kind, count) in left_out {
            info!("… and {count} more lines of the kind `{kind}` in this second");
        }
    }

    /// What happened to bans, and what the engine noticed.
    pub fn effects(&self, effects: &Effects, now: Timestamp) {
        for change in &effects.changes {
            self.change(change, now);
        }
        for notice in &effects.notices {
            self.notice(notice);
        }
    }

    fn change(&self, change: &Change, now: Timestamp) {
        let ban = change.ban();
        let kind = match change {
            Change::Banned(_) if ban.simulated => "would ban",
            Change::Banned(_) if ban.value.is_challenge() => "challenged",
            Change::Banned(_) => "banned",
            Change::Prolonged(_) | Change::Extended(_) => "prolonged",
            Change::Withheld(_) => "withheld",
            Change::Held(_) => "held",
            Change::Past(_) => "past",
            Change::Ended(..) => "ended",
        };
        if !self.lets_through(kind) {
            return;
        }
        let text = match change {
            Change::Banned(_) if ban.simulated => format!("would ban (simulated) {}", described(ban, now)),
            Change::Banned(_) if ban.value.is_challenge() => format!("challenged {}", described(ban, now)),
            Change::Banned(_) => format!("banned {}", described(ban, now)),
            Change::Prolonged(_) | Change::Extended(_) => format!("prolonged {}", described(ban, now)),
            Change::Withheld(_) => format!("paused: would have banned {}", described(ban, now)),
            Change::Held(_) => format!("held, not banned yet: {}", described(ban, now)),
            Change::Past(_) => format!("was to be banned until {}: {}", until(ban), described(ban, now)),
            Change::Ended(_, why) => format!("unbanned {} ({}): {}", ban.prefix, ban.jail, ended(*why)),
        };
        // Found when it was over, it concerns nobody any more; and hits are many.
        if matches!(change, Change::Past(_) | Change::Extended(_)) {
            debug!(address = %ban.prefix, jail = %ban.jail, "{text}");
        } else {
            info!(address = %ban.prefix, jail = %ban.jail, "{text}");
        }
    }

    fn notice(&self, notice: &Notice) {
        if self.lets_through("notice") {
            warn!("{notice}");
        }
    }

    /// A source that nobody reads any more, since its reader panicked; what it said is on stderr.
    pub fn reader_lost(&self, source: &SourceName) {
        error!(
            "source {source} is not read any more: its reader failed; please report what it said, and restart banmap"
        );
    }

    /// What happened while a source was read.
    pub fn reader(&self, source: &SourceName, told: &Told) {
        if !self.lets_through("source") {
            return;
        }
        match told {
            Told::Source(event) if needs_attention(event) => warn!("source {source}: {}", escape(event)),
            Told::Source(event) => info!("source {source}: {}", escape(event)),
            Told::Format { path, taken } => {
                info!("source {source}: {} is read as `{taken}`", escape(path.display()));
            }
            Told::Unparsed { path, tried, failed, example, looks_like } => warn!(
                "source {source}: {failed} of {tried} lines of {} that were tried do not parse ({}); for example: {}. \
                 {} `banmap status` counts them",
                escape(path.display()),
                escape(&example.reason),
                escape(&example.text),
                looks_like.as_ref().map_or_else(
                    || "Is `format` right?".to_owned(),
                    |format| format!("Its lines look like `{format}`: set format.")
                )
            ),
            Told::Cut { path } => warn!(
                "source {source}: a line of {} that came in parts was cut, since it is longer than 1 MiB",
                escape(path.display())
            ),
            Told::Nameless { path, nameless } => warn!(
                "source {source}: {nameless} lines of {} name a host instead of an address, and nobody can be banned by \
                 them: set `HostnameLookups Off` in Apache, or log %a instead of %h",
                escape(path.display())
            ),
            Told::GivenUp { path, searches } => warn!(
                "source {source}: {searches} searches of a filter in {} were given up, since its pattern would have gone \
                 back too often: an offence may be missed. `banmap check` names the patterns that go back",
                escape(path.display())
            ),
            Told::Skewed { path, logged, arrived } => warn!(
                "source {source}: {} says {logged} for a line that arrived at {arrived}: the server logs without its time \
                 zone, or a clock is wrong. Lines count when they arrive; after a stop they would count at the wrong time",
                escape(path.display())
            ),
            Told::Crowd { path, crowd } => {
                warn!("source {source}: {}: {crowd}", escape(path.display()));
            }
            Told::Crowds(_) | Told::Opened | Told::CaughtUp => {}
        }
    }

    /// What the store tells.
    pub fn store(&self, event: &store::Event) {
        let mut trouble = self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            store::Event::SavedAgain { .. } => *trouble = None,
            store::Event::SetAside { .. } | store::Event::SaveFailed { .. } => {
                *trouble = Some(event.to_string());
            }
            store::Event::RowsSkipped { .. } | store::Event::HistoryDropped { .. } => {}
        }
        if !self.lets_through("store") {
            return;
        }
        if matches!(event, store::Event::SavedAgain { .. }) {
            info!("{}", escape_lines(event));
        } else {
            error!("{}", escape_lines(event));
        }
    }

    /// What is wrong with the store, until it is well again.
    pub fn store_trouble(&self) -> Option<String> {
        self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What could not be stored at the end.
    pub fn lost(&self, error: &str) {
        error!(
            "what changed last could not be stored and is found again in the logs: {}",
            escape_lines(error)
        );
    }

    /// What the control socket tells.
    pub fn control(&self, event: &control::Event) {
        let control::Event::AcceptFailed(error) = event;
        if self.lets_through("control") {
            warn!("the control socket cannot take a client: {error} (too many open files?)");
        }
    }

    /// What the outputs tell.
    pub fn publish(&self, event: &publish::Event) {
        if !self.lets_through("publish") {
            return;
        }
        match event.severity() {
            Severity::Debug => debug!("{}", escape_lines(event)),
            Severity::Info => info!("{}", escape_lines(event)),
            Severity::Warning => warn!("{}", escape_lines(event)),
            Severity::Error => error!("{}", escape_lines(event)),
        }
    }

    /// A list that changed and cannot be used, or a name that cannot be resolved.
    pub fn lists(&self, problem: &ListError) {
        warn!("{} (the last good list stays in force)", escape(problem));
    }

    /// What is hardly meant so in the configuration.
    pub fn warnings(&self, problems: &[Problem]) {
        for problem in problems {
            warn!("{}", terms::escape::lines(&problem.render(false)));
        }
    }

    /// Files of outputs that are not configured any more: their last list is still in force wherever it is included.
    pub fn left_behind(&self, outputs: &[publish::Settings], files: &[PublishedFile]) {
        for file in publish::left_behind(outputs, files) {
            warn!(
                "{} was written by output {} ({}), which is not configured so any more: its last list stays in force where a \
                 server reads it; `banmap empty {}` empties it",
                file.path.display(),
                file.output,
                file.kind,
                file.path.display()
            );
        }
    }

    /// An output's file is missing and cannot be made: a web server that includes it would not start.
    pub fn not_made(&self, output: &OutputName, error: &publish::PublishError) {
        error!(
            "output {output}: its file is missing or unusable and cannot be made: {}",
            escape_lines(error)
        );
    }

    /// How reading the configuration again went.
    pub fn reloaded(&self, outcome: &Result<String, impl Display>) {
        match outcome {
            Ok(text) => info!("{text}"),
            Err(problem) => error!("the configuration was refused, the old one stays:\n{problem}"),
        }
    }

    /// `state`, `socket` or `log` changed, which a running daemon cannot follow.
    pub fn needs_restart(&self) {
        warn!("`state`, `socket` or `log` under [daemon] changed: that takes a restart");
    }
}

fn described(ban: &Ban, now: Timestamp) -> String {
    let length = ban
        .until
        .map_or("forever".to_owned(), |until| format!("for {}", show(until.duration_since(ban.since))));
    let offences = match ban.offences {
        0 => String::new(),
        1 => ", 1 offence".to_owned(),
        many => format!(", {many} offences"),
    };
    let left = ban.until.filter(|_| now.duration_since(ban.since) > SignedDuration::from_mins(1));
    let left = left.map_or(String::new(), |until| format!(", until {until:.0}"));
    let reason = ban.reason.as_deref().map_or(String::new(), |reason| format!(" ({})", escape(reason)));
    format!("{} by {} {length}{offences}{left}{reason}", ban.prefix, ban.jail)
}

fn show(length: SignedDuration) -> String {
    show_duration(SignedDuration::from_secs(length.as_secs()))
}

fn until(ban: &Ban) -> String {
    ban.until.map_or("forever".to_owned(), |until| format!("{until:.0}"))
}

fn ended(why: Ended) -> &'static str {
    match why {
        Ended::Expired => "its time is over",
        Ended::Unbanned => "by hand",
        Ended::Allowed => "it is allowed now",
        Ended::Simulation => "its jail began to simulate, or ceased to",
    }
}

fn needs_attention(event: &source::Event) -> bool {
    use source::Event as E;
    !matches!(
        event,
        E::Opened { .. }
            | E::Rotated { .. }
            | E::LetGo { .. }
            | E::CopySkipped { .. }
            | E::Compressed { .. }
            | E::Listening { .. }
            | E::Ended { .. }
    )
}
