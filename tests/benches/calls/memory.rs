//! The memory of the data plane: idle, under load, with many calls in flight, and after them.

use std::{sync::Arc, time::Duration};

use tests::{
    open_loop::{self, Rate},
    process::{own_kib, resident_kib},
    program::Running,
};
use tokio::time::sleep;

use super::{
    rig::{PROBLEM_BYTES, Rig},
    settings::Settings,
    table::{Goal, Table},
};

/// Calls that are in flight at the same time; with 20,000 descriptors one address may have 4,968 connections.
const IN_FLIGHT: [u32; 2] = [600, 4_900];
/// How long a call is in flight: longer than it takes to begin all.
const HELD: Duration = Duration::from_secs(12);
/// How long they take to begin.
const BEGIN: Duration = Duration::from_secs(8);
/// Longest wait for memory to be given back.
const GIVEN_BACK: Duration = Duration::from_secs(30);

/// Measures it in a process of its own.
pub async fn measure(settings: &Settings, table: &mut Table) {
    let rig = Rig::start(4).await;
    sleep(Duration::from_secs(2)).await;
    let (idle, own) = (mib(&rig.routing), in_mib(own_kib(rig.routing.id())));
    let measured = format!("{}, of which {own:.1} without the program's own pages", shown(idle));
    table.row("memory, idle", &measured, Some(Goal::Below(15.0).of(idle, "MiB")));
    let mut goals = [Some(40.0), None].into_iter();
    for calls in IN_FLIGHT {
        let peak = burst(&rig, calls).await;
        let each = (peak - idle) * 1024.0 / f64::from(calls);
        let goal = goals.next().flatten().map(|limit| Goal::Below(limit).of(peak, "MiB"));
        table.row(&format!("memory, {calls} calls in flight"), &format!("{}, {each:.0} KiB a call", shown(peak)), goal);
        sleep(GIVEN_BACK).await;
        let after = mib(&rig.routing);
        table.row(&format!("memory, {} s after {calls} calls", GIVEN_BACK.as_secs()), &shown(after), None);
    }
    let rate = Rate { per_second: 1_000, time: settings.time };
    open_loop::run(rate, Arc::new(rig.routed(PROBLEM_BYTES))).await;
    table.row(
        &format!("memory, after {} s of 1,000 calls/s", settings.time.as_secs()),
        &shown(mib(&rig.routing)),
        None,
    );
}

/// The memory when all of these calls are in flight; all of them are answered.
async fn burst(rig: &Rig, calls: u32) -> f64 {
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
        "{in_flight} calls in flight: {}, {} answered, {} failed",
        shown(peak),
        measured.answered(),
        measured.failed
    );
    peak
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
