//! Answers for review on their way to the brain.

use std::sync::Arc;

use endpoint::trace::TraceContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    brain_client::{BrainClient, BrainError, NO_REVIEWS},
    metrics::Metrics,
    review::Kept,
};

/// Most bytes of answers that wait for the brain, of all workers together; a further answer is dropped and counted.
const WAITING_MAX_BYTES: usize = 8 * 1024 * 1024;

/// The room for answers that wait.
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WAITING_MAX_BYTES)))
    }
}

impl Room {
    /// Room for an answer, until what is returned is dropped; none: it is full.
    pub(super) fn take(&self, kept: &Kept) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(kept.bytes()).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

/// Sends an answer to a brain that keeps it; of one that does not, it warns once.
pub(super) async fn tell(
    brain: &BrainClient,
    kept: &Kept,
    within: Option<&TraceContext>,
    metrics: &Metrics,
) -> Result<(), BrainError> {
    match brain.takes_reviews().await {
        Some(true) => {}
        Some(false) => {
            if brain.lacks_reviews_anew() {
                tracing::warn!("the policy keeps answers for review, but {NO_REVIEWS}");
            }
            metrics.review_dropped("not_supported");
            return Ok(());
        }
        None => {
            metrics.review_dropped("unreachable");
            return Ok(());
        }
    }
    brain.session_log_within(within, kept).await.map(drop).inspect_err(|error| {
        metrics.review_dropped(error.kind());
        tracing::warn!(id = %kept.decision_id, %error, "the brain did not accept an answer for review");
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crds::{policy::review::ANSWER_MAX_BYTES, table::ReviewRules};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn answers_that_wait_are_bounded_by_their_bytes() {
        let room = Room::default();
        let rules = ReviewRules { keep: Duration::from_secs(1), share: 1.0 };
        let kept = |bytes| Kept::of(&rules, Uuid::now_v7(), &"x".repeat(bytes)).expect("all are kept");
        let mut places: Vec<_> = std::iter::from_fn(|| room.take(&kept(ANSWER_MAX_BYTES))).take(1000).collect();
        assert_eq!(places.len() * ANSWER_MAX_BYTES, WAITING_MAX_BYTES);
        assert!(room.take(&kept(1)).is_none() && room.take(&kept(0)).is_some());
        places.pop();
        assert!(room.take(&kept(ANSWER_MAX_BYTES)).is_some());
    }
}
