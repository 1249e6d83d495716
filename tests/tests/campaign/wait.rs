//! Waits for what must come: six plans at a time keep a machine busy, and an API server slow.

use std::time::Duration;

use tests::waiting;

/// Longest wait for anything that must come; a plan that waits longer did not end.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Waits until `probe` returns a value.
///
/// # Panics
/// If it returned none within the limit.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, probe: impl FnMut() -> F) -> T {
    waiting::until_within(LIMIT, what, probe).await
}

/// Waits until something holds.
///
/// # Panics
/// If it did not within the limit.
pub async fn until_true<F: Future<Output = bool>>(what: &str, holds: impl FnMut() -> F) {
    waiting::until_true_within(LIMIT, what, holds).await;
}

/// Waits until something holds, but no longer than this; whether it does.
pub async fn for_a_while<F: Future<Output = bool>>(time: Duration, mut holds: impl FnMut() -> F) -> bool {
    const STEP: Duration = Duration::from_millis(100);
    let held = async {
        while !holds().await {
            tokio::time::sleep(STEP).await;
        }
    };
    tokio::time::timeout(time, held).await.is_ok()
}

#[tokio::test]
async fn a_wait_for_what_need_not_come_ends_and_says_whether_it_came() {
    let mut times = 0;
    let third = for_a_while(LIMIT, || {
        times += 1;
        std::future::ready(times == 3)
    });
    assert!(third.await);
    assert!(!for_a_while(Duration::from_millis(1), || std::future::ready(false)).await);
}
