//! The images as they are shipped.

use std::process::Command;

use serde_json::{Value, json};
use tests::{checkout, waiting};

use crate::{
    pods,
    routing_policy::{self, NAME},
    setup::{IMAGES, cluster},
};

/// The goal for the size of an image, in bytes, uncompressed.
const GOAL: u64 = 25 * 1024 * 1024;
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Files, config and size of an image, from its archive.
fn inspected(name: &str) -> Value {
    let script = checkout().join("tests/cluster/images.sh");
    let output = Command::new(script).args(["--inspect", name]).output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn paths(image: &Value) -> Vec<&str> {
    image["files"].as_array().expect("files").iter().filter_map(|file| file["path"].as_str()).collect()
}

#[test]
fn contract_8_images_hold_binary_certificates_and_prompts_and_nothing_else() {
    let prompts = ["debug", "retrospective", "review", "trainer-reader", "trainer-writer"];
    let mut of_routing: Vec<String> = prompts.iter().map(|name| format!("/app/config/supervisor/{name}.md")).collect();
    of_routing.extend([CERTIFICATES.into(), "/usr/local/bin/routing".into()]);
    let of_operator: Vec<String> = vec![CERTIFICATES.into(), "/usr/local/bin/routing-operator".into()];
    for (name, files) in [("routing", of_routing), ("routing-operator", of_operator)] {
        let image = inspected(name);
        assert_eq!(paths(&image), files, "{name}");
        let config = &image["config"];
        assert_eq!(config["user"], json!("65532:65532"), "{name}");
        assert_eq!(config["entrypoint"], json!([format!("/usr/local/bin/{name}")]));
        assert_eq!(config["command"], json!([]), "no arguments");
        for label in ["title", "description", "licenses", "version", "revision"] {
            let label = format!("org.opencontainers.image.{label}");
            assert!(config["labels"][&label].as_str().is_some_and(|value| !value.is_empty()), "{name} has no {label}");
        }
        let bytes = image["bytes"].as_u64().expect("a size");
        let met = if bytes < GOAL { "met" } else { "missed" };
        println!("image {name}: {:.1} MiB uncompressed; goal < 25 MiB: {met}", bytes as f64 / 1_048_576.0);
    }
    let routing = inspected("routing");
    let env = routing["config"]["env"].as_array().expect("variables");
    for variable in ["SUPERVISOR_CONFIG_DIR=/app/config/supervisor", "ROUTING_PORT=3210"] {
        assert!(env.contains(&json!(variable)), "{env:?}");
    }
    assert!(routing["config"]["ports"].as_array().is_some_and(|ports| ports.contains(&json!("3210/tcp"))));
}

#[tokio::test]
async fn there_is_no_shell_and_the_version_is_shown_by_program_and_metric() {
    let policies = routing_policy::ready().await;
    for program in ["sh", "bash", "/bin/sh", "/busybox/sh"] {
        let exec = ["--namespace", NAME, "exec", "deployment/routing", "--", program, "-c", "true"];
        assert!(!cluster().kubectl(&exec).worked, "{program}");
    }
    let version = IMAGES[0].rsplit_once(':').expect("a tag").1;
    let shown = policies.kubectl(&["exec", "deployment/routing", "--", "/usr/local/bin/routing", "--version"]);
    assert_eq!(shown.trim(), format!("routing {version}"));
    let operator = ["--namespace", "routing-system", "exec", "deployment/routing-operator", "--"];
    let shown =
        cluster().kubectl(&[&operator[..], &["/usr/local/bin/routing-operator", "--version"]].concat()).expect_worked();
    assert_eq!(shown.trim(), format!("routing-operator {version}"));
    let tunnel = pods::tunnel(&policies, NAME).await;
    waiting::until_true("the version among the metrics", || async {
        let metric = format!("routing_build_info{{version=\"{version}\"}} 1");
        tunnel.admin_page("/metrics").await.contains(&metric)
    })
    .await;
}
