//! The caller's project on this machine: what may be read of it, and what is left out.

mod git;
mod ignored;

use std::path::{Component, Path, PathBuf};

use crds::shown::printable;

pub use self::git::{Diff, GitError, diff};
use self::ignored::Rules;
use crate::workspace::{HAS_PARENT, NO_PATH, TOTAL_MAX_BYTES, below, beyond, lexically_normal, too_large_together};

/// Longest path that is shown, in characters.
const PATH_SHOWN: usize = 200;
/// Files that are read for one call, at most.
const FILES_MAX: usize = 50;

/// The folders that the client names, or else the one in which it started this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    roots: Vec<PathBuf>,
}

/// A file that was named and is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// As it was named.
    pub path: String,
    /// Why, in words.
    pub reason: String,
}

/// What was read of the files that were named.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Path, as it was named, and text.
    pub read: Vec<(String, String)>,
    pub left_out: Vec<LeftOut>,
}

impl Project {
    /// Of at least one folder.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots: roots.iter().map(|root| lexically_normal(root)).collect() }
    }

    /// The folder that paths are relative to: the one that the caller names, if it is below a root.
    pub fn folder(&self, named: Option<&str>) -> PathBuf {
        let named = named.map(|named| lexically_normal(Path::new(named)));
        let first = || self.roots.first().cloned().unwrap_or_default();
        named.filter(|named| is_plain(named) && self.holds(named)).unwrap_or_else(first)
    }

    /// Whether a folder is below a root, wherever links lead.
    fn holds(&self, folder: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        let below = |(root, _): (&Path, PathBuf)| Some(real(folder)?.starts_with(real(root)?));
        self.root_of(folder).and_then(below).unwrap_or(false)
    }

    fn root_of(&self, path: &Path) -> Option<(&Path, PathBuf)> {
        self.roots.iter().find_map(|root| Some((root.as_path(), path.strip_prefix(root).ok()?.to_path_buf())))
    }

    /// Reads files. Blocking.
    pub fn files(&self, folder: &Path, paths: &[String]) -> Files {
        let (mut files, mut left, rules) = (Files::default(), TOTAL_MAX_BYTES, Rules::default());
        for (i, path) in paths.iter().enumerate() {
            let text =
                if i < FILES_MAX { self.file(&rules, folder, path, below::text) } else { Err(beyond(FILES_MAX)) };
            match text {
                Ok(text) if text.len() <= left => {
                    left -= text.len();
                    files.read.push((path.clone(), text));
                }
                Ok(_) => files.leave_out(path, too_large_together()),
                Err(reason) => files.leave_out(path, reason),
            }
        }
        files
    }

    /// The last lines of a file. Blocking.
    pub fn last_lines(&self, folder: &Path, path: &str, lines: u32) -> Result<String, LeftOut> {
        let read =
            self.file(&Rules::default(), folder, path, |root, path| below::last_lines(root, path, lines as usize));
        read.map_err(|reason| LeftOut { path: printable(path, PATH_SHOWN), reason })
    }

    /// Whether a text is the path of a file below a root. Blocking.
    pub fn has_file(&self, folder: &Path, path: &str) -> bool {
        let absolute = lexically_normal(&folder.join(path));
        is_plain(&absolute)
            && self.root_of(&absolute).is_some()
            && absolute.symlink_metadata().is_ok_and(|it| !it.is_dir())
    }

    fn file(
        &self,
        rules: &Rules,
        folder: &Path,
        path: &str,
        read: impl Fn(&Path, &Path) -> Result<String, String>,
    ) -> Result<String, String> {
        if printable(path, PATH_SHOWN * 5) != *path || path.is_empty() {
            return Err(NO_PATH.into());
        }
        let absolute = lexically_normal(&folder.join(path));
        if !is_plain(&absolute) {
            return Err(HAS_PARENT.into());
        }
        let (root, below) = self.root_of(&absolute).ok_or("it is outside of the project")?;
        // A link may have a harmless name, and what it leads to another one.
        let target = absolute.canonicalize().unwrap_or_else(|_| absolute.clone());
        let left_out = rules.left_out(&absolute).or_else(|| rules.left_out(&target));
        left_out.map_or_else(|| read(root, &below), |reason| Err(reason.into()))
    }
}

impl Files {
    fn leave_out(&mut self, path: &str, reason: String) {
        self.left_out.push(LeftOut { path: printable(path, PATH_SHOWN), reason });
    }
}

fn is_plain(path: &Path) -> bool {
    !path.components().any(|part| part == Component::ParentDir)
}
