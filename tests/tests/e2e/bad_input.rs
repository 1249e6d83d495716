//! Mistakes are reported in one line by `kubectl get rp` and `kubectl describe rp`, and what ran keeps running.

use serde_json::{Value, json};
use tests::{mcp::Mcp, policies::Policies};

use crate::{
    pods,
    setup::{self, spec},
};

const NODE_PORT: u16 = 30352;

/// How much of a message is printed, in characters.
const SHOWN: usize = 120;

/// A wrong change of the spec, the status and reason of `Ready` that report it, and the words of its message.
struct Wrong {
    what: &'static str,
    change: Value,
    condition: (&'static str, &'static str),
    says: &'static [&'static str],
}

fn wrongs() -> Vec<Wrong> {
    let wrong = |what, change, condition, says| Wrong { what, change, condition, says };
    let token = |secret: &str, key: &str| {
        let token = json!({"name": "a", "secretRef": {"name": secret, "key": key}});
        json!({"access": {"tokens": [token]}})
    };
    let no_claim = json!({"name": "code", "persistentVolumeClaim": {"claimName": "no-such-claim"}});
    vec![
        wrong(
            "a wrong image name",
            json!({"dataPlane": {"image": "routing:no-such-tag"}}),
            ("False", "PodNotRunning"),
            &["Pull", "routing:no-such-tag"],
        ),
        wrong(
            "an unknown nodeSelector",
            json!({"dataPlane": {"nodeSelector": {"disk": "no-such"}}}),
            ("False", "PodNotRunning"),
            &["Unschedulable"],
        ),
        wrong(
            "a workspace claim that does not exist",
            json!({"dataPlane": {"workspaces": [no_claim]}}),
            ("False", "PodNotRunning"),
            &["no-such-claim"],
        ),
        wrong(
            "a nodePort that another policy has",
            json!({"service": {"nodePort": NODE_PORT}}),
            ("False", "NodePortTaken"),
            &["30352"],
        ),
        wrong(
            "a missing Secret",
            token("no-such-secret", "TOKEN"),
            ("False", "SecretMissing"),
            &["no-such-secret", "TOKEN"],
        ),
        wrong(
            "a Secret without the key",
            token("keys", "NO_SUCH_KEY"),
            ("False", "SecretMissing"),
            &["keys", "NO_SUCH_KEY"],
        ),
    ]
}

async fn serves(policies: &Policies, name: &str) {
    let status = policies.get(name).await.status.expect("a status");
    let url = status.endpoint.and_then(|endpoint| endpoint.url).expect("an address");
    setup::port_open(&url).await;
    let result = Mcp::new(&url).debug("call-6").await;
    assert!(result.text(0).contains("call-6"), "{result:?}");
}

/// What a user sees: the row of `get`, and the output of `describe`.
fn shown(policies: &Policies, name: &str) -> (String, String) {
    let row = policies.kubectl(&["get", "rp", name, "--no-headers", "--output", "wide"]);
    (row.trim().to_string(), policies.kubectl(&["describe", "rp", name]))
}

#[tokio::test]
async fn mistakes_are_reported_in_one_line_and_what_ran_keeps_running() {
    let policies = setup::prepared("e2e-wrong").await;
    setup::secret("e2e-wrong", "keys", &[("OTHER", "value")]);
    policies.apply("first", &spec(json!({"service": {"nodePort": NODE_PORT}})));
    policies.wait_until_ready("first").await;
    for Wrong { what, change, condition: (status, reason), says } in wrongs() {
        policies.apply("edge", &spec(json!({})));
        policies.wait_until_ready("edge").await;
        let before = pods::generation(&policies, "edge").await;
        policies.apply("edge", &spec(change));
        let told = policies.wait_for_condition("edge", "Ready", status, reason).await;
        for word in says {
            assert!(told.message.contains(word), "{what}: {}", told.message);
        }
        let (row, described) = shown(&policies, "edge");
        assert!(row.contains(status) && row.contains(reason), "{what}: {row}");
        let line =
            described.lines().find(|line| line.contains("Message:") && says.iter().all(|word| line.contains(word)));
        let line = line.unwrap_or_else(|| panic!("{what}: {described}"));
        println!("{what}: {reason}: {}", line.trim().chars().take(SHOWN).collect::<String>());
        assert!(before.keys().all(|pod| row_of(&policies, pod)), "{what}: what ran keeps running");
        serves(&policies, "edge").await;
    }
    serves(&policies, "first").await;
    setup::let_go("e2e-wrong");
}

/// Whether a pod exists and is running.
fn row_of(policies: &Policies, pod: &str) -> bool {
    policies.kubectl(&["get", "pod", pod, "--no-headers"]).contains("Running")
}
