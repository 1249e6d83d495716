//! Commits: trailers that name a session's decisions, and what was reverted.

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
};

use crds::variables::Variables;

use super::kept;
use crate::cli::{connect::CLAUDE_SESSION, outcome::commits};

const TRAILER: &str = "Routing-Decision";
/// Most trailers that are added.
const MOST: usize = 20;
/// How long ago a commit was made just now.
const JUST_NOW: &str = "--since=10 minutes ago";
/// Most commits that are looked at.
const COMMITS_MAX: &str = "--max-count=20";
/// How long a session's answers may wait for their commit, and most commits that may name them.
const LAST_DAYS: &str = "--since=7 days ago";
const NAMING_MAX: &str = "--max-count=500";
/// Sources of messages that others have written.
const NOT_OURS: [&str; 2] = ["merge", "squash"];

/// Adds the decisions since the last commit to a message. Without a session there is nothing to add.
pub(super) fn run(file: &Path, more: &[OsString], variables: &Variables) -> Result<(), String> {
    let source = more.first().and_then(|source| source.to_str()).unwrap_or_default();
    let state = variables.get(CLAUDE_SESSION).and_then(|session| kept::peek(session, variables));
    let Some(state) = state.filter(|_| !NOT_OURS.contains(&source)) else { return Ok(()) };
    let last_ms = last_commit_ms();
    let mut new = state.answers.iter().filter(|answer| answer.at_ms > last_ms).peekable();
    // Most commits have nothing to add, and all branches need not be read for them.
    if new.peek().is_none() {
        return Ok(());
    }
    let named = named_by_commits();
    let new: Vec<&str> =
        new.map(|answer| answer.decision.as_str()).filter(|id| !named.iter().any(|n| n == id)).collect();
    let decisions: Vec<&str> = new.into_iter().rev().take(MOST).collect();
    if decisions.is_empty() { Ok(()) } else { add(file, &decisions) }
}

/// A message has each decision once, however often this runs.
fn add(file: &Path, decisions: &[&str]) -> Result<(), String> {
    let mut command = Command::new("git");
    command.args(["interpret-trailers", "--in-place", "--if-exists", "addIfDifferent"]);
    for decision in decisions.iter().rev() {
        command.arg("--trailer").arg(format!("{TRAILER}: {decision}"));
    }
    let output = command.arg("--").arg(file).stdin(Stdio::null()).output();
    match output.map_err(|error| format!("git cannot be started: {error}"))? {
        output if output.status.success() => Ok(()),
        _ => Err("git interpret-trailers failed; the message is as it was".into()),
    }
}

/// When the last commit was made, in milliseconds since 1970.
fn last_commit_ms() -> u64 {
    let seconds = git(&["log", "-1", "--format=%ct"]).and_then(|seconds| seconds.trim().parse::<u64>().ok());
    seconds.unwrap_or_default() * 1000
}

/// The decisions that commits of the last days name, on whatever branch: each belongs to one commit.
fn named_by_commits() -> Vec<String> {
    let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
    let text = git(&["log", "--all", LAST_DAYS, NAMING_MAX, &format]).unwrap_or_default();
    text.lines().map(str::trim).filter(|id| !id.is_empty()).map(Into::into).collect()
}

/// The decisions of the commits that the commits of the last minutes revert.
pub(super) async fn reverted_just_now() -> Vec<String> {
    let Some(range) = range_of_new() else { return vec![] };
    let reverted = commits::reverted_in(&range).await.map(|(commits, _)| commits).unwrap_or_default();
    let mut decisions: Vec<String> = reverted.into_iter().flat_map(|commit| commit.decisions).collect();
    decisions.truncate(MOST);
    decisions
}

/// The commits of the last minutes on this branch; the first of a repository can revert nothing.
fn range_of_new() -> Option<String> {
    let new = git(&["rev-list", "--first-parent", JUST_NOW, COMMITS_MAX, "HEAD"])?.lines().count();
    let range = |count: usize| format!("HEAD~{count}..HEAD");
    let exists = |count: &usize| git(&["rev-parse", "--verify", "--quiet", &format!("HEAD~{count}")]).is_some();
    (1..=new).rev().take(2).find(exists).map(range)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-pager").args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
