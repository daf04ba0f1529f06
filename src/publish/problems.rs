//! Settings that cannot work, by key and message; `config` adds where they were written.

use super::settings::{Kind, Reload, Settings, Style, is_variable_name};
use crate::os::owner::Owner;
use crate::os::process::signal_named;
use crate::terms::OutputName;

/// A setting of one output that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which output.
    pub output: OutputName,
    /// The key below `[output.NAME]`.
    pub key: &'static str,
    /// What is wrong, and the fix.
    pub message: String,
}

/// Everything that is wrong with these outputs, alone and together. Owners are looked up on this host.
pub fn problems(outputs: &[Settings]) -> Vec<Problem> {
    let alone = outputs.iter().flat_map(|output| {
        let found =
            [variable(output), path(output), reload(output), validate(output), owner(output), mode(output)];
        found.into_iter().flatten().map(|(key, message)| Problem {
            output: output.name.clone(),
            key,
            message,
        })
    });
    alone.chain(doubles(outputs)).collect()
}

type Found = Option<(&'static str, String)>;

fn variable(output: &Settings) -> Found {
    match &output.kind {
        Kind::NginxGeo { variable, .. } if !is_variable_name(variable) => Some((
            "variable",
            format!("`{variable}` is no variable of nginx: letters, digits and `_`, without `$`"),
        )),
        _ => None,
    }
}

fn path(output: &Settings) -> Found {
    let text = output.path.to_string_lossy();
    let is_usable = output.path.is_absolute() && !text.ends_with('/') && !text.contains(char::is_control);
    (!is_usable).then(|| ("path", format!("`{}` is no absolute path of a file", text.escape_debug())))
}

fn reload(output: &Settings) -> Found {
    match &output.reload {
        Reload::PidFile { signal, .. } | Reload::Process { signal, .. } => {
            signal_named(signal).err().map(|error| ("reload", error.to_string()))
        }
        Reload::Command(argv) => is_empty(argv).then(|| ("reload", EMPTY.to_owned())),
        Reload::External | Reload::None => None,
    }
}

const EMPTY: &str = "the command is empty: write the program and its arguments as a list";

fn is_empty(argv: &[String]) -> bool {
    argv.first().is_none_or(String::is_empty)
}

fn validate(output: &Settings) -> Found {
    output.validate.as_deref().filter(|argv| is_empty(argv)).map(|_| ("validate", EMPTY.to_owned()))
}

fn owner(output: &Settings) -> Found {
    let error = output.owner.as_deref().and_then(|owner| Owner::resolve(owner).err());
    error.map(|error| ("owner", error.to_string()))
}

fn mode(output: &Settings) -> Found {
    let odd = output.mode.filter(|mode| mode & !0o666 != 0 || mode & 0o400 == 0)?;
    Some(("mode", format!("{odd:04o} is no mode of a list: write `0640` or `0644`")))
}

/// Outputs that would overwrite each other, or that one nginx could not read together.
fn doubles(outputs: &[Settings]) -> impl Iterator<Item = Problem> {
    outputs.iter().enumerate().flat_map(move |(i, output)| {
        outputs[..i].iter().filter_map(move |earlier| {
            let key = clash(output, earlier)?;
            let message = format!("output `{}` has the same one: give each its own", earlier.name);
            Some(Problem { output: output.name.clone(), key, message })
        })
    })
}

fn clash(one: &Settings, other: &Settings) -> Option<&'static str> {
    let block = |output: &Settings| match &output.kind {
        Kind::NginxGeo { variable, style: Style::Block } => Some(variable.clone()),
        _ => None,
    };
    if one.path == other.path {
        return Some("path");
    }
    let same_variable = block(one).is_some() && block(one) == block(other);
    (same_variable && one.reload == other.reload).then_some("variable")
}

#[cfg(test)]
mod tests {
    use super::{Kind, Reload, Settings, problems};

    fn keys(outputs: &[Settings]) -> Vec<&'static str> {
        problems(outputs).into_iter().map(|problem| problem.key).collect()
    }

    fn plain(kind: &str) -> Settings {
        Settings::plain(Kind::named(kind).unwrap(), format!("/var/lib/banmap/{kind}").into())
    }

    #[test]
    fn settings_that_work_are_no_problem() {
        assert!(keys(&Kind::NAMES.map(plain)).is_empty());
        let owned = Settings { owner: Some("root:root".to_owned()), mode: Some(0o640), ..plain("list") };
        assert!(keys(&[owned]).is_empty());
    }

    #[test]
    fn each_setting_that_cannot_work_is_named() {
        let list = || plain("list");
        let variable = Kind::NginxGeo { variable: "$bad user".to_owned(), style: super::Style::Block };
        let signal = Reload::Process { name: "x".to_owned(), signal: "SIGHUP".to_owned() };
        for (key, output) in [
            ("variable", Settings { kind: variable, ..list() }),
            ("path", Settings { path: "relative".into(), ..list() }),
            ("path", Settings { path: "/directory/".into(), ..list() }),
            ("reload", Settings { reload: signal, ..list() }),
            ("reload", Settings { reload: Reload::Command(Vec::new()), ..list() }),
            ("validate", Settings { validate: Some(vec![String::new()]), ..list() }),
            ("owner", Settings { owner: Some("no-such-user-here".to_owned()), ..list() }),
            ("mode", Settings { mode: Some(0o4755), ..list() }),
            ("mode", Settings { mode: Some(0o044), ..list() }),
        ] {
            assert_eq!(keys(&[output]), [key]);
        }
    }

    #[test]
    fn outputs_that_clash_are_named() {
        assert_eq!(keys(&[plain("list"), plain("list")]), ["path"]);
        let other = Settings { path: "/other".into(), ..plain("nginx-geo") };
        assert_eq!(keys(&[plain("nginx-geo"), other]), ["variable"]);
    }
}
