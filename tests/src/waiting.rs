//! Waits for a condition instead of sleeping.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Longest wait for anything: generous, because the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Time between two questions. What takes longer is asked for less often: each question takes processor time from what
/// it is about.
const STEP: Duration = Duration::from_millis(20);
const STEP_MAX: Duration = Duration::from_millis(100);

/// Waits until `probe` returns a value.
///
/// # Panics
/// If it returned none within the limit.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, probe: impl FnMut() -> F) -> T {
    until_within(LIMIT, what, probe).await
}

/// Like [`until`], with a limit of its own.
///
/// # Panics
/// If it returned none within the limit.
pub async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    probe: impl FnMut() -> F,
) -> T {
    until_or_say(limit, probe, || what.to_string()).await
}

/// Waits until something holds.
///
/// # Panics
/// If it did not within the limit.
pub async fn until_true<F: Future<Output = bool>>(what: &str, holds: impl FnMut() -> F) {
    until_true_within(LIMIT, what, holds).await;
}

/// Like [`until_true`], with a limit of its own.
///
/// # Panics
/// If it did not within the limit.
pub async fn until_true_within<F: Future<Output = bool>>(limit: Duration, what: &str, mut holds: impl FnMut() -> F) {
    let probe = || {
        let holds = holds();
        async { holds.await.then_some(()) }
    };
    until_within(limit, what, probe).await;
}

/// Like [`until_within`]; `say` describes what was waited for and what was found instead, and is called only on
/// failure.
///
/// # Panics
/// If it returned none within the limit.
pub async fn until_or_say<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    mut probe: impl FnMut() -> F,
    say: impl Fn() -> String,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        let waited = began.elapsed();
        assert!(waited < limit, "waited {limit:?} for: {}", say());
        tokio::time::sleep((waited / 20).clamp(STEP, STEP_MAX)).await;
    }
}
