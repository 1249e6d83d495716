//! What users do with a policy.

use serde_json::{Value, json};
use tests::{policies, policy::merged};

/// A ConfigMap with a prompt, and its key.
pub const PROMPTS: (&str, &str) = ("prompts", "p.md");
/// Stands for the port of the place's own: nodes, and so their ports, are shared by all plans.
pub const OWN_PORT: u16 = 1;

/// Something that users do.
pub struct Scenario {
    /// As a plan's line names it.
    pub name: &'static str,
    steps: fn() -> Vec<Step>,
}

/// One act of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Applies the policy with this spec, and waits until the operator has observed it.
    Apply(Value),
    /// The same, without waiting.
    Hastily(Value),
    /// Writes this prompt into the ConfigMap.
    Prompt(&'static str),
    /// Deletes the policy.
    Delete,
}

/// Nothing runs pods here: most have none, and those with some stay in progress.
pub static SCENARIOS: [Scenario; 15] = [
    Scenario { name: "create", steps: || vec![Step::Apply(pods(2))] },
    Scenario { name: "thresholds", steps: thresholds },
    Scenario { name: "skills", steps: skills },
    Scenario { name: "scale", steps: || vec![Step::Apply(pods(0)), Step::Apply(pods(2)), Step::Apply(pods(0))] },
    Scenario { name: "service", steps: service },
    Scenario { name: "fixed-port", steps: fixed_port },
    Scenario { name: "load-balancer", steps: load_balancer },
    Scenario { name: "taken-back", steps: || vec![Step::Apply(generous()), Step::Apply(pods(0))] },
    Scenario { name: "brain", steps: brain },
    Scenario { name: "brain-kept", steps: brain_kept },
    Scenario { name: "delete", steps: || vec![Step::Apply(pods(0)), Step::Delete] },
    Scenario { name: "recreate", steps: recreate },
    Scenario { name: "prompt", steps: prompt },
    Scenario { name: "suspend", steps: suspend },
    Scenario { name: "invalid", steps: invalid },
];

impl Scenario {
    /// What the user does, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        (self.steps)()
    }

    /// What a fresh install of the same end needs: the last prompt, and the last policy unless it was deleted.
    #[must_use]
    pub fn end(&self) -> Vec<Step> {
        let (mut prompt, mut policy) = (None, None);
        for step in self.steps() {
            match step {
                Step::Apply(spec) | Step::Hastily(spec) => policy = Some(Step::Apply(spec)),
                Step::Prompt(_) => prompt = Some(step),
                Step::Delete => policy = None,
            }
        }
        prompt.into_iter().chain(policy).collect()
    }

    /// The same end once more, by way of another policy: a change that nobody can miss.
    #[must_use]
    pub fn once_more(&self) -> Vec<Step> {
        let other = |spec: &Value| Step::Hastily(merged(spec.clone(), json!({"limits": {"inFlight": 77}})));
        let of_step = |step: Step| match &step {
            Step::Apply(spec) => vec![other(spec), step],
            _ => vec![step],
        };
        self.end().into_iter().flat_map(of_step).collect()
    }

    /// The end once more, by way of a policy that sets what it then takes back, each observed: an operator that does not work
    /// any more, or does not know what it had set, is found by it.
    #[must_use]
    pub fn probe(&self) -> Vec<Step> {
        let of_step = |step: Step| match &step {
            Step::Apply(spec) => vec![Step::Apply(probing(spec)), step],
            _ => vec![step],
        };
        self.end().into_iter().flat_map(of_step).collect()
    }
}

/// The template of pods that wait for a kubelet stays as it is: their rollout would never end.
fn probing(spec: &Value) -> Value {
    let service = json!({"annotations": {"example.com/probe": "yes"}});
    let probing = merged(spec.clone(), json!({"limits": {"inFlight": 78}, "service": service}));
    if spec["dataPlane"]["replicas"] != json!(0) || !spec["brain"]["managed"].is_null() {
        return probing;
    }
    merged(probing, json!({"dataPlane": {"podLabels": {"probe": "yes"}, "nodeSelector": {"probe": "yes"}}}))
}

/// A policy without pods, changed.
fn with(changes: Value) -> Value {
    policies::spec(merged(json!({"dataPlane": {"replicas": 0}}), changes))
}

fn pods(replicas: u8) -> Value {
    with(json!({"dataPlane": {"replicas": replicas}}))
}

fn thresholds() -> Vec<Step> {
    let at = |floor: &str, ceil: &str| {
        with(json!({"dataPlane": {"replicas": 1}, "thresholds": {"floor": floor, "ceil": ceil}}))
    };
    vec![
        Step::Apply(at("0.90", "0.70")),
        Step::Apply(at("0.95", "0.80")),
        Step::Hastily(at("0.85", "0.60")),
        Step::Apply(at("0.80", "0.50")),
    ]
}

/// A skill of the policy's own with this user prompt.
fn notes(user: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let stages = json!([{"system": {"text": "s"}, "user": user}]);
    json!({"name": "notes", "description": "d", "inputSchema": schema, "stages": stages})
}

fn skills() -> Vec<Step> {
    let of = |skills: Value| Step::Apply(with(json!({"skills": skills})));
    let debug = json!({"name": "debug"});
    vec![of(json!([debug])), of(json!([debug, notes("{{ args.a }}")])), of(json!([notes("{{ args.a }}")]))]
}

fn service() -> Vec<Step> {
    let of = |kind: &str| Step::Apply(with(json!({"service": {"type": kind}})));
    vec![of("NodePort"), of("ClusterIP"), of("NodePort"), of("ClusterIP")]
}

fn fixed_port() -> Vec<Step> {
    let of = |service: Value| Step::Apply(with(json!({"service": service})));
    let fixed = json!({"type": "NodePort", "nodePort": OWN_PORT});
    vec![of(fixed.clone()), of(json!({"type": "NodePort"})), of(fixed)]
}

/// Nothing gives it an address here: what it waits for never comes.
fn load_balancer() -> Vec<Step> {
    let of = |service: Value| Step::Apply(with(json!({"service": service})));
    let pool = json!({"example.com/pool": "a"});
    vec![
        of(json!({"type": "NodePort"})),
        of(json!({"type": "LoadBalancer", "annotations": pool})),
        of(json!({"type": "LoadBalancer", "port": 8080})),
    ]
}

/// With what the policy takes back later.
fn generous() -> Value {
    with(json!({
        "dataPlane": {"nodeSelector": {"disk": "fast"}, "podLabels": {"team": "blue"},
            "podAnnotations": {"example.com/scrape": "true"}},
        "service": {"annotations": {"example.com/pool": "a"}},
    }))
}

/// A policy with a managed brain, changed.
fn with_brain(changes: Value) -> Value {
    let managed = merged(json!({"tokenSecretRef": {"name": "brain", "key": "TOKEN"}}), changes);
    with(json!({"brain": {"managed": managed}}))
}

fn brain() -> Vec<Step> {
    vec![Step::Apply(with_brain(json!({}))), Step::Apply(pods(0))]
}

fn brain_kept() -> Vec<Step> {
    vec![
        Step::Apply(pods(0)),
        Step::Apply(with_brain(json!({}))),
        Step::Apply(with_brain(json!({"reclaim": "Delete"}))),
    ]
}

fn in_flight(calls: u8) -> Value {
    with(json!({"limits": {"inFlight": calls}}))
}

fn recreate() -> Vec<Step> {
    vec![Step::Apply(in_flight(4)), Step::Delete, Step::Hastily(in_flight(5)), Step::Delete, Step::Apply(in_flight(6))]
}

fn prompt() -> Vec<Step> {
    let (name, key) = PROMPTS;
    let stage = json!({"system": {"configMapKeyRef": {"name": name, "key": key}}, "user": "{{ args.problem }}"});
    let policy = with(json!({"skills": [{"name": "debug", "stages": [stage]}]}));
    vec![Step::Prompt("be brief"), Step::Apply(policy), Step::Prompt("be thorough")]
}

/// The status of a suspended policy is not written: there is nothing to wait for.
fn suspend() -> Vec<Step> {
    let suspended = merged(in_flight(5), json!({"suspend": true}));
    vec![Step::Apply(in_flight(4)), Step::Hastily(suspended), Step::Apply(in_flight(6))]
}

fn invalid() -> Vec<Step> {
    let of = |user: &str| Step::Apply(with(json!({"skills": [notes(user)]})));
    vec![of("{{ args.a }}"), of("{% if"), of("{{ args.a }}!")]
}

#[test]
fn the_end_of_a_scenario_is_what_is_left_of_it() {
    for scenario in &SCENARIOS {
        let (steps, end) = (scenario.steps(), scenario.end());
        let count = match scenario.name {
            "delete" => 0,
            "prompt" => 2,
            _ => 1,
        };
        assert_eq!(end.len(), count, "{}", scenario.name);
        assert!(end.iter().all(|step| steps.contains(step)), "{}", scenario.name);
        let more = if count == 0 { 0 } else { count + 1 };
        assert_eq!(scenario.once_more().len(), more, "{}", scenario.name);
        let probe = scenario.probe();
        assert!(probe.len() == more && probe.last() == end.last(), "{}", scenario.name);
    }
}

#[test]
fn no_two_scenarios_have_the_same_name() {
    let names: std::collections::BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), SCENARIOS.len());
}
