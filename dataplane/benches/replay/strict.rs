//! Verdicts so strict that Claude itself reaches 0.52 only.

use crate::{
    arms::{Arm, THRESHOLDS},
    data::Skill,
    faults::{calls, route},
    random::Random,
    report::{FIRST_SEED, SEEDS},
    settings::Setting,
    totals::Totals,
};

/// Claude's pass rate under these verdicts.
pub const CLAUDE: f64 = 0.52;

/// The tail of the skills where the local model is as good as Claude, so far as the floor asks for it, and of the others.
pub struct Tails {
    pub as_good: Totals,
    pub worse: Totals,
}

/// The number of skills that are as good.
pub fn as_good(skills: &[Skill]) -> usize {
    skills.iter().filter(|skill| is_as_good(skill)).count()
}

fn is_as_good(skill: &Skill) -> bool {
    skill.rate(|row| row.local) >= THRESHOLDS.floor * skill.rate(|row| row.claude)
}

/// Routes all skills. In each of them verdicts are scaled so that Claude reaches [`CLAUDE`].
pub fn run(arm: &Arm, skills: &[Skill]) -> Tails {
    let mut tails = Tails { as_good: Totals::default(), worse: Totals::default() };
    for seed in FIRST_SEED..FIRST_SEED + SEEDS {
        for (i, skill) in skills.iter().enumerate() {
            let claude = skill.rate(|row| row.claude);
            let setting = Setting { lenience: (CLAUDE / claude).min(1.0), ..Setting::steady(skills) };
            let calls = calls(&setting, skill, &mut Random::new(seed, i as u64));
            let totals = if is_as_good(skill) { &mut tails.as_good } else { &mut tails.worse };
            route(arm, &setting, &calls, totals);
        }
    }
    tails
}
