//! Concurrent pushes to the repository.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use crate::{gitops::GitOps, worked, write};

/// Releases while another push is faster, `times` times in a row: Git's pre-push hook makes it.
fn race(gitops: &GitOps, times: usize) -> Output {
    let work = gitops.folder.path();
    let hook = work.join("hooks/pre-push");
    let faster = "rm -rf faster && git clone --quiet gitops.git faster && cd faster && \
                  git -c user.name=faster -c user.email=faster@localhost commit --quiet --allow-empty \
                  --message=faster && git push --quiet origin HEAD:main";
    write(&work.join("times"), &times.to_string());
    let text = format!(
        "#!/bin/sh\nset -e\ncd '{}'\nleft=$(cat times)\n[ \"$left\" -gt 0 ] || exit 0\necho $((left - 1)) >times\n\
         unset GIT_DIR GIT_WORK_TREE\nexport GIT_CONFIG_GLOBAL=/dev/null\n{faster}\n",
        work.display()
    );
    write(&hook, &text);
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("a program");
    let config = work.join("gitconfig");
    write(&config, &format!("[core]\n\thooksPath = {}\n", work.join("hooks").display()));
    gitops.bump("1.2.3").env("GIT_CONFIG_GLOBAL", config).output().expect("the script runs")
}

#[test]
fn a_release_is_put_on_top_of_concurrent_pushes_but_not_forever() {
    for gitops in [GitOps::with(&[("mine.yaml", "mine")]), GitOps::empty()] {
        worked(race(&gitops, 2));
        let subjects = gitops.subjects();
        assert_eq!(subjects[..3], ["Release routing 1.2.3", "faster", "faster"], "{subjects:?}");
    }
    let gitops = GitOps::empty();
    let lost = race(&gitops, 5);
    let printed = String::from_utf8_lossy(&lost.stderr);
    assert!(!lost.status.success() && printed.contains("others pushed five times"), "{printed}");
    assert_eq!(gitops.subjects(), ["faster"; 5]);
}
