//! A route follows its local model down and up again, with nobody's help: checks judge the answers, shadow calls keep the
//! rate of a model known that gets no calls, and events say what changed and why.

use std::time::{Duration, Instant};

use crds::policy::{RouteStatus, RoutingPolicyStatus};
use serde_json::{Value, json};
use tests::{checkout, mcp::Mcp, policies::Policies, policy::merged, stand_in::model_pod::SAYS, waiting};

use crate::setup::{self, BRAIN_TOKEN};

const NAMESPACE: &str = "e2e-follow";
const SKILL: &str = "follow";
const GOOD: &str = "right";
const BAD: &str = "wrong";
/// Time between two calls.
const PACE: Duration = Duration::from_millis(100);
/// How long a change of the model may take to change the route.
const FOLLOWED: Duration = Duration::from_secs(300);

/// A local model of the namespace's own: the other tests' one must stay as it is.
fn local_model() {
    let manifest = std::fs::read_to_string(checkout().join("tests/tests/e2e/models/stand-in.yaml")).expect("a file");
    let (_namespace, model) = manifest.split_once("\n---\n").expect("the namespace comes first");
    setup::cluster().apply(NAMESPACE, model);
    becomes(GOOD);
}

/// From now on the local model's answers end with this word.
fn becomes(word: &str) {
    let says = format!("{SAYS}={word}");
    setup::cluster().kubectl(&["--namespace", NAMESPACE, "set", "env", "deployment/stand-in", &says]).expect_worked();
    setup::rolled_out(NAMESPACE, "stand-in");
}

/// Calls the skill until a call goes there by the pass rate, and waits until the status shows it; returns how many calls
/// that took.
async fn called_until(policies: &Policies, url: &str, route: RouteStatus, first: usize) -> usize {
    let (mut call, began) = (first, Instant::now());
    let there = json!(route.as_str().to_lowercase());
    loop {
        let result = Mcp::new(url).result(SKILL, json!({"n": call.to_string()})).await;
        assert!(!result.is_error() && !result.text(0).ends_with(BAD), "a caller got a wrong answer: {result:?}");
        call += 1;
        if result.decisions("decision") == [there.clone()] && result.decisions("reason") != [json!("split")] {
            break;
        }
        assert!(began.elapsed() < FOLLOWED, "after {call} calls none goes to {route:?}: {result:?}");
        // Calls of a person come slower than rates are asked for.
        tokio::time::sleep(PACE).await;
    }
    let shown = |status: &RoutingPolicyStatus| status.skills.iter().any(|s| s.name == SKILL && s.route == route);
    policies.wait_for("follow", "the route in the status", shown).await;
    call
}

fn events(reason: &str) -> Vec<String> {
    let selected = format!("--field-selector=reason={reason}");
    let arguments = ["--namespace", NAMESPACE, "get", "events", "--sort-by=metadata.creationTimestamp", &selected];
    let listed = setup::cluster().kubectl(&[&arguments[..], &["-o", "json"]].concat()).expect_worked();
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let messages = listed["items"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
    messages.map(Into::into).collect()
}

#[tokio::test]
async fn a_route_follows_its_local_model_down_and_up_again_hands_off_and_events_say_so() {
    setup::brain().await;
    let policies = setup::prepared(NAMESPACE).await;
    setup::secret(NAMESPACE, "brain", &[("TOKEN", BRAIN_TOKEN)]);
    local_model();
    let skill = merged(
        setup::skill(SKILL, json!({"text": "s"})),
        json!({"check": {"pattern": format!("{GOOD}$|stand-in for claude"), "counts": "Both"}, "onFailedCheck": "Claude",
            "inputSchema": {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]},
            "stages": [{"system": {"text": "s"}, "user": "{{ args.n }}"}]}),
    );
    // A local model's name of this run alone: its evidence begins anew.
    let local = format!("local-{}", std::process::id());
    policies.apply(
        "follow",
        &setup::spec(json!({
            "models": {"local": {"name": local, "upstream": {"url": format!("http://stand-in.{NAMESPACE}:4000")}}},
            "brain": setup::brain_with_token_of("brain"),
            "evidence": {"ttl": "1s", "minSamples": 10, "exploration": {"mode": "Shadow", "share": "1"}},
            "skills": [skill],
        })),
    );
    let url = setup::served(&policies, "follow").await;
    for call in 0..20 {
        Mcp::new(&url).result(SKILL, json!({"n": call.to_string()})).await;
    }
    let measured = |status: &RoutingPolicyStatus| status.skills.iter().any(|skill| skill.pass_rate.is_some());
    policies.wait_for("follow", "a pass rate", measured).await;

    let began = Instant::now();
    becomes(BAD);
    let down = called_until(&policies, &url, RouteStatus::Claude, 20).await;
    let (down_after, began) = (began.elapsed(), Instant::now());
    becomes(GOOD);
    let up = called_until(&policies, &url, RouteStatus::Local, down).await;
    println!(
        "followed down in {:.0} s by {} calls, and up in {:.0} s by {} calls",
        down_after.as_secs_f64(),
        down - 20,
        began.elapsed().as_secs_f64(),
        up - down
    );
    waiting::until_true("the events", || async { events("RouteChanged").len() >= 2 }).await;
    let events = events("RouteChanged");
    println!("{}", events.join("\n"));
    assert!(
        events.iter().any(|event| event.contains("→ Claude: 0.") && event.ends_with("is below 0.70")),
        "{events:?}"
    );
    let last = events.last().expect("an event");
    assert!(last.contains("→ Local: 0.9") && last.contains(" is at or above 0.90"), "{events:?}");
    setup::let_go(NAMESPACE);
}
