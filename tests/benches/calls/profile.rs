//! Where the processor time of a call goes: a sampling profile of the data plane at 1,000 calls a second, by part of the
//! program and by function, and the three largest costs. `make profile` builds the program with its symbols and keeps the
//! output; docs/benchmarks.md has the costs of it.

mod sampled;
mod stacks;

use std::{sync::Arc, time::Duration};

use tests::{
    host,
    open_loop::{self, Rate},
    process::processor_time,
};

use self::stacks::Stacks;
use super::{
    rig::{PROBLEM_BYTES, Rig},
    settings::Settings,
};

const PER_SECOND: u32 = 1_000;
/// Calls begin this long before anything is sampled.
const WARM_UP: Duration = Duration::from_secs(5);
/// How many parts and functions are printed.
const ROWS: usize = 40;

/// Measures and prints it.
pub async fn measure(settings: &Settings) {
    let rig = Rig::start(4).await;
    let call = Arc::new(rig.routed(PROBLEM_BYTES));
    open_loop::run(Rate { per_second: PER_SECOND, time: WARM_UP }, Arc::clone(&call)).await;
    let (used, stolen) = (processor_time(rig.routing.id()), host::stolen());
    let sampling = sampled::start(rig.routing.id(), settings.time);
    let measured = open_loop::run(Rate { per_second: PER_SECOND, time: settings.time }, call).await;
    let used = processor_time(rig.routing.id()) - used;
    let stacks = Stacks::of(&sampling.text());
    #[allow(clippy::cast_precision_loss)]
    let each = used.as_secs_f64() * 1000.0 / measured.answered().max(1) as f64;
    println!(
        "{PER_SECOND} calls/s for {} s: {} answered, {} failed; {each:.3} ms of processor time a call; {} samples; stolen \
         {:.2} s",
        settings.time.as_secs(),
        measured.answered(),
        measured.failed,
        stacks.samples(),
        (host::stolen() - stolen).as_secs_f64()
    );
    println!("\nby part:\n{}", stacks.by_part(ROWS, each));
    println!("by function:\n{}", stacks.by_function(ROWS, each));
    println!("the largest costs of a call:\n{}", stacks.largest(each));
}
