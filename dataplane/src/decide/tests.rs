use proptest::prelude::*;

use super::*;

pub(super) const DEFAULTS: ThresholdValues = ThresholdValues { floor: 0.9, ceil: 0.7 };

fn route(rate: Option<f64>, hash: u64) -> Decision {
    decide(rate, DEFAULTS, hash).0
}

#[test]
fn contract_2_no_pass_rate_is_local() {
    for hash in [0, 1] {
        assert_eq!(decide(None, DEFAULTS, hash), (Decision::Local, Reason::NoPassRate));
    }
}

#[test]
fn contract_2_at_or_above_floor_is_local() {
    for rate in [0.9, 0.900_000_000_000_000_1, 1.0] {
        assert_eq!(decide(Some(rate), DEFAULTS, 1), (Decision::Local, Reason::AtOrAboveFloor), "{rate}");
    }
}

#[test]
fn contract_2_below_ceil_is_claude() {
    for rate in [0.0, 0.699_999_999_999_999_9] {
        assert_eq!(decide(Some(rate), DEFAULTS, 0), (Decision::Claude, Reason::BelowCeil), "{rate}");
    }
}

#[test]
fn contract_2_between_the_lowest_bit_decides() {
    for rate in [0.7, 0.8, 0.899_999_999_999_999_9] {
        assert_eq!(decide(Some(rate), DEFAULTS, 0xffff_fffe), (Decision::Local, Reason::Split), "{rate}");
        assert_eq!(decide(Some(rate), DEFAULTS, 0x1), (Decision::Claude, Reason::Split), "{rate}");
    }
}

#[test]
fn contract_2_exactly_at_floor_is_local_exactly_at_ceil_is_the_split() {
    assert_eq!(
        (route(Some(0.9), 1), route(Some(0.7), 0), route(Some(0.7), 1)),
        (Decision::Local, Decision::Local, Decision::Claude)
    );
    let equal = ThresholdValues { floor: 0.8, ceil: 0.8 };
    assert_eq!(decide(Some(0.8), equal, 1).0, Decision::Local);
    assert_eq!(decide(Some(7.0 / 10.0), ThresholdValues { floor: 1.0, ceil: 0.7 }, 1).1, Reason::Split, "7/10 is 0.7");
}

#[test]
fn contract_2_decision_strings() {
    let strings = [Decision::Local, Decision::Claude, Decision::ClaudeFallback].map(Decision::as_str);
    assert_eq!(strings, ["local", "claude", "claude_fallback"]);
}

/// One test per row of the table in `contract` part 2, each a full vector.
macro_rules! hash_vectors {
    ($($name:ident: $system:expr, $user:expr => $hash:expr, $bit:expr;)*) => {$(
        #[test]
        fn $name() {
            let hash = request_hash($system, $user);
            assert_eq!((format!("{hash:016x}").as_str(), hash & 1), ($hash, $bit));
        }
    )*};
}

hash_vectors! {
    contract_2_hash_of_nothing: "", "" => "6e340b9cffb37a98", 0;
    contract_2_hash_of_a_and_b: "a", "b" => "59b271ae1bbcb1d3", 1;
    contract_2_hash_of_abcd: "abcd", "" => "5b0f0f00eb0915c2", 0;
    contract_2_hash_of_system_one: "system one", "user one" => "65f0e0e8d88ca3ad", 1;
    contract_2_hash_of_sys_user: "sys", "user" => "d9a85eb23dd96f9c", 0;
    contract_2_hash_of_composed_unicode: "Pr\u{fc}fe", "na\u{ef}ve" => "3e4b5dfae26501b0", 0;
    contract_2_hash_of_decomposed_unicode: "Pr\u{fc}fe", "nai\u{308}ve" => "c0ee131f101bd367", 1;
}

/// Within four standard deviations of a fair coin, as the recorded prompts of real calls are.
#[test]
fn the_lowest_bit_sends_half_of_many_prompts_to_each_model() {
    let prompts = 20_000_u32;
    let ones = (0..prompts).filter(|i| request_hash("You are a reviewer.", &format!("Review change {i}.")) & 1 == 1);
    let off = f64::from(prompts) / 2.0 - ones.count() as f64;
    assert!(off.abs() < 4.0 * (f64::from(prompts) / 4.0).sqrt(), "{off}");
}

/// Half of an `f32` is no `f64` of the same text: such a rate is where its value is, not where its text seems to be.
#[test]
fn a_rate_that_was_widened_from_f32_is_compared_by_its_value() {
    assert_eq!(route(Some(f64::from(0.9_f32)), 1), Decision::Claude, "0.9 as f32 is a little less than 0.9");
    assert_eq!(route(Some(f64::from(0.7_f32)), 0), Decision::Claude, "0.7 as f32 is a little less than 0.7");
}

pub(super) fn rules(exploration: ExplorationRules) -> SkillRules {
    SkillRules {
        route: RouteMode::Auto,
        min_samples: 1,
        thresholds: DEFAULTS,
        relative_to: RelativeTo::None,
        exploration,
    }
}

pub(super) fn of_skill(pass_rate: f64, samples: Option<u64>) -> Measured {
    Measured { pass_rate: Some(pass_rate), samples, arms: None }
}

fn for_skill(route: RouteMode, measured: Measured, min_samples: u64) -> (Decision, Reason, Option<f64>) {
    let rules = SkillRules { route, min_samples, ..rules(ExplorationRules::OFF) };
    let decided = decide_for_skill(&rules, measured, 0);
    (decided.decision, decided.reason, decided.effective_rate)
}

#[test]
fn a_pinned_route_ignores_the_rate() {
    let terrible = of_skill(0.0, Some(1000));
    let perfect = of_skill(1.0, Some(1000));
    assert_eq!(for_skill(RouteMode::Local, terrible, 1), (Decision::Local, Reason::Pinned, Some(0.0)));
    assert_eq!(for_skill(RouteMode::Claude, perfect, 1), (Decision::Claude, Reason::Pinned, Some(1.0)));
}

#[test]
fn too_few_samples_count_as_no_pass_rate() {
    let with = |samples| for_skill(RouteMode::Auto, of_skill(0.1, samples), 20);
    assert_eq!(with(Some(19)), (Decision::Local, Reason::TooFewSamples, None));
    assert_eq!(with(Some(20)), (Decision::Claude, Reason::BelowCeil, Some(0.1)));
    assert_eq!(with(None), (Decision::Claude, Reason::BelowCeil, Some(0.1)), "a brain that does not report samples");
}

pub(super) fn thresholds() -> impl Strategy<Value = ThresholdValues> {
    (0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(a, b)| ThresholdValues { floor: a.max(b), ceil: a.min(b) })
}

proptest! {
    #[test]
    fn decide_is_total_over_every_f64_and_none(bits: u64, hash: u64, thresholds in thresholds()) {
        let rate = f64::from_bits(bits);
        let (decision, reason) = decide(Some(rate), thresholds, hash);
        prop_assert_ne!(decision, Decision::ClaudeFallback);
        prop_assert!(!rate.is_nan() || reason == Reason::Split, "a rate that is not a number is split");
        prop_assert_eq!(decide(None, thresholds, hash).0, Decision::Local);
    }

    #[test]
    fn a_better_rate_never_moves_a_call_from_local_to_claude(a in 0.0..=1.0_f64, b in 0.0..=1.0_f64, hash: u64, thresholds in thresholds()) {
        let (worse, better) = (a.min(b), a.max(b));
        let local = |rate| decide(Some(rate), thresholds, hash).0 == Decision::Local;
        prop_assert!(!local(worse) || local(better));
    }

    #[test]
    fn the_boundaries_are_exact(hash: u64, thresholds in thresholds()) {
        prop_assert_eq!(decide(Some(thresholds.floor), thresholds, hash).0, Decision::Local);
        prop_assert_ne!(decide(Some(thresholds.ceil), thresholds, hash).1, Reason::BelowCeil);
        prop_assert_eq!(decide(Some(thresholds.ceil.next_down()), thresholds, hash).0, Decision::Claude);
        if thresholds.floor.next_down() >= thresholds.ceil {
            prop_assert_eq!(decide(Some(thresholds.floor.next_down()), thresholds, hash).1, Reason::Split);
        }
    }

    #[test]
    fn the_order_of_the_texts_counts(a in "[^\u{0}]{0,20}", b in "[^\u{0}]{0,20}") {
        // Texts with NUL could be split differently into the same bytes; arguments with NUL are refused.
        if a != b {
            prop_assert_ne!(request_hash(&a, &b), request_hash(&b, &a));
        }
    }
}
