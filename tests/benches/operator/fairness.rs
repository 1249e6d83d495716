//! Whether the changes of many policies of one namespace delay a change in another one.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use tests::open_loop::Measured;

use super::{
    figures::{Changes, shown},
    fleet::{FEW, Fleet, MANY},
};

/// Wait between the changes in the smaller namespace.
const EVERY: Duration = Duration::from_millis(500);
/// How long they are made at most.
const TIME: Duration = Duration::from_secs(20);

/// Changes all policies of the larger namespace at once, and meanwhile those of the smaller one, one after the other.
pub async fn measure(fleet: &Fleet, at_rest: &Changes) {
    let (many, settled) = (fleet.of(MANY), Cell::new(false));
    println!("\nfairness: all {} policies of {MANY} change at once", many.len());
    let began = Instant::now();
    let all = async {
        fleet.change_all(many).await;
        settled.set(true);
        began.elapsed()
    };
    let (all, times) = tokio::join!(all, changes_of_few(fleet, &settled));
    println!("all of {MANY} settled after {:.1} s", all.as_secs_f64());
    println!("a change in {FEW} meanwhile: {}", shown(&Measured::of(times)));
    println!("a change in {FEW} at rest:   {}", shown(&at_rest.times));
}

/// The times of changes in the smaller namespace while the larger one is not settled.
async fn changes_of_few(fleet: &Fleet, settled: &Cell<bool>) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), vec![]);
    for number in fleet.of(FEW).into_iter().cycle() {
        tokio::time::sleep(EVERY).await;
        if settled.get() || began.elapsed() > TIME {
            break;
        }
        times.push(fleet.change(number).await);
    }
    times
}
