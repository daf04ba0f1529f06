//! README.md says what the program does: its verbs, keys, filters, configurations and commands are those that exist.
#![allow(clippy::unwrap_used, reason = "whatever is not as it should be fails the test")]
#![allow(clippy::disallowed_methods, reason = "the tests stand outside the rooms that these calls belong to")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use banmap::config::{self, KNOWN_KEYS, Needs, Options};
use banmap::filter::SHIPPED;
use banmap::record::{Format, FormatEscape};
use tempfile::TempDir;
use toml::Table;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The text below a heading, up to the next one of its level or above.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let begin = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let body = &text[begin + heading.len() + 2..];
    let is_next = |line: &str| {
        let marks = line.chars().take_while(|c| *c == '#').count();
        (1..=level).contains(&marks) && line.chars().nth(marks) == Some(' ')
    };
    let mut in_code = false;
    let mut end = 0;
    for line in body.split_inclusive('\n') {
        in_code ^= line.trim_start().starts_with("```");
        if !in_code && is_next(line) {
            break;
        }
        end += line.len();
    }
    &body[..end]
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the tables in a text without their headers: the cells of each.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let mut rows: Vec<Vec<&str>> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_header = lines.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with('|') && !line.starts_with("|---") && !is_header {
            rows.push(line.trim_matches('|').split('|').map(str::trim).collect());
        }
    }
    rows
}

/// The code blocks of one language, their indentation in lists taken away.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != format!("```{language}") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let body: Vec<&str> = body.map(|line| line.get(indent..).unwrap_or("")).collect();
        blocks.push(body.join("\n") + "\n");
    }
    blocks
}

#[test]
fn every_verb_is_in_the_table_and_no_other() {
    let text = readme();
    let told: BTreeSet<String> = rows(section(&text, "## Commands"))
        .iter()
        .flat_map(|row| quoted(row[0]))
        .map(|verb| verb.split(' ').next().unwrap().to_owned())
        .collect();
    let command = banmap::cli::command();
    let there: BTreeSet<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    assert_eq!(told, there);
    let help = command.clone().render_help().to_string();
    for verb in &there {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb} in {help}");
    }
}

/// Each table's rows of keys: the keys that the first cell names, and the whole row.
fn key_rows(text: &str) -> BTreeMap<String, Vec<(Vec<String>, String)>> {
    let configuration = section(text, "## Configuration");
    let mut tables = BTreeMap::new();
    for heading in configuration.lines().filter(|line| line.starts_with("#### ")) {
        let table = quoted(heading).first().map_or("", |name| name.trim_matches(['[', ']']));
        let table = table.trim_end_matches(".NAME").to_owned();
        let rows = rows(section(text, heading));
        let keys = |row: &Vec<&str>| quoted(row[0]).into_iter().map(str::to_owned).collect();
        tables.insert(table, rows.iter().map(|row| (keys(row), row.join(" "))).collect());
    }
    tables
}

#[test]
fn every_key_is_in_the_tables_and_no_other() {
    let text = readme();
    let tables = key_rows(&text);
    let known: BTreeMap<&str, &[&str]> = KNOWN_KEYS.into_iter().collect();
    for (table, rows) in &tables {
        let known = known.get(table.as_str()).unwrap_or_else(|| panic!("there is no table `{table}`"));
        for (keys, row) in rows {
            assert!(!keys.is_empty(), "{row}");
            for key in keys {
                assert!(known.contains(&key.as_str()), "`{key}` is no key of `{table}`");
            }
        }
    }
    for (table, keys) in known {
        // A table inside of another is told in the row of its key; the top's tables have headings of their own.
        let (outer, within) = table.split_once('.').map_or((table, None), |(outer, key)| (outer, Some(key)));
        let rows = tables.get(outer).unwrap_or_else(|| panic!("`{outer}` is missing in README"));
        let wanted =
            |names: &Vec<String>| within.is_none_or(|within| names.iter().any(|name| name == within));
        let told: String =
            rows.iter().filter(|(names, _)| wanted(names)).map(|(_, row)| row.as_str()).collect();
        let words: BTreeSet<&str> = quoted(&told)
            .iter()
            .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .collect();
        for key in keys {
            let is_table = table.is_empty() && *key != "jails";
            let is_told = if is_table { text.contains(&format!("[{key}")) } else { words.contains(key) };
            assert!(is_told, "`{key}` of `{table}` is missing in README");
        }
    }
}

#[test]
fn every_shipped_filter_is_in_its_table_with_what_it_suggests() {
    let text = readme();
    let rows = rows(section(&text, "### Filters"));
    let told: BTreeMap<&str, &str> = rows.iter().map(|row| (quoted(row[0])[0], row[2])).collect();
    assert_eq!(
        told.keys().copied().collect::<Vec<_>>(),
        SHIPPED.iter().map(|filter| filter.name).collect::<Vec<_>>()
    );
    for filter in SHIPPED {
        let suggest = &filter.text.parse::<Table>().unwrap()["suggest"];
        let told = told[filter.name];
        let what = match suggest.get("distinct").and_then(|field| field.as_str()) {
            None => "",
            Some("path") => "different paths ",
            Some("request_uri") => "different requests ",
            Some(other) => panic!("{other}"),
        };
        let (number, span) = match suggest.get("rate") {
            Some(rate) => (format!("more than {}", rate["requests"]), &rate["per"]),
            None => (suggest["maxretry"].to_string(), &suggest["findtime"]),
        };
        let expected = format!("{number} {what}in {}", span.as_str().unwrap());
        assert_eq!(told, expected, "{}", filter.name);
    }
}

/// The format that has this variable beside a client.
fn with_variable(variable: &str) -> Format {
    let client = if variable.starts_with('$') { "$remote_addr" } else { "%a" };
    let text = format!("{client} \"{variable}\"");
    Format::compile(&text, FormatEscape::Default).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_variable_is_the_field_that_the_table_says() {
    let text = readme();
    let rows = rows(section(&text, "### Formats"));
    let names: Vec<&str> = rows.iter().filter(|row| row.len() == 2).map(|row| quoted(row[0])[0]).collect();
    assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(Format::NAMES));
    let mut told = 0;
    for row in rows.iter().filter(|row| row.len() == 3) {
        let variables = quoted(row[0]).into_iter().chain(quoted(row[1]));
        for variable in variables {
            let names = with_variable(variable).field_names();
            for field in quoted(row[2]) {
                assert!(names.iter().any(|name| name == field), "{variable} is {names:?}, not {field}");
            }
            told += 1;
        }
    }
    assert!(told > 80, "{told}");
    // And of two that are one field, the first has it.
    for row in rows.iter().filter(|row| row.len() == 3 && quoted(row[2]).len() == 1) {
        for variables in [quoted(row[0]), quoted(row[1])].iter().filter(|variables| variables.len() > 1) {
            let client = if variables[0].starts_with('$') { "$remote_addr" } else { "%a" };
            let both = format!("{client} \"{}\" \"{}\"", variables[1], variables[0]);
            let names = Format::compile(&both, FormatEscape::Default).unwrap().field_names();
            assert_eq!(names.last().map(String::as_str), Some(quoted(row[2])[0]), "{both}");
        }
    }
}

/// Checks a configuration in a directory of its own, with these other files beside it.
fn check(config: &str, others: &[(&str, &str)]) -> String {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("banmap.toml");
    fs::write(&path, config).unwrap();
    for (name, text) in others {
        let other = directory.path().join(name);
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(other, text).unwrap();
    }
    let environment = Vec::new();
    let options = Options { environment, root: true, ..Options::new(Some(path), Needs::RUN) };
    config::check(&options).problems.to_string()
}

#[test]
fn every_configuration_can_be_used() {
    let text = readme();
    let blocks: Vec<Table> = blocks(&text, "toml")
        .iter()
        .map(|block| block.parse().unwrap_or_else(|e| panic!("{e}: {block}")))
        .collect();
    let whole = blocks.iter().find(|block| block.contains_key("jails")).unwrap();
    assert_eq!(check(&whole.to_string(), &[]), "");
    let partial: Vec<&Table> =
        blocks.iter().filter(|block| !block.contains_key("jails") && block.contains_key("output")).collect();
    assert!(!partial.is_empty());
    for part in partial {
        let mut merged = whole.clone();
        merged.extend(part.clone());
        assert_eq!(check(&merged.to_string(), &[]), "");
    }
}

#[test]
fn the_filter_of_ones_own_can_be_used_and_does_what_its_samples_say() {
    let text = readme();
    let own: Vec<String> =
        blocks(&text, "toml").into_iter().filter(|block| block.contains("[[rule]]")).collect();
    assert_eq!(own.len(), 1);
    let config = "jails = [\"shop-login\"]\n[source.s]\npath = \"/x.log\"\n[output.o]\nkind = \"list\"\n";
    assert_eq!(check(config, &[("filter.d/shop-login.toml", &own[0])]), "");
    let raw = quoted(&text).into_iter().find(|code| code.starts_with("failregex = ")).unwrap();
    assert_eq!(check(config, &[("filter.d/shop-login.toml", raw)]), "");
    let broken = own[0].replace("302 0", "401 0");
    assert!(
        check(config, &[("filter.d/shop-login.toml", &broken)]).contains("samples.miss[0]"),
        "samples are run"
    );
    let conditions = quoted(&text).into_iter().find(|code| code.starts_with("method path ")).unwrap();
    let fields: BTreeSet<&str> = conditions.split(' ').collect();
    assert_eq!(fields, banmap::record::Field::NAMES.into_iter().collect());
}

/// Every `banmap …` that README has somebody type.
fn commands(text: &str) -> Vec<String> {
    let from_blocks = blocks(text, "sh").into_iter().flat_map(|block| {
        let lines: Vec<String> = block.lines().map(str::to_owned).collect();
        lines
    });
    let cargo = "cargo run --release -- ";
    let typed = from_blocks.filter_map(|line| {
        let built = line.strip_prefix("target/release/banmap ").map(str::to_owned);
        built.or_else(|| line.strip_prefix(cargo).map(str::to_owned))
    });
    let in_text: String = text.split("```").step_by(2).collect();
    let in_text: Vec<String> = quoted(&in_text)
        .into_iter()
        .filter_map(|code| code.strip_prefix("target/release/").unwrap_or(code).strip_prefix("banmap "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.contains(['[', '…']))
        .collect();
    typed.chain(in_text).collect()
}

#[test]
fn every_command_is_understood() {
    let commands = commands(&readme());
    assert!(commands.len() > 15, "{commands:#?}");
    for line in commands {
        let words = line.split(' ').map(|word| match word {
            // What stands for a word of the reader's.
            "OUTPUT" => "nginx",
            "VERB" => "ban",
            word => word,
        });
        let parsed = banmap::cli::command().try_get_matches_from(std::iter::once("banmap").chain(words));
        let failure = parsed.err().filter(clap::Error::use_stderr);
        assert!(failure.is_none(), "banmap {line}: {}", failure.unwrap());
    }
}

#[test]
fn every_file_that_it_names_is_there() {
    let text = readme();
    for name in [
        "contrib/quickstart/banmap.toml",
        "contrib/quickstart/access.log",
        "contrib/systemd/banmap.service",
        "tests/run.sh",
    ] {
        assert!(text.contains(name) && root().join(name).exists(), "{name}");
    }
    for link in text.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        assert!(
            text.lines().filter(|line| line.starts_with('#')).any(|line| heading(line) == anchor),
            "#{anchor}"
        );
    }
}
