//! What answers to commands are made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::address::Prefix;
use crate::ban::Ban;
use crate::control::{BanRow, FailCode, Refusal, Reply};
use crate::engine::Refusal as Refused;
use crate::publish::Report;
use crate::terms::OutputName;

/// The newest report of each configured output; `None` while there is none.
pub(super) type Reports = BTreeMap<OutputName, Option<Report>>;

/// Where an answer goes.
pub(super) type Answer = oneshot::Sender<Reply>;

/// An order that nothing was done about. A jail that is not there is a mistake of the one who asks.
pub(super) fn refused(refusal: &Refused) -> Reply {
    let is_mistake = matches!(refusal, Refused::UnknownJail { .. });
    let code = if is_mistake { FailCode::Usage } else { FailCode::Failed };
    Reply::failed(code, refusal.to_string())
}

pub(super) fn refusal_of(prefix: Prefix, refusal: &Refused) -> Refusal {
    Refusal { target: prefix.to_string(), reason: refusal.to_string() }
}

/// By address and jail.
pub(super) fn rows<'a>(bans: impl Iterator<Item = &'a Arc<Ban>>) -> Vec<BanRow> {
    let mut rows: Vec<BanRow> = bans.map(|ban| BanRow::from(&**ban)).collect();
    rows.sort_by(|a, b| (a.address, &a.jail).cmp(&(b.address, &b.jail)));
    rows
}
