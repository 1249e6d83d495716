//! The end of a data plane that has hardly begun.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tests::{Policy, memory, program, waiting};

/// A program that handles no SIGTERM yet cannot be stopped in a container, where it is process 1: there the kernel drops
/// signals that are not handled, and the pod takes its whole grace to end. So it handles them before all else.
#[tokio::test]
async fn sigterm_before_it_is_ready_ends_it_at_once_and_it_listens_on_nothing() {
    let policy = slow_to_read();
    let early: Vec<bool> = (0..ROUNDS).map(|_| handles_sigterm_before_it_listens(&policy)).collect();
    assert!(early.contains(&true), "{early:?}");
}

/// So often it is tried whether the test is fast enough to see it before it listens.
const ROUNDS: usize = 5;
/// Of the signals in `/proc/PID/status`.
const SIGTERM: u64 = 1 << 14;

/// A policy whose reading takes much longer than the rest of the start.
fn slow_to_read() -> String {
    let properties = (0..200).map(|i| (format!("p{i}"), json!({"type": "string"})));
    let schema = json!({"type": "object", "properties": properties.collect::<serde_json::Map<_, _>>()});
    let stage = json!({"system": {"text": "s"}, "user": "u"});
    let skill = |i| json!({"name": format!("s{i}"), "description": "d", "inputSchema": schema, "stages": [stage]});
    Policy::at("http://127.0.0.1:1").spec(json!({"skills": (0..64).map(skill).collect::<Vec<_>>()})).to_string()
}

/// Starts the program and sends SIGTERM as soon as it handles that. Whether nothing listened then.
fn handles_sigterm_before_it_listens(policy: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    let log = folder.path().join("log");
    let mut routing = Command::new(program::binary())
        .args(["serve", "--policy", "policy.yaml"])
        .env_clear()
        .env("ROUTING_BIND", "127.0.0.1")
        .env("ROUTING_PORT", tests::ports::free().to_string())
        .env("ROUTING_ADMIN_PORT", tests::ports::free().to_string())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(File::create(&log).expect("a log"))
        .spawn()
        .expect("the binary starts");
    let began = Instant::now();
    while memory::handled_signals(routing.id()) & SIGTERM == 0 {
        assert!(began.elapsed() < waiting::LIMIT, "it never handles SIGTERM");
        std::thread::yield_now();
    }
    let listened = || fs::read_to_string(&log).expect("a log").contains("listening");
    let early = !listened();
    let killed = Command::new("kill").args(["-s", "TERM", &routing.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let ended = routing.wait().expect("ended");
    assert!(ended.success(), "{ended:?}: {:.600}", fs::read_to_string(&log).expect("a log"));
    early && !listened()
}
