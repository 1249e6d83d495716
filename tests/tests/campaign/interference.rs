//! What others do meanwhile, on purpose or not.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    clock::OwnClock,
    cluster_wide::Definition,
    faults::Faults,
    ground::Ground,
    lease, obstacle,
    operated::{Operated, Replica},
    place::Place,
    policy_tampering::PolicyTampering,
    tampering::Tampering,
    wait,
};

/// How long two operators work at a time.
const SIDE_BY_SIDE: Duration = Duration::from_secs(10);
/// Longest wait until the operator has noticed that the API server was away.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);
/// How long others still try when the user is done.
const LATE: Duration = Duration::from_secs(10);
/// Wait before others try again what changed nothing.
const AGAIN: Duration = Duration::from_millis(200);

/// What others do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interference {
    /// Something to the children.
    Children(Tampering),
    /// Something to the policy.
    Policy(PolicyTampering),
    /// For a while a quota allows no new objects.
    Quota,
    /// For a while no pod may be created.
    LimitRange,
    /// The namespace is deleted, and made again.
    NamespaceEnding,
    /// Another holder is written into the lease.
    LeaseStolen,
    /// The lease is deleted.
    LeaseDeleted,
    /// For a while another operator works, too.
    TwoLeaders,
    /// The CustomResourceDefinition is that of another version for a while.
    Definition(Definition),
    /// The API server is killed, and started after so long.
    ApiServerAway(Duration),
    /// The clock of the operator's machine jumps an hour ahead, back, and right again.
    Clock,
}

/// Where it happens.
pub struct Stage<'a> {
    /// The control plane.
    pub ground: &'a Ground,
    /// The plan's namespace.
    pub place: &'a Place,
    /// What the operator sends.
    pub faults: &'a Faults,
    /// The clock of the operator's machine, if it has one of its own.
    pub clock: Option<&'a OwnClock>,
}

impl Interference {
    /// Whether it changes what the user wants, who must apply the policy again afterwards.
    #[must_use]
    pub fn needs_the_user_again(self) -> bool {
        matches!(self, Self::NamespaceEnding | Self::LimitRange | Self::Definition(Definition::Newer))
    }

    /// Whether it takes the lease away: a leader may go on without one, which neither policy nor children show.
    #[must_use]
    pub fn is_of_the_lease(self) -> bool {
        matches!(self, Self::LeaseStolen | Self::LeaseDeleted)
    }

    /// How many operators work at a time.
    #[must_use]
    pub fn leaders(self) -> u64 {
        if self == Self::TwoLeaders { 2 } else { 1 }
    }

    /// Does it; whether it did something. What is done in a moment is done until it does, or until the user is done for a
    /// while. `choice` chooses where there is a choice.
    pub async fn strike(self, stage: &Stage<'_>, choice: u64, user_is_done: &CancellationToken) -> bool {
        if !self.is_done_in_a_moment() {
            return self.act(stage, choice).await;
        }
        let until_it_does = async {
            while !self.act(stage, choice).await {
                sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = until_it_does => true,
            () = late(user_is_done) => false,
        }
    }

    fn is_done_in_a_moment(self) -> bool {
        matches!(self, Self::Children(_) | Self::Policy(_)) || self.is_of_the_lease()
    }

    async fn act(self, stage: &Stage<'_>, choice: u64) -> bool {
        let place = stage.place;
        match self {
            Self::Children(tampering) => tampering.act(place, choice).await,
            Self::Policy(tampering) => tampering.act(place).await,
            Self::Quota => obstacle::quota(place, stage.faults, choice).await,
            Self::LimitRange => obstacle::limit_range(place).await,
            Self::NamespaceEnding => end_and_begin(place).await,
            Self::LeaseStolen => lease::steal(place).await,
            Self::LeaseDeleted => lease::delete(place).await,
            Self::TwoLeaders => work_side_by_side(stage).await,
            Self::Definition(definition) => definition.act(place).await,
            Self::ApiServerAway(time) => go_away(stage, time).await,
            Self::Clock => match stage.clock {
                Some(clock) => clock.jump(place).await,
                None => false,
            },
        }
    }
}

/// Returns a while after the user is done.
pub async fn late(user_is_done: &CancellationToken) {
    user_is_done.cancelled().await;
    sleep(LATE).await;
}

async fn end_and_begin(place: &Place) -> bool {
    let began = place.delete().await;
    if began {
        place.until_gone().await;
        place.create().await;
    }
    began
}

/// Whether the second one wrote anything: where there is no policy, it has nothing to do.
async fn work_side_by_side(stage: &Stage<'_>) -> bool {
    let faults = Arc::new(Faults::new(None));
    let second =
        Operated::start(&stage.ground.config, &stage.place.namespace, Replica::SecondLeader, Arc::clone(&faults));
    sleep(SIDE_BY_SIDE).await;
    drop(second);
    faults.counts().writes > 0
}

/// Whether a connection of the operator failed.
async fn go_away(stage: &Stage<'_>, time: Duration) -> bool {
    let (plane, before) = (stage.ground.plane, stage.faults.broken());
    plane.stop_api_server();
    sleep(time).await;
    plane.start_api_server().await;
    wait::for_a_while(NOTICED_WITHIN, || std::future::ready(stage.faults.broken() > before)).await
}
