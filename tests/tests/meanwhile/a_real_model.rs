//! A language model that really runs, behind the real LiteLLM: its answers are checked, nobody reports, and each skill's
//! calls go where its measured pass rate sends them. Only Claude is a stand-in.

use std::{sync::Mutex, time::Duration};

use serde_json::{Value, json};
use tests::{
    Policy, get_json,
    language_model::{self, LanguageModel},
    litellm::{KEY, LiteLlm},
    mcp::CallResult,
    program::{Program, Running},
    waiting,
};

const CLAUDE: &str = "claude-sonnet-4-6";
/// Calls of each skill.
const CALLS: usize = 200;
const CITIES: [&str; 10] =
    ["Paris", "Lyon", "Nice", "Toulouse", "Bordeaux", "Lille", "Nantes", "Marseille", "Strasbourg", "Rennes"];
const NAMES: [&str; 8] = ["Ada", "Bob", "Carol", "Dan", "Eve", "Frank", "Grace", "Heidi"];

/// A skill whose answers can be checked by a program.
struct Task {
    name: &'static str,
    system: &'static str,
    question: fn(usize) -> String,
    check: Value,
}

/// From easy to hard for so small a model.
fn tasks() -> [Task; 3] {
    let person = json!({"type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "minimum": 0}}});
    [
        Task {
            name: "language",
            system: "You are good at geography. Answer with one short sentence.",
            question: |n| {
                format!(
                    "Question {n}: which language do people speak in the French city of {}?",
                    CITIES[n % CITIES.len()]
                )
            },
            check: json!({"pattern": "\\bFrench\\b"}),
        },
        Task {
            name: "person",
            system: r#"Reply with JSON alone, of the form {"name": "Tom", "age": 30}."#,
            question: |n| {
                let (name, age) = (NAMES[n % NAMES.len()], 18 + n % 60);
                format!("Extract the name and the age: {name}, who turned {age} in May, lives in Oslo.")
            },
            check: json!({"jsonSchema": person}),
        },
        Task {
            name: "sum",
            system: "Answer with one number and nothing else.",
            question: |n| format!("What is {} + {}?", n + 201, 799 - n),
            check: json!({"pattern": "\\b1,?000\\b"}),
        },
    ]
}

impl Task {
    fn skill(&self) -> Value {
        let check = tests::policy::merged(self.check.clone(), json!({"counts": "Both"}));
        json!({"name": self.name, "description": self.name, "check": check, "onFailedCheck": "Claude",
            "inputSchema": {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}},
            "stages": [{"system": {"text": self.system}, "user": "{{ args.question }}"}]})
    }
}

/// Everything around the model.
struct Stack {
    routing: Running,
    brain: Running,
    _proxy: LiteLlm,
    _model: LanguageModel,
}

impl Stack {
    async fn start() -> Self {
        let model = LanguageModel::start().await;
        let at = [("SMOLLM2_BASE_URL", &*format!("{}/v1", model.url()))];
        let proxy = LiteLlm::start("tests/litellm/real_model.yaml", &at).await;
        let brain = Program::brain().start().await;
        let policy = Policy::at(&proxy.url()).local(language_model::NAME).claude(CLAUDE).spec(json!({
            "upstream": {"apiKeySecretRef": {"name": "s", "key": "LITELLM_API_KEY"}},
            "models": {"local": {"parameters": {"max_tokens": 24, "temperature": 0}}},
            "brain": {"url": brain.base_url()},
            "evidence": {"ttl": "200ms", "minSamples": 20, "exploration": {"mode": "Live", "share": "0.1"}},
            "skills": tasks().map(|task| task.skill()),
        }));
        let routing =
            Program::serve_policy(&policy).variable("LITELLM_API_KEY", KEY).variable("RUST_LOG", "warn").start().await;
        Self { routing, brain, _proxy: proxy, _model: model }
    }

    /// Calls a skill [`CALLS`] times, one call after the other.
    async fn calls(&self, task: &Task) -> Seen {
        let mut seen = Seen::default();
        for n in 0..CALLS {
            let result = self.routing.mcp().result(task.name, json!({"question": (task.question)(n)})).await;
            assert!(!result.is_error(), "{}: {result:?}", task.name);
            seen.add(&result);
        }
        seen
    }

    /// The skill's rate, once every answer of the local model has its verdict.
    async fn rate(&self, skill: &str, local: u64) -> Value {
        let model = language_model::NAME;
        let url = format!("{}/pass-rate?skill={skill}&local={model}&claude={CLAUDE}", self.brain.base_url());
        let last = Mutex::new(json!(null));
        let said = || format!("{skill}: {local} local answers, of which are judged: {}", last.lock().expect("whole"));
        let probe = || async {
            let rate = get_json(&url).await;
            *last.lock().expect("whole") = rate.clone();
            let judged = |verdict: &str| rate[verdict].as_u64().unwrap_or_default();
            (judged("pass") + judged("fail") == local).then_some(rate)
        };
        waiting::until_or_say(Duration::from_secs(30), probe, said).await
    }

    /// Where the skill's calls go.
    async fn route(&self, skill: &str) -> String {
        let status = self.routing.status().await;
        let mut skills = status["skills"].as_array().into_iter().flatten();
        let found = skills.find(|found| found["name"] == skill).expect("the skill");
        found["route"].as_str().expect("a route").into()
    }
}

/// What a skill's calls were answered with.
#[derive(Default)]
struct Seen {
    answers: Vec<String>,
    local: u64,
    escalated: u64,
    claude: u64,
}

impl Seen {
    fn add(&mut self, result: &CallResult) {
        self.answers.push(result.text(0).into());
        let decisions = result.decisions("decision");
        let count = |of: &str| decisions.iter().filter(|decision| **decision == of).count() as u64;
        self.local += count("local");
        self.escalated += count("claude_escalation");
        self.claude += count("claude");
    }
}

/// The rule of the contract.
fn route_by(rate: f64) -> &'static str {
    match rate {
        rate if rate >= 0.9 => "local",
        rate if rate < 0.7 => "claude",
        _ => "split",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_skill_ends_where_the_checks_of_a_real_models_answers_send_it_and_nobody_reports() {
    let stack = Stack::start().await;
    let tasks = tasks();
    let [language, person, sum] = &tasks;
    let (language, person, sum) = tokio::join!(stack.calls(language), stack.calls(person), stack.calls(sum));
    println!("{:<8} {:>6} {:>10} {:>7} {:>10}  route", "skill", "local", "escalated", "claude", "pass rate");
    for (task, seen) in tasks.iter().zip([&language, &person, &sum]) {
        let rate = stack.rate(task.name, seen.local).await;
        assert_eq!(rate["fail"], seen.escalated, "{}: what failed went on to Claude: {rate}", task.name);
        let measured = rate["pass_rate"].as_f64().expect("measured");
        let expected = route_by(measured);
        waiting::until_true("the rate to count", || async { stack.route(task.name).await == expected }).await;
        let Seen { local, escalated, claude, .. } = seen;
        println!("{:<8} {local:>6} {escalated:>10} {claude:>7} {measured:>10.3}  {expected}", task.name);
        assert_eq!((local + claude) as usize, CALLS, "{}: one answer for each call", task.name);
        assert!(*local >= 20, "{}: measured by at least minSamples answers", task.name);
    }
    let saved = language.escalated + person.escalated + sum.escalated;
    println!("the cascade replaced {saved} wrong answers; nobody reported anything");
    let unfit: Vec<_> = person.answers.iter().filter(|answer| !is_a_person(answer)).collect();
    assert!(unfit.is_empty(), "a caller got JSON that does not fit: {unfit:?}");
}

/// Whether the JSON of an answer is a name and an age; told without the product's own check.
fn is_a_person(answer: &str) -> bool {
    let ends = answer.find('{').zip(answer.rfind('}'));
    let found = ends.and_then(|(from, to)| serde_json::from_str::<Value>(answer.get(from..=to)?).ok());
    found.is_some_and(|person| {
        let fields = person.as_object().map_or(0, serde_json::Map::len);
        fields == 2 && person["name"].is_string() && person["age"].is_u64()
    })
}
