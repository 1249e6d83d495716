//! What a process uses, as Linux counts it.

use std::{fs, time::Duration};

use crate::memory;

/// What Linux counts processor time in, on every architecture that it reports it for.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time that Linux gives in ticks.
#[must_use]
pub fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The processor time that a process used so far, without its children.
///
/// # Panics
/// If it has ended.
#[must_use]
pub fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // After the name, which is in parentheses: state is the first field, user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks(fields.map(|field| field.parse::<u64>().expect("a number")).sum())
}

/// The memory that a process has now, in KiB, with the pages of its program.
///
/// # Panics
/// If it has ended.
#[must_use]
pub fn resident_kib(process: u32) -> u64 {
    memory::of_status(process, "VmRSS:")
}

/// The memory that a process has of its own, in KiB: without the pages of its program, which the system shares between
/// processes and can take back at any time.
///
/// # Panics
/// If it has ended.
#[must_use]
pub fn own_kib(process: u32) -> u64 {
    memory::of_status(process, "RssAnon:")
}

/// How many descriptors a process has open.
///
/// # Panics
/// If it has ended.
#[must_use]
pub fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}
