//! The machine that something is measured on, and what of its processors was given to others.

use std::{fs, time::Duration};

use crate::process::ticks;

/// One line: processors, memory, kernel.
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
    format!("host: {count} × {model}, {gib} GiB, Linux {}", kernel.trim())
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

    #[test]
    fn what_was_stolen_is_the_eighth_number() {
        let stat = "cpu  10 20 30 40 50 60 70 123 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n";
        assert_eq!(stolen_in(stat), Duration::from_millis(1230));
        assert_eq!(stolen_in(""), Duration::ZERO);
    }
}
