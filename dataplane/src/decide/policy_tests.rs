//! What a policy adds to the contract's rule: thresholds relative to Claude, and calls against the rate.

use proptest::prelude::*;

use super::{
    tests::{DEFAULTS, of_skill, rules, thresholds},
    *,
};
use crds::policy::ExplorationMode;

const LIVE: ExplorationRules = ExplorationRules { mode: ExplorationMode::Live, share: 0.05, claude_share: 0.02 };
const SHADOW: ExplorationRules = ExplorationRules { mode: ExplorationMode::Shadow, ..LIVE };

fn beside_claude(local: f64, claude: Rate) -> Measured {
    Measured { arms: Some(Arms { claude, ..Arms::default() }), ..of_skill(local, Some(50)) }
}

fn claude(pass_rate: f64, samples: u64) -> Rate {
    Rate { pass_rate: Some(pass_rate), samples: Some(samples) }
}

#[test]
fn relative_to_claude_floor_and_ceil_are_shares_of_its_rate() {
    let rules = SkillRules { relative_to: RelativeTo::Claude, min_samples: 20, ..rules(ExplorationRules::OFF) };
    for (local, claude, reason, ceil) in [
        // At floor and just below it, at ceil and just below it, with a Claude that is right half of the time.
        (0.45, claude(0.5, 20), Reason::AtOrAboveFloor, 0.35),
        (0.4499, claude(0.5, 20), Reason::Split, 0.35),
        (0.35, claude(0.5, 20), Reason::Split, 0.35),
        (0.3499, claude(0.5, 20), Reason::BelowCeil, 0.35),
        // Too few outcomes of Claude, or none: its rate counts as 1.
        (0.45, claude(0.5, 19), Reason::BelowCeil, 0.7),
        (0.45, Rate::default(), Reason::BelowCeil, 0.7),
        (0.45, Rate { pass_rate: None, samples: Some(20) }, Reason::BelowCeil, 0.7),
        // A Claude that is never right is no reason to pay for it.
        (0.0, claude(0.0, 20), Reason::AtOrAboveFloor, 0.0),
    ] {
        let decided = decide_for_skill(&rules, beside_claude(local, claude), 0);
        assert_eq!((decided.reason, decided.thresholds.ceil), (reason, ceil), "{local} beside {claude:?}");
    }
    let another_brain = decide_for_skill(&rules, of_skill(0.45, Some(50)), 0);
    assert_eq!(another_brain.thresholds, DEFAULTS, "a brain that does not tell the models apart");
}

#[test]
fn p_local_is_the_rates_choice_with_the_shares_taken_in() {
    let p_local = |exploration, rate| decide_for_skill(&rules(exploration), of_skill(rate, Some(9)), 0).p_local;
    for (rate, off, live, shadow) in
        [(1.0, 1.0, 0.98, 0.98), (0.8, 0.5, 0.5 * 0.98 + 0.5 * 0.05, 0.49), (0.1, 0.0, 0.05, 0.0)]
    {
        assert_eq!(p_local(ExplorationRules::OFF, rate), off);
        assert!((p_local(LIVE, rate) - live).abs() < 1e-12, "{rate}");
        assert!((p_local(SHADOW, rate) - shadow).abs() < 1e-12, "{rate}");
    }
    let pinned = |route| decide_for_skill(&SkillRules { route, ..rules(LIVE) }, of_skill(0.1, None), 0).p_local;
    assert_eq!((pinned(RouteMode::Local), pinned(RouteMode::Claude)), (1.0, 0.0));
}

/// A caller who pads a prompt chooses its hash, and with it one side of the band, and no more.
#[test]
fn outside_the_band_and_without_exploration_no_prompt_chooses_the_route() {
    for (measured, reason, expected) in [
        (of_skill(0.9, Some(50)), Reason::AtOrAboveFloor, Decision::Local),
        (of_skill(0.69, Some(50)), Reason::BelowCeil, Decision::Claude),
        (Measured::default(), Reason::NoPassRate, Decision::Local),
        (of_skill(0.1, Some(4)), Reason::TooFewSamples, Decision::Local),
    ] {
        let rules = SkillRules { min_samples: 5, ..rules(ExplorationRules::OFF) };
        let went = |hash| decide_for_skill(&rules, measured, hash);
        let is_expected = |decided: Decided| (decided.reason, decided.decision) == (reason, expected);
        assert!(all_hashes().all(|hash| is_expected(went(hash)) && is_expected(went(!hash))), "{reason:?}");
    }
    let pinned = SkillRules { route: RouteMode::Local, ..rules(LIVE) };
    assert!(all_hashes().all(|hash| decide_for_skill(&pinned, of_skill(0.1, None), hash).decision == Decision::Local));
}

/// Every value of the bits that decide, each as often as any other.
fn all_hashes() -> impl Iterator<Item = u64> {
    // The bits above are not read, so they may be anything.
    (0..1 << 17).map(|low: u64| low | (low << 40))
}

#[test]
fn the_measured_shares_are_those_of_the_policy() {
    for share in [0.0, 0.0001, 0.05, 0.5, 1.0] {
        for rate in [0.1, 0.8, 1.0] {
            let live = ExplorationRules { mode: ExplorationMode::Live, share, claude_share: share / 2.0 };
            let decided = |rules| all_hashes().map(move |hash| decide_for_skill(&rules, of_skill(rate, None), hash));
            let local = decided(rules(live)).filter(|decided| decided.decision == Decision::Local).count();
            let p_local = decide_for_skill(&rules(live), of_skill(rate, None), 0).p_local;
            let measured = local as f64 / f64::from(1 << 17);
            assert!((measured - p_local).abs() < 1e-5, "{share} at {rate}: {measured}, expected {p_local}");
            let shadow = ExplorationRules { mode: ExplorationMode::Shadow, share, claude_share: 0.0 };
            let shadowed = decided(rules(shadow)).filter(|decided| decided.shadowed).count();
            let to_claude = decided(rules(shadow)).filter(|decided| decided.decision == Decision::Claude).count();
            let expected = share * to_claude as f64;
            assert!((shadowed as f64 - expected).abs() <= 1.0, "{shadowed} of {to_claude}, expected {expected}");
        }
    }
}

#[test]
fn exploration_reads_bits_1_to_16_of_the_hash_and_no_others() {
    let first_step = ExplorationRules { mode: ExplorationMode::Live, share: 1.0 / 65_536.0, claude_share: 0.0 };
    let explores = |hash| decide_for_skill(&rules(first_step), of_skill(0.1, None), hash).reason == Reason::Explored;
    assert!(explores(0) && explores(1) && explores(u64::MAX << 17), "other bits");
    for bit in 1..=16 {
        assert!(!explores(1 << bit), "bit {bit}");
    }
}

#[test]
fn a_pinned_skill_never_explores() {
    let all = ExplorationRules { mode: ExplorationMode::Live, share: 1.0, claude_share: 1.0 };
    for (route, decision) in [(RouteMode::Local, Decision::Local), (RouteMode::Claude, Decision::Claude)] {
        let decided = decide_for_skill(&SkillRules { route, ..rules(all) }, of_skill(0.5, None), 0);
        assert_eq!((decided.decision, decided.reason, decided.shadowed), (decision, Reason::Pinned, false));
    }
}

fn measured() -> impl Strategy<Value = Measured> {
    let rate = || prop::option::of(0.0..=1.0_f64);
    let samples = || prop::option::of(0..40_u64);
    let claude = (rate(), samples()).prop_map(|(pass_rate, samples)| Rate { pass_rate, samples });
    let arms = prop::option::of(claude.prop_map(|claude| Arms { claude, ..Arms::default() }));
    (rate(), samples(), arms).prop_map(|(pass_rate, samples, arms)| Measured { pass_rate, samples, arms })
}

fn explorations() -> impl Strategy<Value = ExplorationRules> {
    let mode = prop::sample::select(vec![ExplorationMode::Off, ExplorationMode::Live, ExplorationMode::Shadow]);
    (mode, 0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(mode, share, claude_share)| ExplorationRules {
        mode,
        share,
        claude_share,
    })
}

proptest! {
    #[test]
    fn with_everything_off_it_is_the_contracts_rule(
        measured in measured(), thresholds in thresholds(), min_samples in 1..30_u64, hash: u64,
    ) {
        let rules = SkillRules { min_samples, thresholds, ..rules(ExplorationRules::OFF) };
        let decided = decide_for_skill(&rules, measured, hash);
        prop_assert_eq!(decided.thresholds, thresholds);
        prop_assert!(!decided.shadowed);
        let (decision, reason) = decide(decided.effective_rate, thresholds, hash);
        prop_assert_eq!(decided.decision, decision);
        let too_few = measured.pass_rate.is_some() && decided.effective_rate.is_none();
        prop_assert_eq!(decided.reason, if too_few { Reason::TooFewSamples } else { reason });
    }

    #[test]
    fn a_decision_is_a_function_of_its_record(
        measured in measured(), thresholds in thresholds(), exploration in explorations(), relative: bool, hash: u64,
    ) {
        let relative_to = if relative { RelativeTo::Claude } else { RelativeTo::None };
        let rules = SkillRules { thresholds, relative_to, ..rules(exploration) };
        let decided = decide_for_skill(&rules, measured, hash);
        // Of the record: the rate that counted, the effective thresholds, the hash and the reason.
        let by_rate = decide(decided.effective_rate, decided.thresholds, hash).0;
        let explored = decided.reason == Reason::Explored;
        prop_assert_eq!(decided.decision == by_rate, !explored);
        let chosen = if decided.decision == Decision::Local { decided.p_local } else { 1.0 - decided.p_local };
        prop_assert!((0.0..=1.0).contains(&decided.p_local));
        prop_assert!(chosen > 0.0, "what was chosen was possible");
        prop_assert!(!decided.shadowed || (decided.decision == Decision::Claude && !explored));
    }

    #[test]
    fn relative_thresholds_never_cross(measured in measured(), thresholds in thresholds()) {
        let rules = SkillRules { thresholds, relative_to: RelativeTo::Claude, ..rules(ExplorationRules::OFF) };
        let ThresholdValues { floor, ceil } = decide_for_skill(&rules, measured, 0).thresholds;
        prop_assert!(0.0 <= ceil && ceil <= floor && floor <= 1.0);
    }
}
