//! Whether the number of skills, the size of a prompt or a report of progress changes what is added.

use std::{sync::Arc, time::Duration};

use tests::open_loop::{self, Call, Rate};

use super::{
    latency::cell,
    rig::{PROBLEM_BYTES, Rig},
    settings::Settings,
    table::Table,
};

const KIB: usize = 1024;
/// Skills, and the size of the problem in bytes.
const CELLS: [(usize, usize); 5] = [(4, PROBLEM_BYTES), (64, PROBLEM_BYTES), (4, KIB), (4, 32 * KIB), (4, 256 * KIB)];
const PER_SECOND: u32 = 100;

/// Measures each at a low rate.
pub async fn measure(settings: &Settings, table: &mut Table) {
    for (skills, bytes) in CELLS {
        let rig = Rig::start(skills).await;
        let name = format!("{skills} skills, prompts of {:.1} KiB", bytes as f64 / KIB as f64);
        measure_cell(settings, &rig, &name, (rig.direct(bytes), rig.routed(bytes)), table).await;
    }
    let rig = Rig::start(4).await;
    let calls = (rig.direct(PROBLEM_BYTES), rig.routed_with_progress(PROBLEM_BYTES));
    measure_cell(settings, &rig, "with reports of progress, as Claude Code calls", calls, table).await;
}

async fn measure_cell(settings: &Settings, rig: &Rig, name: &str, (direct, routed): (Call, Call), table: &mut Table) {
    let rate = Rate { per_second: PER_SECOND, time: settings.time / 3 };
    let (direct, routed) = (Arc::new(direct), Arc::new(routed));
    open_loop::run(Rate { time: Duration::from_secs(2), ..rate }, Arc::clone(&routed)).await;
    let without = cell(rate, direct, &[("models", rig.models.id())]).await;
    let with = cell(rate, routed, &[("routing", rig.routing.id()), ("brain", rig.brain.id())]).await;
    without.print(&format!("{name}, direct"));
    with.print(&format!("{name}, routed"));
    let added = (with.measured.at(0.5).as_secs_f64() - without.measured.at(0.5).as_secs_f64()) * 1000.0;
    let measured = match with.measured.failed + without.measured.failed {
        0 => format!("{added:.2} ms, {:.2} ms", with.cpu_of("routing")),
        failed => format!("{failed} calls failed"),
    };
    table.row(&format!("{name}: added p50 and CPU a call at {PER_SECOND}/s"), &measured, None);
}
