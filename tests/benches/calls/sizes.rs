//! Whether the number of skills, the size of an argument or a report of progress changes what is added.

use std::{sync::Arc, time::Duration};

use tests::open_loop::{self, Call, Rate};

use super::{
    latency::{Added, cell, median},
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
        let name = format!("{skills} skills, argument of {:.1} KiB", bytes as f64 / KIB as f64);
        measure_cell(settings, &rig, &name, (rig.direct(bytes), rig.routed(bytes)), table).await;
    }
    let rig = Rig::start(4).await;
    let calls = (rig.direct(PROBLEM_BYTES), rig.routed_with_progress(PROBLEM_BYTES));
    measure_cell(settings, &rig, "with reports of progress, as Claude Code calls", calls, table).await;
}

/// Rounds of direct and routed in turns; the row has their median.
async fn measure_cell(settings: &Settings, rig: &Rig, name: &str, (direct, routed): (Call, Call), table: &mut Table) {
    let rate = Rate { per_second: PER_SECOND, time: settings.time / 6 };
    let (direct, routed) = (Arc::new(direct), Arc::new(routed));
    open_loop::run(Rate { time: Duration::from_secs(2), ..rate }, Arc::clone(&routed)).await;
    let (mut rounds, mut failed) = (vec![], 0);
    for round in 1..=settings.rounds {
        let without = cell(rate, Arc::clone(&direct), &[("models", rig.models.id())]).await;
        without.print(&format!("{name}, round {round}, direct"));
        let with = cell(rate, Arc::clone(&routed), &[("routing", rig.routing.id()), ("brain", rig.brain.id())]).await;
        with.print(&format!("{name}, round {round}, routed"));
        failed += without.measured.failed + with.measured.failed;
        rounds.push(Added::between(&without, &with));
    }
    let of = |figure: fn(&Added) -> f64| median(rounds.iter().map(figure));
    let measured = match failed {
        0 => format!("{:.2} ms, {:.2} ms", of(|added| added.p50), of(|added| added.routing)),
        failed => format!("{failed} calls failed"),
    };
    table.row(&format!("{name}: added p50 and CPU a call at {PER_SECOND}/s, median"), &measured, None);
}
