//! The machine and the commit that something is measured on, and what of its processors was given to others.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{checkout, process::ticks};

/// What is in a commit, without what benchmarks write themselves.
const MEASURED: [&str; 4] = [".", ":(exclude)bench/results", ":(exclude)README.md", ":(exclude)docs/benchmarks.md"];

/// Two lines: processors, memory, kernel; and the commit of the checkout, which `tests/setup/bench-table.sh` reads.
#[must_use]
pub fn described() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let value = |line: &str| line.split(':').nth(1).unwrap_or_default().trim().to_string();
    let model = cpus.lines().find(|line| line.starts_with("model name")).map(value).unwrap_or_default();
    let kib = memory.lines().find(|line| line.starts_with("MemTotal")).map(value).unwrap_or_default();
    let gib = kib.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024 / 1024;
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("host: {count} × {model}, {gib} GiB, Linux {}\ncommit: {}", kernel.trim(), commit_of(&checkout()))
}

/// The commit that is checked out, and whether there are changes that it does not have.
fn commit_of(folder: &Path) -> String {
    let Some(commit) = git(folder, &["rev-parse", "--short", "HEAD"]) else { return "unknown".to_string() };
    let status: Vec<_> = ["status", "--porcelain", "--"].into_iter().chain(MEASURED).collect();
    match git(folder, &status) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}, with changes"),
    }
}

/// What git says; nothing if it fails or is not there.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// How much processor time other machines on this host took from this one so far, of all processors together.
#[must_use]
pub fn stolen() -> Duration {
    stolen_in(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// The first line has the sums: its name, user, nice, system, idle, iowait, irq, softirq, steal.
fn stolen_in(stat: &str) -> Duration {
    let sums = stat.lines().next().unwrap_or_default();
    ticks(sums.split_whitespace().nth(8).and_then(|steal| steal.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect;

    #[test]
    fn a_commit_is_named_with_what_was_changed_since_except_by_benchmarks() {
        let folder = tempfile::tempdir().expect("a folder");
        let (at, named) = (folder.path(), || commit_of(folder.path()));
        assert_eq!(named(), "unknown");
        connect::git(at, &["init"]);
        connect::git(at, &["commit", "--allow-empty", "--message", "The first"]);
        let commit = named();
        assert!(!commit.is_empty() && commit.chars().all(|c| c.is_ascii_hexdigit()), "{commit}");
        fs::create_dir_all(at.join("bench/results")).expect("a folder");
        fs::write(at.join("bench/results/calls.txt"), "measured").expect("a file");
        assert_eq!(named(), commit);
        fs::write(at.join("main.rs"), "changed").expect("a file");
        assert_eq!(named(), format!("{commit}, with changes"));
    }

    #[test]
    fn what_was_stolen_is_the_eighth_number() {
        let stat = "cpu  10 20 30 40 50 60 70 123 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n";
        assert_eq!(stolen_in(stat), Duration::from_millis(1230));
        assert_eq!(stolen_in(""), Duration::ZERO);
    }
}
