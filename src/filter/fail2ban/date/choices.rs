//! Backreferences in a date pattern: the linear engine has none, so one pattern becomes one for each text that the
//! group it refers to can take (`(?P<_sep>[-/.])` … `(?P=_sep)`: three).

/// A pattern that needs more than this is refused.
const MOST: usize = 64;

/// The patterns without backreferences; the error names one that cannot be resolved so.
pub(super) fn resolve(pattern: &str) -> Result<Vec<String>, String> {
    let mut open = vec![pattern.to_owned()];
    let mut resolved = Vec::new();
    while let Some(pattern) = open.pop() {
        match reference(&pattern) {
            None => resolved.push(pattern),
            Some(name) => open.extend(chosen(&pattern, name)?.into_iter().rev()),
        }
        if open.len() + resolved.len() > MOST {
            return Err(format!("its backreferences stand for more than {MOST} patterns"));
        }
    }
    Ok(resolved)
}

/// The name of the first backreference.
fn reference(pattern: &str) -> Option<&str> {
    pattern.split_once("(?P=")?.1.split_once(')').map(|(name, _)| name)
}

/// The pattern, once with each text that the group takes.
fn chosen(pattern: &str, name: &str) -> Result<Vec<String>, String> {
    let refused =
        || format!("the backreference (?P={name}) is to no group of single characters or plain words");
    let opening = format!("(?P<{name}>");
    let (before, inside) = pattern.split_once(&opening).ok_or_else(refused)?;
    let (texts, after) = texts(inside).ok_or_else(refused)?;
    let backreference = format!("(?P={name})");
    let choose = |text: &String| {
        let after = after.replace(&backreference, text);
        format!("{before}{opening}{text}{after}")
    };
    Ok(texts.iter().map(choose).collect())
}

/// The texts that a group takes, as patterns, and the pattern from its closing bracket on.
fn texts(inside: &str) -> Option<(Vec<String>, &str)> {
    if let Some(class) = inside.strip_prefix('[') {
        let (members, after) = class.split_once(']')?;
        let is_list = !members.starts_with('^') && !members.trim_matches('-').contains('-');
        return (is_list && after.starts_with(')')).then(|| (members_of(members), after));
    }
    let end = inside.find(')')?;
    let (words, after) = inside.split_at(end);
    let is_plain = words.chars().all(|c| !r"([{*+?.\^$".contains(c));
    is_plain.then(|| (words.split('|').map(regex::escape).collect(), after))
}

/// The characters of a class that holds no range; those behind a backslash that are a class of their own (`\s`) stay so.
fn members_of(class: &str) -> Vec<String> {
    let mut members = Vec::new();
    let mut characters = class.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => members.extend(characters.next().map(|escaped| format!("\\{escaped}"))),
            plain => members.push(regex::escape(&plain.to_string())),
        }
    }
    members
}
