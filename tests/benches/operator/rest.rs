//! What the operator asks for, and needs, when nothing changes.

use std::time::{Duration, Instant};

use tests::requests::{Kind, Requests};

use super::{
    figures::{Rest, met},
    rig::Rig,
};

/// How long nothing but watches and the lease may be asked for before the minute begins, and how often in a row.
const WINDOW: Duration = Duration::from_secs(5);
const WINDOWS: u32 = 2;
/// Longest wait for that; then the minute begins nevertheless.
const LIMIT: Duration = Duration::from_secs(180);
/// How long is measured.
pub const MINUTE: Duration = Duration::from_secs(60);

/// Measures a minute at rest.
pub async fn measure(rig: &mut Rig) -> Rest {
    until_calm(rig).await;
    let cpu = rig.cpu();
    tokio::time::sleep(MINUTE).await;
    let rest = Rest { cpu: rig.cpu() - cpu, mib: rig.mib() };
    print(&rig.requests(), rest);
    rest
}

async fn until_calm(rig: &mut Rig) {
    let (began, mut calm) = (Instant::now(), 0);
    let _ = rig.requests();
    while calm < WINDOWS {
        if began.elapsed() > LIMIT {
            println!("not at rest {} s after all were settled", LIMIT.as_secs());
            return;
        }
        tokio::time::sleep(WINDOW).await;
        calm = if rig.requests().only(is_other).count() == 0 { calm + 1 } else { 0 };
    }
    println!("at rest {:.0} s after all were settled", (began.elapsed() - WINDOW * WINDOWS).as_secs_f64());
}

/// Whether a request is neither of a watch nor for the lease.
fn is_other(kind: &Kind) -> bool {
    !kind.is_watch_or_lease() && !kind.is_list_of_watch()
}

fn print(requests: &Requests, rest: Rest) {
    println!("| request | in {} s at rest |\n|---|---|", MINUTE.as_secs());
    for (kind, sent) in requests.iter() {
        println!("| {kind} | {sent} |");
    }
    let count = |which: fn(&Kind) -> bool| requests.clone().only(which).count();
    let (lists, others, writes) = (count(Kind::is_list_of_watch), count(is_other), count(Kind::is_write));
    println!("lists that watches began anew with: {lists}");
    println!("requests that are neither of watches nor for the lease: {others}; goal 0: {}", met(others == 0));
    println!("writes: {writes}; goal 0: {}", met(writes == 0));
    println!("processor time {:.2} s; memory {:.1} MiB", rest.cpu.as_secs_f64(), rest.mib);
}
