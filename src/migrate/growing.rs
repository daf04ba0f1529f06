//! `bantime.increment` and its kin: how bans grow, as `escalation` and `jitter`.

use super::block::Block;
use super::setup::Setup;
use super::words::{duration, is_true, seconds};

/// fail2ban's own formula, without blanks: twice as long for each earlier ban, up to the twentieth.
const FORMULA: &str = "ban.Time*(1<<(ban.Countifban.Count<20else20))*banFactor";
/// So many earlier bans make a ban longer.
const MOST_COUNTED: usize = 20;

/// The options beside `bantime.increment`.
const OPTIONS: [&str; 6] = [
    "bantime.factor",
    "bantime.formula",
    "bantime.multipliers",
    "bantime.maxtime",
    "bantime.rndtime",
    "bantime.overalljails",
];

/// What holds in a section: `escalation`, and `jitter` where there is one. What is not carried over is noted.
pub(super) fn growing(setup: &Setup, section: &str, bantime: i64, block: &mut Block) {
    let known = |key: &str| setup.known(section, key);
    if !known("bantime.increment").is_some_and(|value| is_true(&value)) {
        block.set("escalation", "false");
        for (key, value) in OPTIONS.iter().filter_map(|key| Some((key, known(key)?))) {
            block.note(key, &value, "does nothing without bantime.increment");
        }
        return;
    }
    let formula = known("bantime.formula");
    let is_usual = |formula: &String| formula.split_whitespace().collect::<String>() == FORMULA;
    if let Some(formula) = formula.filter(|formula| !is_usual(formula)) {
        block.note(
            "bantime.formula",
            &formula,
            "formulas are not read: what follows is fail2ban's usual one; \
             `steps` says each ban's length",
        );
    }
    let growth = growth(setup, section, bantime, block);
    let scope =
        if known("bantime.overalljails").is_some_and(|value| is_true(&value)) { "all" } else { "jail" };
    let decay = duration(setup.forgets_after());
    block.set("escalation", &format!("{{ {growth}, decay = {decay}, scope = \"{scope}\" }}"));
    if let Some(text) = known("bantime.rndtime") {
        match seconds(&text).filter(|span| *span >= 0) {
            Some(0) => {}
            Some(span) => block.set("jitter", &duration(span)),
            None => block.note("bantime.rndtime", &text, "is no time that banmap can read"),
        }
    }
}

/// `factor` and `max`, or `steps`.
fn growth(setup: &Setup, section: &str, bantime: i64, block: &mut Block) -> String {
    let known = |key: &str| setup.known(section, key);
    let max = known("bantime.maxtime").and_then(|text| {
        let max = seconds(&text).filter(|max| *max > 0);
        if max.is_none() {
            block.note("bantime.maxtime", &text, "is no time that banmap can read");
        }
        max
    });
    let factor = known("bantime.factor").and_then(|text| {
        let factor = text.trim().parse::<f64>().ok().filter(|factor| *factor > 0.0);
        if factor.is_none() {
            block.note("bantime.factor", &text, "is no number");
        }
        factor
    });
    let factor = factor.unwrap_or(1.0);
    let multipliers = known("bantime.multipliers").and_then(|text| {
        let numbers: Option<Vec<f64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
        if numbers.is_none() {
            block.note("bantime.multipliers", &text, "are no numbers");
        }
        numbers.filter(|numbers| !numbers.is_empty())
    });
    let longest = max.unwrap_or_else(|| bantime.saturating_mul(1 << MOST_COUNTED));
    match multipliers {
        None if (factor - 1.0).abs() < f64::EPSILON => format!("factor = 2, max = {}", duration(longest)),
        multipliers => steps(bantime, factor, multipliers.as_deref(), max),
    }
}

/// Each ban's length. The first ban is as long as it is: fail2ban multiplies from the second on.
fn steps(bantime: i64, factor: f64, multipliers: Option<&[f64]>, max: Option<i64>) -> String {
    let count = multipliers.map_or(MOST_COUNTED + 1, <[f64]>::len).clamp(2, 100);
    let grown = |earlier: usize| match multipliers {
        Some(all) => all.get(earlier).or(all.last()).copied().unwrap_or(1.0) * factor,
        None => (2f64.powi(i32::try_from(earlier).unwrap_or(i32::MAX)) * factor).max(1.0),
    };
    let length = |earlier: usize| {
        let length = (bantime as f64 * grown(earlier)) as i64;
        // A ban of no length is none, and a step has one.
        length.min(max.unwrap_or(i64::MAX)).max(1)
    };
    let mut steps: Vec<i64> = std::iter::once(bantime.max(1)).chain((1..count).map(length)).collect();
    while steps.len() > 1 && steps.ends_with(&[steps[steps.len() - 1]; 2]) {
        steps.pop();
    }
    format!("steps = [{}]", steps.into_iter().map(duration).collect::<Vec<_>>().join(", "))
}
