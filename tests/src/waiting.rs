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
    probe: impl FnMut() -> F,
) -> T {
    until_or_say(limit, probe, || what.to_string()).await
}

/// Waits until something holds.
///
/// # Panics
/// It did not within the limit.
pub async fn until_true<F: Future<Output = bool>>(what: &str, holds: impl FnMut() -> F) {
    until_true_within(LIMIT, what, holds).await;
}

/// As [`until_true`], for what takes longer, or has a limit of its own.
///
/// # Panics
/// It did not within the limit.
pub async fn until_true_within<F: Future<Output = bool>>(limit: Duration, what: &str, mut holds: impl FnMut() -> F) {
    let probe = || {
        let holds = holds();
        async { holds.await.then_some(()) }
    };
    until_within(limit, what, probe).await;
}

/// As [`until_within`]; what was waited for, and what is there instead, is put into words only when it is needed.
///
/// # Panics
/// It gave none within the limit.
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
        assert!(began.elapsed() < limit, "waited {limit:?} for: {}", say());
        tokio::time::sleep(STEP).await;
    }
}
