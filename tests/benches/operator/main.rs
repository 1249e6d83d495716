//! The operator with 100 and with 1,000 policies, none of which has pods, on a real control plane: time until all are
//! settled, memory, processor time, requests at rest, how long a change takes, also while another namespace changes as a
//! whole, and how each of them grows. `make bench-operator` keeps the output; docs/benchmarks.md has the method. `POLICIES`
//! makes it shorter.

mod changes;
mod fairness;
mod figures;
mod fleet;
mod growth;
mod rest;
mod rig;
mod seen;
mod settle;
mod sharding;

use tests::{host, number};

use self::{figures::Figures, rig::Rig};

/// How many policies the growth is measured from.
const FIRST: usize = 100;
/// Fewer would leave one of the two namespaces without any.
const LEAST: usize = 10;

#[tokio::main]
async fn main() {
    let policies = number("POLICIES", 1_000_usize).max(LEAST);
    let mut rig = Rig::start().await;
    println!("{}\nthe operator has {:.1} MiB when there is no policy", host::described(), rig.start_mib);
    let first = measure(&mut rig, FIRST.min(policies)).await;
    let last = if policies > FIRST { measure(&mut rig, policies).await } else { first.clone() };
    fairness::measure(&rig.fleet, &last.changes).await;
    growth::print(&first, &last);
    sharding::print(&rig, &last);
}

/// Creates the policies that are missing, and measures all but fairness.
async fn measure(rig: &mut Rig, policies: usize) -> Figures {
    println!("\n{policies} policies, a tenth of them in the namespace {}, the others in {}", fleet::FEW, fleet::MANY);
    let settled = settle::measure(rig, policies).await;
    let rest = rest::measure(rig).await;
    let changes = changes::measure(rig).await;
    Figures { policies, start_mib: rig.start_mib, settled, rest, changes }
}
