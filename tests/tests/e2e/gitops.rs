//! Delivery by Git: Flux's real controllers, a Git server over HTTP, SOPS and age, and an image registry.
//!
//! Each test has a repository of its own, which Flux delivers from until the test is over; what Flux has applied
//! stays, except what the test removed.

mod arrival;
mod delivery;
mod drift;
mod flux;
mod pipeline;
mod plain;
mod removal;
mod repository;
mod secrets;
mod site;
mod upgrade;

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tests::{checkout, http, mcp::Mcp, policies::Policies};

use self::{
    pipeline::Of,
    repository::Repository,
    site::{Site, run, site},
};
use crate::{
    routing_policy::{self, NAME},
    setup::{self, cluster},
};

/// The first token of callers in the repository.
const TOKEN: &str = "first-token-of-callers-in-git";
/// What `kubectl rollout restart` leaves in a Deployment.
const RESTARTED_AT: &str = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
/// How long Flux waits for a policy that is neither ready nor stalled; it accepts no shorter time.
const PATIENCE: &str = "30s";
/// The policy of the example.
const POLICY_NAME: &str = "homelab";
const POLICY: &str = "routing/policies/policy.yaml";
const SECRET: &str = "routing/policies/secrets.enc.yaml";

/// A repository that Flux delivers from: operator, policy and secrets as in the example of `deploy/flux`.
struct GitOps {
    repository: Repository,
    policies: Policies,
    told: Option<flux::Told>,
}

impl GitOps {
    /// Creates the repository, has Flux apply it, and waits until all of it is live; `None` if the cluster is not the
    /// one of `make cluster`.
    async fn begin(name: &str) -> Option<Self> {
        let site = own_site().await?;
        let repository = prepared(site, name).await;
        pipeline::pushed(site, Of::Workspace).await.release(site, &repository);
        Some(Self::delivered(site, repository).await)
    }

    /// The same with a repository that has a release already.
    async fn delivered(site: &Site, repository: Repository) -> Self {
        copy_example(&repository);
        encrypt(site, &repository.folder().join(SECRET), TOKEN);
        let revision = repository.push("Routing, by Git");
        let told = Some(flux::tell(site, &flux::objects(&repository.url)));
        for kustomization in flux::KUSTOMIZATIONS {
            flux::applied(kustomization, &revision).await;
        }
        setup::port_open(&routing_policy::url().await).await;
        Self { repository, policies: Policies::in_namespace(cluster(), NAME).await, told }
    }
}

impl Drop for GitOps {
    fn drop(&mut self) {
        // Flux first, otherwise it would recreate what is deleted.
        self.told.take();
        setup::let_go(NAME);
    }
}

/// An empty repository, and a cluster without the namespace that it is for.
async fn prepared(site: &Site, name: &str) -> Repository {
    setup::models().await;
    setup::remove_namespace(NAME);
    Repository::new(site, name)
}

/// The servers next to the cluster; `None`, with a message, if the cluster is not the one of `make cluster`: another
/// cluster's nodes cannot pull from this machine, and it may have a Flux of its own.
async fn own_site() -> Option<&'static Site> {
    if !setup::is_own_cluster() {
        println!("skipped: Flux and the registry run only next to the cluster of `make cluster`");
        return None;
    }
    Some(site().await)
}

/// A skill that the API server accepts and the operator refuses: its template is invalid.
fn no_template() -> Value {
    let stage = json!({"system": {"text": "s"}, "user": "{{ oops"});
    json!({"name": "x", "description": "d", "inputSchema": {"type": "object"}, "stages": [stage]})
}

/// Copies the example into the owner's clone.
fn copy_example(repository: &Repository) {
    let example = checkout().join("deploy/flux/repository/.");
    run(Command::new("cp").arg("--recursive").arg(example).arg(repository.folder()));
}

/// Writes the encrypted Secret, as its owner does.
fn encrypt(site: &Site, file: &Path, token: &str) {
    run(secret_script(site, file).env("LITELLM_API_KEY", tests::litellm::KEY).env("ROUTING_MCP_TOKEN", token));
}

/// The owner's script; the caller adds the values.
fn secret_script(site: &Site, file: &Path) -> Command {
    let mut command = site.command(&checkout().join("deploy/flux/secret.sh").display().to_string());
    command.arg(file);
    command
}

/// Calls with this token from outside of the cluster; returns the HTTP status and the decision.
async fn called(token: &str) -> (u16, Value) {
    let url = routing_policy::url().await;
    let mcp = Mcp::new(&url).token(token);
    let params = json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "call-1"}});
    let answer = mcp.send("tools/call", params).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["result"]["_meta"]["routing.hyperguild.io/decisions"][0]["decision"].clone())
}

/// Checks that a call with this token is routed.
async fn routed(token: &str) {
    let (status, decision) = called(token).await;
    assert_eq!((status, decision), (200, json!("local")));
    let health = routing_policy::url().await.replace("/mcp", "/healthz");
    assert_eq!(http().get(health).send().await.expect("an answer").status(), 200);
}

/// The version that the operator's program prints.
fn operator_version() -> String {
    let exec = ["--namespace", "routing-system", "exec", "deployment/routing-operator", "--"];
    let program = ["/usr/local/bin/routing-operator", "--version"];
    cluster().kubectl(&[&exec[..], &program].concat()).expect_worked().trim().replace("routing-operator ", "")
}
