//! A processor that is shared with others, as a container's limit of 50 thousandths shares it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tests::{
    Policy, calls,
    load::{Got, Load},
    program::Program,
    stand_in::models::Models,
};

/// The kernel gives out the processor anew in periods of this length.
const PERIOD: Duration = Duration::from_millis(100);
/// Of each period: 50 thousandths of a processor.
const RUNS: Duration = Duration::from_millis(5);

/// Stops a process for most of the time until it is dropped, which needs no rights, unlike a control group.
struct Throttle {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Throttle {
    fn of(process: u32) -> Self {
        let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for (signal, time) in [(Signal::STOP, PERIOD - RUNS), (Signal::CONT, RUNS)] {
                    kill_process(process, signal).expect("the process runs");
                    std::thread::sleep(time);
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_is_throttled_to_a_twentieth_fails_no_call() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url())).start().await;
    let throttle = Throttle::of(routing.process());
    let (made, mut answered, began) = (calls::in_make_test(100), 0, Instant::now());
    Load::of(&routing.mcp_url())
        .calls(0..made, 10, |number, got| {
            let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
            assert_eq!(result.text(0), "answer of l", "call {number}: no time-out, no fallback");
            answered += 1;
        })
        .await;
    calls::print("throttled", made, began);
    assert_eq!((answered, models.asked().len()), (made, made));
    drop(throttle);
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of l");
}
