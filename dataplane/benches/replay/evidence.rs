//! A model of the brain's counting: verdicts in the order of their calls, and a window that is counted in verdicts.
//! Which verdict on an answer counts is decided by the brain's own code.

use brain::verdict::{Pattern, Source, Sources, Verdict};
use crds::policy::{EvidenceOf, OnExpired};

use crate::{
    arms::Arm,
    rule::{Arms, Measured, Rate},
};

/// Verdicts that a rate rests on at most: the latest ones.
pub const WINDOW: usize = 50;

/// The model that answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    Local,
    Claude,
}

/// The verdicts on a skill's answers that count.
pub struct Evidence {
    sources: Sources,
    local: Vec<Counted>,
    claude: Vec<Counted>,
    both: Vec<Counted>,
}

#[derive(Clone, Copy)]
struct Counted {
    call: usize,
    pass: bool,
}

impl Evidence {
    pub fn new() -> Self {
        Self { sources: Sources::default(), local: vec![], claude: vec![], both: vec![] }
    }

    /// Takes what the sources say of one answer.
    pub fn take(&mut self, call: usize, answered: Answered, said: impl IntoIterator<Item = (Source, bool)>) {
        let verdict = |pass| if pass { Verdict::Pass } else { Verdict::Fail };
        let pattern = Pattern::of(said.into_iter().map(|(source, pass)| (source, verdict(pass))));
        let Some((_, verdict)) = pattern.counted(&self.sources) else { return };
        let counted = Counted { call, pass: verdict == Verdict::Pass };
        self.both.push(counted);
        match answered {
            Answered::Local => self.local.push(counted),
            Answered::Claude => self.claude.push(counted),
        }
    }

    /// What the brain says to this policy, when verdicts on calls before `since` have left the window.
    pub fn measured(&self, arm: &Arm, since: usize) -> Measured {
        if arm.of == EvidenceOf::Skill {
            let Rate { pass_rate, samples } = rate(in_window(&self.both, since));
            return Measured { pass_rate, samples, arms: None };
        }
        let at_least = usize::try_from(arm.rules.min_samples).expect("fits");
        let (window, latest) = (in_window(&self.local, since), last(&self.local, at_least));
        let held = arm.on_expired == OnExpired::Hold && window.len() < at_least && latest.len() > window.len();
        let Rate { pass_rate, samples } = rate(if held { latest } else { window });
        let arms = Arms { claude: rate(in_window(&self.claude, since)), held, ..Arms::default() };
        Measured { pass_rate, samples, arms: Some(arms) }
    }
}

fn in_window(verdicts: &[Counted], since: usize) -> &[Counted] {
    let latest = last(verdicts, WINDOW);
    &latest[latest.partition_point(|verdict| verdict.call < since)..]
}

fn last(verdicts: &[Counted], number: usize) -> &[Counted] {
    &verdicts[verdicts.len().saturating_sub(number)..]
}

fn rate(verdicts: &[Counted]) -> Rate {
    let passed = verdicts.iter().filter(|verdict| verdict.pass).count();
    let pass_rate = (!verdicts.is_empty()).then(|| passed as f64 / verdicts.len() as f64);
    Rate { pass_rate, samples: Some(verdicts.len() as u64) }
}
