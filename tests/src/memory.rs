//! Bounds the memory of programs, as a container's limit would, and reads what they needed.

/// The memory limits of the manifests, in MiB: a test compares them.
pub const DATA_PLANE_MIB: u64 = 512;
/// See [`DATA_PLANE_MIB`].
pub const OPERATOR_MIB: u64 = 512;
/// What a process may reserve besides, in MiB: stacks of threads, of which little is used.
const STACKS_MIB: u64 = 384;

/// A command whose process cannot have more memory: an allocation beyond fails, which ends it.
#[must_use]
pub fn bounded(command: &[String], mib: u64) -> Vec<String> {
    let script = format!("ulimit -d {}; exec \"$@\"", (mib + STACKS_MIB) * 1024);
    ["sh", "-c", &script, "sh"].map(str::to_string).into_iter().chain(command.iter().cloned()).collect()
}

/// The most memory that a process had so far, in MiB.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn peak_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// The process that a shell runs for [`bounded`] or a supervisor.
///
/// # Panics
/// If it has none.
#[must_use]
pub fn child_of(process: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).expect("Linux");
    let first = children.split_whitespace().next().expect("a child");
    first.parse().expect("a process id")
}
