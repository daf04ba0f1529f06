//! All outputs at work: a task for each reload group.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::event::EventSink;
use super::feed::Feed;
use super::group::{Ends, Group};
use super::report::Report;
use super::server::{Outcome, Server};
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
        let (stop, stopped) = watch::channel(false);
        let ends = Ends { feed, reports, events, runner: Runner::System, stop: stopped };
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

/// What a server that was told once made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has read the file.
    Read,
    /// Nobody is told: it reads the file by itself, or somebody else reloads it.
    Nobody,
    /// It does not run; how that was seen.
    NotRunning(String),
    /// It did not read the file; why, and what to do.
    Not(String),
}

/// Makes the server of one output read its file, without a publisher: for `empty` while no daemon runs.
pub async fn tell_server(output: &Settings) -> Told {
    let mut server = Server::of(std::slice::from_ref(output), Runner::System);
    if !server.is_told() {
        return Told::Nobody;
    }
    let (_stop, stopped) = watch::channel(false);
    let bytes = std::fs::metadata(&output.path).map_or(0, |metadata| metadata.len() as usize);
    match server.make_read(bytes, &stopped).await.outcome {
        Outcome::Read(_) => Told::Read,
        Outcome::NotRunning(why) => Told::NotRunning(why),
        Outcome::Hindered(why) => Told::Not(why),
        Outcome::Refused { message, .. } => {
            Told::Not(message.unwrap_or_else(|| "it gave no reason".to_owned()))
        }
        Outcome::Stopped => Told::Not("it was not waited for".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::{Settings, grouped};
    use crate::publish::settings::{Kind, Reload};

    #[test]
    fn outputs_of_one_server_are_one_group() {
        let signal = || "HUP".to_owned();
        let output = |reload| Settings { reload, ..Settings::plain(Kind::List, "/x".into()) };
        let one = || Reload::PidFile { path: "/run/one.pid".into(), signal: signal() };
        let other = Reload::PidFile { path: "/run/other.pid".into(), signal: signal() };
        let named = || Reload::Process { name: "nginx".to_owned(), signal: signal() };
        let command = || Reload::Command(vec!["x".to_owned()]);
        let all = [one(), Reload::None, named(), one(), Reload::None, other, command(), named(), command()];
        let groups = grouped(all.map(output).to_vec());
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 2, 1, 1, 2]);
    }
}
