//! Waits for a condition instead of a time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Longest wait for anything: generous, because the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(20);

/// Waits until `probe` gives a value.
///
/// # Panics
/// It gave none within the limit.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, probe: impl FnMut() -> F) -> T {
    until_within(LIMIT, what, probe).await
}

/// As [`until`], for what takes longer, or has a limit of its own.
///
/// # Panics
/// It gave none within the limit.
pub async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} for: {what}");
        tokio::time::sleep(STEP).await;
    }
}
