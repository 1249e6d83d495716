//! A GitOps repository, and the script that commits to it.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;
use tests::checkout;

use crate::{command, folder, git, worked, write};

/// Where a release is in the repository.
pub const RELEASE: &str = "routing/release";
pub const ROUTING: &str = "registry.example/me/routing";
pub const OPERATOR: &str = "registry.example/me/routing-operator";

/// A GitOps repository on disk, and the folder that it is in.
pub struct GitOps {
    pub folder: TempDir,
}

impl GitOps {
    pub fn empty() -> Self {
        let folder = folder();
        git(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "gitops.git"]);
        Self { folder }
    }

    /// With a commit of these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let gitops = Self::empty();
        let work = gitops.folder.path().join("work");
        git(gitops.folder.path(), &["clone", "--quiet", "gitops.git", "work"]);
        files.iter().for_each(|(file, text)| write(&work.join(file), text));
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "--message=mine"]);
        git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
        gitops
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("gitops.git")
    }

    pub fn bump(&self, tag: &str) -> Command {
        let mut bump = command(checkout().join("deploy/delivery/bump.sh"));
        bump.args([reference(ROUTING, tag), reference(OPERATOR, tag)]).env("GITOPS_URL", self.repository());
        bump
    }

    pub fn bumped(&self, tag: &str) -> String {
        worked(self.bump(tag).output().expect("the script runs"))
    }

    pub fn subjects(&self) -> Vec<String> {
        git(&self.repository(), &["log", "--format=%s", "main"]).lines().map(String::from).collect()
    }

    pub fn files(&self) -> Vec<String> {
        git(&self.repository(), &["ls-tree", "-r", "--name-only", "main"]).lines().map(String::from).collect()
    }

    /// A checkout of the branch.
    pub fn checked_out(&self) -> PathBuf {
        let to = self.folder.path().join("checked-out");
        git(self.folder.path(), &["clone", "--quiet", "gitops.git", "checked-out"]);
        to
    }
}

pub fn reference(image: &str, tag: &str) -> String {
    format!("{image}:{tag}@sha256:{}", "0123456789abcdef".repeat(4))
}
