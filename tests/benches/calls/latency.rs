//! The latency that the data plane adds, and what each process needs for it: the same prompt asked directly, through the
//! data plane and, at the rate that it holds, through LiteLLM, in turns.

use std::{sync::Arc, time::Duration};

use tests::{
    host,
    open_loop::{self, Call, Measured, Rate},
    process::processor_time,
};

use super::{
    rig::{self, PROBLEM_BYTES, Rig},
    settings::Settings,
    table::{Goal, Table, milliseconds},
};

/// A cell of which other machines took more than this is measured again.
const STOLEN_MAX: Duration = Duration::from_secs(1);
/// How often at most.
const REPEATS: usize = 3;
/// Calls begin this long before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// The rate that the goals are about.
const GOAL_RATE: u32 = 1000;

/// A process, and its name in the output.
pub type Watched = (&'static str, u32);

/// What a cell measured.
pub struct Cell {
    pub measured: Measured,
    /// Processor time of each process, in seconds per 1,000 calls, which is milliseconds a call.
    pub cpu: Vec<(&'static str, f64)>,
    stolen: Duration,
}

impl Cell {
    pub fn print(&self, name: &str) {
        let Self { measured, cpu, stolen } = self;
        let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|share| milliseconds(measured.at(share)));
        let cpu: Vec<String> = cpu.iter().map(|(name, seconds)| format!("{name} {seconds:.3}")).collect();
        println!(
            "{name}: {} answered, {} failed, {} begun late; p50 {p50}, p99 {p99}, p99.9 {p999}, max {most}; CPU s per 1,000 \
             calls: {}; stolen {:.2} s",
            measured.answered(),
            measured.failed,
            measured.late,
            cpu.join(", "),
            stolen.as_secs_f64()
        );
    }

    pub fn cpu_of(&self, process: &str) -> f64 {
        self.cpu.iter().find(|(name, _)| *name == process).map_or(0.0, |(_, seconds)| *seconds)
    }
}

/// Measures a cell, and once more if the host had other things to do.
pub async fn cell(rate: Rate, target: Arc<Call>, processes: &[Watched]) -> Cell {
    let mut cell = once(rate, &target, processes).await;
    for _ in 1..REPEATS {
        if cell.stolen <= STOLEN_MAX {
            break;
        }
        println!("  {:.2} s were stolen: measured again", cell.stolen.as_secs_f64());
        cell = once(rate, &target, processes).await;
    }
    cell
}

async fn once(rate: Rate, target: &Arc<Call>, processes: &[Watched]) -> Cell {
    let used = || processes.iter().map(|(_, id)| processor_time(*id)).collect::<Vec<_>>();
    let (before, stolen) = (used(), host::stolen());
    let measured = open_loop::run(rate, Arc::clone(target)).await;
    let stolen = host::stolen().saturating_sub(stolen);
    #[allow(clippy::cast_precision_loss)]
    let thousands = measured.answered().max(1) as f64 / 1000.0;
    let cpu = processes.iter().zip(used().into_iter().zip(before));
    let cpu = cpu.map(|((name, _), (after, before))| (*name, (after - before).as_secs_f64() / thousands)).collect();
    Cell { measured, cpu, stolen }
}

/// What a round says of the data plane.
#[derive(Clone, Copy)]
pub struct Added {
    /// Of the median latency, in milliseconds.
    pub p50: f64,
    p99: f64,
    /// Processor time of the data plane a call, in milliseconds.
    pub routing: f64,
    brain: f64,
}

impl Added {
    pub fn between(direct: &Cell, routed: &Cell) -> Self {
        let at = |share| (routed.measured.at(share).as_secs_f64() - direct.measured.at(share).as_secs_f64()) * 1000.0;
        Self { p50: at(0.5), p99: at(0.99), routing: routed.cpu_of("routing"), brain: routed.cpu_of("brain") }
    }
}

/// Measures all rates, in turns of direct and routed.
pub async fn measure(settings: &Settings, rig: &Rig, table: &mut Table) {
    let litellm = if settings.litellm_rate > 0 { Some(rig::litellm(&rig.models).await) } else { None };
    let [models, brain, routing] =
        [("models", rig.models.id()), ("brain", rig.brain.id()), ("routing", rig.routing.id())];
    let (direct, routed) = (Arc::new(rig.direct(PROBLEM_BYTES)), Arc::new(rig.routed(PROBLEM_BYTES)));
    let warm_up = Rate { per_second: 200, time: WARM_UP };
    open_loop::run(warm_up, Arc::clone(&direct)).await;
    open_loop::run(warm_up, Arc::clone(&routed)).await;
    for per_second in &settings.rates {
        let rate = Rate { per_second: *per_second, time: settings.time };
        let mut rounds = vec![];
        for round in 1..=settings.rounds {
            let name = |what| format!("{per_second}/s, round {round}, {what}");
            let without = cell(rate, Arc::clone(&direct), &[models]).await;
            without.print(&name("direct"));
            let with = cell(rate, Arc::clone(&routed), &[routing, brain, models]).await;
            with.print(&name("routed"));
            rounds.push(Added::between(&without, &with));
        }
        println!("decisions that the brain did not get so far: {}", rig.routing.decisions_not_logged().await);
        rows(*per_second, &rounds, table);
    }
    if let Some(litellm) = &litellm {
        let rate = Rate { per_second: settings.litellm_rate, time: settings.time };
        let through = Arc::new(rig::through(litellm, PROBLEM_BYTES));
        open_loop::run(Rate { time: WARM_UP, ..rate }, Arc::clone(&through)).await;
        let mut rounds = vec![];
        for round in 1..=settings.rounds {
            let name = |what| format!("{}/s, round {round}, {what}", rate.per_second);
            let without = cell(rate, Arc::clone(&direct), &[models]).await;
            without.print(&name("direct"));
            let with = cell(rate, Arc::clone(&routed), &[routing, brain, models]).await;
            with.print(&name("routed"));
            let beside = cell(rate, Arc::clone(&through), &[("litellm", litellm.id()), models]).await;
            beside.print(&name("LiteLLM"));
            rounds.push([
                Added::between(&without, &with),
                Added { routing: beside.cpu_of("litellm"), ..Added::between(&without, &beside) },
            ]);
        }
        for (i, name) in ["the data plane", "LiteLLM 1.106.2, no decisions"].into_iter().enumerate() {
            let median = |of: Figure| median(rounds.iter().map(|round| of(&round[i])));
            let measured = format!("{:.2} ms, {:.2} ms", median(|added| added.p50), median(|added| added.routing));
            table.row(&format!("{name}, added p50 and CPU a call at {}/s", rate.per_second), &measured, None);
        }
    }
}

/// Which figure of the rounds a goal is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// The lowest: what the host does to one call in a hundred is not the program's.
    Best,
    Median,
}

/// A goal, and the figure that it is about; none: there is no goal.
type Wanted = Option<(Goal, By)>;

/// A figure of a round.
type Figure = fn(&Added) -> f64;

fn rows(per_second: u32, rounds: &[Added], table: &mut Table) {
    let figures = |of: Figure| {
        let all = || rounds.iter().map(of);
        (all().fold(f64::INFINITY, f64::min), median(all()))
    };
    let goal = |below, by| (per_second == GOAL_RATE).then_some((Goal::Below(below), by));
    let of_a_round: [(&str, Figure, Wanted); 4] = [
        ("added latency, p50", |added| added.p50, goal(0.4, By::Median)),
        ("added latency, p99", |added| added.p99, goal(1.0, By::Best)),
        ("CPU of the data plane a call", |added| added.routing, goal(0.4, By::Median)),
        ("CPU of the brain a call", |added| added.brain, None),
    ];
    for (what, of, goal) in of_a_round {
        let (best, median) = figures(of);
        let measured = format!("{best:.2} ms (median {median:.2} ms)");
        let goal = goal.map(|(goal, by)| goal.of(as_printed(if by == By::Best { best } else { median }), "ms"));
        table.row(&format!("{what}, {per_second} calls/s"), &measured, goal);
    }
}

/// A reader judges by what the table shows, so "0.40" does not meet "< 0.4".
fn as_printed(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// The middle one of some figures, the lower of two.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
