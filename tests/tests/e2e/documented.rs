//! The commands of `docs/cluster.md`, run as they are printed there.

use std::process::{Command, Stdio};

use tests::{checkout, cluster::deploy, required};

use crate::setup::{self, cluster};

const PAGE: &str = "docs/cluster.md";
const SECTION: &str = "## Five commands";

/// The console blocks of a section of a page, without what indents them.
pub fn blocks(page: &str, section: &str) -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join(page)).expect("the page");
    let section = page.split(section).nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let unindented = |block: &str| {
        let indent = block.len() - block.trim_start_matches(' ').len();
        block.lines().map(|line| line.get(indent..).unwrap_or_default().to_string() + "\n").collect()
    };
    blocks.map(unindented).collect()
}

/// The commands of the section, each with what the page says that it prints.
fn commands() -> Vec<(String, Vec<String>)> {
    let command = |block: &String| {
        let mut lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        let command = lines.next().and_then(|line| line.strip_prefix("$ ")).expect("a command first");
        (command.to_string(), lines.map(str::to_string).collect())
    };
    blocks(PAGE, SECTION).iter().map(command).collect()
}

/// Whether a line of the page stands for a printed one: each of its parts between the dots that stand for something else
/// is there, in this order.
fn stands_for(line: &str, printed: &str) -> bool {
    let mut rest = printed;
    line.split('…').all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// Runs a command in a shell whose kubectl is the administrator's, in a folder.
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
    // Nothing: what an earlier test installed goes, as the page says.
    let uninstall = ["delete", "-k", &deploy("operator"), "--ignore-not-found", "--timeout=120s"];
    cluster().kubectl(&uninstall).expect_worked();
    // A checkout with the endpoint put into the sample, as the page says.
    let folder = tempfile::tempdir().expect("a folder");
    shell(&format!("cp -r {0}/deploy {0}/crds .", checkout().display()), folder.path());
    let sample = folder.path().join("deploy/samples/minimal.yaml");
    let text = std::fs::read_to_string(&sample).expect("the sample");
    std::fs::write(&sample, text.replace("http://litellm.models:4000", "http://stand-in.models:4000"))
        .expect("written");
    let commands = commands();
    assert_eq!(commands.len(), 5, "{commands:#?}");
    for (command, expected) in commands {
        let printed = shell(&command, folder.path());
        assert!(!expected.is_empty(), "the page does not say what is printed: {command}");
        for line in expected {
            assert!(printed.lines().any(|found| stands_for(&line, found)), "{command}\nis to print {line}\n{printed}");
        }
    }
    setup::let_go("routing");
}
