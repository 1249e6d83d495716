//! The end of the process: it serves while it is taken out of rotation, answers what is in flight, then exits 0.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Policy, clients, http, program::Program, stand_in::models::Models, waiting};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_keeps_accepting_with_connection_close_and_then_exits_0() {
    let models = Models::start().await;
    let mut routing = Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await;
    let kept_alive = http().get(format!("{}/healthz", routing.base_url())).send().await.expect("an answer");
    assert!(!kept_alive.headers().contains_key("connection"));
    routing.signal("TERM");
    waiting::until_true("the drain", || async { routing.status().await["draining"] == json!(true) }).await;
    let began = Instant::now();
    assert!(!routing.mcp().debug("x").await.is_error(), "calls are answered");
    for (path, base) in
        [("/healthz", routing.base_url()), ("/readyz", format!("http://127.0.0.1:{}", routing.ports.admin))]
    {
        assert_eq!(http().get(format!("{base}{path}")).send().await.expect("an answer").status(), 200, "{path}");
    }
    let response = routing.mcp().send("tools/list", json!({})).await;
    assert_eq!(response.headers()["connection"], "close");
    assert!(routing.ended().await.success(), "exit 0");
    assert!(began.elapsed() > Duration::from_secs(8), "it keeps accepting for 10 s: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_is_answered_and_a_subscription_does_not_delay_the_exit() {
    let models = Models::start().await;
    let mut routing = Program::serve_policy(&Policy::at(&models.url()).local("takes-a-second")).start().await;
    let mut listener = clients::python_started(&routing.mcp_url(), "auto", &["listen", "--ready-line"]);
    let mut ready = [0; 9];
    std::io::Read::read_exact(listener.stdout.as_mut().expect("its output"), &mut ready).expect("a line");
    assert_eq!(&ready, b"LISTENING");
    let call = tokio::spawn({
        let mcp = routing.mcp();
        async move { mcp.debug("x").await }
    });
    waiting::until_true("the model to be asked", || async { !models.received().is_empty() }).await;
    routing.signal("INT");
    assert_eq!(call.await.expect("a result").text(0), "answer of takes-a-second");
    assert!(routing.ended().await.success(), "exit 0");
    let _ = listener.kill();
    let _ = listener.wait();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_new_calls_is_not_ready_while_the_last_call_is_answered() {
    let models = Models::start().await;
    let mut routing = Program::serve_policy(&Policy::at(&models.url()).local("waits")).start().await;
    let mcp = routing.mcp();
    let call = tokio::spawn(async move { mcp.debug("x").await });
    waiting::until_true("the model to be asked", || async { !models.received().is_empty() }).await;
    assert_eq!(routing.admin("/readyz").await, "ready\n");
    routing.signal("INT");
    waiting::until_true("the stop to begin", || async { routing.admin("/readyz").await.starts_with("no new calls") })
        .await;
    models.release();
    assert_eq!(call.await.expect("a result").text(0), "answer of waits");
    assert!(routing.ended().await.success(), "exit 0");
}

#[tokio::test]
async fn a_half_sent_request_does_not_delay_the_exit() {
    use tokio::io::AsyncWriteExt;
    for mut program in [Program::brain().start().await, Program::serve().start().await] {
        let mut half = tokio::net::TcpStream::connect(("127.0.0.1", program.ports.mcp)).await.expect("connects");
        let request =
            b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        half.write_all(request).await.expect("sent");
        assert_eq!(
            tests::http().get(format!("{}/healthz", program.base_url())).send().await.expect("an answer").status(),
            200
        );
        program.signal("INT");
        waiting::until_true("stopping", || async { program.log().contains("stopping") }).await;
        program.signal("INT");
        assert!(program.ended().await.success());
    }
}

#[tokio::test]
async fn a_call_that_is_cut_off_gets_an_answer_and_its_record_reaches_the_brain() {
    let models = Models::start().await;
    let brain = Program::brain().start().await;
    let with_total = |total: &str| {
        let changes = json!({"brain": {"url": brain.base_url()}, "timeouts": {"local": total, "total": total}});
        Policy::at(&models.url()).local("hangs").spec(changes)
    };
    let mut routing = Program::serve_policy(&with_total("50s")).start().await;
    let hash = routing.status().await["configHash"].clone();
    // The timeout that is in force when the shutdown begins counts.
    std::fs::write(routing.folder().join("policy.yaml"), with_total("40s").to_string()).expect("written");
    waiting::until_true("the new config", || async { routing.status().await["configHash"] != hash }).await;
    let call = tokio::spawn({
        let mcp = routing.mcp();
        async move { mcp.debug("x").await }
    });
    waiting::until_true("the model to be asked", || async { !models.received().is_empty() }).await;
    routing.signal("INT");
    waiting::until_true("stopping", || async { routing.log().contains("stopping") }).await;
    routing.signal("INT");
    let cut_off = call.await.expect("a result");
    assert!(cut_off.is_error() && cut_off.text(0).contains("the server is being stopped"), "{cut_off:?}");
    assert!(routing.ended().await.success());
    let entries = tests::get_json(format!("{}/sessions/_routing", brain.base_url())).await;
    assert_eq!(entries["entries"][0]["decision"]["error"], "cancelled", "{entries}");
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_a_hung_call() {
    let models = Models::start().await;
    let mut routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let call = tokio::spawn({
        let mcp = routing.mcp();
        async move {
            mcp.send("tools/call", json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "x"}}))
                .await
                .status()
        }
    });
    waiting::until_true("the model to be asked", || async { !models.received().is_empty() }).await;
    routing.signal("INT");
    waiting::until_true("stopping", || async { routing.log().contains("stopping") }).await;
    routing.signal("INT");
    assert!(routing.ended().await.success());
    call.abort();
}
