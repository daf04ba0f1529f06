//! Another configuration in the place of the one that runs: whole or not at all.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::circuit::Circuit;
use super::hand::many;
use super::outputs::{Outputs, event_sink, make_outputs};
use super::plan;
use super::sources::Readers;
use super::start::{self, DaemonError, Loaded};
use crate::control::{FailCode, Reply};
use crate::publish;
use crate::resolve::system_lookup;
use crate::terms::{HistoryKind, SourceName};

impl Circuit {
    /// Reads the configuration again: whole, or not at all.
    pub(super) async fn reload(&mut self) {
        let asked = std::mem::take(&mut self.reloads);
        let reply = match start::load(self.path.as_deref()) {
            Ok(loaded) => self.exchange(loaded).await,
            Err(error) => Err(error),
        };
        let uid = asked.iter().find_map(|(_, peer)| *peer);
        let text =
            reply.as_ref().map_or_else(|_| "refused: the old configuration stays".to_owned(), Clone::clone);
        self.note(HistoryKind::Reloaded, text, uid);
        self.owner.log.reloaded(&reply);
        for answer in asked.into_iter().filter_map(|(answer, _)| answer) {
            let _ = answer.send(match &reply {
                Ok(text) => {
                    Reply::Done { messages: vec![text.clone()], bans: Vec::new(), refused: Vec::new() }
                }
                Err(error) => Reply::Failed { message: error.to_string(), code: FailCode::Usage },
            });
        }
    }

    /// Puts a new configuration in the place of the old one. Bans and read positions stay.
    pub(super) async fn exchange(&mut self, mut loaded: Loaded) -> Result<String, DaemonError> {
        let (new, old) = (&loaded.config.daemon, &self.config.daemon);
        if (&new.state, &new.socket, new.log) != (&old.state, &old.socket, old.log) {
            self.owner.log.needs_restart();
        }
        self.end_readers().await;
        for (name, addresses) in self.lists.answers() {
            loaded.lists.resolved(name, addresses.to_vec());
        }
        let (tell, news) = mpsc::channel(start::NEWS);
        let following = loaded.lists.follow(system_lookup(), tell)?;
        let around = plan::around(&loaded.config, &loaded.lists, self.host.addresses());
        let positions = self.owner.positions();
        let started =
            Readers::start(plan::followings(&loaded.config, &around, &positions, &self.registry, self.seed));
        if started.is_err() {
            self.start_readers_again()?;
        }
        let (readers, readings) = started?;
        self.registry.sweep();
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        let changed = loaded.config.outputs != self.config.outputs;
        if changed {
            // A file has one writer: the old tasks end before new ones begin.
            self.outputs.stop(&mut self.owner).await;
        }
        (self.config, self.lists, self.around) = (Arc::new(loaded.config), loaded.lists, around);
        (self.following, self.news) = (following, news);
        self.owner.names_changed(&self.lists);
        let is_guarded = |name: &SourceName| {
            self.config.sources.iter().any(|source| source.settings.name == *name && source.guard)
        };
        self.crowds.retain(|name, _| is_guarded(name));
        self.owner.log.warnings(&self.config.warnings);
        self.reconfigure_engine();
        if changed {
            self.start_outputs();
        }
        Ok(format!(
            "the configuration was read again: {}, {}",
            many(self.config.jails.len(), "jail"),
            many(self.config.outputs.len(), "output")
        ))
    }

    /// The new sources cannot be followed: the old ones go on.
    fn start_readers_again(&mut self) -> Result<(), DaemonError> {
        let positions = self.owner.positions();
        let sources = plan::followings(&self.config, &self.around, &positions, &self.registry, self.seed);
        let (readers, readings) = Readers::start(sources)?;
        (self.readers, self.readings, self.opened, self.caught_up) = (readers, readings, 0, 0);
        Ok(())
    }

    fn start_outputs(&mut self) {
        let known: Vec<_> = self.owner.files().cloned().collect();
        let events = event_sink(&self.owner.log);
        let files = make_outputs(&self.config, &self.owner.engine, known, &events, &self.owner.log);
        self.owner.log.left_behind(&self.config.outputs, &files);
        self.outputs = Outputs::start(&self.config, &files, &self.wanted, &self.owner.log);
        let outputs = &self.config.outputs;
        self.reports.send_modify(|reports| {
            let mut old = std::mem::take(reports);
            let last = |output: &publish::Settings| (output.name.clone(), old.remove(&output.name).flatten());
            *reports = outputs.iter().map(last).collect();
        });
    }
}
