//! Whole configurations: what they say, and what is said about wrong ones.

mod checking;
mod crawlers;
mod effective;
mod growing;
mod journal;
mod merging;
mod needs;
mod recidive;
mod socket;
mod widen;
mod wrong;

use std::ffi::OsString;
use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::PathBuf;

use super::{Config, Needs, Options, Problem, Problems, Severity, load};

/// A directory with a configuration in it.
struct Site {
    directory: tempfile::TempDir,
    environment: Vec<(OsString, OsString)>,
    needs: Needs,
}

impl Site {
    fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, environment: Vec::new(), needs: Needs::RUN }
    }

    /// `text` is the main file.
    fn new(text: &str) -> Self {
        Self::empty().file("banmap.toml", text)
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap().write_all(text.as_ref()).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn options(&self) -> Options {
        Options {
            path: None,
            fallback: self.path("banmap.toml"),
            environment: self.environment.clone(),
            needs: self.needs,
            root: false,
        }
    }

    fn load(&self) -> Config {
        load(&self.options()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn problems(&self) -> Problems {
        load(&self.options()).expect_err("the configuration is wrong")
    }

    /// Every error as `FILE:LINE:COLUMN: what | fix`, the directory left out.
    fn told(&self) -> Vec<String> {
        self.told_as(Severity::Error)
    }

    fn told_as(&self, severity: Severity) -> Vec<String> {
        let problems = self.problems();
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .map(|problem| self.one(problem))
            .collect()
    }

    /// What can be used, but is warned about.
    fn warned(&self) -> Vec<String> {
        self.load().warnings.iter().map(|problem| self.one(problem)).collect()
    }

    fn one(&self, problem: &Problem) -> String {
        let place = problem.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let fix = problem.fix.as_ref().map(|fix| format!(" | {fix}")).unwrap_or_default();
        format!("{place}{}{fix}", problem.what).replace(&format!("{}/", self.directory.path().display()), "")
    }
}

/// What is told about a main file.
fn told(text: &str) -> Vec<String> {
    Site::new(text).told()
}

fn strings<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
