//! What a real OpenTelemetry collector receives.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    Policy,
    collector::{Collector, attributes},
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// In every prompt and verdict of these tests, and nowhere else.
const CANARY: &str = "canary-7d1";
/// The caller's trace, and the span in it that the call belongs to.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
/// What the caller's tracing systems pass on beside it.
const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

struct Traced {
    collector: Collector,
    models: Models,
    brain: Running,
    routing: Running,
}

impl Traced {
    /// A data plane and a brain that report to a collector, with a local model of this name.
    async fn start(local: &str) -> Self {
        Self::start_with(local, "claude-model", json!({})).await
    }

    /// The same with this model in Claude's place, and more in the policy.
    async fn start_with(local: &str, claude: &str, mut spec: Value) -> Self {
        let (collector, models) = (Collector::start().await, Models::start().await);
        let brain = with_collector(Program::brain(), &collector).start().await;
        spec["brain"] = json!({"url": brain.base_url()});
        let policy = Policy::at(&models.url()).local(local).claude(claude).spec(spec);
        let routing = with_collector(Program::serve_policy(&policy), &collector).start().await;
        Self { collector, models, brain, routing }
    }

    /// Calls a skill within the caller's trace; the answer's decisions.
    async fn call(&self) -> Vec<Value> {
        let answer = self.call_of("debug", json!({"project_root": "/tmp", "problem": CANARY})).await;
        answer["result"]["_meta"]["routing.hyperguild.io/decisions"].as_array().expect("decisions").clone()
    }

    /// Calls anything within the caller's trace.
    async fn call_of(&self, name: &str, arguments: Value) -> Value {
        let meta = json!({"traceparent": format!("00-{TRACE}-{PARENT}-01"), "tracestate": STATE});
        let params = json!({"name": name, "arguments": arguments, "_meta": meta});
        self.routing.mcp().send("tools/call", params).await.json().await.expect("JSON")
    }

    /// The spans of the caller's trace, once there are so many.
    async fn spans(&self, count: usize) -> Vec<Value> {
        let name = format!("{count} spans");
        let of_trace = || self.collector.spans().into_iter().filter(|span| span["traceId"] == TRACE).collect();
        waiting::until(&name, || std::future::ready(Some(of_trace()).filter(|spans: &Vec<Value>| spans.len() >= count)))
            .await
    }
}

fn with_collector(program: Program, collector: &Collector) -> Program {
    program
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .variable("OTEL_BSP_SCHEDULE_DELAY", "100")
        .variable("OTEL_BLRP_SCHEDULE_DELAY", "100")
        .variable("OTEL_METRIC_EXPORT_INTERVAL", "200")
}

/// The spans as a tree, one line each, without what differs from run to run.
fn tree(spans: &[Value], parent: &str, depth: usize) -> String {
    let mut of_parent: Vec<&Value> = spans.iter().filter(|span| span["parentSpanId"] == parent).collect();
    // The delivery of one part may begin before or after the next part does.
    of_parent.sort_by_key(|span| span["name"] == "log");
    let lines = of_parent.into_iter().map(|span| {
        let mut shown = attributes(span);
        for (name, varying) in [("routing.decision_id", "(id)"), ("server.port", "(port)")] {
            if shown.get(name).is_some() {
                shown[name] = json!(varying);
            }
        }
        let id = span["spanId"].as_str().expect("an id");
        let (name, kind) = (span["name"].as_str().expect("a name"), &span["kind"]);
        format!("{}{name} kind={kind} {shown}\n{}", "  ".repeat(depth), tree(spans, id, depth + 1))
    });
    lines.collect()
}

#[tokio::test]
async fn a_call_is_one_trace_with_a_span_for_each_of_its_parts_and_no_text_of_anybody() {
    let it = Traced::start("status-500").await;
    let decisions = it.call().await;
    assert_eq!(decisions.len(), 2, "local failed, Claude answered");
    // Seven of the data plane, and one of the brain for each of its three requests.
    let spans = it.spans(10).await;
    assert!(spans.iter().all(|span| span["traceState"] == STATE), "what the caller passes on goes on");
    insta::assert_snapshot!("spans", tree(&spans, PARENT, 0));

    // The endpoint of the model is part of the same trace, below the span of its call.
    let sent = it.models.received();
    let traceparents: Vec<_> =
        sent.iter().map(|request| request.headers["traceparent"].to_str().expect("text")).collect();
    assert!(sent.iter().all(|request| request.headers["tracestate"] == STATE));
    for (traceparent, span) in
        traceparents.iter().zip(spans.iter().filter(|span| span["kind"] == 3 && span["name"] != "log"))
    {
        assert_eq!(*traceparent, format!("00-{TRACE}-{}-01", span["spanId"].as_str().expect("an id")));
    }

    // A verdict is an event of the model call's span.
    let id = decisions[1]["id"].as_str().expect("an id");
    let (brain, collector) = (it.brain.mcp(), &it.collector);
    let verdict = json!({"skill": "debug", "phase": "outcome", "final_status": "pass", "source": "human", "decision_id": id, "message": CANARY});
    waiting::until_true("the record reaches the brain, then the verdict", || {
        let (brain, verdict) = (brain.clone(), verdict.clone());
        async move {
            brain.result("session_log", verdict).await;
            it_has(collector, id)
        }
    })
    .await;
    let judged = it.collector.events().into_iter().find(|event| event["spanId"] != "").expect("an event of a span");
    assert_eq!((&judged["eventName"], &judged["traceId"]), (&json!("gen_ai.evaluation.result"), &json!(TRACE)));
    let claude = spans.iter().find(|span| attributes(span)["routing.decision_id"] == *id && span["name"] != "log");
    assert_eq!(judged["spanId"], claude.expect("the span of the call")["spanId"]);
    let mut shown = attributes(&judged);
    shown["routing.decision_id"] = json!("(id)");
    insta::assert_snapshot!("event", format!("{shown:#}"));

    let wanted = ["mcp.server.operation.duration", "gen_ai.client.operation.duration", "routing.decisions"];
    waiting::until_true("the metrics", || {
        let known = it.collector.metrics();
        std::future::ready(wanted.iter().all(|name| known.iter().any(|metric| metric["name"] == *name)))
    })
    .await;
    for signal in ["traces", "logs", "metrics"] {
        for text in [CANARY, "answer of"] {
            assert!(!it.collector.text(signal).contains(text), "{signal}: {text}");
        }
    }
}

#[tokio::test]
async fn judgements_and_refused_calls_are_spans_and_no_name_of_a_caller_is_in_them() {
    let grading = json!({"by": "Claude", "share": "1", "maxPerHour": 5, "rubric": CANARY});
    let spec = json!({"skills": [{"name": "debug", "grading": grading}]});
    let it = Traced::start_with("local-model", "says:pass", spec).await;
    it.call().await;
    // The call has seven with those of the brain; the judgement with its cost and its verdict has five.
    let judged = it.spans(12).await;
    insta::assert_snapshot!("judgement", tree(&judged, PARENT, 0));
    let asked = it.models.received();
    let judge = judged.iter().find(|span| attributes(span)["routing.grading"] == true).expect("the judgement");
    let traceparent = format!("00-{TRACE}-{}-01", judge["spanId"].as_str().expect("an id"));
    assert_eq!(asked.last().expect("the judge").headers["traceparent"], traceparent);

    it.call_of(CANARY, json!({})).await;
    it.call_of("debug", json!({"problem": 5, CANARY: 1})).await;
    let spans = it.spans(judged.len() + 2).await;
    let refused: Vec<Value> = spans.into_iter().filter(|span| !judged.contains(span)).collect();
    insta::assert_snapshot!("refused", tree(&refused, PARENT, 0));
    waiting::until_true("the measurements", || {
        std::future::ready(it.collector.text("metrics").contains("unknown_skill"))
    })
    .await;
    for signal in ["traces", "metrics"] {
        assert!(!it.collector.text(signal).contains(CANARY), "{signal}");
    }
}

/// Whether the collector has the event of a decision's span.
fn it_has(collector: &Collector, id: &str) -> bool {
    collector.events().iter().any(|event| attributes(event)["routing.decision_id"] == id && event["spanId"] != "")
}

#[tokio::test]
async fn a_collector_that_is_away_fails_no_call_and_is_warned_of_once() {
    let mut it = Traced::start("local-model").await;
    it.call().await;
    it.spans(7).await;
    it.collector.stop();
    for _ in 0..5 {
        let before = it.routing.metric("routing_otlp_failed_exports_total{kind=\"unreachable\"}").await;
        let asked = std::time::Instant::now();
        it.call().await;
        assert!(asked.elapsed() < Duration::from_secs(5), "no call waits for the collector");
        waiting::until_true("a failed export is counted", || async {
            it.routing.metric("routing_otlp_failed_exports_total{kind=\"unreachable\"}").await > before
        })
        .await;
    }
    waiting::until_true("dropped spans are counted", || async {
        it.routing.metric("routing_otlp_dropped_spans_total{kind=\"export\"}").await > 0.0
    })
    .await;
    assert_eq!(it.routing.log().matches("the OpenTelemetry collector takes nothing").count(), 1);
    it.collector.start_again().await;
    waiting::until_true("it is back", || async {
        it.call().await;
        it.routing.log().contains("takes spans and metrics again")
    })
    .await;
}

#[tokio::test]
async fn what_is_queued_at_the_end_is_sent() {
    let collector = Collector::start().await;
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).local("local-model").claude("claude-model");
    let mut routing = with_collector(Program::serve_policy(&policy), &collector)
        // Longer than this test.
        .variable("OTEL_BSP_SCHEDULE_DELAY", "600000")
        .start()
        .await;
    routing.mcp().debug(CANARY).await;
    assert_eq!(collector.spans().len(), 0, "they wait");
    routing.signal("INT");
    assert!(routing.ended().await.success());
    let spans = || collector.spans().len();
    waiting::until_true("the spans", || std::future::ready(spans() >= 3)).await;
}

#[tokio::test]
async fn without_a_variable_nothing_is_sent_and_a_callers_trace_goes_on_as_it_came() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).local("local-model").claude("claude-model");
    let routing = Program::serve_policy(&policy).start().await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "debug", "arguments": {"project_root": "/tmp", "problem": CANARY}}});
    // From the HTTP headers.
    let post = routing.mcp().post().header("traceparent", &traceparent).header("tracestate", STATE);
    post.body(body.to_string()).send().await.expect("an answer");
    let received = &models.received()[0].headers;
    assert_eq!(
        (&received["traceparent"], &received["tracestate"]),
        (&traceparent.parse().expect("a value"), &STATE.parse().expect("a value"))
    );
    assert!(!routing.log().contains("OpenTelemetry"), "{}", routing.log());
}
