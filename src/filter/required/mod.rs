//! The byte strings that a line must hold to be an offence: what a reader searches whole buffers for.
//!
//! A filter that requires rare strings costs next to nothing, so for each rule the best of its conditions speaks, and
//! from each pattern the rarest strings inside of it are taken, not its first ones.

mod literals;
mod rarity;
#[cfg(test)]
mod tests;
mod texts;

pub use rarity::share;

use literals::{Cut, Set};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

use super::fail2ban::Language;
use super::pattern::Pattern;
use super::tags::Tagged;
use super::{Condition, ConditionSet, Definition, Matcher};
use crate::record::{Field, Format, Targets};

/// More numbers than this in one condition, and it requires nothing.
const MOST_NUMBERS: u64 = 64;

/// What a line must hold to be an offence: one of the literals, or one of the spellings that hide them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// One of these stands in the line as it was logged. Each has at least two bytes, or is a rare sign; none is part of
    /// another. Empty where only lines of the two exceptions can be offences.
    pub literals: Vec<Vec<u8>>,
    /// The case of ASCII letters does not count; the literals are then in lower case.
    pub ignore_case: bool,
    /// Or not, where the line holds `%` or `\`.
    pub except_encoded: bool,
    /// Or not, where the request's target holds `%` or `\`: asked for where the format tells where targets stand, and the
    /// whole line would say little.
    pub except_encoded_target: bool,
    /// Or not, where the request's target holds `//`.
    pub except_slashes: bool,
    /// Or not, where it holds `/.`.
    pub except_dots: bool,
}

impl Required {
    /// One of these, without exceptions.
    pub(crate) fn one_of(literals: Vec<Vec<u8>>, ignore_case: bool) -> Self {
        Self {
            literals,
            ignore_case,
            except_encoded: false,
            except_encoded_target: false,
            except_slashes: false,
            except_dots: false,
        }
    }

    /// What a line holds that is an offence by one or by the other: of lines in two formats.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let ignore_case = self.ignore_case || other.ignore_case;
        self.literals.extend(other.literals);
        if ignore_case {
            self.literals.iter_mut().for_each(|literal| literal.make_ascii_lowercase());
        }
        self.literals.sort_unstable();
        self.literals.dedup();
        Self {
            literals: self.literals,
            ignore_case,
            except_encoded_target: self.except_encoded_target || other.except_encoded_target,
            except_encoded: self.except_encoded || other.except_encoded,
            except_slashes: self.except_slashes || other.except_slashes,
            except_dots: self.except_dots || other.except_dots,
        }
    }
}

/// The best set of one condition, and the spellings that escape it.
struct Found {
    set: Set,
    encoded: Option<Within>,
    target: Target,
}

/// Which spellings of a target make its line a candidate.
#[derive(Clone, Copy, Debug, Default)]
struct Target {
    slashes: bool,
    dots: bool,
}

/// Where `%` or `\` may hide a literal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Line,
    Target,
}

/// What a definition requires of lines of this format; `None` where any line may be an offence.
pub(super) fn required(definition: &Definition, format: &Format) -> Option<Required> {
    let rules = definition.rules.iter().map(|rule| of_rule(rule, format));
    let raw = definition.failregex.iter().map(|pattern| of_raw(pattern, format));
    let found = rules.chain(raw).collect::<Option<Vec<Found>>>()?;
    let encoded = |within| found.iter().any(|found| found.encoded == Some(within));
    let (except_encoded, except_encoded_target) = (encoded(Within::Line), encoded(Within::Target));
    let except_slashes = found.iter().any(|found| found.target.slashes);
    let except_dots = found.iter().any(|found| found.target.dots);
    let (literals, ignore_case) = Set::union(found.into_iter().map(|found| found.set)).finish()?;
    Some(Required {
        literals,
        ignore_case,
        except_encoded,
        except_encoded_target,
        except_slashes,
        except_dots,
    })
}

fn of_rule(rule: &ConditionSet, format: &Format) -> Option<Found> {
    let found = rule
        .0
        .iter()
        .filter(|condition| !condition.not)
        .filter_map(|condition| of_condition(condition, format));
    found.min_by(|a, b| a.cost().total_cmp(&b.cost()))
}

impl Found {
    /// Lines that are candidates for their spelling alone are some percent of a log, and finding targets takes a look
    /// at each line: both count against a set.
    fn cost(&self) -> f32 {
        let encoded = if self.encoded.is_some() { 0.01 } else { 0.0 };
        let target = if self.target.slashes || self.target.dots { 0.03 } else { 0.0 };
        self.set.cost() + encoded + target
    }
}

fn of_condition(condition: &Condition, format: &Format) -> Option<Found> {
    if condition.fields.iter().any(Field::is_number) {
        return Some(Found { set: of_numbers(condition, format)?, encoded: None, target: Target::default() });
    }
    // A virtual host may be logged with a port and in either case.
    if condition.fields.contains(&Field::Host) {
        return None;
    }
    if condition.decoded && condition.fields.iter().any(|field| format.is_verbatim(field)) {
        return None;
    }
    let hirs = condition.any.iter().map(|matcher| match matcher {
        Matcher::Regex(text) => Pattern::read(text).ok().map(|pattern| pattern.hir().clone()),
        Matcher::Range(..) => None,
    });
    let hirs = hirs.collect::<Option<Vec<Hir>>>()?;
    let within = within(condition, format);
    let of_target = |field: &Field| matches!(field, Field::Path | Field::RequestUri);
    let target = format.targets().is_some() && condition.fields.iter().all(of_target);
    if target
        && !condition.decoded
        && let Some(target) = begin_respelled(&hirs)
    {
        return Some(Found { set: Set::of_whole(Vec::new()), encoded: Some(within), target });
    }
    let cut = match () {
        () if condition.fields.contains(&Field::Path) => Cut::Segments(format),
        () if condition.decoded => Cut::Encoded(format),
        () => Cut::Escaped(format),
    };
    let mut sets = hirs.iter().map(|hir| literals::best(hir, cut)).collect::<Option<Vec<Set>>>()?;
    let encoded = Some(within).filter(|_| !matches!(cut, Cut::Escaped(_)));
    if encoded.is_some() {
        sets.push(Set::of_whole(format.marks().iter().map(|mark| mark.to_vec()).collect()));
    }
    Some(Found { set: Set::union(sets), encoded, target: Target::default() })
}

/// JSON lines hold `\` in a value of nearly every browser (`Sec-Ch-Ua`), so there the target alone is looked at, if what the
/// condition speaks of is part of it.
fn within(condition: &Condition, format: &Format) -> Within {
    let of_target = |field: &Field| matches!(field, Field::Path | Field::RequestUri | Field::Query);
    let keys = matches!(format.targets(), Some(Targets::Keys(_)));
    if keys && condition.fields.iter().all(of_target) { Within::Target } else { Within::Line }
}

/// Whether every value that matches begins with something that makes its line a candidate anyway, `^https?://`, and with
/// which spellings.
fn begin_respelled(hirs: &[Hir]) -> Option<Target> {
    hirs.iter().map(begins_respelled).try_fold(Target::default(), |all, target| {
        let target = target?;
        Some(Target { slashes: all.slashes || target.slashes, dots: all.dots || target.dots })
    })
}

fn begins_respelled(hir: &Hir) -> Option<Target> {
    let anchored = hir.properties().look_set_prefix().contains(Look::Start);
    let prefixes = Extractor::new().extract(hir);
    let prefixes = prefixes.literals().filter(|all| anchored && !all.is_empty())?;
    let mut target = Target::default();
    for prefix in prefixes {
        let path = prefix.as_bytes().split(|byte| *byte == b'?').next().unwrap_or_default();
        let holds = |spelling: &[u8]| path.windows(2).any(|pair| pair == spelling);
        match () {
            () if path.iter().any(|byte| b"%\\".contains(byte)) => {}
            () if holds(b"//") => target.slashes = true,
            () if holds(b"/.") => target.dots = true,
            () => return None,
        }
    }
    Some(target)
}

fn of_numbers(condition: &Condition, format: &Format) -> Option<Set> {
    if condition.fields != [Field::Status] {
        return None;
    }
    let mut literals = Vec::new();
    for matcher in &condition.any {
        let Matcher::Range(first, last) = matcher else { return None };
        // No status has more than three digits.
        let (first, last) = (*first, (*last).min(999));
        if last.saturating_sub(first) >= MOST_NUMBERS {
            return None;
        }
        for status in first..=last {
            literals.push(format.status_literal(u16::try_from(status).ok()?)?);
        }
    }
    (literals.len() as u64 <= MOST_NUMBERS).then(|| Set::of_whole(literals))
}

/// What a filter in fail2ban's language requires: for each failregex what it, or the prefregex, is rarest with. Lines that
/// are looked at together are all needed; so is every line where a date may be cut out of a word.
pub(super) fn of_language(language: &Language, format: &Format) -> Option<Required> {
    let recipe = language.recipe();
    let unbounded = recipe.datepattern.as_ref().is_some_and(|pattern| pattern.contains("{UNB}"));
    if recipe.maxlines > 1 || unbounded {
        return None;
    }
    let cut =
        if format.is_combined() && recipe.datepattern.is_none() { Cut::Brackets } else { Cut::Boundaries };
    let best = |pattern: &str| literals::best(Pattern::as_written(pattern).ok()?.hir(), cut);
    let (prefix, fail) = language.least();
    let prefix = prefix.and_then(|pattern| best(&pattern));
    let rarest = |pattern: String| {
        let sets = [best(&pattern), prefix.clone()].into_iter().flatten();
        sets.min_by(|a, b| a.cost().total_cmp(&b.cost()))
    };
    let sets = fail.into_iter().map(rarest).collect::<Option<Vec<Set>>>()?;
    let (literals, ignore_case) = Set::union(sets).finish()?;
    Some(Required::one_of(literals, ignore_case))
}

/// Host tags are opaque here: what they take is no part of a literal.
fn of_raw(pattern: &str, format: &Format) -> Option<Found> {
    let opaque = Tagged::read(pattern).ok()?.regex(|_| "(?s-u:.)+".to_owned());
    let cut = if format.is_combined() { Cut::Brackets } else { Cut::Boundaries };
    let set = literals::best(Pattern::read(&opaque).ok()?.hir(), cut)?;
    Some(Found { set, encoded: None, target: Target::default() })
}
