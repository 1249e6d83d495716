//! An endpoint behind TLS: whose certificate is trusted, and what is said of one that is not.

use std::{fs, path::Path, process::Stdio};

use serde_json::json;
use tests::{Policy, program::Program};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Starts a model behind TLS, and gives the authority's certificate.
async fn tls_model(port: u16, folder: &Path, certificate: &str) -> (Child, String) {
    let mut server = Command::new(tests::required("ROUTING_TEST_VENV").join("bin/python"))
        .arg(tests::checkout().join("tests/clients/tls_model.py"))
        .args([&port.to_string(), &folder.display().to_string(), certificate])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python runs");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("READY"));
    (server, fs::read_to_string(folder.join("ca.crt")).expect("a certificate"))
}

#[tokio::test]
async fn a_private_authority_is_honoured_and_an_unknown_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = tests::ports::free();
    let (_server, ca) = tls_model(port, folder.path(), "valid").await;
    let url = format!("https://127.0.0.1:{port}");
    let policy = Policy::at(&url).spec(json!({"skills": [{"name": "debug", "route": "Local"}]}));
    let unknown = Program::serve_policy(&policy).start().await;
    let unreachable = format!("the endpoint 127.0.0.1:{port} cannot be reached: its certificate");
    let refused = unknown.mcp().debug("x").await;
    assert!(refused.text(0).contains(&format!("{unreachable} is of an unknown authority; ")), "{}", refused.text(0));

    let with_ca = policy.spec(json!({"upstream": {"caBundle": {"text": ca}}}));
    let trusting = Program::serve_policy(&with_ca).start().await;
    assert_eq!(trusting.mcp().debug("x").await.text(0), "answer over TLS");
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_is_named_with_the_cause() {
    for (certificate, cause) in [
        ("other-host", "its certificate is not valid for this host; "),
        ("expired", "its certificate has expired; "),
        ("not-yet-valid", "its certificate is not valid yet; "),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let port = tests::ports::free();
        let (_server, ca) = tls_model(port, folder.path(), certificate).await;
        let policy = Policy::at(&format!("https://127.0.0.1:{port}")).spec(json!({
            "upstream": {"caBundle": {"text": ca}},
            "skills": [{"name": "debug", "route": "Local"}],
        }));
        let routing = Program::serve_policy(&policy).start().await;
        let result = routing.mcp().debug("x").await;
        let expected = format!("the endpoint 127.0.0.1:{port} cannot be reached: {cause}");
        assert!(result.text(0).contains(&expected), "{certificate}: {}", result.text(0));
    }
}
