//! How long until new policies are settled, and what the operator needs for that.

use std::time::Instant;

use tests::requests::Requests;

use super::{
    figures::{Settled, count},
    rig::Rig,
};

/// Creates policies up to this number, and waits until all are settled.
pub async fn measure(rig: &mut Rig, policies: usize) -> Settled {
    let new = policies - rig.fleet.policies();
    // Those of before do not count.
    let _ = rig.requests();
    let (began, cpu) = (Instant::now(), rig.cpu());
    rig.fleet.grow(policies).await;
    let created = began.elapsed();
    rig.fleet.until_settled().await;
    let settled = Settled { policies: new, time: began.elapsed(), cpu: rig.cpu() - cpu };
    println!(
        "{new} new ones: created in {:.1} s, settled after {:.1} s; processor time {:.2} s; memory {:.1} MiB",
        created.as_secs_f64(),
        settled.time.as_secs_f64(),
        settled.cpu.as_secs_f64(),
        rig.mib()
    );
    print(&rig.requests(), new);
    settled
}

/// Prints the requests meanwhile, and how many are for one policy.
#[allow(clippy::cast_precision_loss)]
fn print(requests: &Requests, policies: usize) {
    println!("| request | until all were settled | per policy |\n|---|---|---|");
    for (kind, sent) in requests.iter() {
        println!("| {kind} | {sent} | {:.2} |", sent as f64 / count(policies));
    }
    let all = requests.count();
    println!("| all | {all} | {:.2} |", all as f64 / count(policies));
}
