//! Calls of a skill one after the other, routed by what the verdicts on the earlier ones say.

use brain::verdict::Source;

use crate::{
    arms::{Arm, CHECK_ERRS, GRADER_ERRS},
    data::Skill,
    evidence::{Answered, Evidence},
    random::Random,
    rule::{Decision, Measured, Reason, decide_for_skill},
    settings::{CALLS, Setting},
    totals::{Event, Totals},
};

/// A call, drawn before it is routed, so that all ways to route get the same.
pub struct Call {
    number: usize,
    /// Of a prompt of its own, although the recorded answer may be drawn again.
    hash: u64,
    /// How often the local model is right at this time.
    true_rate: f64,
    local_right: bool,
    claude_right: bool,
    reported: bool,
    /// What a reporter says of a right and of a wrong answer.
    said: [bool; 2],
    /// Chooses the answers that are graded.
    sampled: f64,
    grader: f64,
    check: f64,
}

impl Call {
    fn reports(&self, right: bool) -> Option<(Source, bool)> {
        self.reported.then_some((Source::Agent, self.said[usize::from(!right)]))
    }

    fn grades(&self, arm: &Arm, right: bool) -> Option<(Source, bool)> {
        (self.sampled < arm.grading).then_some((Source::Grader, right == (self.grader >= GRADER_ERRS)))
    }

    fn checks(&self, right: bool) -> (Source, bool) {
        let (refused, let_pass) = CHECK_ERRS;
        (Source::Check, if right { self.check >= refused } else { self.check < let_pass })
    }
}

/// The calls of a skill.
pub fn calls(setting: &Setting<'_>, skill: &Skill, random: &mut Random) -> Vec<Call> {
    let (rate, later) = (skill.rate(|row| row.local), skill.rate(|row| row.later));
    let call = |number| {
        let row = skill.rows[random.index(skill.rows.len())];
        let (hash, drawn) = (random.draw(), random.part());
        let (probability, true_rate) = match number {
            number if setting.outage.contains(&number) => (0.0, 0.0),
            number if number >= setting.later_from => (row.later, later),
            _ => (row.local, rate),
        };
        let flipped = random.part() < setting.flipped;
        let right_is_passed = random.part() < setting.lenience;
        Call {
            number,
            hash,
            true_rate,
            local_right: drawn < probability,
            claude_right: drawn < row.claude,
            reported: random.part() < setting.reported,
            said: [right_is_passed != flipped, flipped],
            sampled: random.part(),
            grader: random.part(),
            check: random.part(),
        }
    };
    (0..CALLS).map(call).collect()
}

/// Routes the calls of a skill.
pub fn route(arm: &Arm, setting: &Setting<'_>, calls: &[Call], totals: &mut Totals) {
    let mut evidence = Evidence::new();
    for call in calls {
        let since = call.number - call.number % setting.forgotten_every;
        let measured = if arm.ideal {
            Measured { pass_rate: Some(call.true_rate), ..Measured::default() }
        } else {
            evidence.measured(arm, since)
        };
        let decided = decide_for_skill(&arm.rules, measured, call.hash);
        let mut event = Event {
            call: call.number,
            claude: decided.decision != Decision::Local,
            explored: decided.reason == Reason::Explored,
            shadowed: decided.shadowed,
            ..Event::default()
        };
        if decided.shadowed {
            let graded = call.grades(arm, call.local_right);
            event.graded += u64::from(graded.is_some());
            evidence.take(call.number, Answered::Local, graded);
        }
        answer(arm, call, &mut evidence, &mut event);
        event.right = if event.claude { call.claude_right } else { call.local_right };
        totals.add(&event, [call.local_right, call.claude_right]);
    }
}

/// Takes the verdicts on the answer; after a failed check Claude answers.
fn answer(arm: &Arm, call: &Call, evidence: &mut Evidence, event: &mut Event) {
    let local = (!event.claude && arm.check).then(|| call.checks(call.local_right));
    event.escalated = local.is_some_and(|(_, holds)| !holds);
    if event.escalated {
        evidence.take(call.number, Answered::Local, local);
        event.claude = true;
    }
    let (answered, right) = match event.claude {
        true => (Answered::Claude, call.claude_right),
        false => (Answered::Local, call.local_right),
    };
    // The product counts no check of an answer to what was too hard for the local model.
    let checked = (arm.check && !event.escalated).then(|| call.checks(right));
    let graded = call.grades(arm, right);
    event.graded += u64::from(graded.is_some());
    evidence.take(call.number, answered, checked.into_iter().chain(graded).chain(call.reports(right)));
}
