//! nginx's own check of a staged file, on a private configuration that holds nothing else.
//!
//! As root, `nginx -t` gives the directories of its configuration to the configured user; without the paths and the
//! user set here it would re-own those of the real server.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::settings::Style;
use crate::os::child::{Call, ChildError, Runner};
use crate::os::owner;

/// What nginx said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes the files, or there is no nginx on this host to ask.
    Fine,
    /// It refuses one of them.
    Refused(String),
    /// It could not be asked.
    Unavailable(String),
}

/// A file to be checked.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) style: Style,
}

/// Asks nginx about all the files at once.
pub(super) async fn check(runner: &Runner, files: &[Candidate]) -> Verdict {
    // nginx would read these characters in an `include` as a pattern or an escape.
    let plain =
        |path: &Path| path.to_str().is_some_and(|text| !text.contains(['*', '?', '[', '"', '\\', '$']));
    if files.is_empty() || !files.iter().all(|file| plain(&file.path)) {
        return Verdict::Fine;
    }
    let prepared = tempfile::Builder::new().prefix("banmap-check-").tempdir().and_then(|directory| {
        let path = directory.path().join("nginx.conf");
        File::create(&path)?.write_all(configuration(directory.path(), files).as_bytes())?;
        Ok((directory, path))
    });
    let (directory, path) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Verdict::Unavailable(format!("no private directory for `nginx -t`: {error}")),
    };
    let argv =
        ["nginx", "-t", "-q", "-p", &directory.path().to_string_lossy(), "-c", &path.to_string_lossy()];
    let argv = argv.map(str::to_owned).to_vec();
    judge(runner.run(&Call { argv, limit: Duration::from_secs(30), cap: 4000 }).await, files)
}

fn judge(ended: Result<crate::os::child::Finished, ChildError>, files: &[Candidate]) -> Verdict {
    match ended {
        Ok(ended) if ended.success() => Verdict::Fine,
        Ok(ended) if files.iter().any(|file| ended.output.contains(&*file.path.to_string_lossy())) => {
            Verdict::Refused(ended.output)
        }
        Ok(ended) => {
            Verdict::Unavailable(format!("`nginx -t` ended with {}: {}", ended.ending(), ended.output))
        }
        Err(ChildError::Missing(_)) => Verdict::Fine,
        Err(error) => Verdict::Unavailable(error.to_string()),
    }
}

fn configuration(directory: &Path, files: &[Candidate]) -> String {
    let directory = directory.display();
    let user = if owner::is_root() {
        format!("user {} {};\n", owner::own_user(), owner::own_group())
    } else {
        String::new()
    };
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = kinds.map(|kind| format!("    {kind}_temp_path {directory}/{kind};\n")).concat();
    let includes: String = files.iter().enumerate().map(|(i, file)| include(i, file)).collect();
    format!(
        "{user}pid {directory}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n{paths}{includes}}}\n"
    )
}

fn include(i: usize, file: &Candidate) -> String {
    let path = file.path.display();
    match file.style {
        Style::Block => format!("    include \"{path}\";\n"),
        Style::Include => format!("    geo $banmap_check_{i} {{ default 0; include \"{path}\"; }}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Verdict, check};
    use crate::os::child::{Recording, Runner};
    use crate::publish::settings::Style;

    fn ask(runner: &Runner, content: &str, style: Style) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".list.banmap-abcdef.tmp");
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), content.as_bytes()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(runner, &[Candidate { path, style }]))
    }

    #[test]
    fn the_real_nginx_takes_our_form_and_refuses_others() {
        let block = "geo $bad {\n    default 0;\n    192.0.2.1 1;\n}\n";
        assert_eq!(ask(&Runner::System, block, Style::Block), Verdict::Fine);
        assert_eq!(ask(&Runner::System, "192.0.2.1 1;\n2001:db8::/64 1;\n", Style::Include), Verdict::Fine);
        assert!(matches!(ask(&Runner::System, "192.0.2.1 -\n", Style::Include), Verdict::Refused(_)));
        assert!(matches!(ask(&Runner::System, "geo $bad { 1.2.3 1; }\n", Style::Block), Verdict::Refused(_)));
    }

    #[test]
    fn only_what_names_our_file_is_a_refusal() {
        let recorded = |code, said| Runner::Recorded(Recording::answering(&[(code, said)]));
        let unavailable = ask(&recorded(1, "open() \"/run/x\" failed"), "", Style::Include);
        assert!(matches!(unavailable, Verdict::Unavailable(_)));
        assert_eq!(ask(&Runner::Recorded(Recording::answering(&[])), "", Style::Include), Verdict::Fine);
    }
}
