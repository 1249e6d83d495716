use std::net::{SocketAddr, TcpListener};

use crds::{Document, builtin::BuiltinPrompts};

use super::*;
use crate::{
    config::{PolicySource, reader::PolicyReader},
    secrets::{SecretSource, SecretVariables},
    upstream::Prompt,
};

/// A policy whose models are at this address.
fn candidate(address: SocketAddr) -> Candidate {
    let policy = format!(
        "apiVersion: routing.hyperguild.io/v1alpha1
kind: RoutingPolicy
metadata: {{name: routing}}
spec:
  upstream: {{url: http://{address}, apiKeySecretRef: {{name: s, key: KEY}}}}
  models: {{local: {{name: l}}, claude: {{name: c}}}}
"
    );
    let spec = Document::parse(&policy).expect("a policy").policy.spec;
    let source = PolicySource::Environment(Box::new(spec));
    PolicyReader::new(source, BuiltinPrompts::default()).read().expect("valid")
}

fn secrets(candidate: &Candidate, key: &str) -> Secrets {
    let variables = SecretVariables::new([("KEY", key)], vec!["KEY".into()]);
    SecretSource::Environment(variables).read(candidate.table.secrets())
}

fn active(candidate: &Candidate, key: &str, previous: Option<&Active>) -> Result<Active, PolicyRefusal> {
    let shared = Shared { client: Client::new(), metrics: Arc::default() };
    Active::new(candidate.clone(), PolicyOrigin::Policy, secrets(candidate, key), previous, &shared)
}

fn circuit(active: &Active) -> &'static str {
    active.local.circuit().expect("a circuit").state
}

async fn fail_until_left_alone(model: &ModelClient) {
    while let Ok(admission) = model.admit_now() {
        let prompt = Prompt { system: "s".into(), user: "u".into() };
        let reply = model.ask(admission, None, &prompt, std::time::Duration::from_secs(60)).await;
        assert!(reply.result.is_err(), "nobody listens");
    }
}

#[tokio::test]
async fn a_policy_that_is_refused_leaves_an_open_circuit_alone_and_one_with_another_key_tries_at_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let (good, mut refused) = (candidate(closed), candidate(closed));
    let table = Arc::get_mut(&mut refused.table).expect("nobody else has it");
    table.grader = Some(ModelTarget { ca_bundle: Some("no certificate".into()), ..table.local.clone() });
    let running = active(&good, "one", None).expect("it can run");
    fail_until_left_alone(&running.local).await;
    assert!(active(&refused, "another", Some(&running)).is_err());
    assert_eq!(circuit(&running), "open", "what is refused changes nothing");
    let next = active(&good, "another", Some(&running)).expect("it can run");
    assert_eq!((circuit(&running), circuit(&next)), ("half_open", "half_open"), "one circuit");
}
