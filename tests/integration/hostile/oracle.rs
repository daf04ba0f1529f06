//! What each filter has to find, from what was sent and how it was answered; and what banmap finds in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use super::requests::Hostile;
use super::sites::{Brand, LOG_IN, NO_TOOL, SECRET};
use super::wire::Answer;
use crate::harness::cli;

/// The filters that are judged.
pub(super) const FILTERS: [&str; 6] =
    ["wordpress-login", "probe-paths", "http-errors", "http-auth", "bad-request", "exploit-requests"];

/// How many offences each address made, by filter.
pub(super) type Offences = BTreeMap<(&'static str, IpAddr), Vec<String>>;

/// One request that was sent, from whom, and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) hostile: Hostile,
    pub(super) brand: Brand,
    /// Who made it, as far as the server could know.
    pub(super) from: IpAddr,
    pub(super) answer: Answer,
}

impl Exchange {
    /// Whether `filter` has to count it. See the filters' own texts for the reasons.
    pub(super) fn offends(&self, filter: &str) -> bool {
        let (is, Some(status)) = (self.hostile.is, self.logged_status()) else { return false };
        let shown = |marker: &str| self.answer.body.contains(marker);
        let garbage = is.garbage || (is.garbage_to_apache && self.brand == Brand::Apache);
        match filter {
            "wordpress-login" => is.post && shown(LOG_IN) && matches!(status, 200 | 401) && !is.no_login,
            "probe-paths" => {
                shown(SECRET)
                    || is.asks_secret
                    || shown(NO_TOOL)
                    || (is.asks_tool && matches!(status, 400 | 404))
            }
            "http-errors" => matches!(status, 400 | 403 | 404 | 405) && !is.fixed,
            "http-auth" => status == 401 && is.named,
            "bad-request" => garbage && matches!(status, 400 | 501),
            "exploit-requests" => is.exploit,
            _ => panic!("no rule for {filter}"),
        }
    }

    /// The status that the server has to log; `None` where it logs nothing. A connection that ends in the middle of its
    /// first line is a refused request to nginx (400, without an answer), and none to Apache.
    pub(super) fn logged_status(&self) -> Option<u16> {
        let unanswered = (self.brand == Brand::Nginx && !self.hostile.is_nothing()).then_some(400);
        self.answer.status.or(unanswered)
    }
}

/// All offences of `exchanges`.
pub(super) fn expected(exchanges: &[Exchange]) -> Offences {
    let mut offences = Offences::new();
    for (filter, exchange) in
        FILTERS.iter().flat_map(|filter| exchanges.iter().map(move |all| (*filter, all)))
    {
        if exchange.offends(filter) {
            let names = offences.entry((filter, exchange.from)).or_default();
            names.push(exchange.hostile.name.clone());
        }
    }
    offences
}

/// What `banmap test` finds in a log: for each address the lines.
pub(super) fn tested(config: &Path, log: &Path) -> Offences {
    let mut offences = Offences::new();
    for filter in FILTERS {
        let events = json(config, &["test", filter, log.to_str().unwrap()]);
        for found in events.iter().filter(|event| event["event"] == "match") {
            let address = found["address"].as_str().unwrap().parse().unwrap();
            let text: String = found["text"].as_str().unwrap().chars().take(300).collect();
            offences.entry((filter, address)).or_default().push(text);
        }
        assert_eq!(events.last().unwrap()["unparsed"], 0, "{filter}: {}", log.display());
    }
    offences
}

/// A jail for each filter that bans after so many offences, each address by itself.
pub(super) fn jails(maxretry: u32) -> String {
    let jail = |filter: &str| {
        format!("[jail.{filter}]\nmaxretry = {maxretry}\nfindtime = \"1h\"\ndistinct = \"none\"\n")
    };
    let jails: String = FILTERS.into_iter().map(jail).collect();
    format!("[defaults]\nbantime = \"1h\"\ngroup = {{ v4 = 32, v6 = 128 }}\n{jails}")
}

/// Who was banned by which jail, in the output of `replay` or `list`.
pub(super) fn bans<'a>(rows: impl Iterator<Item = &'a Value>) -> BTreeSet<(String, IpAddr)> {
    rows.map(|ban| {
        let address = ban["address"].as_str().unwrap();
        (ban["jail"].as_str().unwrap().to_owned(), address.parse().unwrap_or_else(|_| panic!("{address}")))
    })
    .collect()
}

/// Runs a verb with `--json`, whatever its exit code says.
pub(super) fn json(config: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = cli(config, &[arguments, &["--json"]].concat());
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{arguments:?}: {problem}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fails with every difference: who has an offence too few or too many, and for which requests or lines.
#[track_caller]
pub(super) fn assert_same(what: &str, expected: &Offences, found: &Offences, exchanges: &[Exchange]) {
    let keys = expected.keys().chain(found.keys());
    let count = |of: &Offences, key: &(&'static str, IpAddr)| of.get(key).map_or(0, Vec::len);
    let mut wrong: Vec<String> = keys
        .filter(|key| count(expected, key) != count(found, key))
        .map(|key| {
            let sent: Vec<_> = exchanges.iter().filter(|exchange| exchange.from == key.1).collect();
            let sent = sent
                .iter()
                .map(|exchange| format!("{} ({:?})", exchange.hostile.name, exchange.answer.status));
            let sent: Vec<String> = sent.collect();
            format!(
                "{key:?}: {} expected, {} found; sent: {sent:?}; lines: {:?}",
                count(expected, key),
                count(found, key),
                found.get(key)
            )
        })
        .collect();
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{what}: {} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
