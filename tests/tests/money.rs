//! What calls use, cost and save: in answers, metrics, records and `routing report`, with the real programs.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    Policy, get_json, ports,
    program::{self, Program, Running},
    stand_in::models::Models,
    waiting,
};

/// 11 tokens in and 7 out, at 3 and 15 dollars a million.
const OF_CLAUDE: f64 = (11.0 * 3.0 + 7.0 * 15.0) / 1e6;
/// The same at 1 and 2 dollars.
const OF_GRADER: f64 = (11.0 + 7.0 * 2.0) / 1e6;

struct It {
    routing: Running,
    brain: Running,
    _models: Models,
}

impl It {
    async fn start(models: Value, skills: Value) -> Self {
        let (stand_in, brain) = (Models::start().await, Program::brain().start().await);
        let spec = json!({"brain": {"url": brain.base_url()}, "models": models, "skills": skills});
        let routing = Program::serve_policy(&Policy::at(&stand_in.url()).spec(spec)).start().await;
        Self { routing, brain, _models: stand_in }
    }

    async fn call(&self, skill: &str, problem: &str) -> Value {
        let arguments = match skill {
            "debug" => json!({"project_root": "/tmp", "problem": problem}),
            _ => json!({"project_root": "/tmp", "files": [], "diff": problem}),
        };
        self.routing.mcp().result(skill, arguments).await.0["_meta"]["routing.hyperguild.io/decisions"].clone()
    }

    /// The report, once it has so many model calls.
    async fn report(&self, model_calls: u64) -> Value {
        let url = format!("{}/api/v1/report?since=1h", self.brain.base_url());
        let url = url.as_str();
        waiting::until("the report", || async move {
            let report = get_json(url).await;
            let lines = report["total"]["lines"].as_array().expect("lines").clone();
            let calls: u64 = lines.iter().filter_map(|line| line["calls"].as_u64()).sum();
            (calls == model_calls).then_some(report)
        })
        .await
    }

    fn printed(&self, more: &[&str]) -> (bool, String) {
        let url = self.brain.base_url();
        let arguments = [&["report", "--brain-url", &url, "--since", "1h"][..], more].concat();
        printed(&arguments)
    }
}

fn printed(arguments: &[&str]) -> (bool, String) {
    let output = program::run(arguments, &[], Path::new("/tmp"));
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).expect("UTF-8"))
}

fn near(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() < 1e-9)
}

fn line<'a>(report: &'a Value, name: &str) -> &'a Value {
    let lines = report["total"]["lines"].as_array().expect("lines");
    lines.iter().find(|line| line["line"] == name).unwrap_or_else(|| panic!("no line {name}: {report}"))
}

#[tokio::test]
async fn what_a_call_used_and_cost_is_in_its_answer_in_metrics_and_in_the_report() {
    let models = json!({"claude": {"price": {"input": "3", "output": "15"}},
        "grader": {"name": "says:PASS", "price": {"input": "1", "output": "2"}}});
    let graded =
        json!({"name": "debug", "grading": {"share": "1", "maxPerHour": 9, "rubric": "Right.", "by": "Grader"}});
    let it = It::start(models, json!([graded, {"name": "code_review", "route": "Claude"}])).await;
    for i in 0..3 {
        let decisions = it.call("debug", &format!("problem {i}")).await;
        assert_eq!((&decisions[0]["tokensIn"], &decisions[0]["tokensOut"]), (&json!(11), &json!(7)), "{decisions}");
        assert!(decisions[0].get("costUsd").is_none(), "nobody says what the local model costs: {decisions}");
        // One judgement at a time, so that none is left out as one too many.
        it.report(2 * (i + 1)).await;
    }
    let decisions = it.call("code_review", "+x").await;
    assert!(near(&decisions[0]["costUsd"], OF_CLAUDE), "{decisions}");

    let report = it.report(7).await;
    assert_eq!((&report["total"]["calls"], &report["total"]["share_local"]), (&json!(4), &json!(0.75)));
    assert!(near(&line(&report, "claude")["cost_usd"], OF_CLAUDE), "{report}");
    assert!(near(&line(&report, "grading")["cost_usd"], 3.0 * OF_GRADER), "{report}");
    assert_eq!(line(&report, "local")["tokens"], json!({"in": 33, "cached": 0, "out": 21}));
    let debug = report["skills"].as_array().expect("skills").iter().find(|skill| skill["skill"] == "debug");
    let saved = &debug.expect("debug")["saved"];
    assert!(
        near(&saved["would_usd"], 3.0 * OF_CLAUDE) && near(&saved["usd"], 3.0 * (OF_CLAUDE - OF_GRADER)),
        "{saved}"
    );
    assert_eq!(saved["basis"], "local_length", "Claude has answered none of this skill");

    for (metric, expected) in [
        (r#"routing_tokens_total{skill="debug",model="l",arm="local",kind="in"}"#, 33.0),
        (r#"routing_tokens_total{skill="code_review",model="c",arm="claude",kind="out"}"#, 7.0),
        (r#"routing_cost_usd_total{skill="code_review",model="c",arm="claude"}"#, OF_CLAUDE),
        (r#"routing_cost_usd_total{skill="debug",model="says:PASS",arm="grader"}"#, 3.0 * OF_GRADER),
    ] {
        let found = it.routing.metric(metric).await;
        assert!((found - expected).abs() < 1e-9, "{metric}: {found}");
    }
    let (ok, table) = it.printed(&[]);
    assert!(ok && table.starts_with("routing, last 1h: 4 calls, 75 % answered at home, "), "{table}");
    assert!(table.contains("judgements of answers") && table.contains("Saved is what the calls"), "{table}");
    let (_, markdown) = it.printed(&["--output", "markdown"]);
    assert!(
        markdown.contains("| code\\_review | 1 | 0 % |") && markdown.starts_with("### routing, last 1h"),
        "{markdown}"
    );
    let (_, raw) = it.printed(&["--output", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&raw).expect("JSON")["total"], report["total"]);
    let savings = it.routing.status().await["savings"].clone();
    assert_eq!((&savings["since"], &savings["calls"], &savings["shareLocal"]), (&json!("7d"), &json!(4), &json!(0.75)));
    assert!(near(&savings["savedUsd"], 3.0 * (OF_CLAUDE - OF_GRADER)), "{savings}");
    let admin = format!("http://127.0.0.1:{}", it.routing.ports.admin);
    let (_, screen) = printed(&["status", "--url", &admin]);
    assert!(screen.contains("Last 7d: 4 calls, 75 % answered at home"), "{screen}");
    let series = get_json(format!("{}/api/v1/series?since=1h", it.brain.base_url())).await;
    let points = series["points"].as_array().expect("points");
    let sum = |field: &str| points.iter().filter_map(|point| point[field].as_u64()).sum::<u64>();
    assert_eq!((sum("local"), sum("claude")), (3, 1), "{series}");
}

/// What the gateway reports comes first, and an answer that cannot be used was paid for, too.
#[tokio::test]
async fn the_gateways_cost_counts_and_a_failed_attempt_is_on_a_line_of_its_own() {
    let price = json!({"input": "3", "output": "15"});
    let models =
        json!({"local": {"name": "filtered", "price": price}, "claude": {"name": "costs:0.25", "price": price}});
    let it = It::start(models, json!([{"name": "debug"}])).await;
    let decisions = it.call("debug", "x").await;
    assert!(near(&decisions[0]["costUsd"], OF_CLAUDE) && near(&decisions[1]["costUsd"], 0.25), "{decisions}");
    let report = it.report(2).await;
    assert!(near(&line(&report, "local_failed")["cost_usd"], OF_CLAUDE), "{report}");
    assert!(near(&line(&report, "fallback")["cost_usd"], 0.25), "{report}");
    let fallbacks = json!({"calls": 1, "why": {"filtered": 1}});
    assert_eq!((&report["total"]["fallbacks"], &report["total"]["saved"]), (&fallbacks, &json!(null)));
}

#[tokio::test]
async fn a_report_that_cannot_be_had_says_why() {
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    let other = Program::serve().start().await;
    let brain = Program::brain().variable("BRAIN_TOKEN", "t").start().await;
    for (url, since, said) in [
        (nobody.clone(), "7d", "the report is not known: the brain at "),
        (nobody, "week", "--since: week: must be a whole number with a unit"),
        (other.base_url(), "7d", "keeps no costs (404): it is an earlier version of the brain"),
        (brain.base_url(), "7d", "wants a token (401), and BRAIN_TOKEN is not set"),
    ] {
        let (ok, printed) = printed(&["report", "--brain-url", &url, "--since", since]);
        assert!(!ok && printed.contains(said), "{said}: {printed}");
    }
}
