//! The tables, and the goals as met or missed.

use crate::{
    arms::{ALL, Arm, IDEAL, PLAIN, RECOMMENDED, relative},
    data::Recorded,
    evidence::WINDOW,
    faults::{calls, route},
    random::Random,
    settings::{CALLS, Setting, TAIL},
    strict,
    totals::Totals,
};

/// Each replay is run with so many seeds.
pub const SEEDS: u64 = 20;
/// Their first: the recommended profile was chosen with those before it.
pub const FIRST_SEED: u64 = 20;
/// How near to the ideal Claude's share is to come, in points.
const NEAR: f64 = 10.0;
/// Within so many calls per skill after the outage.
const SETTLED: usize = 600;

/// Totals by seed.
struct Run {
    seeds: Vec<Totals>,
}

impl Run {
    fn sum(&self) -> Totals {
        self.seeds.iter().fold(Totals::default(), Totals::plus)
    }

    /// The lift's standard deviation between seeds.
    fn deviation(&self) -> f64 {
        let lifts: Vec<f64> = self.seeds.iter().map(Totals::lift).collect();
        let mean = lifts.iter().sum::<f64>() / lifts.len() as f64;
        (lifts.iter().map(|lift| (lift - mean).powi(2)).sum::<f64>() / (lifts.len() - 1) as f64).sqrt()
    }
}

/// Prints every way to route in every setting.
pub fn faults(recorded: &Recorded) {
    println!(
        "Fault replays: {CALLS} calls per skill, {SEEDS} seeds, window {WINDOW} verdicts, tail = the last {TAIL} calls"
    );
    println!(
        "  lift: points above a coin that sends the same share of the calls to Claude, with its deviation over the seeds"
    );
    println!(
        "  explored: answered by the local model against the rate; shadow: asked in the background; graded: judged answers"
    );
    println!(
        "  settled: calls per skill after the outage until Claude's share stays within {NEAR} points of the ideal"
    );
    println!("  modelled, not the brain: a window counted in verdicts, and a rate that is known at the next call");
    let mut goals = vec![];
    for setting in Setting::all(recorded) {
        let runs = ALL.map(|arm| (arm, run(&arm, &setting)));
        print(&setting, &runs);
        goals.extend(goals_of(&setting, &runs));
    }
    println!("\nGoals with the recommended profile ({})", RECOMMENDED.name.trim());
    goals.iter().for_each(|goal| println!("  {goal}"));
}

fn run(arm: &Arm, setting: &Setting<'_>) -> Run {
    let of_seed = |seed| {
        let mut totals = Totals::default();
        for (i, skill) in setting.skills.iter().enumerate() {
            route(arm, setting, &calls(setting, skill, &mut Random::new(seed, i as u64)), &mut totals);
        }
        totals
    };
    Run { seeds: (FIRST_SEED..FIRST_SEED + SEEDS).map(of_seed).collect() }
}

fn print(setting: &Setting<'_>, runs: &[(Arm, Run)]) {
    println!("\n{} ({} skills), in percent of the calls", setting.name, setting.skills.len());
    println!(
        "  {:<52} {:>6} {:>6} {:>11} {:>10} {:>13} {:>8} {:>6} {:>6} {:>9} {:>7}",
        "",
        "Claude",
        "right",
        "tail Claude",
        "tail right",
        "lift",
        "explored",
        "shadow",
        "graded",
        "escalated",
        "settled"
    );
    let ideal = of(runs, &IDEAL).sum();
    for (arm, run) in runs {
        let totals = run.sum();
        let (tail_claude, tail_right) = totals.tail();
        println!(
            "  {:<52} {:>6.1} {:>6.1} {tail_claude:>11.1} {tail_right:>10.1} {:>13} {:>8.1} {:>6.1} {:>6.1} {:>9.1} {:>7}",
            arm.name,
            totals.claude(),
            totals.right(),
            format!("{:+.2} ± {:.2}", totals.lift(), run.deviation()),
            totals.explored(),
            totals.shadowed(),
            totals.graded(),
            totals.escalated(),
            if arm.check { "-".into() } else { settled(setting, &totals, &ideal) },
        );
    }
}

fn settled(setting: &Setting<'_>, totals: &Totals, ideal: &Totals) -> String {
    match totals.settled(ideal, NEAR) {
        _ if setting.outage.is_empty() => String::new(),
        None => "never".into(),
        Some(calls) => calls.to_string(),
    }
}

fn of<'a>(runs: &'a [(Arm, Run)], arm: &Arm) -> &'a Run {
    runs.iter().find(|(of, _)| of.name == arm.name).map(|(_, run)| run).expect("all are run")
}

fn goals_of(setting: &Setting<'_>, runs: &[(Arm, Run)]) -> Vec<String> {
    let (ideal, plain, recommended) = (of(runs, &IDEAL).sum(), of(runs, &PLAIN), of(runs, &RECOMMENDED));
    let (lift, of_plain) = (recommended.sum().lift(), plain.sum().lift());
    let above = recommended.seeds.iter().zip(&plain.seeds).filter(|(one, plain)| one.lift() > plain.lift()).count();
    let mut goals = vec![format!(
        "{}: lift {lift:+.2} above the plain rule's {of_plain:+.2} (in {above} of {SEEDS} seeds): {}",
        setting.name,
        verdict(lift > of_plain)
    )];
    if !setting.outage.is_empty() {
        let (share, ideal_share) = (recommended.sum().tail().0, ideal.tail().0);
        let near = (share - ideal_share).abs() <= NEAR;
        let calls = recommended.sum().settled(&ideal, NEAR);
        goals.push(format!(
            "{}: tail's Claude share {share:.1} within {NEAR} points of the ideal {ideal_share:.1}, settled within {SETTLED} \
             calls ({}): {}",
            setting.name,
            settled(setting, &recommended.sum(), &ideal),
            verdict(near && calls.is_some_and(|calls| calls <= SETTLED))
        ));
    }
    goals
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// Prints what becomes of verdicts at which Claude itself is far below the ceil.
pub fn strict(recorded: &Recorded) {
    let skills = &recorded.math;
    let (as_good, all) = (strict::as_good(skills), skills.len());
    println!("\nStrict verdicts: Claude itself reaches {} in each skill; {SEEDS} seeds", strict::CLAUDE);
    println!(
        "  tail's Claude share, in percent: of the {as_good} of {all} skills where local reaches 0.90 of Claude's rate; of the others"
    );
    let relative = relative("relativeTo: Claude (of: Model, minSamples 20, Live 0.05, claudeShare 0.05)");
    let [absolute, relative] = [PLAIN, relative].map(|arm| {
        let tails = strict::run(&arm, skills);
        let (good, worse) = (tails.as_good.tail().0, tails.worse.tail().0);
        println!("  {:<76} {good:>5.1} {worse:>5.1}", arm.name);
        (good, worse)
    });
    let everything = absolute.0.min(absolute.1) > 99.0;
    println!("  the absolute rule sends everything to Claude (above 99 %): {}", verdict(everything));
    println!(
        "  relativeTo: Claude keeps local what is as good (Claude's share below 50 %): {}",
        verdict(relative.0 < 50.0)
    );
}
