//! Decisions that commits name in `Routing-Decision: ID` trailers, as the Git of the system reads them.

use std::{collections::BTreeSet, io, process::Stdio};

use crds::shown::printable;
use tokio::process::Command;

/// Most commits of a range.
const COMMITS_MAX: usize = 1_000;
/// Longest message of Git that is shown, in characters.
const SHOWN: usize = 300;
/// Digits of a commit's name that are shown.
const NAME_SHOWN: usize = 12;
/// The name, the decisions and the message of a commit: its own end cannot be part of any of these.
const FORMAT: &str = "--format=%H%x00%(trailers:key=Routing-Decision,valueonly,separator=%x0a)%x00%B%x00";
/// What Git writes into the message of a revert, before the name of the commit.
const REVERTS: &str = "This reverts commit ";

/// Why commits cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CommitsError {
    #[error("git cannot be started: {0}; install it, or add its folder to PATH")]
    NoGit(#[source] io::Error),
    #[error(
        "{shown}: is no range of commits; write A..B, for example origin/main..HEAD, or HEAD^! for the last commit"
    )]
    NoRange { shown: String },
    #[error("{shown}: git cannot read this range: {said}")]
    Git { shown: String, said: String },
    #[error("{shown}: has more than {COMMITS_MAX} commits; take a shorter range")]
    TooMany { shown: String },
}

/// A commit, with what its message says.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Commit {
    pub(in crate::cli) name: String,
    /// Ids of the decisions in its trailers.
    pub(in crate::cli) decisions: Vec<String>,
    /// Names of the commits that it reverts.
    reverts: Vec<String>,
}

impl Commit {
    /// The beginning of its name.
    pub(in crate::cli) fn short(&self) -> &str {
        self.name.get(..NAME_SHOWN).unwrap_or(&self.name)
    }
}

/// The commits of a range, the latest first.
pub(in crate::cli) async fn of_range(range: &str) -> Result<Vec<Commit>, CommitsError> {
    let shown = printable(range, SHOWN);
    // Git would take a single name for all that led to it, and something with a dash for an option.
    if !(range.contains("..") || range.ends_with("^!")) || range.starts_with('-') || range.contains(char::is_whitespace)
    {
        return Err(CommitsError::NoRange { shown });
    }
    let most = format!("--max-count={}", COMMITS_MAX + 1);
    let read = git(&["log", "--topo-order", FORMAT, &most, "--end-of-options", range, "--"]).await?;
    let commits = read.map(|text| parsed(&text)).map_err(|said| CommitsError::Git { shown: shown.clone(), said })?;
    if commits.len() > COMMITS_MAX { Err(CommitsError::TooMany { shown }) } else { Ok(commits) }
}

/// The commits that those of a range revert, wherever these are, and the names of those that are not in the repository.
pub(in crate::cli) async fn reverted_in(range: &str) -> Result<(Vec<Commit>, Vec<String>), CommitsError> {
    let (mut originals, mut missing) = (vec![], vec![]);
    let most = format!("--max-count={COMMITS_MAX}");
    for name in reverted(&of_range(range).await?) {
        // Of a merge all that it brought in; the first commit of a repository has no parent.
        let brought = format!("{name}^1..{name}");
        let read = match git(&["log", FORMAT, &most, "--end-of-options", &brought, "--"]).await? {
            Err(_) => git(&["log", FORMAT, "--max-count=1", "--end-of-options", &name, "--"]).await?,
            read => read,
        };
        match read {
            Ok(text) => originals.extend(parsed(&text)),
            Err(_) => missing.push(name),
        }
    }
    Ok((originals, missing))
}

/// The names of the commits that are reverted in the end: a revert that was reverted itself reverts nothing. Pure.
fn reverted(latest_first: &[Commit]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for commit in latest_first {
        // The name may be written short.
        if !names.iter().any(|name: &String| commit.name.starts_with(name)) {
            names.extend(commit.reverts.iter().cloned());
        }
    }
    names
}

fn parsed(text: &str) -> Vec<Commit> {
    let fields: Vec<&str> = text.split('\0').collect();
    let commits = fields.chunks_exact(3).map(|fields| Commit {
        name: fields[0].trim().into(),
        decisions: fields[1].lines().map(str::trim).filter(|id| !id.is_empty()).map(Into::into).collect(),
        // A line of its own: a message may also quote another one.
        reverts: fields[2].lines().filter_map(|line| leading_name(line.strip_prefix(REVERTS)?)).collect(),
    });
    commits.collect()
}

/// The commit's name at the beginning of a text.
fn leading_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(char::is_ascii_hexdigit).collect();
    (7..=64).contains(&name.len()).then(|| name.to_ascii_lowercase())
}

/// What Git prints, or why it failed.
async fn git(arguments: &[&str]) -> Result<Result<String, String>, CommitsError> {
    let mut command = Command::new("git");
    command.args(["--no-pager", "-c", "log.showSignature=false", "-c", "color.ui=never"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().await.map_err(CommitsError::NoGit)?;
    if output.status.success() {
        return Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("no reason given").trim_start_matches("fatal: ");
    Ok(Err(printable(first, SHOWN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const R: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn a_commit_is_read_with_its_trailers_and_what_it_reverts() {
        let text =
            format!("{A}\0id-1\nid-2\0subject\n\nbody\0\n{R}\0\0Revert \"subject\"\n\nThis reverts commit {A}.\n\0\n");
        let commits = parsed(&text);
        assert_eq!((commits.len(), &*commits[0].decisions), (2, &["id-1".to_string(), "id-2".into()][..]));
        assert_eq!((commits[1].short(), &*commits[1].reverts), ("111111111111", &[A.to_string()][..]));
        assert_eq!(leading_name("abc."), None);
        let quoted = format!("{R}\0\0About it\n\n> This reverts commit {A}.\nNot: This reverts commit {A}.\n\0\n");
        assert_eq!(parsed(&quoted)[0].reverts, Vec::<String>::new(), "only quoted");
    }

    #[test]
    fn a_revert_that_is_reverted_itself_reverts_nothing() {
        let commit =
            |name: &str, reverts: &str| Commit { name: name.into(), decisions: vec![], reverts: vec![reverts.into()] };
        let (first, second) = (commit(R, A), commit("2222222222", R));
        assert_eq!(reverted(std::slice::from_ref(&first)), BTreeSet::from([A.to_string()]));
        assert_eq!(reverted(&[second, first]), BTreeSet::from([R.to_string()]));
    }
}
