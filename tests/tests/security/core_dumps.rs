//! The memory of the programs holds tokens, keys, prompts and answers.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use tests::{http, ports, program::binary, waiting};

/// Number of SIGABRT.
const ABORTED: i32 = 6;

#[tokio::test]
async fn a_crash_leaves_no_core_dump() {
    for command in ["serve", "brain"] {
        let (port, admin) = (ports::free(), ports::free());
        let folder = tempfile::tempdir().expect("a folder");
        // As much of a dump as the system allows; the program may allow itself less.
        let mut child = Command::new("bash")
            .args([
                "-c",
                "ulimit -S -c \"$(ulimit -H -c)\" && exec \"$0\" \"$@\"",
                &binary().display().to_string(),
                command,
            ])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("XDG_DATA_HOME", folder.path())
            .envs([("ROUTING_BIND", "127.0.0.1"), ("BRAIN_BIND", "127.0.0.1")])
            .envs(
                [("ROUTING_PORT", port), ("BRAIN_PORT", port), ("ROUTING_ADMIN_PORT", admin)]
                    .map(|(name, port)| (name, port.to_string())),
            )
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash runs");
        let health = format!("http://127.0.0.1:{port}/healthz");
        waiting::until("health", || async { http().get(&health).send().await.ok() }).await;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("it runs");
        let limit = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert!(limit.split_whitespace().any(|word| word == "1" || word == "0"), "{command}: {limit}");
        let sent = Command::new("kill").args(["-s", "ABRT", &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let ended = waiting::until("its end", || std::future::ready(child.try_wait().ok().flatten())).await;
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(ABORTED), false), "{command}");
    }
}
