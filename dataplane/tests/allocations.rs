//! What must not allocate, counted by an allocator that counts. A test program of its own: the allocator is for all of it.

use crds::{
    policy::{RelativeTo, RouteMode},
    table::{ExplorationRules, ThresholdValues},
};
use dataplane::decide::{Measured, SkillRules, decide_for_skill, request_hash};

#[test]
fn a_decision_allocates_nothing() {
    let rules = SkillRules {
        route: RouteMode::Auto,
        min_samples: 20,
        thresholds: ThresholdValues { floor: 0.9, ceil: 0.7 },
        relative_to: RelativeTo::Claude,
        exploration: ExplorationRules::OFF,
    };
    let (system, user) = ("You find bugs.", "u".repeat(100_000));
    let allocated = allocation_counter::measure(|| {
        for pass_rate in [None, Some(0.1), Some(0.8), Some(0.99)] {
            let measured = Measured { pass_rate, samples: Some(53), arms: None };
            std::hint::black_box(decide_for_skill(&rules, measured, request_hash(system, &user)));
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![7])));
    assert_eq!(counted.count_total, 1, "the allocator counts");
}
