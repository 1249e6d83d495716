//! The memory of the data plane: idle, with many calls in flight, after them, and under load.

use std::{pin::pin, sync::Arc, time::Duration};

use tests::{
    open_loop::{self, Rate},
    process::{own_kib, resident_kib},
    program::Running,
};
use tokio::time::sleep;

use super::{
    latency::median,
    rig::{PROBLEM_BYTES, Rig},
    settings::Settings,
    table::{Goal, Table},
};

/// Calls that are in flight at the same time, and the goal in MiB; with 20,000 descriptors one address may have 4,968
/// connections. The goal leaves 28 KiB for a call, and hyper's buffers alone are 49: 8 to write and 8 to read for each of two
/// connections, 8 for what a new connection's first request is read into, and a queue of 9. None can be smaller:
/// `max_buf_size` refuses heads of more than 8 KiB, which tokens need; `writev(false)` and `pipeline_flush` copy answers into
/// the write buffer, too; reqwest passes on no such setting; and the caller's read buffer stays while a model works, as hyper
/// notices by it that a caller has gone.
const IN_FLIGHT: [(u32, Option<f64>); 2] = [(600, Some(40.0)), (4_900, None)];
/// How long they take to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How long a call is in flight: longer than it takes to begin all.
const HELD: Duration = Duration::from_secs(8);
/// Longest wait for memory to be given back.
const GIVEN_BACK: Duration = Duration::from_secs(20);
/// Calls a second of the load.
const PER_SECOND: u32 = 1_000;
/// Time between two looks at the memory under load.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a round measured, in MiB.
struct Round {
    idle: f64,
    /// Of this without the program's own pages.
    own: f64,
    bursts: [Burst; IN_FLIGHT.len()],
    /// The most under load.
    loaded: f64,
}

/// The memory with calls in flight, and some time after them.
#[derive(Clone, Copy, Default)]
struct Burst {
    peak: f64,
    after: f64,
}

/// Measures it in rounds, each with processes of its own; the table has their median.
pub async fn measure(settings: &Settings, table: &mut Table) {
    let load = Rate { per_second: PER_SECOND, time: settings.time / 3 };
    let mut rounds = vec![];
    for round in 1..=settings.rounds {
        rounds.push(measure_round(&format!("memory, round {round}"), load).await);
    }
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let (idle, own) = (of(&|round: &Round| round.idle), of(&|round: &Round| round.own));
    let measured = format!("{}, of which {own:.1} without the program's own pages", shown(idle));
    table.row("memory, idle", &measured, Some(Goal::Below(15.0).of(idle, "MiB")));
    for (i, (calls, goal)) in IN_FLIGHT.into_iter().enumerate() {
        let (peak, after) = (of(&|round: &Round| round.bursts[i].peak), of(&|round: &Round| round.bursts[i].after));
        let each = (peak - idle) * 1024.0 / f64::from(calls);
        let goal = goal.map(|limit| Goal::Below(limit).of(peak, "MiB"));
        table.row(&format!("memory, {calls} calls in flight"), &format!("{}, {each:.0} KiB a call", shown(peak)), goal);
        table.row(&format!("memory, {} s after {calls} calls", GIVEN_BACK.as_secs()), &shown(after), None);
    }
    let row = format!("memory, the most in {} s of 1,000 calls/s", load.time.as_secs());
    table.row(&row, &shown(of(&|round: &Round| round.loaded)), None);
}

async fn measure_round(name: &str, load: Rate) -> Round {
    let rig = Rig::start(4).await;
    sleep(Duration::from_secs(2)).await;
    let (idle, own) = (mib(&rig.routing), in_mib(own_kib(rig.routing.id())));
    println!("{name}: idle: {}, of which {own:.1} without the program's own pages", shown(idle));
    let mut bursts = [Burst::default(); IN_FLIGHT.len()];
    for (measured, (calls, _)) in bursts.iter_mut().zip(IN_FLIGHT) {
        let peak = burst(name, &rig, calls).await;
        sleep(GIVEN_BACK).await;
        *measured = Burst { peak, after: mib(&rig.routing) };
        println!("{name}: {} s after {calls} calls: {}", GIVEN_BACK.as_secs(), shown(measured.after));
    }
    Round { idle, own, bursts, loaded: most_under(name, &rig, load).await }
}

/// The memory when all of these calls are in flight; all of them are answered.
async fn burst(name: &str, rig: &Rig, calls: u32) -> f64 {
    #[allow(clippy::cast_possible_truncation)]
    let rate = Rate { per_second: calls.div_ceil(BEGIN.as_secs() as u32), time: BEGIN };
    let load = open_loop::run(rate, Arc::new(rig.routed_after(HELD)));
    let look = async {
        sleep(BEGIN + (HELD - BEGIN) / 2).await;
        let in_flight = rig.routing.metric("routing_in_flight_calls").await;
        (in_flight, mib(&rig.routing))
    };
    let (measured, (in_flight, peak)) = tokio::join!(load, look);
    println!(
        "{name}: {in_flight} calls in flight: {}, {} answered, {} failed",
        shown(peak),
        measured.answered(),
        measured.failed
    );
    peak
}

/// The most memory while a load is on.
async fn most_under(name: &str, rig: &Rig, rate: Rate) -> f64 {
    let mut load = pin!(open_loop::run(rate, Arc::new(rig.routed(PROBLEM_BYTES))));
    let mut most = mib(&rig.routing);
    let measured = loop {
        tokio::select! {
            measured = &mut load => break measured,
            () = sleep(LOOK_EVERY) => most = most.max(mib(&rig.routing)),
        }
    };
    println!(
        "{name}: the most in {} s of 1,000 calls/s: {}, {} answered, {} failed",
        rate.time.as_secs(),
        shown(most),
        measured.answered(),
        measured.failed
    );
    most
}

fn mib(process: &Running) -> f64 {
    in_mib(resident_kib(process.id()))
}

#[allow(clippy::cast_precision_loss)]
fn in_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn shown(mib: f64) -> String {
    format!("{mib:.1} MiB")
}
