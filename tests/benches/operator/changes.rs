//! How long a change takes when nothing else happens.

use tests::open_loop::Measured;

use super::{
    figures::{Changes, milliseconds, shown},
    fleet::FEW,
    rig::Rig,
};

/// Changes, one after the other.
const CHANGES: u32 = 100;

/// Changes policies of the smaller namespace in turn.
pub async fn measure(rig: &Rig) -> Changes {
    let (cpu, mut times) = (rig.cpu(), vec![]);
    for number in rig.fleet.of(FEW).into_iter().cycle().take(CHANGES as usize) {
        times.push(rig.fleet.change(number).await);
    }
    let changes = Changes { times: Measured::of(times), cpu: (rig.cpu() - cpu) / CHANGES };
    println!(
        "a change, until the status has it: {}; processor time {:.1} ms each",
        shown(&changes.times),
        milliseconds(changes.cpu)
    );
    changes
}
