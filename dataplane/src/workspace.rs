//! Reads the files that a caller names, below the configured roots and nowhere else.
//!
//! Files are opened through a directory handle that neither `..` nor a symbolic link can leave, even if files are
//! swapped meanwhile. A file that cannot be read is named in the prompt with the reason; this is not an error.

pub mod below;

use std::path::{Component, Path, PathBuf};

use crds::{shown::printable, template::FileMaterial};

/// Largest size of all files of one call together, in bytes.
pub const TOTAL_MAX_BYTES: usize = 1024 * 1024;
/// Files that are read for one call, at most; further ones are named as left out.
const FILES_MAX: usize = 64;
/// Longest path that is shown, in characters.
const PATH_SHOWN: usize = 1024;

/// Why a path is not followed.
pub const NO_PATH: &str = "the path is empty, too long, or has control characters";
/// The same of one that leads out of its folder, or seems to.
pub const HAS_PARENT: &str = "the path contains ..";

/// The folders below which files may be read.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceFiles {
    roots: Vec<PathBuf>,
}

impl WorkspaceFiles {
    /// A workspace of these folders; without any, no file is read.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots: roots.iter().map(|root| lexically_normal(root)).collect() }
    }

    /// Reads files named relative to a project's folder, or absolutely. Blocking.
    pub fn read(&self, project_root: &str, files: &[String]) -> Vec<FileMaterial> {
        let mut left = TOTAL_MAX_BYTES;
        let mut read = |(i, path): (usize, &String)| {
            let content = if i < FILES_MAX { self.read_one(project_root, path, left) } else { Err(beyond(FILES_MAX)) };
            left -= content.as_ref().map_or(0, String::len);
            match content {
                Ok(content) => FileMaterial { path: printable(path, PATH_SHOWN), content: Some(content), error: None },
                Err(reason) => unreadable(path, reason),
            }
        };
        files.iter().enumerate().map(&mut read).collect()
    }

    fn read_one(&self, project_root: &str, path: &str, left: usize) -> Result<String, String> {
        if printable(path, PATH_SHOWN) != *path || path.is_empty() {
            return Err(NO_PATH.into());
        }
        if self.roots.is_empty() {
            return Err("this server reads no files; pass their text in the arguments".into());
        }
        let absolute = Path::new(project_root).join(path);
        if absolute.components().any(|part| part == Component::ParentDir) {
            return Err(HAS_PARENT.into());
        }
        let absolute = lexically_normal(&absolute);
        let Some((root, below)) = self.roots.iter().find_map(|root| Some((root, absolute.strip_prefix(root).ok()?)))
        else {
            return Err("the path is outside this server's workspaces".into());
        };
        let text = below::text(root, below)?;
        if text.len() > left {
            return Err(too_large_together());
        }
        Ok(text)
    }
}

/// Why a file is not read that would exceed [`TOTAL_MAX_BYTES`].
pub fn too_large_together() -> String {
    format!("the files together are larger than {TOTAL_MAX_BYTES} bytes")
}

/// Why a file after so many others is not read.
pub fn beyond(files: usize) -> String {
    format!("only the first {files} files are read")
}

/// A file that could not be read, as a prompt names it.
pub fn unreadable(path: &str, reason: String) -> FileMaterial {
    FileMaterial { path: printable(path, PATH_SHOWN), content: None, error: Some(reason) }
}

/// The path without `.` parts.
pub fn lexically_normal(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_files_below_a_root_are_read_and_all_others_are_named_with_a_reason() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret.txt"), "canary").expect("a file");
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("src/deep")).expect("folders");
        fs::write(root.join("src/main.rs"), "fn main() {}").expect("a file");
        fs::write(root.join("src/latin1.txt"), b"\xe4").expect("a file");
        fs::write(root.join("src/big.txt"), "x".repeat(256 * 1024 + 1)).expect("a file");
        symlink(outside.path().join("secret.txt"), root.join("src/escape.txt")).expect("a link");
        symlink(outside.path(), root.join("src/out")).expect("a link");
        symlink("main.rs", root.join("src/inside.rs")).expect("a link");
        let pipe = std::process::Command::new("mkfifo").arg(root.join("src/pipe")).status().expect("mkfifo");
        assert!(pipe.success());
        let workspace = WorkspaceFiles::new(vec![root.to_path_buf()]);
        let secret = outside.path().join("secret.txt").display().to_string();
        for (path, expected) in [
            ("main.rs", Ok("fn main() {}")),
            ("./main.rs", Ok("fn main() {}")),
            ("inside.rs", Ok("fn main() {}")),
            ("nowhere.rs", Err("there is no such file")),
            ("deep", Err("it is not a file")),
            ("pipe", Err("it is not a file")),
            ("../src/main.rs", Err("the path contains ..")),
            ("deep/../../../etc/passwd", Err("the path contains ..")),
            ("/etc/passwd", Err("the path is outside this server's workspaces")),
            (secret.as_str(), Err("the path is outside this server's workspaces")),
            ("escape.txt", Err("it may not be read, or a link leads out of the folder")),
            ("out/secret.txt", Err("it may not be read, or a link leads out of the folder")),
            ("latin1.txt", Err("it is not UTF-8 text")),
            ("big.txt", Err("it is larger than 262144 bytes")),
            ("main.rs\0", Err("the path is empty, too long, or has control characters")),
            ("main\u{202e}.rs", Err("the path is empty, too long, or has control characters")),
            ("", Err("the path is empty, too long, or has control characters")),
        ] {
            let read = workspace.read(&root.join("src").display().to_string(), &[path.to_string()]).remove(0);
            let result = read.content.as_deref().ok_or_else(|| read.error.clone().unwrap_or_default());
            assert_eq!(result, expected.map_err(str::to_string), "{path:?}");
        }
    }

    #[test]
    fn without_roots_nothing_is_read() {
        let read = WorkspaceFiles::default().read("/", &["etc/passwd".to_string()]);
        assert!(read[0].error.as_ref().is_some_and(|error| error.contains("reads no files")), "{read:?}");
    }

    #[test]
    fn count_and_total_size_are_limited() {
        let folder = tempfile::tempdir().expect("a folder");
        for i in 0..70 {
            fs::write(folder.path().join(i.to_string()), "x".repeat(if i < 5 { 250_000 } else { 1 })).expect("a file");
        }
        let files: Vec<String> = (0..70).map(|i| i.to_string()).collect();
        let read =
            WorkspaceFiles::new(vec![folder.path().to_path_buf()]).read(&folder.path().display().to_string(), &files);
        assert_eq!(read.iter().filter(|file| file.content.is_some()).count(), 63);
        assert!(read[4].error.as_ref().is_some_and(|error| error.contains("together")));
        assert!(read[64].error.as_ref().is_some_and(|error| error.contains("only the first 64 files")));
    }
}
