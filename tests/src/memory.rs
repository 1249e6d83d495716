//! Bounds the memory of programs, as a container's limit would, and reads what they needed.

use crate::process;

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
    of_status(process, "VmHWM:") / 1024
}

/// What a process holds; it leaks if one of these only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: u64,
    /// Memory in KiB, with the pages of its program.
    pub kib: u64,
}

impl Held {
    /// Its memory in MiB.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn mib(&self) -> f64 {
        self.kib as f64 / 1024.0
    }
}

/// What a process holds now.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn held(process: u32) -> Held {
    let (descriptors, kib) = (process::descriptors(process), process::resident_kib(process));
    Held { descriptors, threads: of_status(process, "Threads:"), kib }
}

/// The signals that a process handles, a bit each.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn handled_signals(process: u32) -> u64 {
    u64::from_str_radix(&text_of_status(process, "SigCgt:"), 16).expect("a hexadecimal number")
}

pub(crate) fn of_status(process: u32, name: &str) -> u64 {
    text_of_status(process, name).trim_end_matches(" kB").parse().expect("a number")
}

fn text_of_status(process: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of the process's status");
    value.trim().to_string()
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
