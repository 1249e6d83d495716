//! Claude Code with `routing connect` beside the project: its model names things, and does not write them out.

use std::{fmt::Write, time::Instant};

use serde_json::{Value, json};
use tests::{clients, connect::git, program, stand_in::messages::Reply};

use super::{ALLOWED, It, LAST};

/// The server is the program beside the project.
fn beside(it: &It) {
    let arguments = ["connect", "--url", &it.routing.mcp_url()];
    let entry = json!({"type": "stdio", "command": program::binary(), "args": arguments});
    it.claude.project_file(".mcp.json", &json!({"mcpServers": {"routing": entry}}).to_string());
}

/// A commit, and a change of about 30 KB after it.
fn changed_project(it: &It) {
    let lines = |word: &str| {
        (0..600).fold(String::new(), |mut text, i| {
            writeln!(text, "    let {word}_{i} = compute({i});").expect("a string takes it");
            text
        })
    };
    let project = it.claude.project();
    git(&project, &["init", "--quiet"]);
    it.claude.project_file("src/lib.rs", &lines("before"));
    git(&project, &["add", "--all"]);
    git(&project, &["commit", "--quiet", "-m", "first"]);
    it.claude.project_file("src/lib.rs", &lines("after"));
}

fn review(arguments: &Value) -> Reply {
    Reply::call("mcp__routing__code_review", arguments.clone())
}

#[tokio::test]
async fn a_model_that_names_a_change_gets_the_review_and_knows_what_it_may_name() {
    let it = It::start([review(&json!({"diff": "HEAD"})), Reply::text(LAST)]).await;
    changed_project(&it);
    beside(&it);
    let run = it.claude.headless("please review", &ALLOWED).await;
    assert_eq!((run.server_status(), run.result()), ("connected", LAST), "{}", run.stderr);
    // On a busy machine the program may be there only after the first request.
    let described = |tool: &tests::stand_in::messages::request::Tool| {
        tool.name == "mcp__routing__code_review" && tool.description.contains("`diff`: A revision or range")
    };
    let requests = it.model.requests();
    assert!(requests.iter().any(|request| request.tools().iter().any(described)), "{:?}", it.model.last().tools());
    let told = it.model.last().text();
    assert!(told.contains("name paths and revisions in the arguments"), "{told}");
    let result = it.model.last().results()[0].clone();
    assert!(
        result.texts[0].starts_with("routing: code_review: local") && result.texts[2] == "answer of l",
        "{result:?}"
    );
    assert!(result.texts[1].starts_with("note of routing connect: read: git diff HEAD ("), "{result:?}");
    assert!(it.models.received()[0].message(1).contains("+    let after_599 = compute(599);"));
    let url = format!("{}/decisions?skill=code_review", it.brain.base_url());
    let record = tests::waiting::until("the record", || async {
        tests::get_json(&url).await["decisions"][0]["decision"].as_object().cloned()
    })
    .await;
    assert_eq!(record["client_call_id"], json!(it.model.uses()[0].id));
    assert_eq!((&record["client_name"], record["client_session"].is_string()), (&json!("claude-code"), true));
}

/// What the paid model has to write for the same review, by a public tokenizer of its maker.
#[tokio::test]
async fn a_review_through_it_costs_the_paid_model_a_fraction_of_the_tokens() {
    let mut spent = vec![];
    for through_connect in [false, true] {
        let it = It::start([]).await;
        changed_project(&it);
        let project = it.claude.project();
        let diff =
            std::process::Command::new("git").arg("-C").arg(&project).args(["diff", "HEAD"]).output().expect("git");
        let diff = String::from_utf8(diff.stdout).expect("text");
        let root = json!(project.display().to_string());
        let arguments = if through_connect {
            beside(&it);
            json!({"diff": "HEAD"})
        } else {
            json!({"project_root": root, "files": [], "diff": diff})
        };
        it.model.say([review(&arguments), Reply::text(LAST)]);
        let began = Instant::now();
        assert_eq!(it.claude.headless("please review", &ALLOWED).await.result(), LAST);
        let took = began.elapsed();
        assert!(it.models.received()[0].message(1).contains("+    let after_599 = compute(599);"), "{through_connect}");
        let written = it.model.uses()[0].input.to_string();
        spent.push((clients::tokens(&written), took, diff.len()));
    }
    let [(written, slow, bytes), (named, quick, _)] = spent[..] else { panic!("two runs") };
    let share = named as f64 / written as f64;
    let goal = if share < 0.02 { "met" } else { "MISSED" };
    println!(
        "a review of a diff of {bytes} bytes: {written} output tokens as arguments ({slow:.1?}), {named} through routing \
         connect ({quick:.1?}), {:.2} %; goal < 2 %: {goal}",
        share * 100.0
    );
    assert!(named < written / 10, "{named} of {written}");
}
