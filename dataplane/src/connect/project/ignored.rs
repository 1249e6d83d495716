//! What is left out of what a caller names: what Git ignores, and what looks like a secret.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

const SECRET: &str = "it looks like a secret";
const IGNORED: &str = "Git ignores it";
/// Marks the top of a repository: a folder, or a file in a worktree and a submodule.
const REPOSITORY: &str = ".git";

static SECRETS: LazyLock<Gitignore> = LazyLock::new(|| {
    let mut builder = GitignoreBuilder::new("/");
    builder.case_insensitive(true).expect("it is set before any pattern");
    for line in include_str!("secrets.gitignore").lines() {
        builder.add_line(None, line).expect("every pattern is compiled in, and the tests parse them");
    }
    builder.build().expect("every pattern is compiled in, and the tests parse them")
});

/// Why a file below a root is not sent; none: it may be. Reads the `.gitignore` files on its way.
pub fn left_out(root: &Path, below: &Path) -> Option<&'static str> {
    is_secret(&root.join(below)).or_else(|| is_ignored(&root.join(below)).then_some(IGNORED))
}

/// Whether a file's name, or that of a folder above it, is one that secrets have.
pub fn is_secret(path: &Path) -> Option<&'static str> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    SECRETS.matched_path_or_any_parents(relative, false).is_ignore().then_some(SECRET)
}

/// As Git decides: of all patterns that fit a path the last one of the deepest file, and nothing in an ignored folder is
/// taken back.
fn is_ignored(path: &Path) -> bool {
    let Some(top) = top(path) else { return false };
    let mut patterns = vec![patterns(&top, &top.join(".git/info/exclude"))];
    let mut folder = top.clone();
    let names: Vec<_> = path.strip_prefix(&top).into_iter().flat_map(Path::components).collect();
    for (i, name) in names.iter().enumerate() {
        patterns.push(self::patterns(&folder, &folder.join(".gitignore")));
        folder.push(name);
        let is_folder = i + 1 < names.len();
        let decided = patterns.iter().rev().map(|one| one.matched(&folder, is_folder)).find(|it| !it.is_none());
        if matches!(decided, Some(Match::Ignore(_))) {
            return true;
        }
    }
    false
}

/// The top of the innermost repository that a file is in.
fn top(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.join(REPOSITORY).symlink_metadata().is_ok()).map(Path::to_path_buf)
}

/// Of a file with patterns for a folder; a line that is none is skipped, as Git does.
fn patterns(folder: &Path, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    if file.symlink_metadata().is_ok_and(|it| it.is_file()) {
        let _ = builder.add(file);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_case_and_folder() {
        for secret in [
            "/p/.env",
            "/p/.ENV",
            "/p/a/.env.production",
            "/p/tls/server.key",
            "/p/id_rsa",
            "/home/me/.ssh/config",
            "/p/.git/config",
            "/p/Credentials.json",
            "/p/x.tfstate.backup",
            "/p/deploy/secrets.yaml",
        ] {
            assert!(is_secret(Path::new(secret)).is_some(), "{secret}");
        }
        for other in
            ["/p/.env.example", "/p/src/env.rs", "/p/id_rsa.pub", "/p/keys.rs", "/p/environment", "/p/.github/x.yml"]
        {
            assert_eq!(is_secret(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn what_git_ignores_is_left_out_as_git_decides_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("a path");
        fs::create_dir_all(top.join(".git/info")).expect("folders");
        fs::create_dir_all(top.join("a/b")).expect("folders");
        fs::create_dir_all(top.join("sub/.git")).expect("folders");
        for (file, text) in [
            (".gitignore", "*.log\nbuild/\n!keep.log\n"),
            ("a/.gitignore", "!important.log\n/only-here\n"),
            (".git/info/exclude", "private\n"),
        ] {
            fs::write(top.join(file), text).expect("written");
        }
        for (path, ignored) in [
            ("x.log", true),
            ("a/b/x.log", true),
            ("keep.log", false),
            ("a/important.log", false),
            ("a/only-here", true),
            ("a/b/only-here", false),
            ("build/keep.log", true),
            ("a/build/x", true),
            ("private", true),
            ("src/main.rs", false),
            ("sub/x.log", false),
        ] {
            assert_eq!(is_ignored(&top.join(path)), ignored, "{path}");
        }
        assert_eq!(left_out(&top.join("a"), Path::new("b/x.log")), Some(IGNORED), "patterns above the root count");
    }
}
