//! What calls in flight take.

use serde_json::json;
use tests::{Policy, process::resident_kib, program::Program, stand_in::models::Models, waiting};

/// Of a build without optimisation; the release has a fraction of it.
const KIB_OF_A_CALL: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_take_little_memory() {
    const CALLS: u32 = 400;
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).local("waits").spec(json!({"limits": {"inFlight": 1000}}));
    let routing = Program::serve_policy(&policy).start().await;
    routing.mcp().tools().await;
    let idle = resident_kib(routing.id());
    let problem = "It panics on an empty file. ".repeat(100);
    let call = |i| {
        let (mcp, problem) = (routing.mcp(), format!("{i}: {problem}"));
        tokio::spawn(async move { mcp.debug(&problem).await.is_error() })
    };
    let calls: Vec<_> = (0..CALLS).map(call).collect();
    waiting::until_true("all to wait for the model", || async { models.received().len() == CALLS as usize }).await;
    let each = resident_kib(routing.id()).saturating_sub(idle) / u64::from(CALLS);
    println!("a call in flight takes {each} KiB beside the {idle} KiB of an idle program");
    // One that has arrived may not wait yet.
    waiting::until_true("all answers", || async {
        models.release();
        calls.iter().all(tokio::task::JoinHandle::is_finished)
    })
    .await;
    for call in calls {
        assert!(!call.await.expect("no panic"));
    }
    assert!(each < KIB_OF_A_CALL, "{each} KiB");
}
