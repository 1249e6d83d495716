//! A template that grows a value in any way, and uses it in any way, costs its own process and its own call.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    Policy, http, memory,
    program::{self, Program},
    stand_in::models::Models,
};

/// Ways in which `a` grows, with what it is at first. Every operator, bracket and filter that makes a larger value of
/// two smaller ones is among them.
const GROWTHS: [(&str, &str); 30] = [
    ("'xy'", "a ~ a"),
    ("'xy'", "a + a"),
    ("'xy'", "a * 9"),
    ("[1,'a']", "a * 9"),
    ("[1,'a']", "[a,a]"),
    ("(1,'a')", "(a,a)"),
    ("{'a':1}", "{1:a,2:a}"),
    ("{'a':1}", "dict(x=a,y=a)"),
    ("[1,'a']", "a + a"),
    ("(1,'a')", "a + a"),
    ("args.list", "a + a"),
    ("args.list", "[a,a,a,a]"),
    ("range(9999)", "[a,a]"),
    ("'xy'", "a|join(a)"),
    ("args.text", "a|join(a)"),
    ("'xy'", "a|replace('x',a)"),
    ("args.text", "a|replace('x',a)"),
    ("args.list", "a|chain(a)"),
    ("args.list", "a|zip(a)|list"),
    ("args.list", "a|batch(1,a)|list"),
    ("args.list", "a|slice(2,a)|list"),
    ("args.text", "a|indent(999)"),
    ("'%s%s'", "a|format(a,a)"),
    ("[1,'a']", "(a|string) ~ (a|string)"),
    ("[1,'a']", "(a|pprint) ~ a"),
    ("args.list", "a|sort + a|reverse"),
    ("args.list", "a|map('string')|list + a"),
    ("args.list", "a[:] + a[::2]"),
    ("'x y'", "a|split('x') + a|split('y')"),
    ("{'a':1}", "a|items|list + a|dictsort"),
];

/// Ways to use it: every filter, test and operator that goes through a value.
const USES: [&str; 40] = [
    "{{ a }}",
    "{{ a|length }}",
    "{{ a|list|length }}",
    "{{ a|string|length }}",
    "{{ a|join('x')|length }}",
    "{{ a|first }}",
    "{{ a|last }}",
    "{{ a|sum }}",
    "{{ a|min }}",
    "{{ a|max }}",
    "{{ a|sort|length }}",
    "{{ a|unique|list|length }}",
    "{{ a|reverse|length }}",
    "{{ a|batch(2)|list|length }}",
    "{{ a|slice(2)|list|length }}",
    "{{ a|groupby(0)|length }}",
    "{{ a|map('string')|list|length }}",
    "{{ a|select|list|length }}",
    "{{ a|reject('odd')|list|length }}",
    "{{ a|selectattr('x')|list|length }}",
    "{{ a|dictsort|length }}",
    "{{ a|items|list|length }}",
    "{{ a|zip(a)|list|length }}",
    "{{ a|pprint|length }}",
    "{{ a|replace('x','yy')|length }}",
    "{{ a|split('')|length }}",
    "{{ a|lines|length }}",
    "{{ a|title|length }}",
    "{{ a|indent(9)|length }}",
    "{{ a|int }}",
    "{{ 1 in a }}",
    "{{ a == a }}",
    "{{ a < a }}",
    "{{ a is eq a }}",
    "{{ a is in [a] }}",
    "{{ a[-1] }}",
    "{{ a[99999999] }}",
    "{{ a[::7]|length }}",
    "{% for x in a %}x{% endfor %}",
    "{% for x in range(9999) %}{% set b %}{{ a }}{% endset %}{% endfor %}",
];

fn growing(start: &str, growth: &str, times: usize, usage: &str) -> String {
    format!("{{% set a = {start} %}}{}{usage}", format!("{{% set a = {growth} %}}").repeat(times))
}

/// How the process that renders a template ends: with its exit code, or with none if a limit ended it.
fn rendered(template: &str) -> Option<i32> {
    let input = json!({"args": {"text": "x".repeat(1_000_000), "list": vec!["x"; 10_000]}, "files": [], "session": []});
    let job = json!({"template": template, "input": input}).to_string();
    let mut command = Command::new(program::binary());
    // As the data plane starts it.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    command.arg("render-prompt").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a process");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("a pipe").write_all(job.as_bytes());
    child.wait().expect("an end").code()
}

/// A prompt, a refusal, or the end of the process by a limit (a panic included: 101).
#[test]
fn a_value_that_grows_and_is_used_in_any_way_ends_its_own_process_at_most() {
    let uses = USES.len();
    // Each growth with each use would be 1,200; so each with every eleventh, shifted by one: every use meets many of them.
    let all: Vec<String> = GROWTHS
        .iter()
        .enumerate()
        .flat_map(|(i, (start, growth))| (i % 11..uses).step_by(11).map(move |u| growing(start, growth, 60, USES[u])))
        .collect();
    let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(template) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let code = rendered(template);
                    assert!(matches!(code, Some(0 | 3 | 101) | None), "{template}: {code:?}");
                    ended.fetch_add(usize::from(matches!(code, Some(101) | None)), Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} templates, {} ended by a limit of their process", all.len(), ended.into_inner());
}

fn skill(name: &str, user: &str) -> Value {
    json!({"name": name, "description": "a skill", "inputSchema": {"type": "object", "properties": {"text": {}}},
        "stages": [{"system": {"text": "s"}, "user": user}]})
}

/// Skills that take endless time, or all memory, and one as others are.
fn skills() -> Value {
    json!([
        skill(
            "endless",
            &growing("[]", "[a,a]", 60, "{{ a|length }}{% if a == [a] %}{% endif %}{{ a|string|length }}")
        ),
        skill("memory", &growing("'0123456789'", "[a,a]", 60, "{{ a|join('x') }}")),
        skill("innocent", "{{ args|length ~ ' arguments' }}"),
    ])
}

#[tokio::test]
async fn a_template_without_end_costs_its_own_call_and_others_are_answered_meanwhile() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(json!({"skills": skills()}))).start().await;
    let mcp = routing.mcp();
    let hostile = join_all((0..12).map(|i| mcp.result(["endless", "memory"][i % 2], json!({}))));
    let innocent = async {
        for _ in 0..10 {
            let result = mcp.result("innocent", json!({})).await;
            assert_eq!(result.text(0), "answer of l");
            for page in ["livez", "readyz"] {
                let url = format!("http://127.0.0.1:{}/{page}", routing.ports.admin);
                assert_eq!(http().get(url).send().await.expect("an answer").status(), 200);
            }
        }
    };
    let (hostile, ()) = tokio::join!(hostile, innocent);
    for result in hostile {
        let text = result.text(0);
        assert!(result.is_error() && text.contains("the prompt of stage 1 could not be rendered: it "), "{text}");
        // Its own limits end it, or, where this machine is busy, those of the call.
        let own = text.ends_with("make its values smaller; fix its stages[0].user in the policy");
        assert!(own || text.ends_with("the template takes long, or this machine is busy"), "{text}");
    }
    assert_eq!(models.received().len(), 10, "no model was asked for the others");
    assert!(routing.peak_mib() < memory::DATA_PLANE_MIB, "{} MiB", routing.peak_mib());
}

#[tokio::test]
async fn a_reload_gives_a_skill_no_more_places_and_waiting_counts_as_time_of_the_call() {
    let models = Models::start().await;
    let timeouts = json!({"timeouts": {"total": "4s", "local": "2s"}});
    let with = |claude: &str| {
        Policy::at(&models.url()).claude(claude).spec(timeouts.clone()).spec(json!({"skills": skills()}))
    };
    let routing = Program::serve_policy(&with("c")).start().await;
    let hash = routing.status().await["configHash"].clone();
    let mcp = routing.mcp();
    let call = |i: usize| {
        let mcp = mcp.clone();
        tokio::spawn(async move {
            let began = std::time::Instant::now();
            let result = mcp.result("memory", json!({"text": i})).await;
            (result.text(0).to_string(), began.elapsed())
        })
    };
    let mut hostile: Vec<_> = (0..6).map(call).collect();
    std::fs::write(routing.folder().join("policy.yaml"), with("other").to_string()).expect("written");
    tests::waiting::until_true("the new config", || async { routing.status().await["configHash"] != hash }).await;
    hostile.extend((6..12).map(call));
    // Two places are left for it, however many the other skill would take.
    assert_eq!(mcp.result("innocent", json!({})).await.text(0), "answer of l");
    for call in hostile {
        let (text, took) = call.await.expect("an answer");
        assert!(text.contains("the prompt of stage 1 could not be rendered: "), "{text}");
        assert!(took < std::time::Duration::from_secs(30), "4 s, on a slow machine, and not once more: {took:?}");
    }
}

#[tokio::test]
async fn the_largest_prompt_is_rendered() {
    let models = Models::start().await;
    let echo = json!([skill("echo", "{{ args.text ~ '' }}")]);
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(json!({"skills": echo}))).start().await;
    let text = "ä".repeat(2_000_000);
    assert_eq!(routing.mcp().result("echo", json!({"text": text})).await.text(0), "answer of l");
    assert!(models.received()[0].message(1) == text);
}
