//! Filters and conditions read and compiled so that the problems of both steps are told at once.

use toml::{Table, Value};

use crate::filter::{ConditionSet, Conditions, Definition, Filter, Problem};

/// Compiles the table of a `where` or an `ignore`.
pub(super) fn conditions(table: &Table) -> Result<Conditions, Vec<Problem>> {
    match ConditionSet::read(table) {
        Ok(set) => Conditions::compile(&set),
        Err(mut problems) => {
            problems.extend(compile_each(table));
            Err(problems)
        }
    }
}

/// Compiles the table of a filter.
pub(super) fn filter(table: &Table) -> Result<Filter, Vec<Problem>> {
    match Definition::read(table) {
        Ok(definition) => Filter::compile(&definition),
        Err(mut problems) => {
            problems.extend(["rule", "ignore"].into_iter().flat_map(|key| compile_list(table, key)));
            problems.extend(compile_patterns(table));
            Err(problems)
        }
    }
}

/// What compiling finds in those conditions of a table that can be read: the table as a whole cannot.
fn compile_each(table: &Table) -> Vec<Problem> {
    let alone = table.iter().map(|(key, value)| Table::from_iter([(key.clone(), value.clone())]));
    let readable = alone.filter_map(|condition| ConditionSet::read(&condition).ok());
    readable.filter_map(|set| Conditions::compile(&set).err()).flatten().collect()
}

fn compile_list(table: &Table, key: &str) -> Vec<Problem> {
    let tables = items(table, key).iter().enumerate().filter_map(|(at, item)| Some((at, item.as_table()?)));
    let under =
        |at: usize, problem: Problem| Problem { key: format!("{key}[{at}].{}", problem.key), ..problem };
    tables
        .flat_map(|(at, table)| compile_each(table).into_iter().map(move |problem| under(at, problem)))
        .collect()
}

fn compile_patterns(table: &Table) -> Vec<Problem> {
    let texts = |key| items(table, key).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let (failregex, ignoreregex): (Vec<String>, Vec<String>) = (texts("failregex"), texts("ignoreregex"));
    if failregex.is_empty() {
        return Vec::new();
    }
    let patterns = Definition { failregex, ignoreregex, ..Definition::default() };
    Filter::compile(&patterns).err().unwrap_or_default()
}

fn items<'a>(table: &'a Table, key: &str) -> &'a [Value] {
    match table.get(key) {
        Some(Value::Array(items)) => items,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}
