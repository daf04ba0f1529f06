//! What `why` answers: what the engine knows at once, and what the store adds: kept evidence and history. How the client of a
//! line was found is worked out anew from the line, as its sources would read it now.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::answers::Answer;
use super::circuit::Circuit;
use super::plan;
use super::status;
use crate::address::Prefix;
use crate::ban::Ban;
use crate::config::Config;
use crate::control::{
    ClientWay, Earlier, EvidenceRow, HeldRow, Holding, Hop, Near, Reply, Spared, WayEnd, Why,
};
use crate::engine;
use crate::reader::{Surroundings, Traced};
use crate::record::TraceEnd;
use crate::store::{HistoryQuery, HistoryRow};
use crate::terms::{Evidence, JailName, SourceName};

/// The most rows of history.
const ROWS: usize = 50;
/// The most different ways to a client that are told.
const WAYS: usize = 5;

impl Circuit {
    pub(super) fn why(&mut self, asked: Prefix, now: Timestamp, answer: Answer) {
        let known = self.owner.engine.why(asked, now);
        let query =
            HistoryQuery { address: Some(asked), since: None, jail: None, limit: ROWS, evidence: false };
        self.owner.save();
        let (rows, rows_there) = oneshot::channel();
        self.owner.keeper.history(query, Box::new(move |found| drop(rows.send(found.unwrap_or_default()))));
        // The lines of bans are in the store alone.
        let kept: Vec<_> = known.bans.iter().map(|ban| self.kept(ban)).collect();
        let (config, around) = (Arc::clone(&self.config), self.around.clone());
        let mut why = self.known_of(asked, known);
        tokio::spawn(async move {
            for evidence in kept {
                why.evidence.extend(evidence.await.unwrap_or_default().iter().map(EvidenceRow::from));
            }
            why.evidence.sort_by_key(|row| row.at);
            why.clients = ways(&why, &config, &around);
            let rows: Vec<HistoryRow> = rows_there.await.unwrap_or_default();
            why.history = rows.into_iter().map(status::history_row).collect();
            let _ = answer.send(Reply::Why(why));
        });
    }

    fn known_of(&self, asked: Prefix, known: engine::Why) -> Why {
        let shown = |bans: &[Arc<Ban>]| bans.iter().map(|ban| self.shown(ban)).collect();
        let spared = known.spared.0.into_iter().map(|(address, rule)| Spared { address, rule });
        let held = known.held.iter().map(|held| HeldRow::new(held, Holding::Storm));
        let asked_about = known.asked_about.iter().map(|held| HeldRow::new(held, Holding::Crawler));
        Why {
            banned: known.banned,
            challenged: known.challenged,
            bans: shown(&known.bans),
            inside: shown(&known.inside.0),
            inside_count: known.inside.1,
            spared: spared.collect(),
            spared_count: known.spared.1,
            protected_by: known.protected_by,
            evidence: known.evidence.iter().map(EvidenceRow::from).collect(),
            near: known.windows.into_iter().map(near).collect(),
            earlier: known.earlier.into_iter().map(earlier).collect(),
            held: held.chain(asked_about).collect(),
            ..Why::of(asked)
        }
    }

    fn kept(&self, ban: &Ban) -> oneshot::Receiver<Vec<Evidence>> {
        let (evidence, there) = oneshot::channel();
        let tell = Box::new(move |found: Result<_, _>| drop(evidence.send(found.unwrap_or_default())));
        self.owner.keeper.evidence(ban.prefix, ban.jail.clone(), tell);
        there
    }
}

fn near(window: engine::Near) -> Near {
    Near {
        jail: window.jail,
        address: window.prefix,
        offences: u32::try_from(window.offences).unwrap_or(u32::MAX),
        weight: u32::try_from(window.weight).unwrap_or(u32::MAX),
        maxretry: window.maxretry,
        findtime: window.findtime,
        what: window.what.into(),
        simulated: window.simulated,
    }
}

fn earlier(known: engine::Earlier) -> Earlier {
    Earlier { jail: known.jail, address: known.prefix, bans: known.bans, next: known.next }
}

/// How the clients of the lines were found, the newest line's way first. Which source a line came from is not kept: it is
/// one of its jail's, and one that finds somebody in it whom the answer is about.
fn ways(why: &Why, config: &Config, around: &Surroundings) -> Vec<ClientWay> {
    let mut ways: Vec<ClientWay> = Vec::new();
    for row in why.evidence.iter().rev() {
        for way in ways_of(row, why, config, around) {
            let same = |other: &ClientWay| {
                (&other.source, &other.hops, other.end) == (&way.source, &way.hops, way.end)
            };
            let found = ways.iter().position(same);
            match found.and_then(|at| ways.get_mut(at)) {
                Some(known) => known.lines += 1,
                None => ways.push(way),
            }
        }
    }
    ways.truncate(WAYS);
    ways
}

fn ways_of(row: &EvidenceRow, why: &Why, config: &Config, around: &Surroundings) -> Vec<ClientWay> {
    let jail = config.jails.iter().find(|jail| jail.name == row.jail);
    let of_jail = |name: &SourceName| jail.is_some_and(|jail| jail.sources.contains(name));
    let sources = config.sources.iter().filter(|source| of_jail(&source.settings.name));
    let ways = sources.filter_map(|source| {
        let traces = plan::clients(source, around).traces(source.format.as_ref(), row.text.as_bytes());
        let meant = |traced: &Traced| {
            traced.hops.last().is_some_and(|(client, _)| is_about(why, &row.jail, Prefix::host(*client)))
        };
        Some(way(&source.settings.name, source.client.to_string(), traces.into_iter().find(meant)?))
    });
    ways.collect()
}

/// Whether the offences of this client are among those that the answer is about.
fn is_about(why: &Why, jail: &JailName, client: Prefix) -> bool {
    let bans = why.bans.iter().filter(|ban| ban.jail == *jail).map(|ban| ban.address);
    let windows = why.near.iter().filter(|near| near.jail == *jail).map(|near| near.address);
    bans.chain(windows).chain([why.address]).any(|prefix| prefix.covers(client))
}

fn way(source: &SourceName, client: String, traced: Traced) -> ClientWay {
    let hops = traced.hops.into_iter().map(|(address, entry)| Hop {
        address: address.into(),
        trusted_by: entry.map(|entry| format!("{} ({})", entry.prefix, entry.origin)),
    });
    ClientWay {
        source: source.clone(),
        client,
        hops: hops.collect(),
        end: match traced.end {
            TraceEnd::Logged => WayEnd::Logged,
            TraceEnd::NoHeader => WayEnd::NoHeader,
            TraceEnd::NotTrusted => WayEnd::NotTrusted,
            TraceEnd::First => WayEnd::First,
            TraceEnd::Garbage => WayEnd::Garbage,
        },
        unread: (!traced.unread.is_empty()).then_some(traced.unread),
        lines: 1,
    }
}
