//! `git diff` of the caller's project. Files that look like secrets are left out, and nothing that the repository
//! configures is run or fetched: no external diff, text conversion, filter, hook, monitor, or missing object.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout,
};

use super::{LeftOut, ignored::Rules, printable};

/// Longest diff, in bytes: that of the arguments that take one.
pub const DIFF_MAX_BYTES: usize = 256 * 1024;
/// Longest list of names that is read, in bytes.
const NAMES_MAX_BYTES: usize = 1024 * 1024;
/// Time for one run of Git.
const TIMEOUT: Duration = Duration::from_secs(10);
/// New files that are taken, at most.
const NEW_MAX: usize = 50;
/// Longest message of Git that is shown, in characters.
const SHOWN: usize = 200;
/// Nothing that a repository configures is run.
const SAFE: [&str; 5] = [
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.quotePath=false",
    "core.hooksPath=/dev/null",
    "diff.autoRefreshIndex=false",
];
const NO_RENAMES: &str = "--no-renames";
const RENAMES: &str = "--find-renames";
const PLAIN: [&str; 6] =
    ["--no-color", "--no-ext-diff", "--no-textconv", NO_RENAMES, "--no-relative", "--submodule=short"];
/// Why a file under a harmless name is not sent.
const RENAMED: &str = "it is a file that is not sent, under a new name";
/// What Git keeps in its folder while something is in progress, and what that is.
const IN_PROGRESS: [(&str, &str); 5] = [
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
];
/// The programs that a repository may have for the content of files.
const FILTERS: &str = r"^filter\..*\.(clean|smudge|process)$";
/// With it nothing is fetched, whatever a repository allows: no protocol has this name.
const NO_PROTOCOL: &str = "none";
/// What Git's own variables begin with: they may lead to another repository.
const GIT_VARIABLES: &str = "GIT_";

/// A diff, and what is not in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub text: String,
    pub left_out: Vec<LeftOut>,
    /// Files that Git does not know yet, relative to the folder; they are in no diff.
    pub new_files: Vec<String>,
    /// What the caller should know, in words.
    pub notes: Vec<String>,
}

/// Why there is no diff.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed here")]
    NoGit,
    #[error("the project is no Git repository")]
    NoRepository,
    #[error("the repository's files are elsewhere: its configuration or a link leads out of the project")]
    Elsewhere,
    #[error("the name of a changed file is not UTF-8; name files, or another revision")]
    Name,
    #[error("{revision}: is no revision of this repository; name one, for example HEAD~1 or main...HEAD")]
    NoRevision { revision: String },
    #[error("git took longer than {} s", TIMEOUT.as_secs())]
    Slow,
    #[error("git failed: {0}")]
    Failed(String),
}

/// The changes in a folder and below it: of a revision or a range; none: those that are not committed.
pub async fn diff(folder: &Path, revision: Option<&str>) -> Result<Diff, GitError> {
    let git = Git::at(folder).await?;
    let is_of_tree = revision.is_none();
    let (revision, mut notes) = git.compared(revision).await?;
    let new_files = if is_of_tree { git.new_files(&mut notes).await? } else { vec![] };
    let withheld = git.left_out(&revision).await?;
    let mut excluded: Vec<String> = withheld.iter().map(|(path, _)| format!(":(exclude,literal,top){path}")).collect();
    excluded.insert(0, ".".into());
    let mut arguments = git.diff(&revision);
    arguments.extend(excluded.iter().map(String::as_str));
    let (mut text, cut) = git.output(&arguments, DIFF_MAX_BYTES).await?;
    if cut {
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        notes.push(format!("the diff is cut at {DIFF_MAX_BYTES} bytes; name a narrower revision, or files"));
    }
    if text.is_empty() {
        notes.push(git.nothing_changed().await?);
    }
    let left_out =
        withheld.iter().map(|(path, reason)| LeftOut { path: printable(path, SHOWN), reason: (*reason).into() });
    let left_out = left_out.collect();
    Ok(Diff { text, left_out, new_files, notes })
}

struct Git<'a> {
    folder: &'a Path,
    /// The same without links.
    real: PathBuf,
    /// The top of the working tree.
    top: PathBuf,
    /// The repository's programs for the content of files, switched off.
    filters: Vec<String>,
}

impl<'a> Git<'a> {
    async fn at(folder: &'a Path) -> Result<Self, GitError> {
        let real = folder.canonicalize().map_err(|_| GitError::NoRepository)?;
        let mut git = Self { folder, real, top: PathBuf::new(), filters: vec![] };
        let top =
            git.output(&["rev-parse", "--show-toplevel"], NAMES_MAX_BYTES).await.map_err(|error| match error {
                GitError::Failed(_) => GitError::NoRepository,
                other => other,
            })?;
        git.top = PathBuf::from(top.0.trim_end_matches('\n'));
        if !git.real.starts_with(&git.top) {
            return Err(GitError::Elsewhere);
        }
        // Git ends with an error if there are none.
        let (names, _) =
            git.output(&["config", "--name-only", "--get-regexp", FILTERS], NAMES_MAX_BYTES).await.unwrap_or_default();
        // Its end could not be told from a value's begin.
        if let Some(name) = names.lines().find(|name| name.contains('=')) {
            let name = printable(name, SHOWN);
            return Err(GitError::Failed(format!("the filter {name} of the repository cannot be switched off")));
        }
        git.filters = names.lines().map(|name| format!("{name}=")).collect();
        Ok(git)
    }

    /// What is compared, and what is to be said of it.
    async fn compared(&self, revision: Option<&str>) -> Result<(String, Vec<String>), GitError> {
        let mut notes = vec![];
        if let Some(state) = self.in_progress().await? {
            notes.push(format!("a {state} is in progress"));
        }
        if let Some(revision) = revision {
            self.check(revision).await?;
            return Ok((revision.into(), notes));
        }
        if self.output(&["rev-parse", "--verify", "--quiet", "HEAD"], NAMES_MAX_BYTES).await.is_ok() {
            return Ok(("HEAD".into(), notes));
        }
        notes.push("the repository has no commit yet, so the diff is of everything that was added".into());
        // The tree without any file, which every repository knows.
        let (empty, _) = self.output(&["hash-object", "-t", "tree", "--stdin"], NAMES_MAX_BYTES).await?;
        Ok((empty.trim().into(), notes))
    }

    async fn check(&self, revision: &str) -> Result<(), GitError> {
        let ends = revision.split("...").flat_map(|part| part.split("..")).filter(|end| !end.is_empty());
        for end in ends {
            let name = format!("{end}^{{commit}}");
            let known =
                self.output(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name], NAMES_MAX_BYTES).await;
            known.map_err(|_| GitError::NoRevision { revision: printable(revision, SHOWN) })?;
        }
        Ok(())
    }

    async fn in_progress(&self) -> Result<Option<&'static str>, GitError> {
        let (git_dir, _) = self.output(&["rev-parse", "--absolute-git-dir"], NAMES_MAX_BYTES).await?;
        let git_dir = Path::new(git_dir.trim_end_matches('\n'));
        let is = |(name, _): &&(&str, &str)| git_dir.join(name).exists();
        Ok(IN_PROGRESS.iter().find(is).map(|(_, state)| *state))
    }

    /// The files that are in no diff because they are new, without those that look like secrets.
    async fn new_files(&self, notes: &mut Vec<String>) -> Result<Vec<String>, GitError> {
        let (names, _) = self.output(&["ls-files", "--others", "--exclude-standard", "-z"], NAMES_MAX_BYTES).await?;
        let rules = Rules::default();
        let is_meant = |name: &&str| !name.is_empty() && rules.left_out(&self.folder.join(name)).is_none();
        let mut names: Vec<String> = names.split('\0').filter(is_meant).map(String::from).collect();
        if names.len() > NEW_MAX {
            notes.push(format!("{} more new files are left out; name them in files", names.len() - NEW_MAX));
            names.truncate(NEW_MAX);
        }
        Ok(names)
    }

    /// A client that started in a folder of the repository does not see the changes elsewhere.
    async fn nothing_changed(&self) -> Result<String, GitError> {
        let (prefix, _) = self.output(&["rev-parse", "--show-prefix"], NAMES_MAX_BYTES).await?;
        let prefix = printable(prefix.trim(), SHOWN);
        Ok(if prefix.is_empty() {
            "nothing has changed".into()
        } else {
            format!(
                "nothing below {prefix} has changed; what is elsewhere in the repository is outside of this project"
            )
        })
    }

    /// The changed files that are not sent, with the reason: a secret stays one under its new name.
    async fn left_out(&self, revision: &str) -> Result<Vec<(String, &'static str)>, GitError> {
        let mut arguments = self.diff(revision);
        arguments.splice(1..1, ["--name-status", "-z"]);
        let with_renames = arguments.iter().map(|argument| if *argument == NO_RENAMES { RENAMES } else { argument });
        let arguments: Vec<&str> = with_renames.chain([":(top)"]).collect();
        let (names, cut) = self.output(&arguments, NAMES_MAX_BYTES).await?;
        if cut {
            return Err(GitError::Failed("too many files have changed; name a narrower revision, or files".into()));
        }
        // Such a name could not be left out.
        if names.contains(char::REPLACEMENT_CHARACTER) {
            return Err(GitError::Name);
        }
        let rules = Rules::default();
        let is_left_out = |name: &str| rules.left_out(&self.top.join(name));
        let mut left_out = vec![];
        // All of the repository, as a file may come from elsewhere.
        for (name, earlier) in changed(&names) {
            let before = earlier.and_then(|earlier| Some((earlier, is_left_out(earlier)?)));
            let now = is_left_out(name).or(before.map(|_| RENAMED));
            left_out.extend(before.into_iter().chain(now.map(|reason| (name, reason))));
        }
        left_out.retain(|(name, _)| self.top.join(name).starts_with(&self.real));
        Ok(left_out.into_iter().map(|(name, reason)| (name.to_string(), reason)).collect())
    }

    fn diff<'b>(&self, revision: &'b str) -> Vec<&'b str> {
        let mut arguments = vec!["diff"];
        arguments.extend(PLAIN);
        arguments.extend(["--end-of-options", revision, "--"]);
        arguments
    }

    /// What a run of Git prints, and whether it would print more than `max` bytes.
    async fn output(&self, arguments: &[&str], max: usize) -> Result<(String, bool), GitError> {
        let mut child = self.start(arguments)?;
        match timeout(TIMEOUT, read(&mut child, max)).await {
            Ok(read) => read,
            Err(_) => Err(GitError::Slow),
        }
    }

    fn start(&self, arguments: &[&str]) -> Result<Child, GitError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder);
        for setting in SAFE.into_iter().chain(self.filters.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.args(arguments);
        let own = std::env::vars_os().map(|(name, _)| name);
        own.filter(|name| name.to_string_lossy().starts_with(GIT_VARIABLES)).for_each(|name| {
            command.env_remove(name);
        });
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", NO_PROTOCOL)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => GitError::NoGit,
            _ => GitError::Failed(error.to_string()),
        })
    }
}

/// The names in a list of states and names, each with its earlier one if it was renamed.
fn changed(list: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut words = list.split('\0');
    std::iter::from_fn(move || {
        let (state, name) = (words.next().filter(|state| !state.is_empty())?, words.next()?);
        Some(if state.starts_with(['R', 'C']) { (words.next()?, Some(name)) } else { (name, None) })
    })
}

async fn read(child: &mut Child, max: usize) -> Result<(String, bool), GitError> {
    let failed = |error: std::io::Error| GitError::Failed(error.to_string());
    let (mut printed, mut said) = (vec![], vec![]);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let out = async {
        Ok::<_, std::io::Error>(if let Some(out) = stdout {
            out.take(max as u64 + 1).read_to_end(&mut printed).await?
        } else {
            0
        })
    };
    let err = async {
        Ok::<_, std::io::Error>(if let Some(err) = stderr { err.take(4096).read_to_end(&mut said).await? } else { 0 })
    };
    tokio::try_join!(out, err).map_err(failed)?;
    let cut = printed.len() > max;
    if cut {
        printed.truncate(max);
        // It may wait for a reader for ever.
        child.kill().await.map_err(failed)?;
    } else if !child.wait().await.map_err(failed)?.success() {
        let said = String::from_utf8_lossy(&said);
        return Err(GitError::Failed(printable(said.lines().next().unwrap_or("without a word"), SHOWN)));
    }
    Ok((String::from_utf8_lossy(&printed).into_owned(), cut))
}

#[cfg(test)]
mod tests;
