//! The output tasks of one configuration, and the files that they begin with.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::owner::Owner;
use crate::config::Config;
use crate::engine::Engine;
use crate::observe::Log;
use crate::publish::{self, EventSink, Feed, Publisher, Wanted};
use crate::terms::PublishedFile;

/// Where the outputs' events go.
pub(super) fn event_sink(log: &Log) -> EventSink {
    let log = log.clone();
    Arc::new(move |event| log.publish(&event))
}

/// Makes the output files that are missing; returns what is known of all files now.
pub(super) fn make_outputs(
    config: &Config,
    engine: &Engine,
    mut files: Vec<PublishedFile>,
    events: &EventSink,
    log: &Log,
) -> Vec<PublishedFile> {
    for (output, made) in publish::create_missing(&config.outputs, &|name| engine.snapshot(name), events) {
        match made {
            Ok(Some(written)) => {
                files.retain(|file| (&file.output, &file.path) != (&written.file.output, &written.file.path));
                files.push(written.file);
            }
            Ok(None) => {}
            Err(error) => log.not_made(&output, &error),
        }
    }
    files
}

/// The output tasks of one configuration, and their ends of the wires.
pub(super) struct Outputs {
    /// `None` once stopped.
    publisher: Option<Publisher>,
    pub(super) reports: mpsc::UnboundedReceiver<publish::Report>,
    pub(super) snapshots: mpsc::Receiver<publish::SnapshotRequest>,
}

impl Outputs {
    pub(super) fn start(
        config: &Config,
        files: &[PublishedFile],
        wanted: &watch::Sender<Wanted>,
        log: &Log,
    ) -> Self {
        let (report_to, reports) = mpsc::unbounded_channel();
        let (ask, snapshots) = mpsc::channel(8);
        let feed = Feed { wanted: wanted.subscribe(), snapshots: ask };
        let publisher = Publisher::start(config.outputs.clone(), files, feed, report_to, event_sink(log));
        Self { publisher: Some(publisher), reports, snapshots }
    }

    /// Ends the tasks; answers what they still ask, and hears what they did last.
    pub(super) async fn stop(&mut self, owner: &mut Owner) {
        let Some(publisher) = self.publisher.take() else { return };
        let stopping = publisher.stop();
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                () = &mut stopping => break,
                Some(request) = self.snapshots.recv() => owner.answer(request),
            }
        }
        while let Ok(report) = self.reports.try_recv() {
            owner.report(&report);
        }
    }
}
