//! An endpoint behind TLS: whose certificate is trusted, and what is said of one that is not.

use serde_json::json;
use tests::{Policy, program::Program, tls_model::TlsModel};

#[tokio::test]
async fn a_private_authority_is_honoured_and_an_unknown_one_is_not() {
    let model = TlsModel::start("valid").await;
    let policy = Policy::at(&model.url()).spec(json!({"skills": [{"name": "debug", "route": "Local"}]}));
    let unknown = Program::serve_policy(&policy).start().await;
    let unreachable = format!("the endpoint 127.0.0.1:{} cannot be reached: its certificate", model.port());
    let refused = unknown.mcp().debug("x").await;
    assert!(refused.text(0).contains(&format!("{unreachable} is of an unknown authority; ")), "{}", refused.text(0));

    let with_ca = policy.spec(json!({"upstream": {"caBundle": {"text": model.authority()}}}));
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
        let model = TlsModel::start(certificate).await;
        let policy = Policy::at(&model.url()).spec(json!({
            "upstream": {"caBundle": {"text": model.authority()}},
            "skills": [{"name": "debug", "route": "Local"}],
        }));
        let routing = Program::serve_policy(&policy).start().await;
        let result = routing.mcp().debug("x").await;
        let expected = format!("the endpoint 127.0.0.1:{} cannot be reached: {cause}", model.port());
        assert!(result.text(0).contains(&expected), "{certificate}: {}", result.text(0));
    }
}
