//! The real program on a machine whose clock on the wall jumps: in a process of its own, as a clock is a process's.

use std::time::Duration;

use tests::{required, supervised::Supervised, wall_clock::WallClock};
use tokio::time::sleep;

use super::{ground::Ground, lease, operated::arguments, place::Place, wait};

/// How long the clock is wrong.
const IS_WRONG_FOR: Duration = Duration::from_secs(5);
/// Longest wait until the operator has renewed its lease.
const RENEWED_WITHIN: Duration = Duration::from_secs(20);
/// An hour is this many seconds, or a few less, as renewing takes its time.
const NEARLY_AN_HOUR: i64 = 3_500;

/// An operator with a clock of its own; it is killed when this is dropped.
pub struct OwnClock {
    // First, so that it ends before its clock goes.
    _process: Supervised,
    clock: WallClock,
}

impl OwnClock {
    /// Starts the operator of a namespace.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(ground: &Ground, namespace: &str) -> Self {
        let (clock, folder) = (WallClock::new(), ground.plane.folder());
        let mut command = vec![required("ROUTING_OPERATOR_BIN").display().to_string()];
        command.extend(arguments(namespace, "first", false));
        let mut variables = vec![("KUBECONFIG".to_string(), ground.kubeconfig.display().to_string())];
        variables.extend(clock.variables());
        Self { _process: Supervised::start(namespace, &command, &variables, folder), clock }
    }

    /// Jumps an hour ahead, back, and right again; whether the operator's lease shows that its clock did.
    pub async fn jump(&self, place: &Place) -> bool {
        self.clock.set("+3600");
        let jumped = wait::for_a_while(RENEWED_WITHIN, || async {
            lease::seconds_ahead(place).await.is_some_and(|seconds| seconds >= NEARLY_AN_HOUR)
        });
        let jumped = jumped.await;
        sleep(IS_WRONG_FOR).await;
        for offset in ["-3600", "+0"] {
            self.clock.set(offset);
            sleep(IS_WRONG_FOR).await;
        }
        jumped
    }
}
