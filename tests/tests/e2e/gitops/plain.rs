//! The plain manifests of contract part 8, applied by Flux as `docs/flux.md` says.

use std::fs;

use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tests::{checkout, policies::Policies};

use super::{
    RESTARTED_AT, TOKEN, encrypt, flux, own_site,
    pipeline::{self, Of},
    prepared,
    repository::Repository,
    site::NAMESPACE,
};
use crate::{
    documented,
    routing_policy::{self, NAME},
    setup::{self, cluster},
    standalone::contract_8_holds,
};

const SECTION: &str = "## The plain manifests";
const FOLDER: &str = "routing/standalone";

/// Writes the two files of the page; each begins with its name.
fn write_page_files(repository: &Repository) {
    let blocks = documented::code_blocks("docs/flux.md", SECTION, "yaml");
    assert_eq!(blocks.len(), 2, "{blocks:#?}");
    for block in blocks {
        let (name, text) = block.split_once('\n').expect("lines");
        repository.write(name.trim_start_matches("# "), text);
    }
}

/// Host and endpoints, patched as in `deploy/standalone-example`.
async fn patches() -> String {
    let nodes: Api<Node> = Api::all(cluster().client().await);
    let node = nodes.list(&ListParams::default()).await.expect("nodes").items.remove(0).name_any();
    let env = json!([{"name": "LITELLM_BASE_URL", "value": "http://litellm.models:4000"}]);
    let spec =
        json!({"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [{"name": "routing", "env": env}]});
    let patch = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "routing", "namespace": NAME}, "spec": {"template": {"spec": spec}}});
    format!("patches:\n  - patch: |\n      {patch}\n")
}

/// Flux's objects: the source of `deploy/flux`, and the page's Kustomization.
fn objects(url: &str) -> String {
    let source = fs::read_to_string(checkout().join("deploy/flux/gitrepository.yaml")).expect("the source");
    let mut source: Value = serde_saphyr::from_str(&source).expect("YAML");
    source["spec"]["url"] = json!(url);
    format!("{source}\n---\n{}\n", kustomization())
}

/// The page's Kustomization: that of the policies with another name and path, and without its dependencies.
fn kustomization() -> String {
    let text = fs::read_to_string(checkout().join("deploy/flux/policies.yaml")).expect("the Kustomization");
    let mut object: Value = serde_saphyr::from_str(&text).expect("YAML");
    object["metadata"]["name"] = json!("standalone");
    object["spec"]["path"] = json!(format!("./{FOLDER}"));
    object["spec"].as_object_mut().expect("a spec").remove("dependsOn").expect("it is there");
    object.to_string()
}

async fn deployment(policies: &Policies) -> Value {
    policies.object("Deployment", "routing").await.expect("the Deployment")
}

#[tokio::test]
async fn contract_8_the_plain_manifests_by_flux_serve_and_a_restart_annotation_is_stripped() {
    let Some(site) = own_site().await else { return };
    let repository = prepared(site, "plain").await;
    let pushed = pipeline::pushed(site, Of::Workspace).await;
    pushed.release(site, &repository);
    write_page_files(&repository);
    let file = format!("{FOLDER}/kustomization.yaml");
    let text = fs::read_to_string(repository.folder().join(&file)).expect("the file");
    repository.write(&file, &(text + &patches().await));
    encrypt(site, &repository.folder().join(FOLDER).join("secrets.enc.yaml"), TOKEN);
    let revision = repository.push("The plain manifests");
    let told = flux::tell(site, &objects(&repository.url));
    flux::applied("standalone", &revision).await;
    setup::port_open(&routing_policy::url().await).await;

    let policies = Policies::in_namespace(cluster(), NAME).await;
    let spec = contract_8_holds(&policies, TOKEN).await;
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "gitea-registry"}]), "as the manifests have it");
    assert_eq!(spec["containers"][0]["image"], json!(pushed.reference("routing")));

    // In contrast to the operator's own Deployment: Flux removes what kubectl wrote, and the previous pods return.
    policies.kubectl(&["rollout", "restart", "deployment/routing"]);
    let restarted = deployment(&policies).await;
    assert!(restarted.pointer(RESTARTED_AT).is_some(), "{restarted}");
    flux::reconciled("standalone").await;
    let reconciled = deployment(&policies).await;
    assert!(reconciled.pointer(RESTARTED_AT).is_none(), "the annotation is still there: {reconciled}");
    setup::rolled_out(NAME, "routing");
    let objects = ["--namespace", NAMESPACE, "get", "kustomization", "standalone"];
    println!("{}", cluster().kubectl(&objects).expect_worked().trim());
    drop(told);
    setup::let_go(NAME);
}
