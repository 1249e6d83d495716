//! Open-loop load: calls begin at their times, whether or not earlier ones have been answered, and the latency of each
//! counts from when it should have begun. So a server that stops for a second has a second's calls that took that long,
//! also if the generator could not begin them (no coordinated omission).

mod call;
mod measured;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

pub use self::{call::Call, measured::Measured};

/// How late calls may be begun before the generator itself counts as overloaded; see [`Measured::late`].
const LATE: Duration = Duration::from_millis(5);

/// How many calls begin a second, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Calls a second, at least 1.
    pub per_second: u32,
    /// How long calls begin; those in flight at its end are waited for.
    pub time: Duration,
}

impl Rate {
    /// How many calls that are.
    #[must_use]
    pub fn calls(self) -> u32 {
        let calls = self.time.as_secs_f64() * f64::from(self.per_second);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let calls = calls as u32;
        calls.max(1)
    }

    fn begins(self, call: u32) -> Duration {
        Duration::from_secs(1) * call / self.per_second
    }
}

/// A call of a load: its request, and what must be in its answer.
pub trait Target: Send + Sync + 'static {
    /// The request of the call with this number.
    fn request(&self, client: &Client, call: u32) -> RequestBuilder;

    /// Whether this is the answer to the call with this number.
    fn is_answer(&self, call: u32, status: u16, body: &str) -> bool;
}

/// Puts the load on a target, and waits for all answers.
///
/// # Panics
/// If a thread cannot be started.
pub async fn run(rate: Rate, target: Arc<impl Target>) -> Measured {
    let client = crate::http();
    let late = Arc::new(AtomicU64::new(0));
    let (calls, mut begun) = mpsc::unbounded_channel();
    let (runtime, late_calls) = (Handle::current(), Arc::clone(&late));
    // A thread of its own: the timers of the runtime are exact to a millisecond only.
    std::thread::spawn(move || begin(rate, &target, &client, &runtime, &calls, &late_calls));
    let (mut times, mut failed, mut first) = (vec![], 0, None::<Duration>);
    while let Some((call, begins)) = begun.recv().await {
        match call.await {
            Ok(Some(time)) => {
                times.push(time);
                first = Some(first.map_or(begins + time, |first| first.min(begins + time)));
            }
            _ => failed += 1,
        }
    }
    Measured::new(times, first, failed, late.load(Ordering::Relaxed))
}

/// Calls that were begun, each with when after the beginning of the load it should have been.
type Begun = mpsc::UnboundedSender<(JoinHandle<Option<Duration>>, Duration)>;

fn begin(rate: Rate, target: &Arc<impl Target>, client: &Client, runtime: &Handle, begun: &Begun, late: &AtomicU64) {
    let began = Instant::now();
    for number in 0..rate.calls() {
        let at = began + rate.begins(number);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if at.elapsed() > LATE {
            late.fetch_add(1, Ordering::Relaxed);
        }
        let (request, target) = (target.request(client, number), Arc::clone(target));
        let call = runtime.spawn(async move {
            let answer = request.send().await.ok()?;
            let status = answer.status().as_u16();
            let body = answer.text().await.ok()?;
            target.is_answer(number, status, &body).then(|| at.elapsed())
        });
        if begun.send((call, rate.begins(number))).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        routing::{get, post},
    };
    use serde_json::json;
    use tokio::sync::Mutex;

    use super::*;
    use crate::stand_in::Server;

    struct Get(String);

    impl Target for Get {
        fn request(&self, client: &Client, _: u32) -> RequestBuilder {
            client.get(&self.0)
        }

        fn is_answer(&self, _: u32, status: u16, body: &str) -> bool {
            status == 200 && body == "ok"
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_during_a_pause_of_the_server_count_from_when_they_should_have_begun() {
        const PAUSE: Duration = Duration::from_millis(500);
        let pause = Arc::new(Mutex::new(()));
        let held = Arc::clone(&pause).lock_owned().await;
        let waits = || async move {
            drop(pause.lock().await);
            "ok"
        };
        let server = Server::start(Router::new().route("/", get(waits))).await;
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            drop(held);
        });
        let rate = Rate { per_second: 100, time: PAUSE };
        let measured = run(rate, Arc::new(Get(server.url()))).await;
        assert_eq!((measured.answered(), measured.failed), (50, 0));
        // Half of them should have begun in the first half of the pause.
        assert!(measured.at(0.5) >= PAUSE / 2, "{:?}", measured.at(0.5));
        assert!(measured.at(1.0) >= PAUSE * 9 / 10, "{:?}", measured.at(1.0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_call_whose_client_does_not_wait_as_long_is_counted_as_failed() {
        let server = Server::start(Router::new().route("/", post(std::future::pending::<()>))).await;
        let call = Call::new(&server.url(), &json!({}), "").within(Duration::from_millis(100));
        let measured = run(Rate { per_second: 10, time: Duration::from_millis(200) }, Arc::new(call)).await;
        assert_eq!((measured.answered(), measured.failed, measured.first()), (0, 2, None));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_that_are_none_are_counted_as_failed() {
        let server = Server::start(Router::new().route("/", get(|| async { "no" }))).await;
        let rate = Rate { per_second: 100, time: Duration::from_millis(100) };
        let measured = run(rate, Arc::new(Get(server.url()))).await;
        assert_eq!((measured.answered(), measured.failed), (0, 10));
    }
}
