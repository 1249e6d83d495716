//! Endpoints to which no connection comes about.

use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tests::{Policy, fault_server::Fault, ports, program::Program, stand_in::models::Models, tls_model::TlsModel};
use tokio::net::TcpStream;

use super::{
    ATTEMPT, PATIENT,
    campaign::Campaign,
    claude_alone,
    table::{CALLS, Case, Expected, case},
};

/// A row whose attempts end with this error, whatever the model's endpoint does.
pub fn error(name: &str, kind: &'static str) -> Case {
    case(name, Fault::NONE, Expected::Error(kind))
}

async fn unreachable(case: &Case, url: &str, attempt: &str) {
    never_answers(case, &claude_alone(url, attempt)).await;
}

async fn never_answers(case: &Case, policy: &Policy) {
    let mut campaign = Campaign::of(Program::serve_policy(policy).start().await);
    let failed = campaign.claude(case).await;
    assert_eq!(failed, CALLS, "{}", case.name);
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_or_speaks_no_tls_has_one_record_for_each_call() {
    unreachable(&error("refuses", "unreachable"), &format!("http://127.0.0.1:{}", ports::free()), PATIENT).await;
    let plain = Models::start().await;
    unreachable(&error("speaks no TLS", "unreachable"), &plain.url().replace("http:", "https:"), PATIENT).await;
}

/// One that has expired, one for another host, and one of an authority that the policy does not name.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_certificate_is_wrong_has_one_record_for_each_call() {
    for (certificate, is_named) in [("expired", true), ("other-host", true), ("valid", false)] {
        let model = TlsModel::start(certificate).await;
        let named = if is_named { json!({"caBundle": {"text": model.authority()}}) } else { json!({}) };
        let policy = claude_alone(&model.url(), PATIENT).spec(json!({"upstream": named}));
        let name = format!("a certificate, {certificate}, its authority named: {is_named}");
        never_answers(&error(&name, "unreachable"), &policy).await;
    }
}

/// A port that is listened on and whose queue of connections is full: the kernel drops what else comes, as a firewall
/// would. The connections that fill it are open as long as what is returned.
async fn black_hole() -> (String, impl Sized) {
    let listener = ports::listener();
    SockRef::from(&listener).listen(1).expect("a shorter queue");
    let port = listener.local_addr().expect("an address").port();
    let mut filling = vec![];
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(("127.0.0.1", port))).await
    {
        filling.push(connected.expect("a connection, or none"));
        assert!(filling.len() < 100, "the queue is never full");
    }
    (format!("http://127.0.0.1:{port}"), (listener, filling))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_packets_vanish_costs_each_call_its_time_and_no_more() {
    let (url, _open) = black_hole().await;
    unreachable(&error("swallows connections", "timeout"), &url, ATTEMPT).await;
}
