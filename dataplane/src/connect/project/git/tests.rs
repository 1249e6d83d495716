use std::{fs, path::PathBuf, process::Command};

use super::*;

struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let it = Self(tempfile::tempdir().expect("a folder"));
        it.git(&["init", "--quiet", "--initial-branch=main"]);
        it
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }

    fn git(&self, arguments: &[&str]) -> bool {
        let who = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").arg("-C").arg(self.path()).args(who).args(arguments).output().expect("git runs");
        done.status.success()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("written");
    }

    fn commit(&self, name: &str, text: &str) {
        self.write(name, text);
        assert!(self.git(&["add", "--all", "--force"]) && self.git(&["commit", "--quiet", "-m", name]));
    }

    async fn diff(&self, revision: Option<&str>) -> Result<Diff, GitError> {
        diff(&self.path(), revision).await
    }
}

#[tokio::test]
async fn what_is_not_committed_is_compared_unless_a_revision_is_named() {
    let it = Repository::new();
    it.commit("a.rs", "one\n");
    it.commit("a.rs", "two\n");
    it.write("a.rs", "three\n");
    it.write("new.rs", "new\n");
    let of_tree = it.diff(None).await.expect("a diff");
    assert!(of_tree.text.contains("-two\n+three\n"), "{}", of_tree.text);
    assert_eq!((of_tree.new_files, of_tree.notes), (vec!["new.rs".to_string()], vec![]));
    assert!(it.diff(Some("HEAD~1")).await.expect("a diff").text.contains("-one\n+three\n"));
    assert!(it.diff(Some("HEAD~1..HEAD")).await.expect("a diff").text.contains("-one\n+two\n"));
    assert_eq!(
        it.diff(Some("HEAD~1")).await.expect("a diff").new_files,
        [""; 0],
        "of a revision it is what was asked for"
    );
    let unknown = it.diff(Some("HEAD~9")).await.expect_err("none").to_string();
    assert!(unknown.starts_with("HEAD~9: is no revision of this repository; name one"), "{unknown}");
}

#[tokio::test]
async fn secrets_are_in_no_diff_though_they_are_tracked() {
    let it = Repository::new();
    it.commit("sub/.env", "TOKEN=CANARY-1\n");
    it.commit("a.rs", "one\n");
    it.write("sub/.env", "TOKEN=CANARY-2\n");
    it.write("a.rs", "two\n");
    for revision in [None, Some("HEAD~1"), Some("HEAD")] {
        let found = it.diff(revision).await.expect("a diff");
        assert!(found.text.contains("+two") && !found.text.contains("CANARY"), "{}", found.text);
        assert_eq!(found.left_out.iter().map(|out| out.path.as_str()).collect::<Vec<_>>(), ["sub/.env"]);
    }
    // Renaming does not show the old content, either.
    assert!(it.git(&["commit", "--quiet", "-am", "changed"]));
    assert!(it.git(&["mv", "sub/.env", "plain"]) && it.git(&["commit", "--quiet", "-am", "renamed"]));
    let renamed = it.diff(Some("HEAD~1")).await.expect("a diff");
    let reasons: Vec<&str> = renamed.left_out.iter().map(|out| out.reason.as_str()).collect();
    assert_eq!(reasons, ["it looks like a secret", "it is a file that is not sent, under a new name"]);
    assert!(!renamed.text.contains("CANARY"), "{}", renamed.text);
}

/// The file came from another folder, and was changed on the way.
#[tokio::test]
async fn a_secret_that_moves_into_the_project_under_a_harmless_name_stays_out() {
    let it = Repository::new();
    let lines = |first: &str| format!("{first}\n{}", "TOKEN=CANARY\n".repeat(20));
    it.commit("secrets/.env", &lines("one"));
    it.commit("sub/a.rs", "one\n");
    assert!(it.git(&["mv", "secrets/.env", "sub/config.txt"]));
    it.write("sub/config.txt", &lines("two"));
    it.write("sub/a.rs", "two\n");
    let found = diff(&it.path().join("sub"), None).await.expect("a diff");
    assert!(found.text.contains("+two\n") && !found.text.contains("CANARY"), "{}", found.text);
    assert_eq!(found.left_out.iter().map(|out| out.path.as_str()).collect::<Vec<_>>(), ["sub/config.txt"]);
}

#[tokio::test]
async fn a_changed_name_that_is_not_utf_8_is_refused_as_it_could_not_be_left_out() {
    use std::os::unix::ffi::OsStrExt;
    let it = Repository::new();
    it.commit("a.rs", "one\n");
    fs::write(it.path().join(std::ffi::OsStr::from_bytes(b".env\xff")), "CANARY").expect("written");
    assert!(it.git(&["add", "--all"]));
    assert_eq!(it.diff(None).await, Err(GitError::Name));
}

#[tokio::test]
async fn what_a_working_trees_own_list_ignores_is_left_out() {
    let it = Repository::new();
    it.commit("a.rs", "one\n");
    let tree = it.path().join("tree");
    assert!(it.git(&["worktree", "add", "--quiet", &tree.display().to_string()]));
    it.write(".git/info/exclude", "private/\n");
    it.write("tree/private/x", "CANARY");
    it.write("tree/new.rs", "new");
    assert_eq!(diff(&tree, None).await.expect("a diff").new_files, ["new.rs"]);
    let rules = Rules::default();
    assert_eq!(rules.left_out(&tree.join("private/x")), Some("Git ignores it"));
}

/// A repository without some of its objects names the program that brings them.
#[tokio::test]
async fn what_a_repository_does_not_have_is_not_fetched() {
    let (it, full) = (Repository::new(), Repository::new());
    full.commit("a.rs", "one\n");
    full.commit("a.rs", "two\n");
    assert!(full.git(&["config", "uploadpack.allowFilter", "true"]));
    let url = format!("file://{}", full.path().display());
    let partial = it.path().join("partial").display().to_string();
    assert!(it.git(&["clone", "--quiet", "--filter=blob:none", &url, &partial]));
    let mark = it.path().join("ran");
    for (key, value) in [
        ("remote.origin.url", format!("ext::touch {}", mark.display())),
        ("protocol.ext.allow", "always".into()),
        ("protocol.allow", "always".into()),
    ] {
        assert!(it.git(&["-C", &partial, "config", key, &value]));
    }
    let missing = diff(std::path::Path::new(&partial), Some("HEAD~1")).await.expect_err("an object is missing");
    assert!(matches!(missing, GitError::Failed(_)) && !mark.exists(), "{missing:?}");
    assert!(!it.git(&["-C", &partial, "diff", "HEAD~1"]) && mark.exists(), "it would run");
}

#[tokio::test]
async fn every_state_of_a_repository_has_a_clear_word() {
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(diff(empty.path(), None).await, Err(GitError::NoRepository));
    let it = Repository::new();
    it.write("a.rs", "added\n");
    assert!(it.git(&["add", "a.rs"]));
    let unborn = it.diff(None).await.expect("a diff");
    assert!(unborn.text.contains("+added") && unborn.notes[0].contains("has no commit yet"), "{unborn:?}");
    it.commit("a.rs", "base\n");
    assert!(it.git(&["checkout", "--quiet", "-b", "other"]));
    it.commit("a.rs", "theirs\n");
    assert!(it.git(&["checkout", "--quiet", "main"]));
    it.commit("a.rs", "ours\n");
    assert!(!it.git(&["rebase", "other"]), "it stops at the conflict");
    let stopped = it.diff(None).await.expect("a diff");
    assert_eq!(stopped.notes, ["a rebase is in progress"]);
    assert!(stopped.text.contains("<<<<<<<"), "{}", stopped.text);
}

#[tokio::test]
async fn a_submodule_is_one_line_and_a_large_diff_is_cut() {
    let (it, inner) = (Repository::new(), Repository::new());
    inner.commit("x", "x\n");
    it.commit("a", "a\n");
    let path = inner.path().display().to_string();
    assert!(it.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &path, "module"]));
    assert!(it.git(&["commit", "--quiet", "-m", "module"]));
    assert!(it.diff(Some("HEAD~1")).await.expect("a diff").text.contains("+Subproject commit "));
    inner.commit("x", "CANARY\n");
    assert!(it.git(&["config", "diff.submodule", "diff"]) && it.git(&["config", "submodule.recurse", "true"]));
    assert!(it.git(&["-C", "module", "-c", "protocol.file.allow=always", "pull", "--quiet"]));
    let moved = it.diff(None).await.expect("a diff").text;
    assert!(moved.contains("+Subproject commit ") && !moved.contains("CANARY"), "{moved}");
    it.write("a", &"a long line of text\n".repeat(40_000));
    let large = it.diff(None).await.expect("a diff");
    assert!(large.text.len() <= DIFF_MAX_BYTES && large.text.ends_with('\n'), "{}", large.text.len());
    assert!(large.notes.iter().any(|note| note.contains("is cut at 262144 bytes")), "{:?}", large.notes);
}

/// A repository's own configuration may name programs: none is run.
#[tokio::test]
async fn nothing_that_a_repository_configures_is_run() {
    let it = Repository::new();
    it.commit("a.rs", "one\n");
    it.commit(".gitattributes", "*.rs diff=evil\n");
    it.write("a.rs", "two\n");
    let mark = it.path().join("ran");
    let touch = format!("touch {} #", mark.display());
    for key in [
        "core.fsmonitor",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "core.pager",
        "filter.evil.clean",
    ] {
        assert!(it.git(&["config", key, &touch]));
    }
    it.write(".gitattributes", "*.rs diff=evil filter=evil\n");
    let hook = it.path().join(".git/hooks/post-index-change");
    it.write(".git/hooks/post-index-change", &format!("#!/bin/sh\n{touch}\n"));
    assert!(Command::new("chmod").arg("+x").arg(&hook).status().expect("chmod").success());
    assert!(Command::new("touch").arg(it.path().join("a.rs")).status().expect("touch").success());
    let found = it.diff(None).await.expect("a diff");
    assert!(found.text.contains("+two") && !mark.exists(), "{}", found.text);
    assert!(it.git(&["config", "filter.a=b.clean", &touch]));
    let unsafe_name = it.diff(None).await.expect_err("its filter would run").to_string();
    assert!(
        unsafe_name.contains("the filter filter.a=b.clean of the repository cannot be switched off"),
        "{unsafe_name}"
    );
}

#[tokio::test]
async fn in_a_folder_of_the_repository_it_is_said_that_changes_elsewhere_are_not_seen() {
    let it = Repository::new();
    it.commit("sub/a.rs", "one\n");
    assert_eq!(it.diff(None).await.expect("a diff").notes, ["nothing has changed"]);
    it.write("elsewhere.rs", "new\n");
    let of_folder = diff(&it.path().join("sub"), None).await.expect("a diff");
    let note = "nothing below sub/ has changed; what is elsewhere in the repository is outside of this project";
    assert_eq!((of_folder.new_files.len(), of_folder.notes), (0, vec![note.to_string()]));
}

/// What a user's or a repository's settings say changes nothing about what is left out.
#[tokio::test]
async fn no_setting_and_no_history_brings_back_what_is_left_out() {
    let it = Repository::new();
    it.commit("sub/.env", "CANARY-1\n");
    it.commit("sub/local.conf", "CANARY-2\n");
    it.commit("sub/a.rs", "one\n");
    it.commit("sub/.gitignore", "local.conf\n");
    for (name, text) in [("sub/.env", "CANARY-3\n"), ("sub/local.conf", "CANARY-4\n"), ("sub/a.rs", "two\n")] {
        it.write(name, text);
    }
    for key in ["diff.relative", "diff.noprefix"] {
        assert!(it.git(&["config", key, "true"]));
    }
    let found = diff(&it.path().join("sub"), None).await.expect("a diff");
    assert!(found.text.contains("+two") && !found.text.contains("CANARY"), "{}", found.text);
    let reasons: Vec<&str> = found.left_out.iter().map(|out| out.reason.as_str()).collect();
    assert_eq!(reasons, ["it looks like a secret", "Git ignores it"], "tracked or not");
}

#[tokio::test]
async fn a_repository_whose_files_are_elsewhere_is_refused() {
    let (it, victim) = (Repository::new(), Repository::new());
    it.commit("a.txt", "mine\n");
    victim.write("a.txt", "CANARY\n");
    assert!(it.git(&["config", "core.worktree", &victim.path().display().to_string()]));
    assert_eq!(it.diff(None).await, Err(GitError::Elsewhere));
}
