//! What is left out of what a caller names: what Git ignores, and what looks like a secret.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
    sync::LazyLock,
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

const SECRET: &str = "it looks like a secret";
const IGNORED: &str = "Git ignores it";
/// Largest file of patterns, in bytes.
const PATTERNS_MAX_BYTES: u64 = 64 * 1024;
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

/// By folder and file; none: it cannot be read.
type Known = HashMap<(PathBuf, PathBuf), Rc<Option<Gitignore>>>;

/// The rules of the repositories that files are in; each file of patterns is read once.
#[derive(Default)]
pub struct Rules(RefCell<Known>);

impl Rules {
    /// Why a file is not sent; none: it may be. The path is absolute and without links.
    pub fn left_out(&self, path: &Path) -> Option<&'static str> {
        is_secret(path).or_else(|| self.is_ignored(path).then_some(IGNORED))
    }

    /// As Git decides: of all patterns that fit a path the last one of the deepest file, and nothing in an ignored folder
    /// is taken back. Patterns that cannot be read ignore everything.
    fn is_ignored(&self, path: &Path) -> bool {
        let Some(top) = top(path) else { return false };
        let mut patterns = vec![self.patterns(&top, &exclude(&top))];
        let mut folder = top.clone();
        let names: Vec<_> = path.strip_prefix(&top).into_iter().flat_map(Path::components).collect();
        for (i, name) in names.iter().enumerate() {
            patterns.push(self.patterns(&folder, &folder.join(".gitignore")));
            folder.push(name);
            let is_folder = i + 1 < names.len();
            for one in patterns.iter().rev() {
                let Some(one) = one.as_ref() else { return true };
                match one.matched(&folder, is_folder) {
                    Match::None => {}
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => break,
                }
            }
        }
        false
    }

    fn patterns(&self, folder: &Path, file: &Path) -> Rc<Option<Gitignore>> {
        let key = (folder.to_path_buf(), file.to_path_buf());
        Rc::clone(self.0.borrow_mut().entry(key).or_insert_with(|| Rc::new(patterns(folder, file))))
    }
}

/// Whether a file's name, or that of a folder above it, is one that secrets have.
pub fn is_secret(path: &Path) -> Option<&'static str> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    SECRETS.matched_path_or_any_parents(relative, false).is_ignore().then_some(SECRET)
}

/// The top of the innermost repository that a file is in.
fn top(path: &Path) -> Option<PathBuf> {
    let is_top = |folder: &&Path| {
        let marked = folder.join(REPOSITORY);
        marked.is_file() || marked.join("HEAD").is_file()
    };
    path.ancestors().skip(1).find(is_top).map(Path::to_path_buf)
}

/// The repository's own patterns; a worktree has those of its main one.
fn exclude(top: &Path) -> PathBuf {
    let marked = top.join(REPOSITORY);
    let linked = std::fs::read_to_string(&marked).ok();
    let linked = linked.as_deref().and_then(|text| text.strip_prefix("gitdir:")).map(|path| top.join(path.trim()));
    let own = linked.unwrap_or(marked);
    let common = std::fs::read_to_string(own.join("commondir")).ok().map(|path| own.join(path.trim()));
    common.unwrap_or(own).join("info/exclude")
}

/// Of a file with patterns for a folder; none: it is too large to be read. A line that is no pattern is skipped, as Git
/// does.
fn patterns(folder: &Path, file: &Path) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new(folder);
    if let Ok(it) = file.symlink_metadata()
        && it.is_file()
    {
        if it.len() > PATTERNS_MAX_BYTES {
            return None;
        }
        let _ = builder.add(file);
    }
    builder.build().ok()
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
        fs::create_dir_all(top.join("build/empty/.git")).expect("folders");
        for (file, text) in [
            (".gitignore", "*.log\nbuild/\n!keep.log\n"),
            ("a/.gitignore", "!important.log\n/only-here\n"),
            (".git/info/exclude", "private\n"),
            (".git/HEAD", "ref: refs/heads/main\n"),
            ("sub/.git/HEAD", "ref: refs/heads/main\n"),
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
            ("build/empty/x", true),
            ("src/main.rs", false),
            ("sub/x.log", false),
        ] {
            assert_eq!(Rules::default().is_ignored(&top.join(path)), ignored, "{path}");
        }
        fs::write(top.join("a/b/.gitignore"), "# a comment\n".repeat(6_000)).expect("written");
        assert!(Rules::default().is_ignored(&top.join("a/b/main.rs")), "patterns that are too many to be read");
    }
}
