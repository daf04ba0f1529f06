//! The files of a configuration, read and merged: the main file, `conf.d/*.toml` beside it, the environment.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::environment;
use super::node::{self, Table};
use super::problem::Problem;
use super::section::clean;
use super::text::{Medium, Text};

/// Larger files are refused: they are no configuration.
const LARGEST: u64 = 16 << 20;

/// The main file, and whether somebody asked for it.
#[derive(Debug)]
pub(super) struct MainFile {
    pub(super) path: PathBuf,
    /// Named by `-c` or `BANMAP_CONFIG`: it has to exist.
    pub(super) named: bool,
}

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) tree: Table,
    /// The files that were read, in order.
    pub(super) files: Vec<PathBuf>,
    /// Where the main file lies, or would lie.
    pub(super) directory: PathBuf,
}

/// Reads all of it; what cannot be read is a problem, and the rest is read all the same.
pub(super) fn gather(
    main: &MainFile,
    environment: &[(OsString, OsString)],
    problems: &mut Vec<Problem>,
) -> Gathered {
    let path = clean(&main.path);
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let mut gathered = Gathered { tree: Table::new(), files: Vec::new(), directory };
    gathered.add(&path, main.named, problems);
    for drop_in in drop_ins(&gathered.directory.join("conf.d"), problems) {
        gathered.add(&drop_in, true, problems);
    }
    environment::lay_over(&mut gathered.tree, environment, problems);
    gathered
}

impl Gathered {
    fn add(&mut self, path: &Path, required: bool, problems: &mut Vec<Problem>) {
        match read(path) {
            Ok(body) => {
                self.files.push(path.to_owned());
                let text = Text::new(Medium::File(path.to_owned()), body);
                node::merge(&mut self.tree, node::parse(&text, problems));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => {}
            Err(error) => problems.push(unreadable(path, &error)),
        }
    }
}

/// The `*.toml` files of a directory by name; hidden ones are not taken.
fn drop_ins(directory: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    match toml_files(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            problems.push(unreadable(directory, &error));
            Vec::new()
        }
    }
}

/// The `*.toml` files of a directory by name; hidden ones (editors' copies) are not taken.
pub(super) fn toml_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    files_with(directory, "toml")
}

/// The files of a directory with this extension, likewise.
pub(super) fn files_with(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let wanted = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|found| found == extension)
    };
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(wanted).collect();
    files.sort();
    Ok(files)
}

/// The whole text of a file of ours.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 (line {line})"))
    })
}

/// A file that cannot be read, with the fix.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "create it, or name another file with -c or BANMAP_CONFIG",
        io::ErrorKind::PermissionDenied => {
            "let the user that runs banmap read it, and enter the directories above: chgrp, chmod g+r"
        }
        io::ErrorKind::IsADirectory => "name the file inside it",
        io::ErrorKind::NotADirectory => "it has to be a directory: what it holds is read",
        io::ErrorKind::InvalidData => "write it anew as UTF-8",
        _ => "see that it is a readable file",
    };
    Problem::error(format!("cannot read {}: {error}", path.display())).in_file(path).fix(fix.to_owned())
}
