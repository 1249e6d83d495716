//! How what is needed grows with the number of policies.

use super::figures::{Figures, count, met, milliseconds};

/// What a policy among many may need more than one among few, and the growth is linear or better: one measurement differs
/// from another one.
const LINEAR: f64 = 1.1;

/// A figure, its name with its unit, and whether it is of one policy, which must not need more the more there are.
struct Row(&'static str, fn(&Figures) -> f64, bool);

const ROWS: [Row; 6] = [
    Row("time to settle a new policy, ms", |all| milliseconds(all.settled.time) / count(all.settled.policies), true),
    Row("processor time to settle it, ms", |all| milliseconds(all.settled.cpu) / count(all.settled.policies), true),
    Row("memory of a policy at rest, KiB", |all| (all.rest.mib - all.start_mib) * 1024.0 / count(all.policies), true),
    Row("processor time of one in a minute at rest, ms", |all| milliseconds(all.rest.cpu) / count(all.policies), true),
    Row("a change at p99, ms", |all| milliseconds(all.changes.times.at(0.99)), false),
    Row("processor time of a change, ms", |all| milliseconds(all.changes.cpu), false),
];

/// Prints each figure with few and with all policies, and their ratio.
pub fn print(first: &Figures, last: &Figures) {
    if first.policies == last.policies {
        println!("\ngrowth: not measured, with {} policies alone", last.policies);
        return;
    }
    println!("\n| growth | {} policies | {} | ratio | linear or better |", first.policies, last.policies);
    println!("|---|---|---|---|---|");
    for Row(what, of, is_of_policy) in ROWS {
        let (before, after) = (of(first), of(last));
        // Nothing before and nothing now is not growth.
        let ratio = if before == after { 1.0 } else { after / before };
        let verdict = if is_of_policy { met(ratio <= LINEAR) } else { "" };
        println!("| {what} | {before:.2} | {after:.2} | {ratio:.2} | {verdict} |");
    }
}
