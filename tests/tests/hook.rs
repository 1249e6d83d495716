//! `routing hook` as Claude Code and Git start it: whatever comes in, it ends with 0, soon, and says one line at most.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    get_json, ports,
    program::{self, Program},
    stand_in::brain::{Brain, PassRate},
};

/// The branch of a new repository.
const DEFAULT_BRANCH: &str = "main";

/// A user's home, with a brain at this address.
struct Home {
    folder: tempfile::TempDir,
    brain: String,
}

impl Home {
    fn new(brain: &str) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), brain: brain.into() }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path();
        command.env_clear().envs([("PATH", "/usr/bin:/bin"), ("BRAIN_URL", &self.brain)]).env("HOME", home);
        command.current_dir(home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Feeds the hook an input; it must end with 0 whatever that is.
    fn hook(&self, input: &[u8]) -> Output {
        let mut hook = self.command(program::binary()).args(["hook", "claude-code"]).spawn().expect("it starts");
        // It may have read enough.
        let _ = hook.stdin.take().expect("its input").write_all(input);
        let output = hook.wait_with_output().expect("its output");
        let lines = String::from_utf8_lossy(&output.stderr).lines().count();
        assert!(output.status.success() && lines <= 1, "{output:?}");
        output
    }

    /// The answer to an event of a session; null if there is none.
    fn event(&self, name: &str, more: Value) -> Value {
        let mut event = json!({"hook_event_name": name, "session_id": "s", "cwd": self.folder.path()});
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let output = self.hook(event.to_string().as_bytes());
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn called(&self, id: &str) -> Value {
        self.event("PostToolUse", json!({"tool_name": "mcp__routing__debug", "tool_use_id": id, "tool_response": []}))
    }

    fn said(&self, prompt: &str) -> String {
        let answer = self.event("UserPromptSubmit", json!({"prompt": prompt}));
        answer["stopReason"].as_str().unwrap_or_default().into()
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join(".local/state/routing/claude-code")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let who = ["-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false"];
        let output = self.command("git").args(who).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "{arguments:?} {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs the hook of Git on a message, in a session or in none, and returns the message.
    fn message(&self, text: &str, source: &[&str], session: Option<&str>) -> String {
        let file = self.folder.path().join("MESSAGE");
        std::fs::write(&file, text).expect("written");
        let mut command = self.command(program::binary());
        command.args(["hook", "git", "MESSAGE"]).args(source).stdin(Stdio::null());
        let output = command.envs(session.map(|id| ("CLAUDE_CODE_SESSION_ID", id))).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(file).expect("text")
    }
}

fn id(last: u8) -> String {
    format!("01a20917-6803-711f-8633-8f52a9cce2{last:02}")
}

/// A brain that knows decisions for calls.
async fn brain(calls: &[(&str, Value)]) -> program::Running {
    let brain = Program::brain().start().await;
    for (call, changes) in calls {
        let mut decision = json!({"id": id(1), "skill": "debug", "stage": 0, "decision": "local", "model": "q",
            "reason": "split", "pass_rate": 0.8, "samples": 10, "client_call_id": call});
        decision.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let entry = json!({"skill": "_routing", "final_status": "skip", "decision": decision});
        assert!(!brain.mcp().result("session_log", entry).await.is_error());
    }
    brain
}

#[test]
fn whatever_comes_in_nothing_is_answered_and_nothing_is_held_up() {
    let home = Home::new(&format!("http://127.0.0.1:{}", ports::free()));
    for input in [
        &b""[..],
        b"{",
        b"null",
        b"[1]",
        b"\xff\xfe",
        br#"{"session_id": 1}"#,
        br#"{"session_id": "s", "hook_event_name": 7}"#,
        br#"{"session_id": "s", "hook_event_name": "Stop", "stop_hook_active": "yes", "last_assistant_message": {}}"#,
        br#"{"session_id": "../../s", "hook_event_name": "PostToolUse", "tool_name": "mcp__routing__debug"}"#,
        br#"{"session_id": "s", "hook_event_name": "Unheard", "cwd": "/nonexistent"}"#,
        &vec![b' '; 9_000_000],
    ] {
        let shown = String::from_utf8_lossy(&input[..input.len().min(60)]).into_owned();
        assert_eq!(String::from_utf8_lossy(&home.hook(input).stdout), "", "{shown}");
    }
}

#[test]
fn a_pipe_in_the_place_of_a_projects_file_holds_no_session_up() {
    let home = Home::new(&format!("http://127.0.0.1:{}", ports::free()));
    let pipe = home.folder.path().join(".mcp.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    // Opening it would wait for a writer for ever.
    assert_eq!(home.event("SessionStart", json!({"source": "startup"})), Value::Null);
}

#[test]
fn a_brain_that_never_answers_holds_a_session_up_for_a_few_seconds_only() {
    // It takes connections and says nothing.
    let silent = ports::listener();
    let home = Home::new(&format!("http://{}", silent.local_addr().expect("an address")));
    let began = Instant::now();
    let answer = home.called("t");
    assert!(answer["systemMessage"].as_str().is_some_and(|line| line.contains("too slow")), "{answer}");
    assert!(home.said("+1").contains("not reported: the brain at"));
    for _ in 0..5 {
        home.called("t");
        home.event("UserPromptSubmit", json!({"prompt": "go on"}));
        home.event("Stop", json!({"stop_hook_active": false}));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    println!("17 events with a silent brain: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_brain_of_ours_or_an_earlier_one_is_named_once() {
    let other = Brain::start(PassRate::Status(500)).await;
    let home = Home::new(&other.url());
    let line = home.called("1")["systemMessage"].as_str().unwrap_or_default().to_string();
    assert!(line.contains("is an earlier version of the brain or another program"), "{line}");
    assert_eq!(home.called("2"), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_brain_refuses_is_named() {
    let brain = Program::brain().variable("BRAIN_TOKEN", "t").start().await;
    let home = Home::new(&brain.base_url());
    let line = home.called("1").to_string();
    assert!(line.contains("wants a token: set the plugin's brain_token"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_is_shown_as_one_and_the_answer_that_was_given_is_rated() {
    let failed = json!({"id": id(1), "error": "timeout"});
    let fallback = json!({"id": id(2), "decision": "claude_fallback", "model": "c", "reason": "after_local_error"});
    let brain = brain(&[("t", failed), ("t", fallback)]).await;
    let home = Home::new(&brain.base_url());
    assert_eq!(home.called("t")["systemMessage"], "debug: claude (fallback), c, 0.80 of 10; rate it: +1 / -1");
    assert!(home.said("-1").contains("reported: fail (human) for debug. Pass rate of claude (c)"));
    let stored = get_json(format!("{}/outcomes?skill=debug", brain.base_url())).await;
    assert_eq!(stored["outcomes"][0]["decision_id"], json!(id(2)));
    let modes = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().expect("it is there").permissions().mode() & 0o777
    };
    assert_eq!((modes(&home.state()), modes(&home.state().join("s.json"))), (0o700, 0o600));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_has_nothing_to_rate() {
    let brain = brain(&[("t", json!({}))]).await;
    let home = Home::new(&brain.base_url());
    home.called("t");
    let other = home.event("UserPromptSubmit", json!({"prompt": "+1", "session_id": "other"}));
    assert!(other["stopReason"].as_str().is_some_and(|said| said.contains("nothing to rate")), "{other}");
    let state = std::fs::read_to_string(home.state().join("s.json")).expect("a state");
    assert!(!state.contains("\"by\""), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_gets_the_sessions_decisions_once_and_elsewhere_it_stays_as_it_is() {
    let brain = brain(&[("1", json!({"id": id(1)})), ("2", json!({"id": id(2)}))]).await;
    let home = Home::new(&brain.base_url());
    home.git(&["init", "--quiet", "--initial-branch", DEFAULT_BRANCH, "."]);
    home.called("1");
    home.called("2");
    let expected = format!("subject\n\nRouting-Decision: {}\nRouting-Decision: {}\n", id(1), id(2));
    let message = home.message("subject\n", &[], Some("s"));
    assert_eq!(message, expected);
    assert_eq!(home.message(&message, &["message"], Some("s")), expected, "again");
    for (source, session) in [(&[][..], None), (&[], Some("other")), (&["merge"], Some("s")), (&["squash"], Some("s"))]
    {
        assert_eq!(home.message("subject\n", source, session), "subject\n", "{source:?} {session:?}");
    }
    home.git(&["commit", "--quiet", "--allow-empty", "-m", &expected]);
    assert_eq!(home.message("next\n", &[], Some("s")), "next\n", "the last commit has them");
    home.git(&["checkout", "--quiet", "--orphan", "unrelated"]);
    assert_eq!(home.message("other\n", &[], Some("s")), "other\n", "a commit of another branch has them");
    home.git(&["branch", "--quiet", "-D", DEFAULT_BRANCH]);
    assert_eq!(home.message("subject\n", &[], Some("s")), expected, "no commit has them any more");
}
