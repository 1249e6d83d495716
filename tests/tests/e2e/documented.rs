//! The commands of `docs/cluster.md`, run as they are printed there.

use std::process::{Command, Stdio};

use tests::{checkout, required};

use crate::setup::{self, cluster};

const PAGE: &str = "docs/cluster.md";
const SECTION: &str = "## Five commands";

/// The commands of the section.
fn commands() -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join(PAGE)).expect("the page");
    let section = page.split(SECTION).nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(|line| line.trim().strip_prefix("$ ")).map(str::to_string).collect()
}

/// Runs a command in a shell whose kubectl is the administrator's, in a folder.
fn shell(command: &str, folder: &std::path::Path) -> String {
    let kubectl = required("ROUTING_TEST_KUBERNETES");
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", format!("{}:/usr/bin:/bin", kubectl.display()))
        .env("KUBECONFIG", std::env::var_os("E2E_KUBECONFIG").expect("checked before"))
        .env("HOME", cluster().folder())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[tokio::test]
async fn five_commands_lead_from_nothing_to_a_routed_call() {
    setup::models().await;
    setup::remove_namespace("routing");
    // A checkout with the endpoint put into the sample, as the page says.
    let folder = tempfile::tempdir().expect("a folder");
    shell(&format!("cp -r {0}/deploy {0}/crds .", checkout().display()), folder.path());
    let sample = folder.path().join("deploy/samples/minimal.yaml");
    let text = std::fs::read_to_string(&sample).expect("the sample");
    std::fs::write(&sample, text.replace("http://litellm.models:4000", "http://stand-in.models:4000"))
        .expect("written");
    let commands = commands();
    assert_eq!(commands.len(), 5, "{commands:#?}");
    let printed: Vec<String> = commands.iter().map(|command| shell(command, folder.path())).collect();
    for (printed, expected) in printed.iter().zip([
        "deployment.apps/routing-operator ",
        "namespace/routing created",
        "routingpolicy.routing.hyperguild.io/minimal created",
        "routingpolicy.routing.hyperguild.io/minimal condition met",
        "routing: debug: local (qwen35, not measured)",
    ]) {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
    setup::let_go("routing");
}
