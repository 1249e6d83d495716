//! A Git repository as its owner works with it: a clone, and pushes over HTTP.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::{
    POLICY,
    site::{GIT_PASSWORD, Site, run},
};

/// A repository of the server, and the owner's clone of it.
pub struct Repository {
    /// Where Flux reads it.
    pub url: String,
    clone: TempDir,
}

impl Repository {
    /// Creates an empty repository.
    pub fn new(site: &Site, name: &str) -> Self {
        let folder = site.repository_folder(name);
        run(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(folder));
        let repository = Self { url: site.repository_url(name), clone: tempfile::tempdir().expect("a folder") };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", &repository.url]);
        repository
    }

    /// The owner's clone.
    pub fn folder(&self) -> &Path {
        self.clone.path()
    }

    /// Runs git in the clone.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(Command::new("git").args(arguments).current_dir(self.folder()).envs(owner()))
    }

    /// Pulls what others have pushed.
    pub fn pull(&self) {
        self.git(&["pull", "--quiet", "--ff-only", "origin", "main"]);
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Replaces a text in a file, which must contain it.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder().join(path)).expect("the file");
        assert!(text.contains(from), "{path} has no {from}:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// Adds a field to the spec of the example's policy, in flow style.
    pub fn add_to_spec(&self, field: &str) {
        self.replace(POLICY, "  service:\n", &format!("  {field}\n  service:\n"));
    }

    /// Restores files as they were in a commit; [`Self::push`] commits that.
    pub fn back_to(&self, commit: &str, paths: &[&str]) {
        self.git(&[&["checkout", "--quiet", commit, "--"], paths].concat());
    }

    /// Reverts a commit and pushes that. Returns the revision as Flux calls it.
    pub fn revert(&self, commit: &str) -> String {
        self.git(&["revert", "--no-edit", commit]);
        self.git(&["push", "--quiet", "origin", "main"]);
        self.revision()
    }

    /// The id of the last commit.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_string()
    }

    /// Commits all that changed and pushes it. Returns the revision as Flux calls it.
    pub fn push(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["push", "--quiet", "origin", "main"]);
        self.revision()
    }

    /// The last commit, as Flux calls it.
    pub fn revision(&self) -> String {
        format!("main@sha1:{}", self.head())
    }
}

/// Variables that configure Git for the owner: a name, and a password for pushes.
pub fn owner() -> Vec<(&'static str, String)> {
    let helper = format!("!echo username=git; echo password={GIT_PASSWORD}; :");
    let mut variables: Vec<(&str, String)> =
        ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]
            .map(|name| (name, "owner@localhost".to_string()))
            .into();
    variables.extend([
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_COUNT", "1".into()),
        ("GIT_CONFIG_KEY_0", "credential.helper".into()),
        ("GIT_CONFIG_VALUE_0", helper),
    ]);
    variables
}
