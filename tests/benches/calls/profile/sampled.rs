//! Samples of a running process, by `perf` of Linux.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// Samples a second and processor: no divisor of what timers use, so that it does not march in step with them.
const FREQUENCY: u32 = 1_999;

/// Samples that are being taken.
pub struct Sampling {
    child: Child,
    folder: TempDir,
}

/// Begins to sample a process, for this long.
pub fn start(process: u32, time: Duration) -> Sampling {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "--call-graph", "fp", "--freq", &FREQUENCY.to_string()]);
    command.args(["--pid", &process.to_string(), "--output"]).arg(folder.path().join("samples"));
    command.args(["--", "sleep", &time.as_secs().to_string()]).stdin(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| {
        panic!("perf: {error}; on Debian `apt-get install linux-perf`, on Ubuntu linux-tools-generic, as root")
    });
    Sampling { child, folder }
}

impl Sampling {
    /// What was sampled, as text: for each sample a line about it, its functions from the innermost on, an empty line.
    pub fn text(mut self) -> String {
        let status = self.child.wait().expect("perf ends");
        assert!(status.success(), "perf record: {status}; it may need root or kernel.perf_event_paranoid=-1");
        let mut command = Command::new("perf");
        command.args(["script", "--fields", "comm,ip,sym", "--input"]).arg(self.folder.path().join("samples"));
        let output = command.stderr(Stdio::inherit()).output().expect("perf is there");
        assert!(output.status.success(), "perf script: {}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
