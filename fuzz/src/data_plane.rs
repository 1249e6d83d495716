//! A data plane whose one skill its caller does: no model is asked, so nothing needs a network.

use std::{
    fs,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{Router, body::Body, http::Request};
use dataplane::routes;
use tempfile::TempDir;

use crate::served::{Answer, Served};

/// The skill is plain text and values, which are put in where the call runs.
const POLICY: &str = r#"apiVersion: routing.hyperguild.io/v1alpha1
kind: RoutingPolicy
metadata: {name: routing}
spec:
  upstream: {url: "http://127.0.0.1:9"}
  models: {local: {name: local}, claude: {returnToCaller: {}}}
  skills:
    - name: notes
      description: Writes notes.
      route: Claude
      inputSchema:
        type: object
        required: [text]
        properties: {text: {type: string}, session_id: {type: string}, files: {type: array, items: {type: string}}}
      stages: [{system: {text: "You write notes."}, user: "{{ args.text }}"}]
"#;

async fn started(folder: &TempDir) -> Router {
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, POLICY).expect("written");
    routes::of_policy(policy).expect("a policy that can run")
}

/// What the one data plane of this process answers.
pub fn ask(request: Request<Body>) -> Answer {
    static DATA_PLANE: LazyLock<Mutex<Served>> = LazyLock::new(|| Mutex::new(Served::new(started)));
    DATA_PLANE.lock().unwrap_or_else(PoisonError::into_inner).answer(request)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_skill_of_the_corpus_is_called_and_its_work_comes_back() {
        let call = include_str!("../corpus/mcp_body/skill-call");
        let request = Request::post("/mcp").header("content-type", "application/json").body(Body::from(call));
        let answer = ask(request.expect("a request"));
        let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_ne!(said["result"]["isError"], true, "{said}");
        let work = said["result"]["content"][1]["text"].as_str().unwrap_or_default();
        assert!(work.starts_with("notes: the policy leaves this skill to you: do this yourself."), "{said}");
    }
}
