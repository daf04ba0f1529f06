//! What is wrong between tables: parts that are missing, outputs that share a path, an output over a log.

use std::collections::BTreeMap;
use std::path::Path;

use glob::Pattern;

use super::found::Reading;
use super::gather::{Gathered, MainFile};
use super::needs::{Need, Needs};
use super::node::Table;
use super::output::Placed;
use super::problem::Problem;
use super::settings::{Config, Source};
use super::unknown_fields;
use crate::publish::{Kind, Settings, Style};
use crate::record::Format;
use crate::source::Input;

/// Reports parts that the verb needs and that are missing.
pub(super) fn check(config: &Config, needs: Needs, gathered: &Gathered, main: &MainFile, reading: &Reading) {
    let written = |part: &str| gathered.tree.contains_key(part);
    if needs.sources == Need::Required && !written("source") {
        reading.report_missing(no_source(gathered, main));
    }
    unknown_fields::check(config, &gathered.tree, reading);
    check_journals(config, &gathered.tree, reading);
    let judges = needs.jails != Need::Unread && needs.sources == Need::Required;
    if judges && config.jails.is_empty() && !written("jails") && !written("jail") {
        let problem = Problem::warning("no jail is configured: nobody will be banned but by hand");
        reading.report_missing(problem.fix("add jails = [\"wordpress-login\", \"probe-paths\"]".to_owned()));
    }
    if needs.outputs != Need::Unread && judges && !written("output") {
        let problem = Problem::warning("no output is configured: bans take hold nowhere");
        reading.report_missing(
            problem.fix("add [output.NAME] with a kind, such as kind = \"nginx-geo\"".to_owned()),
        );
    }
}

fn no_source(gathered: &Gathered, main: &MainFile) -> Problem {
    let add = "[source.site] with path = \"/var/log/nginx/*access.log\"";
    if gathered.files.is_empty() {
        let path = main.path.display();
        return Problem::error(format!("there is no configuration: {path} does not exist"))
            .fix(format!("create it with at least {add}, or name another file with -c"));
    }
    Problem::error("no source is configured: there is nothing to read").fix(format!("add {add}"))
}

/// Reports filters in fail2ban's language over bare messages of a journal: they tell one session of a program from another
/// by what stands in front of them.
fn check_journals(config: &Config, tree: &Table, reading: &Reading) {
    let is_bare = |source: &&Source| {
        matches!(&source.settings.input, Input::Journal(journal) if !journal.prefixed)
            && source.format == Some(Format::Raw)
    };
    for jail in
        config.jails.iter().filter(|jail| jail.filter.as_ref().is_some_and(|f| f.language().is_some()))
    {
        let mut read = config.sources.iter().filter(|source| jail.sources.contains(&source.settings.name));
        if let Some(source) = read.find(is_bare) {
            let what = format!(
                "[jail.{}] filter: `{}` is written in fail2ban's language, and expects the journal's lines with host and \
                 program in front",
                jail.name, jail.filter_name
            );
            let fix = format!("write format = \"journal\" in [source.{}]", source.settings.name);
            reading.report(Problem::error(what).at(unknown_fields::place(tree, jail, "filter")).fix(fix));
        }
    }
}

/// Reports outputs that would overwrite each other, or a log, and owners that this host does not know.
pub(super) fn check_outputs(reading: &Reading, outputs: &[Placed], sources: &[Source]) {
    for output in outputs {
        check_owner(reading, output);
    }
    let mut paths: BTreeMap<&Path, &Placed> = BTreeMap::new();
    let mut variables: BTreeMap<&str, &Placed> = BTreeMap::new();
    for output in outputs {
        if let Some(first) = paths.insert(&output.settings.path, output) {
            reading.report(same_path(first, output));
        }
        if let Some(variable) = block_variable(&output.settings)
            && let Some(first) = variables.insert(variable, output)
            && first.settings.reload == output.settings.reload
        {
            reading.report(same_variable(variable, first, output));
        }
        if let Some(source) = sources.iter().find(|source| reads(source, &output.settings.path)) {
            reading.report(over_a_log(output, source));
        }
    }
}

/// All other keys are judged where they are read, from their text alone; this depends on the host, and may be mended there.
fn check_owner(reading: &Reading, output: &Placed) {
    if let Some(wrong) = output.settings.owner_problem() {
        let what = format!("[output.{}] owner: {wrong}", output.settings.name);
        reading.report(Problem::warning(what).at(output.owner_at.clone()));
    }
}

fn place(output: &Placed) -> Option<super::text::Place> {
    output.path_from.place().cloned().or_else(|| output.place.clone())
}

fn same_path(first: &Placed, output: &Placed) -> Problem {
    let (name, path) = (&output.settings.name, output.settings.path.display());
    let what = format!("[output.{name}] path: {path} is already written by [output.{}]", first.settings.name);
    Problem::error(what).at(place(output)).fix("give each output a file of its own".to_owned())
}

fn block_variable(settings: &Settings) -> Option<&str> {
    match &settings.kind {
        Kind::NginxGeo { variable, style: Style::Block } => Some(variable),
        _ => None,
    }
}

/// nginx takes a second `geo` block for a variable without a word, and the first one counts no more.
fn same_variable(variable: &str, first: &Placed, output: &Placed) -> Problem {
    let (name, other) = (&output.settings.name, &first.settings.name);
    let what = format!("[output.{name}] variable: `{variable}` is also the variable of [output.{other}]");
    let fix = "in one nginx only one of the two blocks counts: give each a variable of its own";
    Problem::warning(what).at(output.place.clone()).fix(fix.to_owned())
}

fn reads(source: &Source, path: &Path) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let matches = |pattern: &String| {
        Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path_with(path, options))
    };
    source.settings.patterns().iter().any(matches)
}

fn over_a_log(output: &Placed, source: &Source) -> Problem {
    let (name, path) = (&output.settings.name, output.settings.path.display());
    let what =
        format!("[output.{name}] path: {path} would overwrite a log of [source.{}]", source.settings.name);
    Problem::error(what).at(place(output)).fix("write it to another directory".to_owned())
}
