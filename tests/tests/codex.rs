//! The real Codex, as far as it goes without a login: it lists, calls and shows what our server says.

use serde_json::{Value, json};
use tests::{
    Policy,
    codex::Codex,
    connect::git,
    ports,
    program::{self, Program, Running},
    stand_in::{
        models::Models,
        responses::{DONE, ResponsesApi},
    },
    waiting,
};

async fn serving(local: &str, spec: Value) -> (Models, Running) {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).local(local).spec(spec);
    let program =
        Program::serve_policy(&policy).variable("ROUTING_SECRET_VARIABLES", "TOKEN").variable("TOKEN", "s3cret");
    let routing = program.start().await;
    (models, routing)
}

async fn calling_debug() -> ResponsesApi {
    ResponsesApi::that_calls("debug", &json!({"project_root": "/tmp", "problem": "x"})).await
}

fn over_http(url: &str) -> String {
    format!("[mcp_servers.routing]\nurl = \"{url}\"")
}

/// What Codex itself says at the end.
fn last_message(events: &[Value]) -> &Value {
    let mut messages = events.iter().rev().filter(|event| event["item"]["type"] == "agent_message");
    messages.next().map_or(&Value::Null, |event| &event["item"]["text"])
}

#[tokio::test]
async fn its_model_is_told_of_the_skills_calls_one_and_gets_the_decision_first() {
    let (_models, routing) = serving("l", json!({})).await;
    let model = calling_debug().await;
    let events = Codex::new(&model, &over_http(&routing.mcp_url())).run("please debug").await;
    assert_eq!(last_message(&events), DONE, "{events:?}");
    let result = model.result();
    let (line, answer) = (result.find("routing: debug: local (l, not measured)"), result.find("answer of l"));
    assert!(line.is_some() && line < answer, "{result}");
    let told = model.requests()[0]["tools"].to_string();
    assert!(told.contains("When a test, a build or a program fails"), "when to use it: {told}");
}

#[tokio::test]
async fn wrong_arguments_are_told_to_its_model_in_our_words() {
    let (models, routing) = serving("l", json!({})).await;
    let model = ResponsesApi::that_calls("debug", &json!({"project_root": "/tmp"})).await;
    let events = Codex::new(&model, &over_http(&routing.mcp_url())).run("please debug").await;
    assert_eq!(last_message(&events), DONE, "{events:?}");
    assert!(model.result().contains("debug: wrong arguments"), "{}", model.result());
    assert_eq!(models.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn its_end_in_a_call_ends_the_model_call() {
    let (models, routing) = serving("hangs", json!({})).await;
    let model = calling_debug().await;
    let codex = Codex::new(&model, &over_http(&routing.mcp_url()));
    let called = waiting::until_true("the call", || async { models.asked() == ["hangs"] });
    tokio::select! {
        events = codex.run("please debug") => panic!("it ended: {events:?}"),
        // The program is killed when this ends.
        () = called => {}
    }
    waiting::until_true("the model call to end", || async { models.received()[0].abandoned }).await;
    waiting::until_true("the record", || async { routing.log().contains(r#""error":"cancelled""#) }).await;
}

/// It cuts results in their middle; the decision is at their front.
#[tokio::test]
async fn the_decision_survives_where_a_long_answer_is_cut() {
    let (_models, routing) = serving("long", json!({})).await;
    let model = calling_debug().await;
    Codex::new(&model, &over_http(&routing.mcp_url())).run("please debug").await;
    let result = model.result();
    assert!(
        result.len() < 40_000 && result.contains("routing: debug: local (long"),
        "{} bytes: {result}",
        result.len()
    );
    assert!(result.contains("decision_id="), "{result}");
}

#[tokio::test]
async fn through_routing_connect_it_names_what_is_read() {
    let (models, routing) = serving("l", json!({})).await;
    let model = ResponsesApi::that_calls("code_review", &json!({"files": ["a.rs"]})).await;
    let printed = program::run(
        &["connect", "--url", &routing.mcp_url(), "--print-config", "codex"],
        &[],
        std::path::Path::new("/tmp"),
    );
    let codex = Codex::new(&model, &String::from_utf8(printed.stdout).expect("text"));
    git(&codex.project(), &["init", "--quiet"]);
    std::fs::write(codex.project().join("a.rs"), "fn named() {}\n").expect("written");
    let events = codex.run("please review").await;
    assert_eq!(last_message(&events), DONE, "{events:?}");
    assert!(models.received()[0].message(1).contains("fn named() {}"));
    assert!(model.result().contains("answer of l"), "{}", model.result());
}

#[tokio::test]
async fn a_wrong_token_and_a_server_that_is_away_leave_it_without_the_skills() {
    let tokens = json!({"access": {"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]}});
    let (models, routing) = serving("l", tokens).await;
    for url in [routing.mcp_url(), format!("http://127.0.0.1:{}/mcp", ports::free())] {
        let model = calling_debug().await;
        let events = Codex::new(&model, &over_http(&url)).run("please debug").await;
        assert_eq!(last_message(&events), DONE, "{events:?}");
        let tools = model.requests()[0]["tools"].to_string();
        assert!(!tools.contains("mcp__routing"), "{tools}");
    }
    assert_eq!(models.asked(), Vec::<String>::new());
}
