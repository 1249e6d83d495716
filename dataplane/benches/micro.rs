//! The parts of a call that need no network: the decision, the hash of the request beside SHA-256 alone, the prompt of a
//! built-in skill, and the record as it is sent. With the allocations of each. `make bench` keeps the output.

use std::time::Instant;

use crds::{
    policy::{RelativeTo, RouteMode},
    table::{ExplorationRules, ThresholdValues},
    template::{self, Template, TemplateInput},
};
use dataplane::{
    decide::{Decision, Measured, Reason, SkillRules, decide, decide_for_skill, request_hash},
    decision::DecisionRecord,
};
use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use serde_json::json;
use sha2::{Digest, Sha256};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 3] = [1024, 32 * 1024, 256 * 1024];
const THRESHOLDS: ThresholdValues = ThresholdValues { floor: 0.9, ceil: 0.7 };

/// What a hash may take more than SHA-256 of the same bytes.
const HASH_MORE: f64 = 1.05;

fn main() {
    println!("{}", tests::host::described());
    divan::main();
    let decision = each(100_000, || decide_for_skill(black_box(&rules()), black_box(measured()), black_box(7)));
    println!(
        "a decision: {:.1} ns; goal < 100 ns: {}",
        decision * 1e9,
        if decision < 100e-9 { "met" } else { "missed" }
    );
    for bytes in SIZES {
        let (user, whole) = ("u".repeat(bytes), "u".repeat(bytes + 1));
        let own = each(200, || Sha256::digest(black_box(whole.as_bytes())));
        let hash = each(200, || request_hash(black_box(""), black_box(&user)));
        let met = if hash < own * HASH_MORE { "met" } else { "missed" };
        println!("the hash of {bytes} bytes: {:.2} of SHA-256 alone; goal < {HASH_MORE}: {met}", hash / own);
    }
}

/// The time of one, in seconds: the best of 20 series.
fn each<T>(count: u32, mut work: impl FnMut() -> T) -> f64 {
    let series = |_| {
        let began = Instant::now();
        (0..count).for_each(|_| drop(black_box(work())));
        began.elapsed().as_secs_f64() / f64::from(count)
    };
    (0..20).map(series).fold(f64::INFINITY, f64::min)
}

fn rules() -> SkillRules {
    SkillRules {
        route: RouteMode::Auto,
        min_samples: 20,
        thresholds: THRESHOLDS,
        relative_to: RelativeTo::Claude,
        exploration: ExplorationRules::OFF,
    }
}

fn measured() -> Measured {
    Measured { pass_rate: Some(0.8), samples: Some(53), arms: None }
}

/// Goal: less than 100 ns, and no allocation.
#[divan::bench]
fn decision(bencher: Bencher<'_, '_>) {
    bencher.bench(|| decide(black_box(Some(0.8)), black_box(THRESHOLDS), black_box(7)));
}

/// The whole decision of a skill. Goal: less than 100 ns, and no allocation.
#[divan::bench]
fn decision_of_a_skill(bencher: Bencher<'_, '_>) {
    let (rules, measured) = (rules(), measured());
    bencher.bench(|| decide_for_skill(black_box(&rules), black_box(measured), black_box(7)));
}

/// Goal: as fast as [`sha256`].
#[divan::bench(args = SIZES)]
fn hash(bencher: Bencher<'_, '_>, bytes: usize) {
    let (system, user) = ("s".repeat(1000), "u".repeat(bytes));
    bencher.counter(BytesCount::new(bytes + 1001)).bench(|| request_hash(black_box(&system), black_box(&user)));
}

#[divan::bench(args = SIZES)]
fn sha256(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = "u".repeat(bytes + 1001);
    bencher.counter(BytesCount::new(bytes + 1001)).bench(|| Sha256::digest(black_box(text.as_bytes())));
}

#[divan::bench(args = SIZES)]
fn prompt(bencher: Bencher<'_, '_>, bytes: usize) {
    let template = "Problem:\n{{ args.problem }}\n{% if args.context is defined %}{{ args.context }}{% endif %}\n";
    let template = Template::parse(template).expect("a template");
    let args = json!({"project_root": "/tmp", "problem": "p".repeat(bytes)}).as_object().cloned().expect("an object");
    let input = TemplateInput { args: &args, previous: None, files: &[], session: &[] };
    // As a call does it: what takes longer than a moment is rendered on a thread apart.
    let render = || match black_box(&template).render_at_once(&input) {
        Ok(None) => template::render(template.text(), &input),
        rendered => rendered.map(Option::unwrap_or_default),
    };
    assert!(render().is_ok_and(|prompt| prompt.len() > bytes));
    bencher.counter(BytesCount::new(bytes)).bench(render);
}

/// The record of a call, made and as it is sent to the brain.
#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    let record = || DecisionRecord {
        hash: "0123456789abcdef".into(),
        pass_rate: Some(0.94),
        samples: Some(53),
        ..DecisionRecord::new("debug", Decision::Local, Reason::AtOrAboveFloor, "local-model")
    };
    bencher.bench(|| serde_json::to_vec(&black_box(record())));
}
