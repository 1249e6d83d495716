//! The scripts of `deploy/delivery` that need no builder and no registry, with real repositories on this machine's
//! disk: the version of a checkout, and a release in a GitOps repository. `tests/e2e` shows that it is built, pushed
//! and rolled out.

mod gitops;
mod images;
mod race;
mod refused;
mod release;
mod version;

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// As on a runner: without anyone's Git settings.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

fn worked(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_string()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let author = ["-c", "user.name=owner", "-c", "user.email=owner@localhost"];
    worked(command("git").arg("-C").arg(folder).args(author).args(arguments).output().expect("git runs"))
}

fn write(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(file, text).expect("written");
}
