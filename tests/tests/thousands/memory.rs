//! What a call leaves in memory, seen by many of them.

use tests::{at_rest::AtRest, mcp::CallResult, program::Program, stand_in::models::Models};

use super::{CALLS, load_of, some_calls};

/// So many that a KiB of each is more than what memory differs by anyway.
const MORE: usize = 4 * CALLS;

fn is_answered(number: usize, result: &CallResult) {
    assert_eq!(result.text(0), "answer of qwen35", "call {number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_thousand_calls_after_a_thousand_keep_less_than_a_kib_of_memory_each() {
    let models = Models::start().await;
    let routing = Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await;
    let (before, load) = (AtRest::of(&routing).await, load_of(&routing));
    some_calls(&load, 0..CALLS, &mut is_answered).await;
    let before = before.warm(&routing).await;
    some_calls(&load, CALLS..CALLS + MORE, &mut is_answered).await;
    drop((load, models));
    routing.has_recorded(CALLS + MORE).await;
    before.is_back(&routing).await;
}
