//! The ways to route that are compared.

use crds::{
    policy::{EvidenceOf, ExplorationMode, OnExpired, RelativeTo, RouteMode},
    table::{ExplorationRules, ThresholdValues},
};

use crate::rule::SkillRules;

pub const THRESHOLDS: ThresholdValues = ThresholdValues { floor: 0.90, ceil: 0.70 };
/// How often the grader is wrong.
pub const GRADER_ERRS: f64 = 0.10;
/// How often the check refuses a right answer, and how often it lets a wrong one pass.
pub const CHECK_ERRS: (f64, f64) = (0.05, 0.10);

/// A policy.
#[derive(Clone, Copy)]
pub struct Arm {
    pub name: &'static str,
    /// Decides by the rate that nobody knows, and not by verdicts.
    pub ideal: bool,
    pub rules: SkillRules,
    pub of: EvidenceOf,
    pub on_expired: OnExpired,
    /// Answers are checked, each verdict counts, and Claude is asked after a failed one.
    pub check: bool,
    /// The part of all answers, of both models and of shadow calls, that a grader judges; each verdict counts.
    pub grading: f64,
}

/// The rule of the contract, as it is from the environment alone.
pub const PLAIN: Arm = Arm {
    name: "plain rule (of: Skill, minSamples 1, Forget)",
    ideal: false,
    rules: SkillRules {
        route: RouteMode::Auto,
        min_samples: 1,
        thresholds: THRESHOLDS,
        relative_to: RelativeTo::None,
        exploration: ExplorationRules::OFF,
    },
    of: EvidenceOf::Skill,
    on_expired: OnExpired::Forget,
    check: false,
    grading: 0.0,
};

pub const IDEAL: Arm = Arm { name: "ideal (the true rate)", ideal: true, ..PLAIN };

/// The defaults of a policy but for `minSamples`.
pub const MODEL: Arm = of_model("of: Model, minSamples 20, Hold", 20, ExplorationMode::Off, (0.0, 0.0));
pub const LIVE: Arm = of_model("  + Live 0.05", 20, ExplorationMode::Live, (0.05, 0.0));
pub const LIVE_10: Arm = of_model("  + Live 0.10", 20, ExplorationMode::Live, (0.10, 0.0));
/// The local model is asked after every call to Claude; a quarter of all answers is graded.
pub const SHADOW: Arm = shadow("  + Shadow 1, grading 0.25", 1.0, 0.25);

/// All of them, the ideal first and the plain rule second.
pub const ALL: [Arm; 15] = [
    IDEAL,
    PLAIN,
    of_model("of: Model, minSamples 1, Hold", 1, ExplorationMode::Off, (0.0, 0.0)),
    MODEL,
    LIVE,
    LIVE_10,
    of_model("  + Live 0.20", 20, ExplorationMode::Live, (0.20, 0.0)),
    shadow("  + Shadow 0.10, grading 1", 0.10, 1.0),
    shadow("  + Shadow 0.25, grading 1", 0.25, 1.0),
    shadow("  + Shadow 0.50, grading 0.50", 0.50, 0.50),
    SHADOW,
    relative("  + Live 0.05, relativeTo: Claude, claudeShare 0.05"),
    Arm { name: "  + Live 0.05, check with escalation", check: true, ..LIVE },
    Arm { name: "  + Live 0.10, check with escalation", check: true, ..LIVE_10 },
    Arm { name: "cascade (route: Local, check with escalation)", check: true, rules: LOCAL, ..MODEL },
];

/// What the docs recommend.
pub const RECOMMENDED: Arm = SHADOW;

const LOCAL: SkillRules = SkillRules { route: RouteMode::Local, ..MODEL.rules };

pub const fn relative(name: &'static str) -> Arm {
    let arm = of_model(name, 20, ExplorationMode::Live, (0.05, 0.05));
    Arm { rules: SkillRules { relative_to: RelativeTo::Claude, ..arm.rules }, ..arm }
}

const fn of_model(name: &'static str, min_samples: u64, mode: ExplorationMode, shares: (f64, f64)) -> Arm {
    let exploration = ExplorationRules { mode, share: shares.0, claude_share: shares.1 };
    let rules = SkillRules { min_samples, exploration, ..PLAIN.rules };
    Arm { name, ideal: false, rules, of: EvidenceOf::Model, on_expired: OnExpired::Hold, check: false, grading: 0.0 }
}

const fn shadow(name: &'static str, share: f64, grading: f64) -> Arm {
    Arm { grading, ..of_model(name, 20, ExplorationMode::Shadow, (share, 0.0)) }
}
