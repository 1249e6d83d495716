//! Verdicts of CI: commits that name decisions, reverts, and the step for workflows.

use std::process::Command;

use serde_json::json;

use super::{It, Printed, printed};

/// A Git repository with nothing of the machine's settings.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let it = Self(tempfile::tempdir().expect("a folder"));
        it.git(&["init", "--quiet"]);
        it.commit("first");
        it
    }

    fn git(&self, arguments: &[&str]) -> String {
        let own = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let output = Command::new("git")
            .args(own)
            .args(arguments)
            .current_dir(self.0.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_string()
    }

    /// Commits a file of its own; returns the commit's name.
    fn commit(&self, message: &str) -> String {
        let name = format!("file-{}", std::fs::read_dir(self.0.path()).expect("a folder").count());
        std::fs::write(self.0.path().join(&name), "x").expect("written");
        self.git(&["add", &name]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

impl It {
    fn run_in(&self, repository: &Repository, arguments: &[&str]) -> Printed {
        printed(arguments, &[("BRAIN_URL", &self.brain.base_url())], repository.0.path())
    }
}

#[tokio::test]
async fn the_decisions_that_the_commits_of_a_range_name_get_the_verdict_of_ci() {
    let (it, repository) = (It::start().await, Repository::new());
    let [a, b, outside] = [it.decision("a").await, it.decision("b").await, it.decision("c").await];
    repository.commit(&format!("before\n\nRouting-Decision: {outside}"));
    repository.git(&["tag", "base"]);
    repository.commit("none here");
    repository.commit(&format!("two\n\nRouting-Decision: {a}\nRouting-Decision: {b}\nSigned-off-by: t"));
    repository.commit(&format!("again, and one in the text:\nRouting-Decision: no-trailer\n\nRouting-Decision: {a}"));
    let done = it.run_in(&repository, &["outcome", "--commits", "base..HEAD", "--ci", "fail"]);
    assert!(
        done.ok && done.has(&["reported: fail by ci on 2 of 2 decisions in 3 commits", &a, &b]),
        "{} {}",
        done.out,
        done.error
    );
    for (id, verdicts) in [(&a, json!({"ci": "fail"})), (&b, json!({"ci": "fail"})), (&outside, json!({}))] {
        assert_eq!(it.verdicts(id).await, verdicts, "{id}");
    }
    let one = it.run_in(&repository, &["outcome", "--commits", "HEAD^!", "--ci", "pass", "--output", "json"]).json();
    assert_eq!(
        (&one["commits"], &one["decisions"][0]["decision"], &one["decisions"][0]["skill"]),
        (&json!(1), &json!(a), &json!("debug"))
    );
    assert_eq!(it.verdicts(&a).await, json!({"ci": "pass"}), "the latest counts");
    let none = it.run_in(&repository, &["outcome", "--commits", "HEAD..HEAD", "--ci", "pass"]);
    assert!(none.ok && none.has(&["nothing to report"]), "{} {}", none.out, none.error);

    let unknown = "01890000-0000-7000-8000-000000000000";
    repository.commit(&format!("unknown\n\nRouting-Decision: {unknown}"));
    let partly = it.run_in(&repository, &["outcome", "--commits", "base..HEAD", "--ci", "pass"]);
    assert!(
        !partly.ok
            && partly.has(&["on 2 of 3 decisions", "NOT REPORTED: the brain does not know this decision", unknown]),
        "{}",
        partly.out
    );
}

#[tokio::test]
async fn a_range_that_is_none_is_one_sentence_with_the_cure() {
    let (it, repository) = (It::start().await, Repository::new());
    let folder = tempfile::tempdir().expect("a folder");
    for (range, parts) in [
        ("HEAD", vec!["HEAD: is no range of commits", "A..B", "HEAD^!"]),
        ("nothing..HEAD", vec!["nothing..HEAD: git cannot read this range", "bad revision"]),
        ("--output=x..y", vec!["is no range of commits"]),
    ] {
        for option in [vec!["--ci", "pass", "--commits"], vec!["--reverts"]] {
            let option = [vec!["outcome"], option].concat();
            let written = format!("{}={range}", option.last().expect("one"));
            let arguments = [&option[..option.len() - 1], &[&*written]].concat();
            let found = it.run_in(&repository, &arguments);
            assert!(
                !found.ok && found.has(&parts) && found.error.lines().count() == 1,
                "{arguments:?}: {}",
                found.error
            );
        }
    }
    let outside = printed(&["outcome", "--reverts", "A..B"], &[], folder.path());
    assert!(!outside.ok && outside.has(&["not a git repository"]), "{}", outside.error);
    for arguments in
        [vec!["--commits", "A..B"], vec!["--ci", "pass"], vec!["debug"], vec!["debug", "pass", "--reverts", "A..B"]]
    {
        assert!(!it.run_in(&repository, &[vec!["outcome"], arguments.clone()].concat()).ok, "{arguments:?}");
    }
}

#[tokio::test]
async fn the_decisions_of_reverted_commits_fail_and_those_of_reverted_reverts_do_not() {
    let (it, repository) = (It::start().await, Repository::new());
    let [kept, gone, back] = [it.decision("a").await, it.decision("b").await, it.decision("c").await];
    let of = |id: &str| repository.commit(&format!("work\n\nRouting-Decision: {id}"));
    let (_kept, gone_commit, back_commit) = (of(&kept), of(&gone), of(&back));
    repository.git(&["tag", "base"]);
    repository.git(&["revert", "--no-edit", &gone_commit]);
    repository.git(&["revert", "--no-edit", &back_commit]);
    repository.git(&["revert", "--no-edit", "HEAD"]);
    let done = it.run_in(&repository, &["outcome", "--reverts", "base..HEAD"]);
    assert!(
        done.ok && done.has(&["reported: fail by ci on 1 of 1 decisions", "reverted", &gone]),
        "{} {}",
        done.out,
        done.error
    );
    for (id, verdicts) in [(&kept, json!({})), (&gone, json!({"ci": "fail"})), (&back, json!({}))] {
        assert_eq!(it.verdicts(id).await, verdicts, "{id}");
    }
}

#[tokio::test]
async fn of_a_reverted_merge_every_commit_fails_that_it_brought_in() {
    let (it, repository) = (It::start().await, Repository::new());
    let id = it.decision("a").await;
    repository.commit("base");
    let trunk = repository.git(&["branch", "--show-current"]);
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.commit(&format!("work\n\nRouting-Decision: {id}"));
    repository.git(&["checkout", "--quiet", &trunk]);
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "work"]);
    repository.git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
    let done = it.run_in(&repository, &["outcome", "--reverts", "HEAD^!"]);
    assert!(done.ok && done.has(&["reported: fail by ci on 1 of 1 decisions"]), "{} {}", done.out, done.error);
    assert_eq!(it.verdicts(&id).await, json!({"ci": "fail"}));
}

/// The step of `docs/ci/report-outcomes.yml`, run as a runner does.
#[tokio::test]
async fn the_step_for_workflows_reports_the_result_of_a_push() {
    let (it, repository) = (It::start().await, Repository::new());
    let id = it.decision("a").await;
    repository.commit("before");
    let before = repository.git(&["rev-parse", "HEAD"]);
    repository.commit(&format!("change\n\nRouting-Decision: {id}"));
    let example = std::fs::read_to_string(tests::checkout().join("docs/ci/report-outcomes.yml")).expect("a file");
    let script: String = example.split_once("run: |\n").expect("the last step's script").1.replace("          ", "");
    let path = format!("{}:{}", tests::program::binary().parent().expect("a folder").display(), env!("PATH"));
    for (result, verdict) in [("fail", "fail"), ("pass", "pass")] {
        let step = Command::new("bash")
            .args(["-e", "-c", &script])
            .current_dir(repository.0.path())
            .envs([("PATH", &*path), ("BRAIN_URL", &it.brain.base_url()), ("RESULT", result)])
            .env("RANGE", format!("{before}..HEAD"))
            .output()
            .expect("bash runs");
        assert!(step.status.success(), "{step:?}");
        assert_eq!(it.verdicts(&id).await, json!({"ci": verdict}), "{step:?}");
    }
}
