//! A log that nobody reads or that cannot be written: it fails no call, and the lines that are lost are counted.

use std::{fs::File, os::fd::OwnedFd};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use tests::{
    at_rest::AtRest,
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

use super::{CALLS, calls, load_of};

const DROPPED: &str = "routing_log_lines_dropped_total";

async fn logging_to(models: &Models, output: OwnedFd, level: &str) -> Running {
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("RUST_LOG", level);
    program.output(output).start().await
}

/// Returns what it must be back at.
async fn all_calls_are_answered(routing: &Running) -> AtRest {
    let check = |number: usize, result: &CallResult| assert_eq!(result.text(0), "answer of qwen35", "call {number}");
    calls(routing, load_of(routing), check).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_or_closed_log_pipe_fails_no_call() {
    for closed in [false, true] {
        let models = Models::start().await;
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let routing = logging_to(&models, writer.into(), "trace").await;
        let unread = Some(reader).filter(|_| !closed);
        let before = all_calls_are_answered(&routing).await;
        // If it is not read, more calls until the buffer is full: then lines are dropped.
        waiting::until_true("lines that are counted", || async {
            assert!(!routing.mcp().debug("x").await.is_error());
            routing.metric(DROPPED).await > 0.0
        })
        .await;
        drop(models);
        // What nobody has read is held on purpose, up to a limit: no measure of memory.
        before.is_idle_again(&routing).await;
        drop(unread);
    }
}

/// A terminal whose other side is gone: whatever is written to it is an input/output error.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let other_side = openpt(flags).expect("a terminal");
    grantpt(&other_side).expect("its rights");
    unlockpt(&other_side).expect("unlocked");
    (ioctl_tiocgptpeer(&other_side, flags).expect("its side for a program"), other_side)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_fails_no_call() {
    let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
    let (terminal, other_side) = terminal();
    for (what, output, open) in
        [("as a disk that is full", OwnedFd::from(full), None), ("a terminal that is gone", terminal, Some(other_side))]
    {
        let models = Models::start().await;
        let routing = logging_to(&models, output, "info").await;
        drop(open);
        let before = all_calls_are_answered(&routing).await;
        // A line for each call at least: its record.
        waiting::until_true(what, || async { routing.metric(DROPPED).await >= CALLS as f64 }).await;
        drop(models);
        before.is_back(&routing).await;
    }
}
