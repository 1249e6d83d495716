//! Commands that may have reverted commits.

/// Whether a command that worked may have made a commit that reverts others: Git itself is asked what it made.
pub(super) fn may_revert(command: &str) -> bool {
    let words: Vec<&str> = command.split(|c: char| c.is_whitespace() || ";&|()".contains(c)).collect();
    let git = words.iter().position(|word| *word == "git" || word.ends_with("/git"));
    git.is_some_and(|git| words[git..].iter().any(|word| matches!(*word, "revert" | "commit")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_asked_after_its_revert_and_commit_only() {
        for command in
            ["git revert HEAD", "cd x && git revert --no-edit abc", "git -c a=b commit -m x", "(git commit -a)"]
        {
            assert!(may_revert(command), "{command}");
        }
        for command in ["git log", "git status; ls", "revert", "legit revert", "commit git"] {
            assert!(!may_revert(command), "{command}");
        }
    }
}
