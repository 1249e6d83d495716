//! Decisions that no brain takes.

use tests::{program::Program, stand_in::models::Models, waiting};

use super::{CALLS, calls, load_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_decisions_that_no_brain_takes_are_counted_each_and_fail_no_call() {
    let models = Models::start().await;
    // Nothing listens where the brain should be.
    let routing = Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await;
    let before = calls(&routing, load_of(&routing), |number, result| {
        assert_eq!(result.text(0), "answer of qwen35", "call {number}");
    })
    .await;
    let counted = || async { routing.decisions_not_logged().await >= CALLS as f64 };
    waiting::until_true("each to be counted", counted).await;
    assert_eq!(routing.decisions_not_logged().await, CALLS as f64, "once");
    routing.has_recorded(CALLS).await;
    drop(models);
    before.is_back(&routing).await;
}
