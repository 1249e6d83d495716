//! The commands of `docs/cluster.md`, run as they are printed there.

use std::process::{Command, Stdio};

use tests::{checkout, cluster::deploy, required};

use crate::setup::{self, cluster};

const PAGE: &str = "docs/cluster.md";
const SECTION: &str = "## Five commands";

/// The console blocks of a section of a page, without their indentation.
pub fn blocks(page: &str, section: &str) -> Vec<String> {
    code_blocks(page, section, "console")
}

/// The blocks of a section of a page in some language, without their indentation.
pub fn code_blocks(page: &str, section: &str, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join(page)).expect("the page");
    let section = page.split(section).nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    let fence = format!("```{language}\n");
    let blocks = section.split(fence.as_str()).skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let unindented = |block: &str| {
        let indent = block.len() - block.trim_start_matches(' ').len();
        block.lines().map(|line| line.get(indent..).unwrap_or_default().to_string() + "\n").collect()
    };
    blocks.map(unindented).collect()
}

/// A command of a page, and what the page says that it prints.
pub struct Documented {
    /// The line after the prompt.
    pub command: String,
    /// The printed lines.
    pub printed: Vec<String>,
}

/// The commands of a section.
pub fn commands(page: &str, section: &str) -> Vec<Documented> {
    let mut found: Vec<Documented> = vec![];
    for block in blocks(page, section) {
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Documented { command: command.into(), printed: vec![] }),
                None => found.last_mut().expect("a command first").printed.push(line.into()),
            }
        }
    }
    found
}

impl Documented {
    /// Checks that the command printed what the page says.
    pub fn expect_printed(&self, printed: &str) {
        for line in &self.printed {
            let is_there = printed.lines().any(|found| stands_for(line, found));
            assert!(is_there, "{}\nshould print {line}\n{printed}", self.command);
        }
    }
}

/// Whether a line of the page stands for a printed one: that one has all of its parts, in this order; `…` between them
/// stands for anything.
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
