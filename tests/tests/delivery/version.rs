//! The version of a checkout.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;
use tests::checkout;

use crate::{command, folder, git, worked, write};

/// A checkout with one commit and the script that prints its version.
fn versioned() -> TempDir {
    let folder = folder();
    for file in ["Cargo.toml", "deploy/delivery/version.sh"] {
        write(&folder.path().join(file), "");
        fs::copy(checkout().join(file), folder.path().join(file)).expect("copied");
    }
    git(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message=first", "--date=2025-11-24T23:30:15+0100"]);
    folder
}

fn version(checkout: &Path) -> String {
    worked(command(checkout.join("deploy/delivery/version.sh")).output().expect("the script runs"))
}

#[test]
fn an_unreleased_commit_is_named_by_its_time_and_id_and_changes_are_marked() {
    let checkout = versioned();
    let commit = git(checkout.path(), &["log", "-1", "--format=%H"]);
    let time = git(checkout.path(), &["log", "-1", "--format=%ct"]).parse::<i64>().expect("seconds");
    let shown = version(checkout.path());
    let (workspace, rest) = shown.split_once('-').expect("a part for the commit");
    assert_eq!(workspace, env!("CARGO_PKG_VERSION"));
    let (stamp, id) = rest.split_once(".g").expect("an id");
    assert_eq!(id, &commit[..7]);
    let format = ["-u", "-d", &format!("@{time}"), "+%Y%m%d%H%M%S"].map(String::from);
    assert_eq!(stamp, worked(Command::new("date").args(format).output().expect("date runs")));
    fs::write(checkout.path().join("new.rs"), "").expect("written");
    assert_eq!(version(checkout.path()), format!("{shown}.dirty"));
}

#[test]
fn a_tag_with_a_version_names_the_commit_unless_files_differ() {
    let checkout = versioned();
    for tag in ["v1.9.0", "v1.10.0", "vnext", "v2", "2.0.0"] {
        git(checkout.path(), &["tag", tag]);
    }
    assert_eq!(version(checkout.path()), "1.10.0");
    write(&checkout.path().join("Cargo.toml"), "version = \"1.10.1\"\n");
    let shown = version(checkout.path());
    assert!(shown.starts_with("1.10.1-") && shown.ends_with(".dirty"), "{shown}");
}
