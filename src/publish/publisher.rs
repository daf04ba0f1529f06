//! All outputs at work: a task for each reload group.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::event::EventSink;
use super::feed::Feed;
use super::group::{Ends, Group};
use super::report::Report;
use super::settings::{Reload, Settings};
use crate::os::child::Runner;
use crate::terms::PublishedFile;

/// How long `stop` waits for a commit that is under way.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// The running outputs. Files stay as they are when it ends.
#[derive(Debug)]
pub struct Publisher {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Publisher {
    /// Starts publishing on the present tokio runtime. `kept` is what the store knows of the files, with those that
    /// `create_missing` just made.
    pub fn start(
        settings: Vec<Settings>,
        kept: &[PublishedFile],
        feed: Feed,
        reports: mpsc::UnboundedSender<Report>,
        events: EventSink,
    ) -> Self {
        Self::start_with(settings, kept, feed, reports, events, Runner::System)
    }

    /// `start` with another runner of child processes.
    pub(super) fn start_with(
        settings: Vec<Settings>,
        kept: &[PublishedFile],
        feed: Feed,
        reports: mpsc::UnboundedSender<Report>,
        events: EventSink,
        runner: Runner,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let ends = Ends { feed, reports, events, runner, stop: stopped };
        let start = |group: Vec<Settings>| {
            let names: Vec<_> = group.iter().map(|output| output.name.clone()).collect();
            let kept = kept.iter().filter(|kept| names.contains(&kept.output)).cloned().collect();
            tokio::spawn(Group::new(group, kept, ends.clone()).run())
        };
        let tasks = grouped(settings).into_iter().map(start).collect();
        Self { tasks, stop }
    }

    /// Ends after the commit that is under way; a server's answer is not waited for.
    pub async fn stop(self) {
        // No task is left to hear it: then there is nothing to stop.
        let _ = self.stop.send(true);
        for mut task in self.tasks {
            if tokio::time::timeout(LAST_COMMIT, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// Outputs that reload the same server, together; in the order of the settings.
fn grouped(settings: Vec<Settings>) -> Vec<Vec<Settings>> {
    let mut groups: Vec<Vec<Settings>> = Vec::new();
    for output in settings {
        let group = groups
            .iter_mut()
            .find(|group| group.iter().any(|other| same_server(&other.reload, &output.reload)));
        match group {
            Some(group) => group.push(output),
            None => groups.push(vec![output]),
        }
    }
    groups
}

fn same_server(one: &Reload, other: &Reload) -> bool {
    match (one, other) {
        (Reload::PidFile { path: one, .. }, Reload::PidFile { path: other, .. }) => one == other,
        (Reload::Process { name: one, .. }, Reload::Process { name: other, .. }) => one == other,
        (Reload::Command(one), Reload::Command(other)) => one == other,
        _ => false,
    }
}
