//! The commands of `docs/cluster.md`, run as they are printed there.

use std::process::{Command, Stdio};

pub use tests::documented::{Documented, blocks, code_blocks, commands};
use tests::{checkout, cluster::deploy, required};

use crate::setup::{self, cluster};

const PAGE: &str = "docs/cluster.md";
const SECTION: &str = "## Five commands";

/// Runs a shell command in a folder, with kubectl as the administrator.
pub fn shell(command: &str, folder: &std::path::Path) -> String {
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
    // From nothing: what an earlier test installed is removed as the page says.
    let uninstall = ["delete", "-k", &deploy("operator"), "--ignore-not-found", "--timeout=120s"];
    cluster().kubectl(&uninstall).expect_worked();
    // A checkout with the endpoint put into the sample, as the page says.
    let folder = tempfile::tempdir().expect("a folder");
    shell(&format!("cp -r {0}/deploy {0}/crds .", checkout().display()), folder.path());
    let sample = folder.path().join("deploy/samples/minimal.yaml");
    let text = std::fs::read_to_string(&sample).expect("the sample");
    std::fs::write(&sample, text.replace("http://litellm.models:4000", "http://stand-in.models:4000"))
        .expect("written");
    let commands = commands(PAGE, SECTION);
    assert_eq!(commands.len(), 5);
    for documented in commands {
        assert!(!documented.printed.is_empty(), "the page does not say what is printed: {}", documented.command);
        let with_key = format!("LITELLM_API_KEY=sk-of-a-test\n{}", documented.command);
        documented.expect_printed(&shell(&with_key, folder.path()));
    }
    setup::let_go("routing");
}
