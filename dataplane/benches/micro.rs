//! The parts of a call that need no network: the decision, the hash of the request beside SHA-256 alone, the prompt of a
//! built-in skill, and the record as it is sent. With the allocations of each. `make bench` keeps the output.

use crds::{
    policy::{RelativeTo, RouteMode},
    table::{ExplorationRules, ThresholdValues},
    template::{self, Template, TemplateInput},
};
use dataplane::decide::{Measured, SkillRules, decide, decide_for_skill, request_hash};
use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use serde_json::json;
use sha2::{Digest, Sha256};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 3] = [1024, 32 * 1024, 256 * 1024];
const THRESHOLDS: ThresholdValues = ThresholdValues { floor: 0.9, ceil: 0.7 };

fn main() {
    divan::main();
}

/// Goal: less than 100 ns, and no allocation.
#[divan::bench]
fn decision(bencher: Bencher<'_, '_>) {
    bencher.bench(|| decide(black_box(Some(0.8)), black_box(THRESHOLDS), black_box(7)));
}

/// The whole decision of a skill. Goal: less than 100 ns, and no allocation.
#[divan::bench]
fn decision_of_a_skill(bencher: Bencher<'_, '_>) {
    let rules = SkillRules {
        route: RouteMode::Auto,
        min_samples: 20,
        thresholds: THRESHOLDS,
        relative_to: RelativeTo::Claude,
        exploration: ExplorationRules::OFF,
    };
    let measured = Measured { pass_rate: Some(0.8), samples: Some(53), arms: None };
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
    bencher.counter(BytesCount::new(bytes)).bench(|| template::render(black_box(template.text()), &input));
}
