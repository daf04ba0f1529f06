//! How clients stand that `top` found: banned or protected, as the daemon says, else as far as the configuration does.

use std::time::Duration;

use comfy_table::Cell;
use serde::Serialize;

use super::globals::Globals;
use super::table;
use crate::address::{AllowEntry, Prefix};
use crate::config::{self, Config, Needs, Options};
use crate::control::{Client, Reply, Request};
use crate::daemon::engine_settings;
use crate::engine::Settings;
use crate::resolve::Lists;

/// The daemon answers in a millisecond; if it does not, the list is more useful without it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whom to ask.
pub(super) struct Standings {
    daemon: Option<Client>,
    settings: Settings,
}

/// How one client stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Standing {
    /// `null` where no daemon answers.
    banned: Option<bool>,
    protected_by: Option<String>,
}

impl Standings {
    /// Reaches for the daemon; it need not be there.
    pub(super) fn new(globals: &Globals, config: &Config, lists: &Lists) -> Self {
        let options = Options::new(globals.config().map(Into::into), Needs::FILTERS);
        let socket = config::socket(&options).ok().map(|(socket, _)| socket);
        let daemon = socket.and_then(|socket| Client::connect(&socket).ok());
        Self { daemon, settings: engine_settings(config, lists) }
    }

    /// How a client stands; `None` where nothing is known of them.
    pub(super) fn of(&mut self, client: Prefix) -> Option<Standing> {
        if let Some(standing) = self.asked(client) {
            return Some(standing);
        }
        let told = |entry: &AllowEntry| format!("{} ({})", entry.prefix, entry.origin);
        let settings = &self.settings;
        let lists = [&settings.protected.trusted, &settings.manual.allow];
        let entry = lists.into_iter().find_map(|list| list.covering(client));
        entry.map(|entry| Standing { banned: None, protected_by: Some(told(entry)) })
    }

    fn asked(&mut self, client: Prefix) -> Option<Standing> {
        let answer = self.daemon.as_mut()?.ask_within(&Request::Why { address: client }, PATIENCE);
        let Ok(Reply::Why(why)) = answer else {
            self.daemon = None;
            return None;
        };
        Some(Standing { banned: Some(why.banned), protected_by: why.protected_by })
    }
}

impl Standing {
    pub(super) fn cell(&self) -> Cell {
        match (&self.protected_by, self.banned) {
            (Some(rule), _) => table::text(&format!("protected: {rule}")),
            (None, Some(true)) => table::bad("banned"),
            (None, _) => Cell::new(""),
        }
    }
}
