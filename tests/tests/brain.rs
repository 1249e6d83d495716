//! The brain as a program: durable before it acknowledges, guarded by its token, limited in what it accepts.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tests::{
    get_json, http,
    program::{self, Program},
    waiting,
};

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_writes_loses_no_acknowledged_entry() {
    let mut brain = Program::brain().start().await;
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
    for round in 1..=3 {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let (mcp, acknowledged, stop) = (brain.mcp(), Arc::clone(&acknowledged), Arc::clone(&stop));
                tokio::spawn(async move {
                    let entry = json!({"skill": "debug", "final_status": "pass", "session_id": "crash"});
                    let call = json!({"name": "session_log", "arguments": entry});
                    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).to_string();
                    while !stop.load(Ordering::Relaxed) {
                        let Ok(response) = mcp.post().body(body.clone()).send().await else { break };
                        let Ok(message) = response.json::<Value>().await else { break };
                        if let Some(id) = message["result"]["_meta"]["routing.hyperguild.io/logged"]["id"].as_str() {
                            acknowledged.lock().expect("no writer panics").push(id.to_string());
                        }
                    }
                })
            })
            .collect();
        waiting::until_true("some entries", || async {
            acknowledged.lock().expect("no writer panics").len() >= 60 * round
        })
        .await;
        brain.crash_and_restart().await;
        stop.store(true, Ordering::Relaxed);
        futures::future::join_all(writers).await;
    }
    let acknowledged = acknowledged.lock().expect("no writer panics").clone();
    let rate: Value = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await;
    let session: Value = get_json(format!("{}/sessions/crash", brain.base_url())).await;
    let kept: Vec<&str> =
        session["entries"].as_array().expect("a list").iter().filter_map(|entry| entry["id"].as_str()).collect();
    // A session shows its latest 500 entries; the counts hold all of them.
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| kept.first().is_some_and(|oldest| id.as_str() >= *oldest))
        .filter(|id| !kept.contains(&id.as_str()))
        .collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    let total = rate["total"].as_u64().expect("a number");
    assert!(total >= acknowledged.len() as u64, "{total} of {}", acknowledged.len());
    println!("{} acknowledged in three rounds, {total} kept", acknowledged.len());
}

#[tokio::test]
async fn the_token_guards_logging_and_sessions_but_not_pass_rates() {
    let brain = Program::brain().variable("BRAIN_TOKEN", " brain-token\n").start().await;
    let entry = json!({"skill": "debug", "final_status": "pass", "session_id": "s"});
    let refused = brain.mcp().send("tools/call", json!({"name": "session_log", "arguments": entry})).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["www-authenticate"].to_str().unwrap_or_default()),
        (401, r#"Bearer realm="routing""#)
    );
    let sessions = format!("{}/sessions/s", brain.base_url());
    assert_eq!(http().get(&sessions).send().await.expect("an answer").status(), 401);
    assert!(!brain.mcp().token("brain-token").result("session_log", entry).await.is_error());
    let session = http().get(&sessions).bearer_auth("brain-token").send().await.expect("an answer");
    assert_eq!(session.json::<Value>().await.expect("JSON")["entries"].as_array().map(Vec::len), Some(1));
    for open in ["/pass-rate?skill=debug", "/healthz"] {
        assert_eq!(
            http().get(format!("{}{open}", brain.base_url())).send().await.expect("an answer").status(),
            200,
            "{open}"
        );
    }
    let reported = |token: &str| {
        let arguments = ["outcome", "debug", "fail", "--brain-url", &brain.base_url()];
        program::run(&arguments, &[("BRAIN_TOKEN", token)], brain.folder()).status.success()
    };
    assert!(reported("brain-token") && !reported("other"));
}

#[tokio::test]
async fn invalid_entries_are_refused_with_the_argument_and_not_stored() {
    let brain = Program::brain().start().await;
    for (arguments, named) in [
        (json!({"final_status": "pass"}), "skill"),
        (json!({"skill": "debug"}), "final_status"),
        (json!({"skill": "debug", "final_status": "good"}), "argument final_status"),
        (json!({"skill": "a\u{202e}b", "final_status": "pass"}), "argument skill"),
        (
            json!({"skill": "debug", "final_status": "pass", "message": "a\0b"}),
            "argument message: contains the character U+0000",
        ),
        (json!({"skill": "debug", "final_status": "pass", "message": "x".repeat(5000)}), "argument message"),
        (
            json!({"skill": "debug", "final_status": "pass", "decision": {"x": "y".repeat(20_000)}}),
            "argument decision: is",
        ),
        (json!({"skill": "debug", "final_status": "pass", "outcome": "yes"}), "outcome"),
    ] {
        let result = brain.mcp().result("session_log", arguments).await;
        assert!(
            result.is_error() && result.text(0).starts_with("nothing was logged: ") && result.text(0).contains(named),
            "{result:?}"
        );
    }
    let unknown = brain.mcp().call("session_logg", json!({})).await;
    assert_eq!(unknown["error"]["message"], "unknown tool: session_logg; available: session_log");
    for (query, status) in [
        ("", 400),
        ("?skill=", 400),
        ("?skill=debug&window=7w", 400),
        ("?skill=debug&window=0s", 400),
        ("?skill=a%20b&window=1h", 200),
        ("?skill=debug", 200),
    ] {
        let response = http().get(format!("{}/pass-rate{query}", brain.base_url())).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{query}");
        let body: Value = response.json().await.expect("JSON");
        assert!(status == 400 || body["total"] == json!(0), "{query}: {body}");
        assert!(status == 200 || body["error"].is_string(), "{query}: {body}");
    }
    let foreign =
        brain.mcp().post().header("origin", "http://evil.example").body("{}").send().await.expect("an answer");
    assert_eq!(foreign.status(), 403, "a page cannot report outcomes");
    let sessions = format!("{}/sessions/s", brain.base_url());
    for (site, status) in [("same-origin", 403), ("cross-site", 403), ("none", 200)] {
        let response = http().get(&sessions).header("sec-fetch-site", site).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{site}: a page whose name was rebound to this address");
    }
    for (limit, status) in [("1", 200), ("500", 200), ("0", 400), ("501", 400), ("x", 400)] {
        let response = http().get(format!("{sessions}?limit={limit}")).send().await.expect("an answer");
        assert_eq!(response.status(), status, "{limit}");
    }
}

#[test]
fn an_unwritable_data_folder_and_a_taken_port_prevent_the_start_and_name_the_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("written");
    let database =
        [("BRAIN_DATABASE_URL", "sqlite:file/brain.db"), ("BRAIN_BIND", "127.0.0.1"), ("BRAIN_PORT", "3300")];
    let output = program::run(&["brain"], &database, folder.path());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && printed.contains("file/brain.db") && printed.contains("BRAIN_DATABASE_URL"),
        "{printed}"
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = program::run(&["brain"], &[("BRAIN_BIND", "127.0.0.1"), ("BRAIN_PORT", &port)], folder.path());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && printed.contains(&port) && printed.contains("BRAIN_PORT"), "{printed}");
}

#[tokio::test]
async fn an_interrupt_stops_the_brain_cleanly_and_the_next_start_has_all_entries() {
    let mut brain = Program::brain().start().await;
    for _ in 0..5 {
        brain.mcp().result("session_log", json!({"skill": "debug", "final_status": "fail"})).await;
    }
    brain.signal("INT");
    assert!(brain.ended().await.success());
    brain.crash_and_restart().await;
    let rate: Value = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await;
    assert_eq!((&rate["fail"], &rate["pass_rate"]), (&json!(5), &json!(0.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_of_a_call_need_the_token_and_what_cannot_be_asked_is_refused_in_a_sentence() {
    let brain = Program::brain().variable("BRAIN_TOKEN", "t").start().await;
    let url = |query: &str| format!("{}/decisions?{query}", brain.base_url());
    assert_eq!(http().get(url("call=x")).send().await.expect("an answer").status(), 401);
    let long = format!("call={}", "x".repeat(257));
    for (query, status, said) in [
        ("call=x", 200, r#"{"call":"x","decisions":[]}"#),
        (&*long, 400, r#"{"error":"call: must have 1 to 256 characters"}"#),
        ("call=", 400, r#"{"error":"call: must have 1 to 256 characters"}"#),
        ("call=x&limit=0", 400, r#"{"error":"limit: must be from 1 to 500"}"#),
        ("call=x&id=y", 400, r#"{"error":"skill, id and call: only one of them can be asked for"}"#),
    ] {
        let answer = http().get(url(query)).bearer_auth("t").send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &*answer.text().await.expect("text")), (status, said), "{query}");
    }
}
