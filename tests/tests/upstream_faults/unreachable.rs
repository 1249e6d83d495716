//! Endpoints to which no connection comes about.

use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tests::{
    Policy,
    calls::CALLS,
    fault_server::{FAULTY, Fault, FaultServer, GOOD, broken::Expected},
    ports,
    program::Program,
    stand_in::models::Models,
    tls_model::TlsModel,
    waiting,
};
use tokio::net::TcpStream;

use super::{
    ATTEMPT, PATIENT,
    campaign::Campaign,
    claude_alone,
    hanging::{Bursts, hasty},
    table::{Case, case},
};

/// Certificates that are not accepted: whether their authority is known, and what is said of each. One has expired, one is
/// for another host, one is of an authority that nobody named.
const WRONG_CERTIFICATES: [(&str, bool, &str); 3] = [
    ("expired", true, "its certificate has expired"),
    ("other-host", true, "its certificate is not valid for this host"),
    ("valid", false, "its certificate is of an unknown authority"),
];

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

/// From the environment alone, so every call asks the local model, which is at this URL, however often that failed.
pub fn with_local_at(url: &str, claude: &FaultServer) -> Program {
    Program::serve()
        .variable("LITELLM_BASE_URL", &claude.url())
        .variable("ROUTING_LOCAL_BASE_URL", url)
        .variable("HYPERGUILD_LOCAL_MODEL", FAULTY)
        .variable("HYPERGUILD_CLAUDE_MODEL", GOOD)
}

/// Each call fails at the local model, for this cause, and is answered by Claude.
pub async fn claude_answers(name: &str, program: Program, claude: &FaultServer, cause: &str) {
    claude.fail(Fault::NONE);
    let mut campaign = Campaign::of(program.start().await);
    let fell_back = campaign.fall_back(&error(name, "unreachable")).await;
    assert_eq!((fell_back, claude.asked()), (CALLS, (0, CALLS)), "{name}: each model is asked once for each call");
    let routing = campaign.routing();
    waiting::until_true(cause, || async { routing.log().contains(cause) }).await;
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_that_refuses_or_speaks_no_tls_has_one_record_for_each_call_and_claude_answers() {
    let (plain, claude) = (Models::start().await, FaultServer::start().await);
    for (name, url, cause) in [
        ("refuses", format!("http://127.0.0.1:{}", ports::free()), "the connection was refused"),
        ("speaks no TLS", plain.url().replace("http:", "https:"), "the port does not speak TLS"),
    ] {
        claude_answers(name, with_local_at(&url, &claude), &claude, cause).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_whose_certificate_is_wrong_has_one_record_for_each_call_and_claude_answers() {
    let claude = FaultServer::start().await;
    for (certificate, is_known, cause) in WRONG_CERTIFICATES {
        let model = TlsModel::start(certificate).await;
        let program = with_local_at(&model.url(), &claude);
        // Only a policy has a caBundle: without one an authority is known if the system has it.
        let authority = program.folder().join("authority.crt");
        std::fs::write(&authority, model.authority()).expect("written");
        let authority = authority.display().to_string();
        let program = if is_known { program.variable("SSL_CERT_FILE", &authority) } else { program };
        claude_answers(cause, program, &claude, cause).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_or_speaks_no_tls_has_one_record_for_each_call() {
    unreachable(&error("refuses", "unreachable"), &format!("http://127.0.0.1:{}", ports::free()), PATIENT).await;
    let plain = Models::start().await;
    unreachable(&error("speaks no TLS", "unreachable"), &plain.url().replace("http:", "https:"), PATIENT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_certificate_is_wrong_has_one_record_for_each_call() {
    for (certificate, is_known, cause) in WRONG_CERTIFICATES {
        let model = TlsModel::start(certificate).await;
        let known = if is_known { json!({"caBundle": {"text": model.authority()}}) } else { json!({}) };
        let policy = claude_alone(&model.url(), PATIENT).spec(json!({"upstream": known}));
        never_answers(&error(cause, "unreachable"), &policy).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_whose_packets_vanish_costs_its_own_time_and_then_claude_answers() {
    let ((url, _open), claude) = (black_hole().await, FaultServer::start().await);
    let mut bursts = Bursts::start(hasty(&url, &claude.url()), &url).await;
    bursts.meet(&error("swallows connections", "timeout"), &claude).await;
    bursts.leave_nothing_behind().await;
}
